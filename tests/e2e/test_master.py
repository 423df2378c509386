"""What a master does for whoever runs it: signals, -s, the background, another binary, service managers."""
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from support.load import Load
from support.origin import free_port
from support.proxy import BIFRONS, Proxy, command_of, run
from support.waiting import eventually
from support.wire import Client, request


def row(*names):
    """Rows of threats.md: their IDs stand in the name of the case."""
    return pytest.mark.parametrize("row", names)



def simple(room, more="", port=0):
    return f'pid {room}/b.pid;\n{more}\nserver {{ listen 127.0.0.1:{port}; return 200 "x"; }}\n'


def serves(address):
    try:
        with Client(address, timeout=5) as c:
            return c.get("/").status == 200
    except (AssertionError, OSError):
        return False


def signal_by(proxy, name):
    return run("-s", name, "-c", proxy.config, "-p", proxy.room)


# -s


def test_the_command_line_signals_by_the_pid_file(start, room):
    proxy = start(simple(room, f"access_log {room}/access.log;"))
    assert signal_by(proxy, "reload").returncode == 0
    proxy.wait_error(": reconfigured")
    proxy.access_log.rename(room / "old.log")
    assert signal_by(proxy, "reopen").returncode == 0
    eventually(lambda: proxy.access_log.exists(), "no new log")
    eventually(lambda: "old.log" not in str(proxy.descriptors()), "the old one is still open")
    assert serves(proxy.address)
    assert signal_by(proxy, "quit").returncode == 0
    assert proxy.process.wait(10) == 0
    proxy.stopped = True
    assert not (room / "b.pid").exists()


def test_stop_by_the_command_line_is_fast(start, room, origin):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    proxy = start(f"pid {room}/b.pid; server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        origin.wait_request()
        assert signal_by(proxy, "stop").returncode == 0
        assert proxy.process.wait(5) == 0
    proxy.stopped = True


def test_what_is_wrong_with_a_pid_file_is_said_as_nginx_does(room):
    config = room / "c.conf"
    config.write_text(simple(room))
    ask = lambda name="reload": run("-s", name, "-c", config, "-p", room)  # noqa: E731
    done = ask()
    assert done.returncode == 1
    assert f'[error] open() "{room}/b.pid" failed (2: No such file or directory)' in done.stderr
    (room / "b.pid").write_text("rubbish\n")
    assert f'[error] invalid PID number "" in "{room}/b.pid"' in ask().stderr
    done = ask("sing")
    assert done.returncode == 1 and 'invalid option: "-s sing"' in done.stderr
    config.write_text("retrun;")
    assert ask().returncode == 1


@row("PROC-19-a-stale-number-is-no-reason-to-signal-somebody-else")
def test_a_stale_number_is_no_reason_to_signal_somebody_else(room, row):
    """It is another program's by now."""
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            (room / "c.conf").write_text(simple(room))
            (room / "b.pid").write_text(f"{other.pid}\n")
            done = run("-s", "stop", "-c", room / "c.conf", "-p", room)
            assert done.returncode == 1
            assert f"[alert] kill({other.pid}, 15) failed (3: No such process)" in done.stderr
            assert other.poll() is None
        finally:
            other.kill()


def test_a_second_instance_with_the_same_pid_file_says_so(start, room):
    proxy = start(simple(room))
    (room / "two.conf").write_text(simple(room))
    done = run("-c", room / "two.conf", "-p", room, "-e", room / "two.log")
    assert done.returncode == 1 and f'"{room}/b.pid" belongs to a process that is running' in done.stderr
    assert (room / "b.pid").read_text() == f"{proxy.process.pid}\n"


# logs


@row("PROC-14-usr1-has-all-workers-write-to-the-new-file")
def test_usr1_has_all_workers_write_to_the_new_file(start, room, row):
    """In a folder where a worker could not make it."""
    (room / "logs").mkdir(mode=0o755)
    proxy = start(f"worker_processes 2; access_log {room}/logs/a.log;\n" + 'server { listen 127.0.0.1:0; return 200 "x"; }')
    assert serves(proxy.address)
    (room / "logs/a.log").rename(room / "logs/a.old")
    proxy.process.send_signal(signal.SIGUSR1)
    proxy.wait_error("reopening logs$")
    eventually(lambda: "a.old" not in str(proxy.descriptors()), "the old file is still open")
    for _ in range(20):
        assert serves(proxy.address)
    eventually(lambda: (room / "logs/a.log").read_text().count("\n") == 20, "lines are missing")
    assert (room / "logs/a.old").read_text().count("\n") == 1


# the background


def test_daemon_on_returns_when_it_serves(room):
    port = free_port()
    config = room / "c.conf"
    config.write_text(f"error_log {room}/e.log info;\ndaemon on;\n" + simple(room, port=port))
    done = run("-c", config, "-p", room)
    assert done.returncode == 0 and done.stdout == "", done.stderr
    pid = int((room / "b.pid").read_text())
    try:
        assert serves(("127.0.0.1", port))
        assert os.getsid(pid) == pid
        assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)] == ["/dev/null"] * 3
    finally:
        assert run("-s", "quit", "-c", config, "-p", room).returncode == 0
        eventually(lambda: not command_of(pid), "it does not end")
    assert not re.search(r"\[(alert|emerg)\]", (room / "e.log").read_text())


