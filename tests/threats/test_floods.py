"""LIM: many connections at once, and what one of them may cost. Counts are those that one test machine can hold."""
import resource
import socket
import threading
import time

import pytest

from support.waiting import eventually
from support.wire import chunked, request

MANY = 500
KIB = 1024


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    """Enough of them on our side."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def site(start, room, origin):
    return start(f"""
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log {room}/access.log;
    client_header_timeout 20s;
    client_body_timeout 20s;
    client_body_buffer_size 8k;
    client_body_temp_path {room}/bodies;
    server {{
        listen 127.0.0.1:0;
        location / {{ proxy_pass http://{origin.address}; }}
        location /streamed {{ proxy_request_buffering off; proxy_pass http://{origin.address}; }}
        location = /control {{ return 200 "x"; }}
    }}
}}
""")


def row(name):
    return pytest.mark.parametrize("row", [name])


def in_time(c):
    began = time.monotonic()
    assert c.get("/control").status == 200
    assert time.monotonic() - began < 0.5, "others wait"


def close(clients):
    for c in clients:
        c.close()


@row("LIM-09-slow-bodies")
def test_lim_slow_bodies_take_no_upstream(site, origin, row):
    before = site.memory()
    clients = [site.connect() for _ in range(MANY)]
    for c in clients:
        c.send(request("POST", "/", "a", "Content-Length: 1000000") + b"x")
    for _ in range(3):
        for c in clients:
            c.send(b"x")
    with site.connect() as c:
        in_time(c)
    assert site.memory() - before < MANY * 24 * KIB
    assert not origin.connections
    close(clients)


@row("LIM-20-bodies-on-disk")
def test_lim_large_bodies_are_on_disk(site, origin, row):
    before = site.memory()
    clients = [site.connect() for _ in range(100)]
    for c in clients:
        c.send(request("POST", "/", "a", "Content-Length: 1048576") + b"x" * 1048575)
    with site.connect() as c:
        in_time(c)
    assert site.memory() - before < len(clients) * 48 * KIB, "beside the buffer: a stack and blocks"
    assert not origin.connections
    for c in clients:
        c.send(b"x")
    assert all(c.response("POST").status == 200 for c in clients)
    close(clients)


@row("LIM-17-declared")
def test_lim_a_body_that_is_declared_too_large_is_not_asked_for(site, origin, row):
    with site.connect() as c:
        c.send(request("POST", "/", "a", "Content-Length: 1048577", "Expect: 100-continue"))
        r = c.head()
        assert r.status == 413 and r.closes
        c.body(r)
        c.assert_closed()
    assert not origin.connections


@pytest.mark.parametrize("target", [pytest.param("/", id="LIM-18-buffered"), pytest.param("/streamed", id="LIM-18-streamed")])
def test_lim_a_chunked_body_ends_at_the_byte_over(site, origin, target):
    head = request("POST", target, "a", "Transfer-Encoding: chunked")
    most = chunked(b"x" * 1048576)
    with site.connect() as c:
        assert c.ask(head + most, "POST").status == 200
    origin.forget()
    with site.connect() as c:
        c.send(head + most[:-5])  # without its last chunk
        c.send(b"1\r\nx")
        r = c.response("POST")
        assert r.status == 413 and r.closes
        c.assert_closed()
    assert not [r for r in origin.requests if r.whole]
    eventually(lambda: all(c.ended.is_set() for c in origin.connections if not c.requests[-1].whole), "upstream is kept")


@row("LIM-22-resets")
def test_lim_a_storm_of_resets_leaks_nothing(site, row):
    rest = site.descriptors()["socket"]
    with site.connect() as control:
        for n in range(2000):
            site.connect().reset()
            if n % 300 == 0:
                in_time(control)
    eventually(lambda: site.descriptors()["socket"] <= rest, "still held")


@row("LIM-23-beyond-the-backlog")
def test_lim_a_flood_of_connects_leaves_the_others_alone(site, row):
    with site.connect() as control:
        in_time(control)
        flood = []
        for _ in range(1000):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(site.address)
            flood.append(s)
        for _ in range(20):
            in_time(control)
        close(flood)
    with site.connect() as c:
        in_time(c)


@row("LIM-35-one-byte-at-a-time")
def test_lim_bytes_one_by_one_get_a_fair_share(site, row):
    clients = [site.connect() for _ in range(MANY)]
    text, stop, sent = request("GET", "/control"), threading.Event(), [0]

    def drip():
        for at in range(10 * len(text)):
            for c in clients:
                c.send(text[at % len(text):][:1])
            sent[0] += 1
            if stop.is_set():
                return

    before = site.memory()
    thread = threading.Thread(target=drip)
    thread.start()
    with site.connect() as control:
        for _ in range(20):
            in_time(control)
    stop.set()
    thread.join()
    assert sent[0] and site.memory() - before < MANY * 24 * KIB
    close(clients)
