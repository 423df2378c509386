"""Large bodies both ways in constant memory, slow readers and slow writers."""
import hashlib
import threading

import pytest

from support.origin import BLOCK, big_digest
from support.waiting import eventually
from support.wire import Closed, request

MANY = 256 << 20
GROWTH = 16 << 20


@pytest.fixture(params=["on", "off"], ids=lambda v: f"request buffering {v}")
def proxy(request, start, origin, room):
    return start(f"""
http {{
    client_max_body_size 0;
    client_body_temp_path {room}/body-temp;
    proxy_max_temp_file_size 0;
    proxy_request_buffering {request.param};
    proxy_http_version 1.1;
    server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
}}
""")


class Peak:
    """The greatest resident size seen while the block runs."""

    def __init__(self, proxy):
        self.proxy, self.stop = proxy, threading.Event()

    def __enter__(self):
        self.before = self.high = self.proxy.memory()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.stop.wait(0.02):
            self.high = max(self.high, self.proxy.memory())

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.grown = max(self.high, self.proxy.memory()) - self.before


def upload(c, size):
    c.send(request("POST", "/upload", "a", f"Content-Length: {size}"))
    left = size
    while left:
        c.send(BLOCK[:left])
        left -= min(left, len(BLOCK))
    return c.response("POST")


def download(c, size, pause=None):
    c.send(request("GET", f"/big/{size}"))
    assert c.head().get("Content-Length") == str(size)
    digest, left = hashlib.sha256(), size
    while left:
        if not c.buffer:
            assert c.fill()
        digest.update(c.buffer)
        left -= len(c.buffer)
        c.buffer = b""
        if pause:
            pause(size - left)
    return digest.hexdigest()


def test_256_mib_up_and_down_in_constant_memory(proxy):
    with proxy.connect(timeout=60) as c:
        assert c.get("/").status == 200
        with Peak(proxy) as peak:
            assert upload(c, MANY).body == str(MANY).encode()
            assert download(c, MANY) == big_digest(MANY)
        assert peak.grown < GROWTH, f"{peak.grown >> 20} MiB more"
        c.assert_kept()


def test_chunks_up_in_constant_memory(proxy):
    size = 64 << 20
    with proxy.connect(timeout=60) as c, Peak(proxy) as peak:
        c.send(request("POST", "/upload", "a", "Transfer-Encoding: chunked"))
        for _ in range(size // len(BLOCK)):
            c.send(b"%x\r\n" % len(BLOCK) + BLOCK + b"\r\n")
        c.send(b"0\r\n\r\n")
        assert c.response("POST").body == str(size).encode()
    assert peak.grown < GROWTH, f"{peak.grown >> 20} MiB more"


def test_a_slow_reader_stalls_the_origin(proxy, origin):
    """While the client reads nothing, what the proxy holds is bounded: the origin cannot finish."""
    size = 64 << 20
    done = threading.Event()
    sent = {"bytes": 0}

    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(BLOCK)):
            c.send(BLOCK)
            sent["bytes"] += len(BLOCK)
        done.set()
        c.wait_gone()

    origin.script = script
    with proxy.connect(timeout=60) as c:
        with Peak(proxy) as peak:
            c.send(request("GET", "/"))
            assert c.head().status == 200
            state = {"last": -1}

            def still():
                was, state["last"] = state["last"], sent["bytes"]
                return was == sent["bytes"] > 0

            for _ in range(3):
                eventually(lambda: not done.wait(0.1) and still(), "the origin never stalls", 10)
            assert not done.is_set(), "64 MiB went into a reader that reads nothing"
            left = size - len(c.buffer)
            c.buffer = b""
            while left:
                assert c.fill()
                left -= len(c.buffer)
                c.buffer = b""
        assert done.wait(5)
    assert peak.grown < GROWTH, f"{peak.grown >> 20} MiB more"


def test_a_slow_writer_is_waited_for(proxy, origin):
    """Each part is sent only when another connection was served: the slow one holds nobody up."""
    parts = [bytes([n]) * 1000 for n in range(100)]
    with proxy.connect() as slow, proxy.connect() as quick:
        slow.send(request("POST", "/echo", "a", "Content-Length: 100000"))
        for n, part in enumerate(parts):
            slow.send(part)
            if n % 10 == 0:
                assert quick.get("/x").status == 200
        assert slow.response("POST").body == b"".join(parts)


