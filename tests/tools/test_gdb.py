"""tools/gdb.py on the real binary: fibers that sleep are listed with their backtraces."""
import re
import shutil
import socket
import subprocess

import pytest

from support.proxy import ROOT
from support.waiting import eventually

WAITING = 3


def gdb(pid):
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-p", str(pid), "-x", str(ROOT / "tools/gdb.py"), "-ex", "info fibers", "-ex", "backtrace"],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    if "ptrace: Operation not permitted" in done.stderr:
        pytest.skip("this machine lets nobody trace a process")
    return done


@pytest.fixture
def silent():
    """An origin that accepts and says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener
    listener.close()


@pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")
def test_info_fibers_lists_requests_that_wait(start, silent):
    port = silent.getsockname()[1]
    proxy = start(f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}")
    clients = [proxy.connect() for _ in range(WAITING)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
    taken = [silent.accept()[0] for _ in clients]
    for sock in taken:
        eventually(lambda s=sock: s.recv(1, socket.MSG_PEEK), "no request came")

    done = gdb(proxy.worker)
    said = done.stdout + done.stderr
    assert re.search(rf"^{WAITING} fibers live, \d+ stacks idle$", done.stdout, re.M), said
    fibers = re.split(r"^fiber \d+ sleeps: .*session_run", done.stdout, flags=re.M)[1:]
    assert len(fibers) == WAITING, said
    for fiber in fibers:
        for function in ("fiber_wait", "conn_read", "origin_read_head", "exchange_run", "session_run", "fiber_entry"):
            assert f" {function} " in fiber, (function, said)
    assert "epoll_wait" in fibers[-1] and "loop_run" in fibers[-1], "the thread's own backtrace is as before"

    for sock in taken:
        sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert [client.response().status for client in clients] == [204] * WAITING, "it goes on as if nothing had been"
    for sock in [*taken, *clients]:
        sock.close()
