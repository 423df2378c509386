#!/usr/bin/python3
"""Floors: a folder of src/ may include only what stands below it. This table is the law; the story of it is in
ARCHITECTURE.md. `serve`, `decide`, `fetch`, `cache`, `filter` and `log` never include one another: they meet in
`exchange`. Also here, because it is the same thought: who may know sockets, clocks and OpenSSL.

    tools/layers.py [TREE]
"""
import re

from csource import Report, sources, tree_of_arguments

BELOW = {
    "base": "",
    "conf": "base",
    "net": "base",
    "proto": "base",
    "tls": "base net",
    "exchange": "base conf net proto",
    "serve": "base conf net proto tls exchange",
    "decide": "base conf proto exchange",
    "fetch": "base conf net proto tls exchange",
    "cache": "base conf net proto exchange",
    "filter": "base conf proto exchange",
    "log": "base conf net exchange",
    "agent": "base conf net proto tls exchange serve decide fetch cache filter log",
    "run": "base conf net proto tls exchange serve decide fetch cache filter log agent",
}
MAIN = "base run"  # src/main.c hands argv to run/cli.c

# Headers of others that only some folders may know, and calls that some folders must not make.
ONLY_IN = {r"openssl/": "tls run", r"sys/epoll\.h": "net", r"cmocka\.h": ""}
NEVER_IN = {
    "base": [r"netdb\.h"],
    "conf": [r"sys/socket\.h", r"netdb\.h", r"poll\.h"],
    "proto": [r"sys/socket\.h", r"netdb\.h", r"poll\.h", r"fcntl\.h", r"sys/stat\.h"],
    "decide": [r"sys/socket\.h", r"netdb\.h", r"poll\.h"],
}
OPENS_A_SOCKET = re.compile(r"(?<![\w.>])(socket|socketpair|accept4?|getaddrinfo)\s*\(")
READS_A_CLOCK = re.compile(r"(?<![\w.>])(clock_gettime|gettimeofday|time|clock_now\w*)\s*\(")
NO_CALLS = {
    "base": [(OPENS_A_SOCKET, "base opens no socket")],
    "conf": [(OPENS_A_SOCKET, "conf opens no socket")],
    "decide": [(OPENS_A_SOCKET, "decide opens no socket")],
    "proto": [(OPENS_A_SOCKET, "proto opens no socket"), (READS_A_CLOCK, "proto knows no clock: pass the time")],
}


def check_include(report, source, folder, line, path, ours):
    if not ours:
        for pattern, allowed in ONLY_IN.items():
            if re.match(pattern, path) and folder not in allowed.split():
                report.say(source.name, line, f"<{path}> belongs in {allowed or 'tests'} only")
        if any(re.match(pattern, path) for pattern in NEVER_IN.get(folder, [])):
            report.say(source.name, line, f"{folder} must not know <{path}>")
        return
    target, slash, _ = path.partition("/")
    if not slash:
        report.say(source.name, line, f'write the folder: "{folder}/{path}"')
    elif target not in BELOW:
        report.say(source.name, line, f'"{path}": there is no floor "{target}"')
    elif target != folder and target not in (BELOW[folder] if folder else MAIN).split():
        report.say(source.name, line, f'{folder or "main.c"} must not include {target} ("{path}")')


def main():
    tree, report = tree_of_arguments(), Report()
    for source in sources(tree, "src"):
        parts = source.name.split("/")
        folder = parts[1] if len(parts) > 2 else ""
        if folder and folder not in BELOW:
            report.say(source.name, 1, f'"{folder}" has no floor in tools/layers.py')
            continue
        own = source.name[len("src/") : -2]  # "net/loop"; its private net/loop_backend.h may come first too
        includes = list(source.includes())
        for line, path, ours in includes:
            check_include(report, source, folder, line, path, ours)
        if source.path.suffix == ".c" and (tree / "src" / f"{own}.h").exists() and includes:
            if includes[0][1] != f"{own}.h" and not includes[0][1].startswith(f"{own}_"):
                report.say(source.name, includes[0][0], f'the own header comes first: "{own}.h"')
        for pattern, message in NO_CALLS.get(folder, []):
            for number, line in enumerate(source.code_lines, 1):
                if pattern.search(line):
                    report.say(source.name, number, message)
    report.finish()


main()
