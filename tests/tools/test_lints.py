"""The lints themselves: each rule refuses a bad sample, and a good one passes."""
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent.parent / "tools"

GOOD = {
    "src/base/thing.h": "#ifndef BASE_THING_H\n#define BASE_THING_H\n\nint thing_sum(int a, int b);\nstruct thing {\n    bool a, b;\n    bool (*may)(int c, int d);\n};\n\n#endif\n",
    "src/base/thing.c": '/* Sums. */\n#include "base/thing.h"\n\nint thing_sum(int a, int b)\n{\n    return a + b;\n}\n',
    "src/main.c": '/* Starts. */\n#include "run/cli.h"\n\nint main(void)\n{\n    return cli_run();\n}\n',
}


def function(body, parameters="void"):
    return f"/* Sample. */\nstatic int sample({parameters})\n{{\n{body}\n}}\n"


def header(body):
    return f"#ifndef SAMPLE_H\n#define SAMPLE_H\n{body}\n#endif\n"


def lint(tool, tree, files):
    for name, text in {**GOOD, **files}.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = subprocess.run([sys.executable, TOOLS / f"{tool}.py", tree], capture_output=True, text=True)
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("tool", ["layers", "limits", "banned"])
def test_a_good_tree_passes(tool, tmp_path):
    assert lint(tool, tmp_path, {}) == (0, "")


NESTED = "for (;;) {\nwhile (1) {\nif (x) {\nif (y) {\nz();\n}\n}\n}\n}"
FLAT = "if (a) {\n} else if (b) {\n} else if (c) {\n} else if (d) {\n}\ndo {\n} while (x);\nswitch (x) {\ncase 1:\nbreak;\n}"
CHAIN = "struct a { int x[2]; } t = { { 1, 2 } };\nreturn (struct a){ { 1, 2 } }.x[0];"

BAD = [
    ("layers", "a floor above", "src/base/x.c", '/* x */\n#include "net/conn.h"\n', "base must not include net"),
    ("layers", "a sibling of the same floor", "src/decide/x.c", '/* x */\n#include "serve/h1.h"\n', "decide must not include serve"),
    ("layers", "a subfolder's floor", "src/fetch/upstream/x.c", '/* x */\n#include "cache/store.h"\n', "fetch must not include cache"),
    ("layers", "no folder", "src/base/x.c", '/* x */\n#include "span.h"\n', "write the folder"),
    ("layers", "an unknown floor", "src/base/x.c", '/* x */\n#include "util/x.h"\n', "no floor"),
    ("layers", "OpenSSL outside tls", "src/serve/x.c", "/* x */\n#include <openssl/ssl.h>\n", "belongs in tls run only"),
    ("layers", "a socket in proto", "src/proto/x.c", "/* x */\n#include <sys/socket.h>\n", "must not know"),
    ("layers", "a clock in proto", "src/proto/x.c", function("return time(0);"), "proto knows no clock"),
    ("layers", "base opens a socket", "src/base/x.c", function("return socket(1, 1, 0);"), "opens no socket"),
    ("layers", "another's header first", "src/base/thing.c", '/* x */\n#include <stdio.h>\n#include "base/thing.h"\n', "own header"),
    ("limits", "a long file", "src/base/x.h", header("\n" * 801), "lines; at most 800"),
    ("limits", "a long line", "src/base/x.c", "/* " + "x" * 100 + " */\n", "columns; at most 100"),
    ("limits", "a long function", "src/base/x.c", function("x();\n" * 60), "lines; at most 60"),
    ("limits", "seven parameters", "src/base/x.c", function("", "int a, int b, int c, int d, int e, int f, int g"), "7 parameters"),
    ("limits", "deep nesting", "src/base/x.c", function(NESTED), "4 levels of nesting"),
    ("limits", "deep nesting without braces", "src/base/x.c", function("for (;;)\nwhile (1)\nif (x)\nif (y)\nz();"), "4 levels"),
    ("limits", "deep nesting in a loop of a macro", "src/base/x.c", function("each(x) {\nif (a)\nif (b)\nif (c)\nd();\n}"), "4 levels"),
    ("limits", "two labels", "src/base/x.c", function("fail:\nx();\nout:\ny();"), "2 labels"),
    ("limits", "a label of another name", "src/base/x.c", function("out:\ny();"), "`fail`, not `out`"),
    ("limits", "25 members", "src/base/x.h", header("struct s {\n" + "int m;\n" * 25 + "};"), "25 members"),
    ("limits", "25 members, some anonymous", "src/base/x.h", header("struct s {\nunion {\n" + "int m, n;\n" * 12 + "};\nint z;\n};"), "25 members"),
    ("limits", "three booleans", "src/base/x.h", header("struct s {\nbool a, b;\nbool c;\n};"), "3 booleans"),
    ("limits", "a bit-field", "src/base/x.h", header("struct s {\nunsigned a : 1;\n};"), "bit-field"),
    ("limits", "no head comment", "src/base/x.c", "#include <stdio.h>\n", "open with a comment"),
    ("limits", "#if in the middle", "src/base/x.c", "/* x */\n#ifdef DEBUG\n#endif\n", "#ifdef stands only"),
    ("limits", "#if behind an include guard", "src/base/x.h", header("#if 1\n#endif"), "#if stands only"),
    ("banned", "strcpy", "src/base/x.c", function("strcpy(a, b);"), "strcpy"),
    ("banned", "atoi", "src/base/x.c", function("return atoi(a);"), "atoi"),
    ("banned", "random outside base/random", "src/net/x.c", function("return getrandom(a, 1, 0);"), "base/random"),
    ("banned", "time outside base/clock", "src/net/x.c", function("return time(NULL);"), "base/clock"),
    ("banned", "sleep", "src/net/x.c", function("usleep(5);"), "deadline"),
    ("banned", "assert", "src/net/x.c", function("assert(x);"), "assert"),
    ("banned", "a typedef", "src/net/x.h", header("typedef struct a { int b; } a_t;"), "no typedefs"),
    ("banned", "a leftover", "src/net/x.c", "/* TO" "DO: later */\n", "no leftovers"),
    ("banned", "a test that sleeps", "tests/e2e/test_x.py", "import time\ntime.sleep(1)\n", "does not sleep"),
    (
        "banned",
        "a default over our own enum",
        "src/base/x.c",
        "/* x */\nenum io { IO_OK, IO_EOF };\n" + function("switch (x) {\ncase IO_OK:\nreturn 1;\ndefault:\nreturn 2;\n}")[14:],
        "no `default`",
    ),
]


