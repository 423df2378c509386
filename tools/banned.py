#!/usr/bin/python3
"""Words that do not stand in this tree, each with the reason or what to write instead.

    tools/banned.py [TREE]
"""
import re

from csource import Report, sources, tree_of_arguments

CALLS = {  # a call of this name: (what to do instead, the only file that may)
    "strcpy strcat sprintf vsprintf gets stpcpy": ("build text in a buf (base/buf.h)", None),
    "strtok strtok_r": ("walk bytes with a cursor (base/cursor.h)", None),
    "atoi atol atoll atof strtol strtoul strtoll strtoull": ("cursor_decimal and friends refuse what is no number", None),
    "alloca setjmp longjmp": ("a fiber's stack is small, and fibers do not jump", None),
    "system popen": ("nothing of ours runs a shell", None),
    "rand srand random srandom rand_r drand48 getrandom": ("base/random is the only source", "src/base/random.c"),
    "time gettimeofday": ("base/clock is the only clock", "src/base/clock.c"),
    "sleep usleep nanosleep": ("wait with a deadline on a fiber", None),
    "assert": ("no assert can be reached from the network; a broken invariant aborts by its own name", None),
    "memmem strstr sscanf": ("peer bytes are walked with a cursor", None),
}
PATTERNS = {
    r"\btypedef\s+(struct|union|enum)\b": "`struct thing`, no typedefs",
    r"^\s*#\s*pragma\s+once": "include guards, not #pragma once",
}
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SLEEPS = re.compile(r"(?<![\w.])(time\.sleep|u?sleep)\s*\(")
HELPERS = ("support", "tools", "bench")  # folders of tests/ that hold helpers: waiting is done there, once


def check_calls(report, source):
    for names, (instead, home) in CALLS.items():
        call = re.compile(rf"(?<![\w.>])({names.replace(' ', '|')})\s*\(")
        for number, line in enumerate(source.code_lines, 1):
            if source.name != home and (match := call.search(line)):
                report.say(source.name, number, f"{match[1]}: {instead}")


def check_defaults(report, source, ours):
    """-Wswitch finds the forgotten case only where no `default` hides it."""
    for function in source.functions:
        for line, body in function.switches:
            own, default, depth = False, None, 0
            for at, token in enumerate(body):
                depth += (token == "{") - (token == "}")
                if depth == 0 and token == "case":
                    own = own or body[at + 1] in ours
                elif depth == 0 and token == "default" and body[at + 1] == ":":
                    default = token
            if own and default is not None:
                report.say(source.name, default.line, f"{function.name}: no `default` in a switch over our own enum")


def check_tests(report, tree):
    for path in sorted((tree / "tests").rglob("*")):
        if path.suffix not in (".py", ".c", ".h", ".sh"):
            continue
        name = str(path.relative_to(tree))
        helper = name.split("/")[1] in HELPERS
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if LEFTOVERS.search(line) and "tools" not in path.parts:
                report.say(name, number, "finish it, or open an issue: no leftovers")
            if SLEEPS.search(line.split("#")[0]) and not helper:
                report.say(name, number, "a test does not sleep: wait for what it promises, or use the virtual clock")


def main():
    tree, report = tree_of_arguments(), Report()
    found = list(sources(tree, "src"))
    ours = {word for source in found for words in source.enums.values() for word in words}
    for source in found:
        check_calls(report, source)
        check_defaults(report, source, ours)
        for number, line in enumerate(source.code_lines, 1):
            for pattern, message in PATTERNS.items():
                if re.search(pattern, line):
                    report.say(source.name, number, message)
        for number, line in enumerate(source.lines, 1):
            if LEFTOVERS.search(line):
                report.say(source.name, number, "finish it, or open an issue: no leftovers")
    check_tests(report, tree)
    report.finish()


main()
