"""What the reference promises is tried: each directive and each parameter of `listen` stands in some test."""
import re

import pytest

from support.proxy import ROOT

FOLDERS = ["diff", "e2e", "replay", "threats", "unit"]
TESTS = "\n".join(p.read_text() for folder in FOLDERS for p in sorted((ROOT / "tests" / folder).rglob("*.*"))
                  if p.suffix in (".c", ".h", ".py"))
ROW = re.compile(r"^- `([a-z][a-z0-9_]*)[^`\w]", re.M)  # but those that only say what to write instead
DIRECTIVES = sorted(set(ROW.findall((ROOT / "doc/reference/directives.md").read_text())))
LINE_SETTING = re.compile(r'^    \{ "([a-z0-9_]+=?)", set_', re.M)
LISTEN = LINE_SETTING.findall((ROOT / "src/serve/listen.c").read_text())


def test_there_is_something_to_look_for():
    assert len(DIRECTIVES) > 100 and "proxy_pass" in DIRECTIVES
    assert len(LISTEN) > 8 and "reuseport" in LISTEN


@pytest.mark.parametrize("name", DIRECTIVES)
def test_every_directive_is_used(name):
    assert re.search(rf"(?<![\w$-]){name}(?![\w-])", TESTS), f"no test has {name}"


@pytest.mark.parametrize("word", LISTEN)
def test_every_parameter_of_listen_is_used(word):
    assert re.search(rf"listen [^;\n]* {word}", TESTS), f"no test has listen ... {word}"
