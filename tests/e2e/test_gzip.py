"""Compressed answers, as real clients read them."""
import gzip
import subprocess
import threading
import zlib

import pytest

from support.origin import answer
from support.wire import request

HTML = "Content-Type: text/html"
PAGE = b"".join(b"<p>line %d of a page\n" % i for i in range(20000))


def site(lines, location):
    return f"http {{ {lines} server {{ listen 127.0.0.1:0; location / {{ {location} }} }} }}"


def curl(proxy, path, *options):
    return subprocess.run(["curl", "-s", "--max-time", "10", *options, f"http://127.0.0.1:{proxy.port}{path}"],
                          capture_output=True, timeout=15, check=True).stdout


def test_curl_gets_the_page_that_the_file_holds(start, room):
    (room / "page.html").write_bytes(PAGE)
    for sends in ("on", "off"):
        proxy = start(site(f"gzip on; sendfile {sends};", f"root {room};"))
        assert curl(proxy, "/page.html", "--compressed") == PAGE
        assert curl(proxy, "/page.html") == PAGE
        packed = curl(proxy, "/page.html", "-H", "Accept-Encoding: gzip")
        assert len(packed) < len(PAGE) / 5
        assert gzip.decompress(packed) == PAGE


def test_curl_gets_the_page_that_an_origin_sends(start, origin):
    origin.answers(answer(PAGE, "200 OK", HTML, 'ETag: "a"'))
    proxy = start(site("gzip on;", f"proxy_pass http://{origin.address};"))
    assert curl(proxy, "/", "--compressed") == PAGE
    assert curl(proxy, "/", "--compressed", "--http1.0") == PAGE
    head = curl(proxy, "/", "-D", "-", "-o", "/dev/null", "--compressed").decode()
    assert 'ETag: W/"a"' in head and "Content-Length" not in head


@pytest.mark.parametrize("row", ["COMP-12-events"])
def test_each_event_of_a_stream_arrives_before_the_next_is_sent(start, origin, row):
    """No event waits for a full buffer."""
    go = threading.Semaphore(0)
    framings = ["Transfer-Encoding: chunked", "Connection: close"]

    def script(c):
        c.read_request()
        framing = framings[len(origin.connections) - 1]
        c.send(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n\r\n".encode())
        for i in range(20):
            go.acquire(timeout=5)
            event = b"data: event %d\n\n" % i
            c.send(b"%x\r\n%s\r\n" % (len(event), event) if "chunked" in framing else event)
        c.send(b"0\r\n\r\n" if "chunked" in framing else b"")
        c.close()

    origin.script = script
    for buffering in ("on", "off"):
        framings.reverse()
        proxy = start(site("gzip on; gzip_types text/event-stream;",
                           f"proxy_buffering {buffering}; proxy_pass http://{origin.address};"))
        with origin.lock:
            origin.connections.clear()
        for _ in framings:
            with proxy.connect() as c:
                c.send(request("GET", "/", "a", "Accept-Encoding: gzip"))
                assert c.head().get("Content-Encoding") == "gzip"
                unpacker, chunks, text = zlib.decompressobj(31), c.chunks(), b""
                for i in range(20):
                    go.release()
                    while not text.endswith(b"data: event %d\n\n" % i):
                        text += unpacker.decompress(next(chunks))
                text += b"".join(unpacker.decompress(chunk) for chunk in chunks)
                assert unpacker.eof and text.count(b"data: ") == 20


def test_an_answer_that_is_cut_stays_cut(start, origin):
    noise = bytes(i * i * 2654435761 >> 13 & 255 for i in range(50000))
    origin.answers(f"HTTP/1.1 200 OK\r\n{HTML}\r\nContent-Length: 100000\r\n\r\n".encode() + noise, then="close")
    proxy = start(site("gzip on;", f"proxy_pass http://{origin.address};"))
    with proxy.connect() as c:
        c.send(request("GET", "/", "a", "Accept-Encoding: gzip"))
        c.head()
        got = c.take_all()
    assert not got.endswith(b"0\r\n\r\n")
    proxy.wait_error("prematurely closed")


def test_an_answer_that_is_cut_before_anything_was_sent_is_no_answer(start, origin):
    """Its few compressed bytes are still here, and so is its head."""
    origin.answers(f"HTTP/1.1 200 OK\r\n{HTML}\r\nContent-Length: 100000\r\n\r\n".encode() + PAGE[:5000], then="close")
    proxy = start(site("gzip on;", f"proxy_pass http://{origin.address};"))
    with proxy.connect() as c:
        c.send(request("GET", "/", "a", "Accept-Encoding: gzip"))
        assert c.response("GET").status == 502


@pytest.mark.parametrize("row", ["COMP-09-slow-clients"])
def test_slow_clients_of_a_long_page_hold_little_and_hold_up_nobody(start, room, row):
    """A stream holds zlib's state and two blocks, however long the page; others are served between."""
    noise = bytes(i * i * 2654435761 >> 13 & 255 for i in range(1 << 16)) * 80
    (room / "long.html").write_bytes(noise)
    (room / "short.html").write_bytes(PAGE[:5000])
    proxy = start(site("gzip on; sendfile on;", f"root {room};"))
    assert gzip.decompress(curl(proxy, "/long.html", "-H", "Accept-Encoding: gzip")) == noise
    before = proxy.memory()
    clients = [proxy.connect() for _ in range(16)]
    for c in clients:
        c.send(request("GET", "/long.html", "a", "Accept-Encoding: gzip"))
    for c in clients:
        c.take(1)
    assert curl(proxy, "/short.html", "--compressed") == PAGE[:5000]
    assert proxy.memory() - before < len(clients) * 512 * 1024
    for c in clients:
        c.close()


@pytest.mark.parametrize("buffering, smaller", [("on", True), ("off", False)])
def test_an_answer_that_comes_in_small_pieces_is_packed_as_well_as_one_that_comes_whole(start, origin, buffering, smaller):
    """Nobody waits for its pieces where answers are buffered: no flush after each."""
    go = threading.Semaphore(0)

    def script(c):
        while True:
            pieces = c.read_request().target == "/pieces"
            c.send(f"HTTP/1.1 200 OK\r\n{HTML}\r\nContent-Length: {len(PAGE)}\r\n\r\n".encode())
            for i in range(0, len(PAGE), 4000 if pieces else len(PAGE)):
                c.send(PAGE[i : i + (4000 if pieces else len(PAGE))])
                go.acquire(timeout=0.002)

    origin.script = script
    proxy = start(site("gzip on;", f"proxy_buffering {buffering}; proxy_pass http://{origin.address};"))
    whole, pieces = (curl(proxy, path, "-H", "Accept-Encoding: gzip") for path in ("/whole", "/pieces"))
    assert gzip.decompress(pieces) == gzip.decompress(whole) == PAGE
    assert (len(pieces) <= len(whole)) == smaller
