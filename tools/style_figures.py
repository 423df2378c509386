#!/usr/bin/python3
"""How readable are we? The figures by which seven good C trees were compared, measured on src/, beside our goals.

    tools/style_figures.py [TREE]     a report, not a lint: the hard limits are in limits.py
"""
from statistics import median

from csource import sources, tree_of_arguments


def include_graph(found):
    """Header or source -> the headers of ours that it names."""
    return {
        source.name[len("src/") :]: [path for _, path, ours in source.includes() if ours] for source in found
    }


def chain(graph, name, seen=()):
    """The longest chain of our headers below this file."""
    below = [n for n in graph.get(name, []) if n not in seen]
    return max((1 + chain(graph, n, (*seen, name)) for n in below), default=0)


def behind(graph, name):
    """All our headers that a compiler reads for this file."""
    reached, waiting = set(), [name]
    while waiting:
        for below in graph.get(waiting.pop(), []):
            if below not in reached:
                reached.add(below)
                waiting.append(below)
    return reached


def main():
    found = list(sources(tree_of_arguments(), "src"))
    files = [s for s in found if s.path.suffix == ".c"]
    lengths = [f.lines for s in files for f in s.functions] or [0]
    all_lines = sum(len(s.lines) for s in found) or 1
    code_lines = sum(bool(line.strip()) for s in found for line in s.code_lines) or 1
    comments = sum(
        bool(line.strip()) and not code.strip() for s in found for line, code in zip(s.lines, s.code_lines)
    )
    branches = sum(
        text.lstrip("# ").split("(")[0].split()[0] in ("if", "ifdef", "ifndef", "elif")
        for s in found
        for _, text in s.directives
        if text.lstrip("# ")
    ) - sum(s.path.suffix == ".h" for s in found)  # include guards
    gotos = sum(token == "goto" for s in found for token in s.tokens)
    graph = include_graph(found)
    names = [s.name[len("src/") :] for s in files]

    rows = [
        ("`.c` files", len(files), ""),
        ("file lines, median", median([len(s.lines) for s in files] or [0]), "200"),
        ("longest file", max([len(s.lines) for s in found] or [0]), "800"),
        ("function lines, median", median(lengths), "14"),
        ("functions over 60 lines, %", 100 * sum(n > 60 for n in lengths) / len(lengths), "0"),
        ("longest function", max(lengths), "60"),
        ("comment lines, %", 100 * comments / all_lines, "8-15"),
        ("deepest include chain", max((chain(graph, n) for n in names), default=0), "6"),
        ("own headers behind a file, median", median([len(behind(graph, n)) for n in names] or [0]), "12"),
        ("`#if` per 1000 code lines", 1000 * max(branches, 0) / code_lines, "2"),
        ("`goto` per 1000 code lines", 1000 * gotos / code_lines, "3"),
    ]
    print(f"{'measured':36}{'now':>8}  goal")
    for what, now, goal in rows:
        print(f"{what:36}{now:>8.5g}  {goal}")


main()