@pytest.mark.parametrize("tool, what, name, text, message", BAD, ids=[f"{b[0]}: {b[1]}" for b in BAD])
def test_is_refused(tool, what, name, text, message, tmp_path):
    code, output = lint(tool, tmp_path, {name: text})
    assert code == 1
    assert message in output
    assert output.startswith(name + ":")


PASSES = [
    ("limits", "else-if chains, do and switch are one level", "src/base/x.c", function(FLAT)),
    ("limits", "initialisers are no nesting", "src/base/x.c", function(CHAIN)),
    ("limits", "function pointers are members, their parameters are not", "src/base/x.h", header("struct s {\nint (*f)(int a, bool b, bool c, bool d);\nbool e, g;\n};")),
    ("limits", "net may branch", "src/net/x.c", "/* x */\n#if 1\n#endif\n"),
    ("banned", "words in comments and literals", "src/base/x.c", function('x("strcpy(a)"); /* atoi(x) */')),
    ("banned", "a method of the same name", "src/base/x.c", function("s->time(1);\ns.sleep(2);")),
    ("banned", "a default over numbers of others", "src/base/x.c", function("switch (x) {\ncase EAGAIN:\nreturn 1;\ndefault:\nreturn 2;\n}")),
    ("layers", "floors below", "src/serve/x.c", '/* x */\n#include "tls/tls.h"\n#include "serve/y.h"\n#include "exchange/x.h"\n'),
    ("layers", "a folder's own subfolder", "src/fetch/x.c", '/* x */\n#include "fetch/upstream/peer.h"\n'),
]


@pytest.mark.parametrize("tool, what, name, text", PASSES, ids=[f"{p[0]}: {p[1]}" for p in PASSES])
def test_passes(tool, what, name, text, tmp_path):
    assert lint(tool, tmp_path, {name: text}) == (0, "")


def build(tree, source, *flags):
    """A release build of one file, as the Makefile would leave it."""
    path = tree / "src/net/x.c"
    path.parent.mkdir(parents=True)
    path.write_text(source)
    objects = tree / "build/release/obj/src/net"
    objects.mkdir(parents=True)
    subprocess.run(["gcc", "-O2", "-w", "-c", path, "-o", objects / "x.o"], check=True)
    subprocess.run(["gcc", *flags, objects / "x.o", "-o", tree / "build/release/bifrons"], check=True)


def run_on_build(tool, tree):
    done = subprocess.run([sys.executable, TOOLS / f"{tool}.py", tree], capture_output=True, text=True)
    assert not done.stderr
    return done.returncode, done.stdout


MAIN = "int main(void)\n{\n    return 0;\n}\n"


@pytest.mark.parametrize(
    "source, message",
    [
        ("int timer_delete(void *t)\n{\n    return t != 0;\n}\n", "`timer_delete` is also a name of libc"),
        ("static int count;\nint bump(void)\n{\n    return count++;\n}\n", "`count` is writable"),
        ("static int count = 1;\nint bump(void)\n{\n    return count++;\n}\n", "`count` is writable"),
        ("static _Thread_local int count;\nint bump(void)\n{\n    return count++;\n}\n", "`count` is writable"),
    ],
)
def test_symbols_refuses(source, message, tmp_path):
    build(tmp_path, source + MAIN)
    code, output = run_on_build("symbols", tmp_path)
    assert code == 1 and message in output


def test_symbols_lets_constant_tables_pass(tmp_path):
    table = "int f(void)\n{\n    return 1;\n}\nextern int (*const table[])(void);\nint (*const table[])(void) = { f };\n"
    build(tmp_path, table + MAIN)
    assert run_on_build("symbols", tmp_path) == (0, "")


def test_hardening_refuses_a_soft_binary(tmp_path):
    build(tmp_path, MAIN, "-no-pie", "-Wl,-z,lazy", "-Wl,-z,norelro", "-Wl,-z,execstack")
    code, output = run_on_build("hardening", tmp_path)
    assert code == 1
    for missing in ("-pie", "-z relro", "-z now", "-z noexecstack", "stack protector", "_FORTIFY_SOURCE"):
        assert missing in output
