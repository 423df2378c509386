"""The demonstration keeps its word: each command of its tour and of README.md says what is written below it."""
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from support.proxy import ROOT
from support.waiting import eventually

PORTS = (8080, 8443, 3128, 8000, 3001, 3002, 3003)


def commands(path):
    """(command, [expected lines]) of a text: a command, then lines `#=> expected`."""
    found, text = [], (ROOT / path).read_text()
    if path.endswith(".md"):
        text = "\n\n".join(re.findall(r"^```(?:sh|shell|console|bash)?\n(.*?)^```", text, re.M | re.S))
    for block in re.split(r"\n(?=[^#\s])", "\n" + text):
        lines = block.strip("\n").splitlines()
        expected = [l[len("#=>") :].strip() for l in lines if l.startswith("#=>")]
        command = "\n".join(l for l in lines if not l.startswith("#")).strip()
        if command and expected:
            found.append((command, expected))
    return found


TOUR = commands("demo/tour.txt") if (ROOT / "demo" / "tour.txt").exists() else []
README = commands("README.md") if (ROOT / "README.md").exists() else []


@pytest.fixture(scope="module")
def demonstration():
    environment = {**os.environ, "no_proxy": "", "NO_PROXY": ""}
    p = subprocess.Popen(["./dev", "run"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         start_new_session=True, env=environment)
    said, ready = [], threading.Event()

    def read():
        for line in p.stdout:
            said.append(line)
            if line.strip() == "ready":
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    ready.wait(300)
    try:
        assert p.poll() is None and any(l.strip() == "ready" for l in said), "".join(said)
        yield said
        os.killpg(p.pid, signal.SIGINT)  # as Ctrl-C does: to the whole foreground group
        assert p.wait(15) == 0, "".join(said)
        for port in PORTS:
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
    finally:
        if p.poll() is None:
            os.killpg(p.pid, signal.SIGKILL)


def run(command):
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=30, env=environment)


@pytest.mark.parametrize("command, expected", TOUR + [c for c in README if "curl" in c[0] or "explain" in c[0]],
                         ids=lambda v: re.sub(r"\W+", "-", v)[-60:] if isinstance(v, str) else "")
def test_the_tour_says_what_is_written(demonstration, command, expected):
    state = {}

    def as_written():
        done = state["done"] = run(command)
        return all(e in done.stdout + done.stderr for e in expected)

    try:
        eventually(as_written, "", 3)
    except AssertionError:
        done = state["done"]
        raise AssertionError(f"{command}\nexpected {expected}\ngot {done.stdout}{done.stderr}") from None


def test_the_tour_is_printed(demonstration):
    said = "".join(demonstration)
    assert TOUR, "demo/tour.txt is missing"
    for command, _ in TOUR:
        assert command.splitlines()[0] in said, command


def test_the_readme_has_commands_that_are_checked():
    assert Path(ROOT / "README.md").exists() and README, "README.md has no command with an expected line"


def test_a_port_in_use_is_one_clear_line(demonstration):
    """While one runs, a second says why it cannot, and leaves nothing running."""
    done = subprocess.run(["./dev", "run"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    said = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode == 1 and re.search(r"port \d+", said[-1]), done
    assert run(TOUR[0][0]).returncode == 0, "the first one was harmed"
