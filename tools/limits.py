#!/usr/bin/python3
"""Sizes that keep the tree readable. When one of them hurts, the cut is wrong: split by purpose, not by length.

    tools/limits.py [TREE]
"""
import re

from csource import Report, sources, tree_of_arguments

COLUMNS, FILE_LINES, FUNCTION_LINES, PARAMETERS, NESTING = 100, 800, 60, 6, 3
MEMBERS, BOOLEANS, LABELS = 24, 2, 1
MAY_BRANCH = re.compile(r"src/(base/os\.c|net/.*|tls/.*|run/modules\.h)$")  # where #if may stand


def check_file(report, source):
    if len(source.lines) > FILE_LINES:
        report.say(source.name, FILE_LINES + 1, f"{len(source.lines)} lines; at most {FILE_LINES} a file")
    for number, line in enumerate(source.lines, 1):
        if len(line) > COLUMNS:
            report.say(source.name, number, f"{len(line)} columns; at most {COLUMNS}, comments too")
    if source.path.suffix == ".c" and not source.text.startswith("/*"):
        report.say(source.name, 1, "open with a comment: what the file is for, what it owns")


def check_branches(report, source):
    if MAY_BRANCH.match(source.name):
        return
    words = [(line, re.match(r"#\s*(\w*)\s*(\w*)", text).groups()) for line, text in source.directives]
    guard = (
        source.path.suffix == ".h"
        and len(words) > 1
        and words[0][1][0] == "ifndef"
        and words[1][1] == ("define", words[0][1][1])
    )
    for line, (word, _) in words[1:] if guard else words:
        if word in ("if", "ifdef", "ifndef", "elif"):
            report.say(source.name, line, f"#{word} stands only in base/os.c, net, tls and run/modules.h")


def check_function(report, source, f):
    def limit(what, have, most):
        if have > most:
            report.say(source.name, f.line, f"{f.name}: {have} {what}; at most {most}")

    limit("lines", f.lines, FUNCTION_LINES)
    if not any("SSL" in parameter for parameter in f.parameters):  # a callback's shape is OpenSSL's choice
        limit("parameters", len(f.parameters), PARAMETERS)
    limit("levels of nesting", f.depth, NESTING)
    limit("labels", len(f.labels), LABELS)
    for label in f.labels:
        if label != "fail":
            report.say(source.name, label.line, f"{f.name}: the one label of a function is `fail`, not `{label}`")


def check_aggregate(report, source, a):
    name = f"{a.kind} {a.name}".strip()
    booleans = sum(type_ in ("bool", "_Bool") for type_, _, _ in a.members)
    if a.kind == "struct" and len(a.members) > MEMBERS:
        report.say(source.name, a.line, f"{name}: {len(a.members)} members; at most {MEMBERS}")
    if a.kind == "struct" and booleans > BOOLEANS:
        report.say(source.name, a.line, f"{name}: {booleans} booleans; at most {BOOLEANS}: make them one enum")
    for _, member, is_bit_field in a.members:
        if is_bit_field:
            report.say(source.name, member.line, f"{name}: bit-field; use an enum or whole members")
    for inner in a.inner:
        check_aggregate(report, source, inner)


def main():
    tree, report = tree_of_arguments(), Report()
    for source in sources(tree, "src"):
        check_file(report, source)
        check_branches(report, source)
        for function in source.functions:
            check_function(report, source, function)
        for aggregate in source.aggregates:
            check_aggregate(report, source, aggregate)
    for source in sources(tree, "tests"):
        check_file(report, source)
    report.finish()


main()
