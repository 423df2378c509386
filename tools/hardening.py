#!/usr/bin/python3
"""Is the release binary as hard as the Makefile means it to be? Asks readelf, because a flag can be lost in silence.

    tools/hardening.py [TREE]     needs: make
"""
import re
import subprocess

from csource import Report, tree_of_arguments


def main():
    tree, report = tree_of_arguments(), Report()
    binary = tree / "build/release/bifrons"
    report.need(binary)
    text = subprocess.run(
        ["readelf", "-W", "-h", "-l", "-d", "--dyn-syms", str(binary)], capture_output=True, text=True, check=True
    ).stdout
    wanted = {
        r"Type:\s+DYN": "position independent (-pie)",
        r"INTERP": "an executable, not a library",
        r"GNU_RELRO": "relocations read-only (-z relro)",
        r"FLAGS.*BIND_NOW|FLAGS_1.*NOW": "bound at start (-z now)",
        r"GNU_STACK.* RW ": "no executable stack (-z noexecstack)",
        r"__stack_chk_fail": "stack protector",
        r"__(memcpy|snprintf|vsnprintf|fprintf|memmove|read|recv)_chk": "_FORTIFY_SOURCE",
    }
    refused = {
        r"\((RPATH|RUNPATH)\)": "a library path is built in",
        r"\(TEXTREL\)": "its text is written at start",
        r"LOAD.* RWE ": "a segment is writable and executable",
    }
    for pattern, meaning in wanted.items():
        if not re.search(pattern, text):
            report.say("build/release/bifrons", 1, f"missing: {meaning}")
    for pattern, meaning in refused.items():
        if re.search(pattern, text):
            report.say("build/release/bifrons", 1, meaning)
    report.finish()


main()
