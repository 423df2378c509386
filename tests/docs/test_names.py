"""What the pages name is there: links, files of the tree, functions. They speak of no machine but the reader's."""
import re

import pytest

from support.proxy import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "doc").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)")
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
SOURCE = re.compile(r"(?:(?:base|conf|net|proto|tls|exchange|serve|decide|fetch|filter|log|run)/[\w/]*\w+"
                    r"|(?:src|tests|tools|demo|doc)/[\w./-]*\w+)\.(?:c|h|S|py|txt|md|in)(?![\w])")
FUNCTION = re.compile(r"[a-z]\w+(?=\(\))")
SOURCES = "\n".join(p.read_text() for p in sorted((ROOT / "src").rglob("*.[ch]")))


@pytest.fixture(params=PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def page(request):
    return request.param


def test_links_lead_somewhere(page):
    dead = [to for to in LINK.findall(page.read_text()) if not (page.parent / to).exists()]
    assert not dead


def test_files_that_are_named_exist(page):
    missing = []
    for code in CODE.findall(page.read_text()):
        for name in [m[0] for m in SOURCE.finditer(code)]:
            if not (ROOT / name).exists() and not (ROOT / "src" / name).exists():
                missing.append(name)
    assert not missing


def test_functions_that_are_named_exist(page):
    named = {f for code in CODE.findall(page.read_text()) for f in FUNCTION.findall(code)}
    assert not [f for f in sorted(named) if not re.search(rf"\b{f}\(", SOURCES)]


def test_lines_are_short(page):
    long = [n for n, line in enumerate(page.read_text().splitlines(), 1) if len(line) > 100 and not line.startswith("|")]
    assert not long, f"more than 100 columns: lines {long}"


def test_no_machine_is_named(page):
    assert str(ROOT) not in page.read_text()
