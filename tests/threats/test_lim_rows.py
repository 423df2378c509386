"""LIM: what a peer, or the machine, takes away: descriptors, memory, time. Errors of system calls are injected by
strace, a worker's descriptors by its limit."""
import os
import resource
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.origin import answer
from support.waiting import eventually
from support.wire import Closed, request

SIZE = 1 << 20


def row(*names):
    return pytest.mark.parametrize("row", names)


@contextmanager
def injected(proxy, call, error, when="1+"):
    """While it holds, the calls of this name that `when` counts fail."""
    tracer = subprocess.Popen(["strace", "-p", str(proxy.workers()[0]), "-o", "/dev/null", "-e", f"trace={call}", "-e",
                               f"inject={call}:error={error}:when={when}"], stderr=subprocess.PIPE, text=True)
    line = tracer.stderr.readline()
    if "attached" not in line:
        tracer.wait(5)
        pytest.skip(f"strace may not: {line}")
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait(5)


needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


# what a connection costs


@row("LIM-10-slow-reader-of-a-gib")
def test_lim_a_slow_reader_is_served_and_holds_little(start, room, row):
    with open(room / "big", "wb") as f:
        f.truncate(1 << 30)
    proxy = start(f"access_log off; server {{ listen 127.0.0.1:0; root {room}; send_timeout 1s; }}")
    with proxy.connect() as c:
        c.get("/none")
    before = proxy.memory()
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    s.connect(proxy.address)
    s.sendall(request("GET", "/big"))
    taken = 0
    for _ in range(200):  # each of them is progress
        taken += len(s.recv(4096))
        assert proxy.memory() - before < 512 * 1024
    assert taken > 200 * 100
    eventually(lambda: proxy.error_log.read_text().count("timed out") >= 1, "the connection is not closed", 5)
    s.close()


@row("LIM-13-idle-connections")
def test_lim_idle_connections_hold_no_buffer_and_no_fiber(start, row):
    count = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * count:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * count), hard))
    try:
        proxy = start("access_log off; server { listen 127.0.0.1:0; keepalive_timeout 3s; return 200 x; }")
        warm = [proxy.connect() for _ in range(64)]
        assert all(c.get().status == 200 for c in warm)
        before, clients = proxy.memory(), []
        for _ in range(count):
            clients.append(proxy.connect())
            assert clients[-1].get().status == 200
        assert (proxy.memory() - before) / count < 1024, "500 bytes of ours, and what the table of descriptors takes"
        for c in clients[:50]:
            c.assert_closed(within=6)
        for c in clients + warm:
            c.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# the machine refuses


@pytest.fixture
def starving(start, room, origin):
    (room / "f").write_text("file\n")
    return start(f"""
access_log off;
server {{
    listen 127.0.0.1:0;
    location = /control {{ return 200 x; }}
    location /file/ {{ alias {room}/; }}
    location /up/ {{ client_max_body_size 0; client_body_buffer_size 1k; proxy_pass http://{origin.address}; }}
}}
""")


@needs_strace
@pytest.mark.parametrize("call, data, status", [
    pytest.param("openat,openat2", request("GET", "/file/f"), 500, id="LIM-15-file"),
    pytest.param("openat,openat2", request("POST", "/up/x", body=b"x" * 100000), 500, id="LIM-15-temp-file"),
    pytest.param("socket", request("GET", "/up/x"), 502, id="LIM-15-upstream-socket")])
def test_lim_without_descriptors_one_request_fails_and_no_other(starving, call, data, status):
    with starving.connect() as c, starving.connect() as other:
        assert c.get("/control").status == 200 and other.get("/control").status == 200
        with injected(starving, call, "EMFILE"):
            assert c.ask(data).status == status
            assert other.get("/control").status == 200
        assert other.ask(data).status == 200
    if status == 502:
        starving.wait_error("no socket for an upstream")


@needs_strace
@row("LIM-15-pipe")
def test_lim_without_a_pipe_a_long_body_is_copied(starving, origin, row):
    body = os.urandom(SIZE)
    origin.answers(answer(body))
    with starving.connect() as c:
        with injected(starving, "pipe2", "EMFILE"):
            assert c.get("/up/x").body == body
        assert c.get("/up/x").body == body


@needs_strace
@pytest.mark.parametrize("row", ["UP-18-no-local-port"])
def test_up_a_peer_is_not_blamed_for_what_is_lacking_here(start, origins, row):
    """Two peers, so that failures count: after ten requests without a port both are as good as before."""
    peers = origins("a", "b")
    servers = " ".join(f"server {o.address};" for o in peers)
    proxy = start(f"access_log off; upstream u {{ {servers} keepalive 0; }}"
                  "server { listen 127.0.0.1:0; location / { proxy_pass http://u; } }")
    with proxy.connect() as c:
        with injected(proxy, "connect", "EADDRNOTAVAIL"):
            assert [c.get("/").status for _ in range(10)] == [502] * 10
        assert [c.get("/").status for _ in range(4)] == [200] * 4
    assert sorted(len(o.requests) for o in peers) == [2, 2]
    said = proxy.error_log.read_text()
    assert 1 <= said.count("[crit]") <= 3 and "temporarily disabled" not in said
    proxy.wait_error("no socket for an upstream")


@needs_strace
@pytest.mark.parametrize("error", [pytest.param(e, id=f"LIM-16-{e.lower()}") for e in ("ECONNABORTED", "EPERM", "ENOBUFS", "EPROTO")])
def test_lim_a_failed_accept_is_logged_and_the_next_one_works(start, error):
    proxy = start("server { listen 127.0.0.1:0; return 200 x; }")
    with injected(proxy, "accept4", error, "1..3"):
        for _ in range(3):
            with proxy.connect() as c:
                assert c.get("/").status == 200


# long bodies, and the last moment


@row("LIM-19-64-mib")
def test_lim_a_long_upload_is_spooled_and_takes_no_memory(start, room, origins, row):
    size = 64 << 20
    got = []

    def script(c):
        while True:
            r = c.read_head()
            c.read_body(r, keep=False)
            got.append(r.body_size)
            c.send(answer(b"ok"))

    (origin,) = origins("o", script=script)
    proxy = start(f"access_log off; client_max_body_size 0; client_body_temp_path {room}/temp;"
                  f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    with proxy.connect(timeout=60) as c:
        c.get("/none")
        got.clear()
        before, most = proxy.memory(), 0
        c.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size >> 20):
            c.send(b"x" * SIZE)
            most = max(most, proxy.memory() - before)
            assert not [p for p in Path(room / "temp").rglob("*") if p.is_file()], "its file has a name"
        assert c.response("POST").status == 200
    assert got == [size] and most < 8 << 20


@row("LIM-30-a-request-at-the-moment-of-the-close")
def test_lim_a_request_that_meets_the_close_is_answered_whole_or_not_at_all(start, origin, row):
    proxy = start(f"access_log off; keepalive_timeout 50ms;"
                  f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    answered, tries = 0, 300
    waits = threading.Event()
    for n in range(tries):
        with proxy.connect() as c:
            assert c.get(f"/first{n}").status == 200
            waits.wait(0.0495 + n % 10 * 0.0002)  # about the moment of the close
            try:
                c.send(request("GET", f"/second{n}"))
                r = c.response("GET")
                answered += r.status == 200 and 1
            except (Closed, ConnectionError, BrokenPipeError):
                assert not c.buffer, "half an answer"
    seen = [r.target for r in origin.requests]
    assert len(seen) == len(set(seen)) == tries + answered