def test_a_slow_origin_reader_stalls_the_client(start, origin, room):
    """Streamed: while the origin reads nothing, the client cannot finish."""
    go = threading.Event()

    def script(c):
        q = c.read_head()
        go.wait(20)
        c.read_body(q, keep=False)
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origin.script = script
    proxy = start(f"""
server {{ listen 127.0.0.1:0; client_max_body_size 0;
    location / {{ proxy_request_buffering off; proxy_pass http://{origin.address}; }} }}
""")
    size = 64 << 20
    with proxy.connect(timeout=30) as c, Peak(proxy) as peak:
        c.send(request("POST", "/", "a", f"Content-Length: {size}"))
        c.socket.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < size:
                sent += c.socket.send(BLOCK[: size - sent])
        go.set()
        c.socket.settimeout(30)
        while sent < size:
            sent += c.socket.send(BLOCK[: size - sent])
        assert c.response("POST").body == b"ok"
    assert peak.grown < GROWTH, f"{peak.grown >> 20} MiB more"


def test_a_spooled_body_leaves_no_file(start, origin, room):
    proxy = start(f"""
http {{
    client_max_body_size 0;
    client_body_temp_path {room}/body-temp;
    server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
}}
""")
    with proxy.connect() as c:
        c.send(request("POST", "/upload", "a", "Content-Length: 3000000") + b"x" * 2999999)
        with proxy.connect() as other:
            other.get("/x")
        assert not [p for p in (room / "body-temp").rglob("*") if p.is_file()], "a body lies there with a name"
        c.send(b"x")
        assert c.response("POST").body == b"3000000"


def test_a_hundred_bodies_at_once_arrive_unmixed(proxy):
    faults = []

    def one(n):
        body = bytes([n]) * (50000 + n)
        try:
            with proxy.connect(timeout=30) as c:
                for _ in range(3):
                    if c.ask(request("POST", "/echo", body=body)).body != body:
                        faults.append(n)
        except (OSError, AssertionError) as fault:
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not faults, faults[:3]


def spliced_site(origin, location="", http=""):
    return f"""http {{ {http} server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; {location} }} }} }}"""


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_a_spliced_body_is_counted_and_its_connections_serve_again(start, origin, room, buffering):
    log = f"log_format n '$body_bytes_sent $upstream_response_length $status'; access_log {room}/log n;"
    proxy = start(spliced_site(origin, f"proxy_buffering {buffering};", log))
    with proxy.connect(timeout=60) as c:
        for size in (1 << 20, (3 << 20) + 12345, 200 << 10):
            assert download(c, size) == big_digest(size)
    assert len(origin.connections) == 1
    sizes = [1 << 20, (3 << 20) + 12345, 200 << 10]
    eventually(lambda: (room / "log").read_text() == "".join(f"{n} {n} 200\n" for n in sizes), "wrong counts")
    assert proxy.descriptors()["pipe"] == proxy.at_rest["pipe"]


def test_the_rest_of_a_spliced_body_is_read_ahead_of_a_slow_reader(start, origin):
    """The pipe still holds what comes before it."""
    size, sent = 12 << 20, threading.Event()

    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for at in range(0, size, len(BLOCK)):
            c.send(BLOCK[:size - at])
        sent.set()
    origin.script = script
    proxy = start(spliced_site(origin, "proxy_buffers 64 128k;"))
    with proxy.connect(timeout=60) as c:
        c.send(request("GET", f"/big/{size}"))
        assert sent.wait(20), "the origin was not read ahead"
        assert proxy.descriptors()["pipe"] == proxy.at_rest["pipe"] + 2
        c.head()
        body = c.take(4 << 20)
        assert proxy.descriptors()["pipe"] == proxy.at_rest["pipe"], "what was in the pipe has left, and it is kept"
        assert body + c.take(size - len(body)) == (BLOCK * (size // len(BLOCK) + 1))[:size]


def test_a_spliced_body_that_ends_too_early_is_cut(start, origin):
    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 600000)
        c.close()
    origin.script = script
    proxy = start(spliced_site(origin))
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        with pytest.raises((Closed, OSError)):
            c.response()


def test_a_surplus_byte_behind_a_spliced_body_reaches_nobody(start, origin):
    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400000 + b"HTTP/1.1 200 OK\r\n\r\nevil")
        assert c.wait_gone()
    origin.script = script
    proxy = start(spliced_site(origin))
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        assert c.response().body == b"x" * 400000
        c.send(request("GET", "/"))
        assert c.response().body == b"x" * 400000
    assert len(origin.connections) == 2
