"""PROC: the process, its files and its end. Workers, reloads and upgrades: tests/e2e/test_workers.py and its neighbours."""
import os
import resource
import signal
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from support.origin import free_port
from support.proxy import BIFRONS, run
from support.waiting import eventually
from support.wire import request

ROOTED = os.geteuid() == 0


def row(*names):
    return pytest.mark.parametrize("row", names)


def simple(room, more="", port=0):
    return f'pid {room}/b.pid;\n{more}\nserver {{ listen 127.0.0.1:{port}; root {room}; location = /ok {{ return 200 "x"; }} }}\n'


def lost_lines(proxy):
    """Ends it; that lines were lost is told by one alert, and is no fault."""
    proxy.stop(clean=False)
    assert proxy.process.returncode == 0
    told = [l for l in proxy.errors().splitlines() if "[alert]" in l]
    assert len(told) == 1 and "lines lost: " in told[0], told


@row("PROC-11-closed-sockets-and-pipes")
def test_proc_what_nobody_reads_ends_nothing(start, room, row):
    with open(room / "big", "wb") as f:
        f.truncate(64 << 20)
    os.mkfifo(room / "pipe")
    reader = os.open(room / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    proxy = start(simple(room, f"access_log {room}/pipe;"))
    with proxy.connect() as c:
        c.get("/ok")
    os.close(reader)
    for _ in range(20):
        c = proxy.connect()
        c.send(request("GET", "/big"))
        c.head()
        c.reset()
    with proxy.connect() as c:
        c.assert_kept("/ok")
    lost_lines(proxy)


@pytest.mark.parametrize("path", [pytest.param("/dev/full", id="PROC-12-disk-full"),
                                  pytest.param("{room}/gone/access.log", id="PROC-12-folder-removed")])
def test_proc_a_log_that_takes_nothing_costs_no_request(start, room, path):
    room.chmod(0o777)  # logs are opened anew with the worker's rights
    (room / "gone").mkdir()
    proxy = start(simple(room, f"access_log {path.format(room=room)};"))
    if "gone" in path:
        (room / "gone" / "access.log").unlink()
        (room / "gone").rmdir()
        proxy.process.send_signal(signal.SIGUSR1)
    with proxy.connect() as c:
        for _ in range(100):
            assert c.get("/ok").status == 200
    if "full" in path:
        return lost_lines(proxy)
    proxy.stop(clean=False)
    assert proxy.process.returncode == 0 and "No such file or directory" in proxy.errors()


@row("PROC-13-a-pipe-that-stops-being-read")
def test_proc_a_full_pipe_blocks_nobody(start, room, row):
    os.mkfifo(room / "pipe")
    reader = os.open(room / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        proxy = start(simple(room, f"log_format long '{'x' * 1000}';\naccess_log {room}/pipe long;"))
        with proxy.connect(timeout=5) as c:
            for _ in range(300):
                assert c.get("/ok").status == 200
    finally:
        os.close(reader)
    lost_lines(proxy)


@row("PROC-14-rotation-under-load")
def test_proc_no_line_is_lost_by_rotation(start, room, row):
    room.chmod(0o777)
    proxy = start(simple(room, f"access_log {room}/access.log;"))
    for log in (proxy.error_log, proxy.access_log):
        log.chmod(0o666)
    with proxy.connect() as c:
        for n in range(100):
            if n == 50:
                proxy.access_log.rename(room / "old.log")
            c.get("/ok")
            proxy.process.send_signal(signal.SIGUSR1)
    lines = lambda: [l for p in (room / "old.log", proxy.access_log) if p.exists() for l in p.read_text().splitlines()]  # noqa: E731
    eventually(lambda: len(lines()) == 100, "lines are lost")
    assert all(l.endswith('"-" "-"') for l in lines()) and proxy.access()
    eventually(lambda: not [name for name in proxy.descriptors() if "old.log" in name], "the old file stays open")
    proxy.at_rest = proxy.descriptors()  # under their new names


def dead_pid():
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


@pytest.mark.parametrize("text", [pytest.param(lambda: "1", id="PROC-18-a-foreign-pid"), pytest.param(dead_pid, id="PROC-18-a-dead-pid"),
                                  pytest.param(lambda: "rubbish\0", id="PROC-18-rubbish")])
def test_proc_an_old_pid_file_is_only_a_hint(start, room, text):
    (room / "b.pid").write_text(f"{text()}\n")
    proxy = start(simple(room))
    assert (room / "b.pid").read_text() == f"{proxy.process.pid}\n"
    assert stat.S_IMODE((room / "b.pid").stat().st_mode) == 0o644


@row("PROC-18-a-link")
def test_proc_a_pid_file_that_is_a_link_is_refused(room, row):
    (room / "victim").write_text("keep\n")
    (room / "b.pid").symlink_to(room / "victim")
    (room / "c.conf").write_text(simple(room))
    done = run("-c", room / "c.conf", "-p", room, "-e", room / "error.log")
    assert done.returncode == 1 and "[emerg]" in done.stderr and f'"{room}/b.pid"' in done.stderr, done.stderr
    assert (room / "victim").read_text() == "keep\n" and (room / "b.pid").is_symlink()


@row("PROC-20-two-starts-at-once")
def test_proc_of_two_starts_one_wins(room, row):
    (room / "c.conf").write_text(simple(room, port=free_port()))
    command = [BIFRONS, "-c", room / "c.conf", "-p", room, "-e", room / "error.log"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        eventually(lambda: [p for p in both if p.poll() is not None], "both run", 10)
        (lost,), (won,) = [p for p in both if p.poll() is not None], [p for p in both if p.poll() is None]
        assert lost.returncode == 1 and "failed (98: Address already in use)" in lost.stderr.read()
        assert (room / "b.pid").read_text() == f"{won.pid}\n"
    finally:
        for p in both:
            p.terminate()
            p.wait(5)
            p.stdout.close()
            p.stderr.close()
    assert not (room / "b.pid").exists()


@pytest.mark.skipif(not ROOTED, reason="needs root")
@row("PROC-31-another-user")
def test_proc_another_user_sees_nothing(start, room, row):
    proxy = start(simple(room))
    others = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "--inh-caps=-all"]
    for pid in proxy.pids():
        for name in ("environ", "maps"):
            assert subprocess.run([*others, "cat", f"/proc/{pid}/{name}"], capture_output=True).returncode != 0
        assert subprocess.run([*others, "ls", f"/proc/{pid}/fd"], capture_output=True).returncode != 0


@row("PROC-32-temporary-files")
def test_proc_temporary_files_have_no_name(start, room, origin, row):
    proxy = start(f"client_body_temp_path {room}/bodies; client_body_buffer_size 1k;\n"
                  f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    with proxy.connect() as c:
        c.send(request("POST", "/", "a", "Content-Length: 100000") + b"x" * 99999)

        def spooled():
            return [fd for pid in proxy.pids() for fd in Path(f"/proc/{pid}/fd").iterdir()
                    if str(room / "bodies") in (name := os.readlink(fd)) and name.endswith("(deleted)")]

        eventually(spooled, "nothing is spooled")
        assert stat.S_IMODE(os.stat(spooled()[0]).st_mode) == 0o600
        assert not [p for p in (room / "bodies").rglob("*") if p.is_file()]
        proxy.kill()
    assert not [p for p in (room / "bodies").rglob("*") if p.is_file()]


@pytest.mark.parametrize("wait", [pytest.param(w, id=f"PROC-36-after-{w}-ms") for w in (0, 2, 5, 10, 20, 40, 80)])
def test_proc_term_while_it_starts(room, wait):
    (room / "c.conf").write_text(simple(room))
    p = subprocess.Popen([BIFRONS, "-c", room / "c.conf", "-p", room, "-e", room / "error.log"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        threading.Event().wait(wait / 1000)
        p.terminate()
        assert p.wait(2) in (0, -signal.SIGTERM)
        assert not (room / "b.pid").exists()

        def alone():
            return subprocess.run(["ps", "-o", "pid=", "-g", str(p.pid)], capture_output=True, text=True).stdout.strip() == ""

        eventually(alone, "a child is left", 2)
    finally:
        if p.poll() is None:
            p.kill()
