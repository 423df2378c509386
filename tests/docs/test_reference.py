"""doc/reference, doc/man and the completion are what the rows of the modules say."""
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


PRINTED = {"bifrons.8": "doc/man/bifrons.8", "bifrons.conf.5": "doc/man/bifrons.conf.5",
           "bash": "packaging/completion/bifrons"}


@pytest.mark.parametrize("page", PRINTED)
def test_the_manual_is_current(tool, page):
    said = subprocess.run([tool.parent / "manual", page], capture_output=True, text=True, check=True, timeout=20).stdout
    assert len(said) > 1000
    assert (ROOT / PRINTED[page]).read_text() == said, "run: make reference"


def test_the_completion_knows_commands_and_directives():
    script = (f"source {ROOT}/packaging/completion/bifrons; COMP_WORDS=(bifrons help proxy_read); COMP_CWORD=2; _bifrons;"
              "echo ${COMPREPLY[@]}; COMP_WORDS=(bifrons fo); COMP_CWORD=1; _bifrons; echo ${COMPREPLY[@]}")
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=20).stdout
    assert said == "proxy_read_timeout\nforward-proxy forward\n"
