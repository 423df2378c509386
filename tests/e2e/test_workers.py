"""Master and workers: how many, their deaths, the master's death, crash loops."""
import ctypes
import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from support.load import Load
from support.proxy import Proxy, command_of
from support.waiting import eventually

ROOTED = os.geteuid() == 0


def row(*names):
    """Rows of threats.md: their IDs stand in the name of the case."""
    return pytest.mark.parametrize("row", names)



def simple(room, more=""):
    return f'pid {room}/b.pid;\n{more}\nserver {{ listen 127.0.0.1:0; return 200 "x"; }}\n'


def serves(proxy):
    with proxy.connect() as c:
        return c.get("/").status == 200


def listeners_of(pid):
    inodes = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [l.split() for l in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [l for l in lines if l[3] == "0A" and f"socket:[{l[9]}]" in inodes]


def is_alive(pid):
    return command_of(pid) != b""


@pytest.mark.parametrize("count", [1, 2, 4])
def test_there_are_as_many_workers_as_asked_for(start, room, count):
    proxy = start(simple(room, f"worker_processes {count};"))
    workers = proxy.workers()
    assert len(workers) == count and len(proxy.pids()) == count + 1
    assert all(command_of(pid).startswith(b"bifrons: worker process") for pid in workers)
    assert [len(listeners_of(pid)) for pid in workers] == [1] * count, "each has one socket of its own"
    assert serves(proxy)


def test_auto_is_a_worker_for_each_cpu(start, room):
    proxy = start(simple(room, "worker_processes auto;"))
    assert len(proxy.workers()) == len(os.sched_getaffinity(0))


def test_connections_are_spread_over_the_workers(start, room):
    proxy = start(f"worker_processes 2; log_format pid $pid; access_log {room}/access.log pid;\n"
                  'server { listen 127.0.0.1:0; return 200 "x"; }')
    for _ in range(100):
        assert serves(proxy)
    pids = proxy.wait_access(100)
    assert len(set(pids)) == 2 and all(pids.count(p) >= 20 for p in set(pids)), "PROC-42: one has nearly all"


def test_workers_have_cpus_and_priority_as_asked(start, room):
    cpus = sorted(os.sched_getaffinity(0))
    proxy = start(simple(room, "worker_processes 2; worker_cpu_affinity auto; worker_priority 5;"))
    first, second = proxy.workers()
    assert os.sched_getaffinity(first) == {cpus[0]}
    assert os.sched_getaffinity(second) == {cpus[1 % len(cpus)]}
    assert os.getpriority(os.PRIO_PROCESS, first) == 5


def test_without_a_master_one_process_serves(start, room):
    proxy = start(simple(room, "master_process off; worker_processes 4;"))
    assert proxy.workers() == [proxy.process.pid]
    assert serves(proxy)
    proxy.process.send_signal(signal.SIGHUP)
    proxy.wait_error(r"\[notice\] .*signal 1 \(SIGHUP\) received, ignored: there is no master process")


@row("PROC-39-a-child-inherits-what-it-was-sent-and-no-more")
def test_a_child_inherits_what_it_was_sent_and_no_more(start, room, row):
    proxy = start(simple(room), env={**os.environ, "SECRET_OF_MINE": "x", "TZ": "UTC"})
    environment = Path(f"/proc/{proxy.worker}/environ").read_bytes()
    assert b"SECRET_OF_MINE" not in environment and b"TZ=UTC" in environment
    kinds = sorted(re.sub(r"[:\[].*", "", os.readlink(fd)) for fd in Path(f"/proc/{proxy.worker}/fd").iterdir())
    assert kinds.count("socket") <= 5, kinds  # channel, signals, listener


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSYS], ids=lambda s: s.name)
@row("PROC-01-a-worker-that-is-killed-is-back-at-once")
def test_a_worker_that_is_killed_is_back_at_once(start, room, sig, row):
    proxy = start(simple(room))
    dead = proxy.worker
    began = time.monotonic()
    os.kill(dead, sig)
    with proxy.connect() as c:  # the socket is the master's: who connects waits for the successor
        assert c.get("/").status == 200
    took = time.monotonic() - began
    line = proxy.wait_error(rf"\[alert\] .*: worker process {dead} exited on signal {sig.value}")
    assert f"{proxy.process.pid}#" in line and proxy.errors().count("exited on signal") == 1
    assert took < (1.0 if "asan" in proxy.command[0] else 0.3), f"{took * 1000:.0f} ms"
    proxy.at_rest = proxy.descriptors()
    proxy.stop(clean=False)


