"""Differences from Debian's nginx 1.22 that are meant: case -> {aspect: first column of its line in doc/differences.md}."""

INTENDED = {}
