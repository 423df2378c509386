"""doc/reference is what the rows of the modules say."""
import subprocess

import pytest

from support.proxy import ROOT


@pytest.fixture(scope="module")
def tool():
    done = subprocess.run(["make", "-s", "BUILD=release", "CC=gcc", "reference-tool"], cwd=ROOT, capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build/release/reference"


@pytest.mark.parametrize("page", ["directives", "variables"])
def test_the_reference_is_current(tool, page):
    said = subprocess.run([tool, page], capture_output=True, text=True, check=True, timeout=20).stdout
    assert len(said) > 1000
    assert (ROOT / f"doc/reference/{page}.md").read_text() == said, "run: make reference"


def test_an_unknown_page_is_refused(tool):
    assert subprocess.run([tool, "nothing"], capture_output=True, timeout=20).returncode == 2