@row("PROC-01-a-kill-under-load-costs-its-own-connections-alone")
def test_a_kill_under_load_costs_its_own_connections_alone(start, room, row):
    proxy = start(simple(room, "worker_processes 2;"))
    with Load(proxy.address) as load:
        eventually(lambda: load.done > 100, "no load")
        os.kill(proxy.worker, signal.SIGKILL)
        mark = load.done
        eventually(lambda: load.done > mark + 300, "service does not go on")
    assert len(load.failed) <= 8, load.failed
    assert len(proxy.workers()) == 2
    proxy.stop(clean=False)


def test_a_worker_that_ends_by_itself_is_replaced(start, room):
    proxy = start(simple(room))
    before = proxy.worker
    os.kill(before, signal.SIGQUIT)
    proxy.wait_error(rf"\[notice\] .*: worker process {before} exited with code 0")
    eventually(lambda: proxy.worker not in (before, proxy.process.pid), "no successor")
    assert serves(proxy)


@row("PROC-04-PROC-07-a-crash-loop-is-slowed-down")
def test_a_crash_loop_is_slowed_down(start, room, row):
    """And the last worker is not given up."""
    proxy = start(simple(room))
    for n in range(4):
        pid = eventually(lambda: next((p for p in proxy.workers() if p != proxy.process.pid), None), "no worker")
        assert serves(proxy)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda p=pid: not is_alive(p), "it lives")
    began = time.monotonic()
    assert serves(proxy)
    assert time.monotonic() - began < 2
    assert len(re.findall(r"start worker process", proxy.errors())) <= 6
    proxy.stop(clean=False)


@row("PROC-03-the-end-of-the-master-is-the-end-of-its-workers")
def test_the_end_of_the_master_is_the_end_of_its_workers(room, origin, row):
    """What runs comes to its end, a new master can start meanwhile."""
    proxy = Proxy(room, simple(room, "worker_processes 2; worker_shutdown_timeout 5s;"))
    workers = proxy.workers()
    try:
        proxy.process.kill()
        proxy.process.wait()
        eventually(lambda: not any(is_alive(pid) for pid in workers), "orphans are left")
        again = Proxy(room, simple(room).replace("127.0.0.1:0", f"127.0.0.1:{proxy.port}"))
        again.stop()
    finally:
        proxy.kill()


@row("PROC-37-a-shutdown-has-a-timeout")
def test_a_shutdown_has_a_timeout(start, room, origin, row):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    proxy = start("worker_shutdown_timeout 300ms;\n"
                  f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    with proxy.connect() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        origin.wait_request()
        began = time.monotonic()
        proxy.stop(signal.SIGQUIT)
        assert 0.25 < time.monotonic() - began < 5


def test_a_second_instance_says_what_is_wrong(start, room):
    proxy = start(simple(room))
    (room / "two.conf").write_text(simple(room).replace("127.0.0.1:0", f"127.0.0.1:{proxy.port}"))
    from support.proxy import run

    done = run("-c", room / "two.conf", "-p", room, "-e", room / "two.log")
    assert done.returncode == 1, done.stderr
    assert f"bind() to 127.0.0.1:{proxy.port} failed (98: Address already in use)" in done.stderr
    assert (room / "b.pid").read_text() == f"{proxy.process.pid}\n"
    assert serves(proxy)


def test_a_reload_while_a_successor_starts_reaches_it(start, room):
    proxy = start(simple(room, "worker_processes 2;"))
    for n in range(5):
        os.kill(proxy.worker, signal.SIGKILL)
        proxy.reload(simple(room, "worker_processes 2;").replace('"x"', f'"{n}"'))
        for _ in range(20):
            with proxy.connect() as c:
                assert c.get("/").body == b"%d" % n
    proxy.stop(clean=False)


@pytest.mark.skipif(not ROOTED, reason="needs root")
@row("PROC-26-the-workers-of-root-are-somebody-else")
def test_the_workers_of_root_are_somebody_else(start, room, row):
    """Also those that came after a death, and after a reload."""
    proxy = start(simple(room, "worker_processes 2;"))
    os.kill(proxy.worker, signal.SIGKILL)
    proxy.wait_error("exited on signal 9")
    eventually(lambda: len(proxy.workers()) == 2, "no successor")
    proxy.reload()
    for pid in proxy.workers():
        status = Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"Uid:\s+65534\s+65534\s+65534\s+65534", status), status
        assert re.search(r"CapEff:\s+0+\n", status) and re.search(r"NoNewPrivs:\s+1", status)
    proxy.stop(clean=False)


