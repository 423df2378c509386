"""The sandbox of the running process. What it forbids is tried in tests/unit/run/sandbox."""
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from support.proxy import SANITIZED, run
from support.waiting import eventually

ROOTED = os.geteuid() == 0
rooted = pytest.mark.skipif(not ROOTED, reason="needs root")


def status_of(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"(\w+):\t(.*)", text))


def serving(proxy):
    """The processes that read what peers send."""
    return [status_of(pid) for pid in proxy.workers()]


def simple(room, more=""):
    return f'pid {room}/b.pid;\n{more}\nserver {{ listen 127.0.0.1:0; root {room}; location = /ok {{ return 200 "x"; }} }}\n'


def free_low_port():
    for port in range(900, 1000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    pytest.skip("no free port below 1024")


@pytest.mark.parametrize("row", ["PROC-26-status"])
def test_what_is_given_up_is_seen_in_its_status(start, room, row):
    proxy = start(simple(room))
    for status in serving(proxy):
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
        for held in ("CapInh", "CapPrm", "CapEff", "CapAmb") + (("CapBnd",) if ROOTED else ()):
            assert int(status[held], 16) == 0, held
        limits = Path(f"/proc/{status['Pid']}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)
    assert "[info]" in proxy.wait_error("sandbox: on, capabilities: none")
    assert SANITIZED or not re.search("sandbox: this kernel has no", proxy.errors())


@rooted
@pytest.mark.parametrize("row", ["PROC-26-not-dumpable"])
def test_its_memory_is_closed_to_its_own_user(ordinary, row):
    """What is not dumpable belongs to root in /proc, also when an ordinary user started it."""
    proxy = ordinary('server { listen 127.0.0.1:0; return 200 "x"; }\n')
    assert os.stat(f"/proc/{proxy.worker}/environ").st_uid == 0
    assert int(status_of(proxy.worker)["Uid"].split()[0]) != 0


def test_it_can_be_turned_off(start, room):
    proxy = start(simple(room, "sandbox off;"))
    assert all(s["Seccomp"] == "0" and s["NoNewPrivs"] == "1" for s in serving(proxy))
    assert "[notice]" in proxy.wait_error("sandbox: off")
    tested = run("-t", "-c", proxy.config, "-p", room)
    assert tested.returncode == 0 and "bifrons: sandbox: off\n" in tested.stderr


def test_the_usual_sandbox_is_no_news_to_a_test(room):
    (room / "c.conf").write_text(simple(room))
    assert "sandbox" not in run("-t", "-c", room / "c.conf", "-p", room, "-e", room / "error.log").stderr


@rooted
def test_root_as_the_user_has_no_capabilities_either(start, room):
    proxy = start(simple(room, "user root;"))
    for status in serving(proxy):
        assert status["Uid"].split()[0] == "0" and int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    with proxy.connect() as c:
        assert c.get("/ok").status == 200


@rooted
def test_a_capability_for_low_ports_is_enough_and_is_given_up(ordinary):
    port = free_low_port()
    low = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
           "--inh-caps", "-all,+net_bind_service", "--ambient-caps", "-all,+net_bind_service"]
    proxy = ordinary(f'server {{ listen 127.0.0.1:{port}; return 200 "x"; }}\n', wrap=low)
    assert proxy.port == port
    for status in serving(proxy):
        assert all(int(status[held], 16) == 0 for held in ("CapInh", "CapPrm", "CapEff", "CapAmb"))
    with proxy.connect() as c:
        assert c.get("/").status == 200


def test_logs_elsewhere_are_opened_anew(start, room):
    room.chmod(0o777)
    logs, real = room / "logs", room / "real"
    for folder in (logs, real):
        folder.mkdir()
        folder.chmod(0o777)
    proxy = start(simple(room, f"access_log {logs}/a.log;\nlog_format host '$uri';\naccess_log {real}/$host.log host;"))
    proxy.error_log.chmod(0o666)
    (logs / "a.log").rename(logs / "old.log")
    proxy.process.send_signal(signal.SIGUSR1)
    proxy.wait_error("reopening logs")
    with proxy.connect() as c:
        c.get("/ok", "a.example")
    eventually(lambda: (logs / "a.log").exists() and "/ok" in (logs / "a.log").read_text(), "no new log")
    eventually(lambda: (real / "a.example.log").read_text() == "/ok\n", "no log of that host")
    proxy.at_rest = proxy.descriptors()  # under its new name