def test_daemon_on_says_why_it_does_not_start(room):
    port = free_port()
    config = room / "c.conf"
    config.write_text(f"error_log {room}/e.log info;\ndaemon on;\npid {room}/none/b.pid;\n"
                      f"server {{ listen 127.0.0.1:{port}; return 200; }}\n")
    (room / "none").write_text("a file")
    done = run("-c", config, "-p", room)
    assert done.returncode == 1 and "none/b.pid" in done.stderr
    assert not serves(("127.0.0.1", port))


# another binary


def new_master(proxy):
    proxy.wait_error("start new binary process")
    return eventually(lambda: (proxy.room / "b.pid").exists() and int((proxy.room / "b.pid").read_text()), "no new pid file")


@row("PROC-22-an-upgrade-loses-no-request")
def test_an_upgrade_loses_no_request(start, room, row):
    proxy = start(simple(room, "worker_processes 2; access_log off;"))
    old = proxy.process.pid
    with Load(proxy.address, clients=6) as load:
        eventually(lambda: load.done > 50, "no load")
        proxy.process.send_signal(signal.SIGUSR2)
        new = new_master(proxy)
        try:
            assert new != old and (room / "b.pid.oldbin").read_text() == f"{old}\n"
            proxy.process.send_signal(signal.SIGWINCH)
            eventually(lambda: len([p for p in proxy.pids()[1:] if b"worker process" in command_of(p)]) == 0, "old workers stay")
            mark = load.done
            eventually(lambda: load.done > mark + 50, "the new ones do not serve")
            proxy.process.send_signal(signal.SIGQUIT)
            assert proxy.process.wait(10) == 0
            mark = load.done
            eventually(lambda: load.done > mark + 50, "service does not go on")
        finally:
            proxy.stopped = True
            load.stop()
            os.kill(new, signal.SIGQUIT)
            eventually(lambda: not command_of(new), "it does not end")
    assert load.failed == []
    assert not (room / "b.pid").exists() and not (room / "b.pid.oldbin").exists()
    assert not re.search(r"\[(alert|emerg)\]", proxy.errors())


@row("PROC-24-an-upgrade-can-be-taken-back")
def test_an_upgrade_can_be_taken_back(start, room, row):
    """WINCH, HUP, then QUIT to the new one."""
    proxy = start(simple(room))
    proxy.process.send_signal(signal.SIGUSR2)
    new = new_master(proxy)
    proxy.process.send_signal(signal.SIGWINCH)
    eventually(lambda: proxy.workers() == [proxy.process.pid], "old workers stay")
    proxy.process.send_signal(signal.SIGHUP)
    eventually(lambda: proxy.workers() != [proxy.process.pid], "old workers do not come back")
    os.kill(new, signal.SIGQUIT)
    proxy.wait_error(rf"new binary process {new} exited with code 0")
    eventually(lambda: (room / "b.pid").exists() and (room / "b.pid").read_text() == f"{proxy.process.pid}\n", "pid file")
    assert serves(proxy.address)
    proxy.at_rest = proxy.descriptors()


@row("PROC-23-a-new-binary-that-fails-changes-nothing")
def test_a_new_binary_that_fails_changes_nothing(start, room, row):
    proxy = start(simple(room))
    good = proxy.config.read_text()
    proxy.config.write_text("retrun;")
    for _ in range(2):
        before = proxy.errors().count("exited with code 1")
        proxy.process.send_signal(signal.SIGUSR2)
        eventually(lambda n=before: proxy.errors().count("exited with code 1") > n, "nothing was said")
        eventually(lambda: (room / "b.pid").exists(), "no pid file")
        assert (room / "b.pid").read_text() == f"{proxy.process.pid}\n" and serves(proxy.address)
    proxy.config.write_text(good)
    proxy.stop(clean=False)


# service managers


def test_a_service_manager_is_told(start, room):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(room / "notify"))
        manager.settimeout(5)
        proxy = start(simple(room), env={**os.environ, "NOTIFY_SOCKET": str(room / "notify")})
        assert manager.recv(200).decode() == f"READY=1\nMAINPID={proxy.process.pid}"
        proxy.reload()
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.recv(200).decode())
        assert manager.recv(200).decode().startswith("READY=1\n")
        proxy.stop()
        assert manager.recv(200) == b"STOPPING=1"


ACTIVATE = """
import os, socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS=sys.argv[2], LISTEN_PID=str(os.getpid() + int(sys.argv[3])))
os.execv(sys.argv[4], sys.argv[4:])
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_sockets_of_a_service_manager_are_used(start, room, workers):
    port = free_port()
    proxy = start(simple(room, f"worker_processes {workers};", port=port),
                  wrap=["/usr/bin/python3", "-c", ACTIVATE, str(port), "1", "0"])
    assert proxy.port == port
    for _ in range(10):
        assert serves(proxy.address)


@row("PROC-44-a-socket-that-is-promised-and-not-there-is-an-error")
def test_a_socket_that_is_promised_and_not_there_is_an_error(room, row):
    port = free_port()
    (room / "c.conf").write_text(simple(room, port=port))
    command = ["/usr/bin/python3", "-c", ACTIVATE, str(port), "2", "0", BIFRONS, "-c", room / "c.conf", "-p", room]
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "descriptor 4 of $LISTEN_FDS is no listening socket" in done.stderr, done.stderr


@row("PROC-44-sockets-meant-for-another-process-are-left-alone")
def test_sockets_meant_for_another_process_are_left_alone(start, room, row):
    other = free_port()
    proxy = start(simple(room), wrap=["/usr/bin/python3", "-c", ACTIVATE, str(other), "2", "1"])
    assert proxy.port != other and serves(proxy.address)