def descriptor_of(pid, fd):
    """A copy of a descriptor of another process (pidfd_open, pidfd_getfd)."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    handle = call(434, pid, 0)
    copy = call(438, handle, fd, 0)
    os.close(handle)
    assert copy >= 0, os.strerror(ctypes.get_errno())
    return copy


@pytest.mark.skipif(not ROOTED, reason="needs root")
@pytest.mark.parametrize("rubbish", [b"x", b"\0" * 100000, b"\1" * 792], ids=["a byte", "much", "a kind that workers do not say"])
@row("PROC-28-a-worker-that-says-rubbish-is-replaced")
def test_a_worker_that_says_rubbish_is_replaced(start, room, rubbish, row):
    proxy = start(simple(room))
    bad = proxy.worker
    with socket.socket(fileno=descriptor_of(bad, 3)) as channel:
        channel.send(rubbish)
    proxy.wait_error(rf"\[alert\] .*worker process {bad} sent what is no frame, killed")
    eventually(lambda: bad not in proxy.workers(), "it lives")
    assert serves(proxy)
    proxy.stop(clean=False)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGQUIT], ids=lambda s: s.name)
@row("PROC-36-an-end-in-the-midst-of-a-reload")
def test_an_end_in_the_midst_of_a_reload(room, sig, row):
    many = "\n".join(f'server {{ listen 127.0.0.1:0; server_name n{n}; return 200 "x"; }}' for n in range(3000))
    proxy = Proxy(room, f"pid {room}/b.pid;\n{many}", listeners=1)
    try:
        pids = proxy.pids()
        proxy.process.send_signal(signal.SIGHUP)
        proxy.wait_error("reconfiguring")
        proxy.stop(sig)
        assert not any(is_alive(pid) for pid in pids) and not (room / "b.pid").exists()
    finally:
        proxy.kill()


@row("PROC-35-signals-of-a-worker")
def test_signals_that_are_the_masters_business_do_a_worker_no_harm(start, room, row):
    proxy = start(simple(room))
    worker = proxy.worker
    for sig in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGPIPE, signal.SIGALRM):
        os.kill(worker, sig)
        assert serves(proxy)
    assert proxy.workers() == [worker]
    proxy.at_rest = proxy.descriptors()


@row("PROC-15-long-lines-of-two-workers")
def test_lines_of_two_workers_never_mix(start, room, row):
    proxy = start(f"worker_processes 2; log_format long '$pid {'x' * 3000} $arg_a end';\n"
                  f"large_client_header_buffers 4 32k; access_log {room}/access.log long;\n"
                  'server { listen 127.0.0.1:0; return 200 "x"; }')
    with Load(proxy.address, clients=8, path="/?a=" + "y" * 12000) as load:
        eventually(lambda: load.done > 400, "no load")
    assert load.failed == []
    lines = proxy.wait_access(load.done)
    assert len({l.split()[0] for l in lines}) == 2
    assert all(re.fullmatch(r"\d+ x{3000} y{12000} end", l) for l in lines)
