"""What a review found: lifetimes across two fibers, fairness, ends. Rows that they belong to stand in the names."""
import signal
import socket
import threading
import time

import pytest

from support.origin import Gone, answer
from support.proxy import run
from support.waiting import eventually
from support.wire import request


def test_a_log_line_may_show_fields_of_the_answer(start, room, origins):
    """OBS: they were read after their bytes had gone."""
    (origin,) = origins("a")
    origin.answers(answer(b"hi", "200 OK", "X-A: first"))
    proxy = start(f"""
log_format f '$status|$sent_http_content_length|$upstream_http_x_a';
access_log {room}/access.log f;
server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
""")
    with proxy.connect() as c:
        assert c.get("/").body == b"hi"
        assert c.get("/").body == b"hi"
    assert proxy.wait_access(2) == ["200|2|first"] * 2


def test_fields_of_an_answer_that_did_not_count_are_not_shown(start, room, origins):
    bad, gone = origins("bad", "gone")
    bad.answers(b"HTTP/1.1 502 Bad\r\nX-A: first\r\nContent-Length: 0\r\n\r\n")
    gone.script = lambda c: (c.read_request(), c.reset())
    proxy = start(f"""
log_format f '$status|$upstream_http_x_a';
access_log {room}/access.log f;
upstream u {{ server {bad.address} weight=10; server {gone.address}; }}
server {{ listen 127.0.0.1:0; location / {{ proxy_next_upstream error http_502; proxy_pass http://u; }} }}
""")
    with proxy.connect() as c:
        assert c.get("/").status == 502
    assert proxy.wait_access(1) == ["502|-"]


@pytest.mark.parametrize("method, head", [
    pytest.param("POST", b"HTTP/1.1 204 No Content\r\n\r\n", id="FLOW-28-204"),
    pytest.param("HEAD", b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", id="FLOW-28-head"),
    pytest.param("POST", b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", id="FLOW-28-empty")])
def test_flow_an_early_answer_without_a_body_arrives(start, origins, method, head):
    (origin,) = origins("a", script=lambda c: (c.read_head(), c.send(head), c.wait_gone()))
    proxy = start(f"server {{ listen 127.0.0.1:0; "
                  f"location / {{ proxy_request_buffering off; proxy_pass http://{origin.address}; }} }}")
    with proxy.connect() as c:
        c.send(f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc".encode())
        r = c.response(method)
        assert r.status == int(head[9:12]) and r.closes


def at_rest(value, seconds):
    """Waits until the value has not changed for so long."""
    seen = [value(), time.monotonic()]

    def unchanged():
        now = value()
        if now != seen[0]:
            seen[:] = now, time.monotonic()
        return time.monotonic() - seen[1] > seconds

    eventually(unchanged, "it comes to rest", 10)


def sends_slowly_read(sent, pieces, then=None):
    """A script: an answer of so many pieces; `sent` counts those that went into the proxy and its buffers."""
    def script(c):
        c.read_head()
        if then:
            threading.Thread(target=then, args=(c,), daemon=True).start()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * 100000))
        for _ in range(pieces):
            c.send(b"x" * 100000)
            sent.append(1)

    return script


def reads_on(c):
    try:
        c.wait_gone()
    except Gone:
        pass


def test_tls_both_ways_at_once(start, origins, authority):
    """An upload goes on while its answer is stuck: two fibers use one connection (this ended the worker)."""
    sent = []
    (origin,) = origins("a", script=sends_slowly_read(sent, 200, then=reads_on))
    cert, key = authority.leaf("a.example")
    proxy = start(f"""
server {{ listen 127.0.0.1:0 ssl; ssl_certificate {cert}; ssl_certificate_key {key};
    location / {{ proxy_request_buffering off; proxy_max_temp_file_size 0; proxy_pass http://{origin.address}; }}
    location = /control {{ return 200 control; }} }}
""")
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(10)
    plain.connect(proxy.address)
    with authority.client().wrap_socket(plain, server_hostname="a.example") as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 900000\r\n\r\nabc")
        at_rest(lambda: len(sent), 0.3)  # the answer is stuck in all buffers
        for _ in range(4):
            before = origin.octets
            s.sendall(b"b" * 1000)
            eventually(lambda: origin.octets >= before + 1000, "the upload goes on")
        got = 0
        while got < 200000:
            got += len(s.recv(65536))
    with proxy.connect(tls=authority.client(), name="a.example") as c:
        assert c.get("/control", "a.example").status == 200


def test_proc_a_signal_after_tunnels_have_given_their_stacks_back(start, origins):
    """SIGTERM cancelled fibers that had ended, on stacks that were unmapped."""
    (origin,) = origins("a", script=lambda c: c.wait_gone())
    proxy = start(f"access_log off; forward {{ listen 127.0.0.1:0; tunnel_peek off; ports connect {origin.port}; "
                  f"rule allow if client 127.0.0.0/8 and address 127.0.0.1 and port {origin.port}; }}")
    tunnels = [proxy.connect() for _ in range(150)]
    for c in tunnels:
        c.send(f"CONNECT {origin.address} HTTP/1.1\r\nHost: {origin.address}\r\n\r\n".encode())
    for c in tunnels:
        assert c.head().status == 200
    maps = f"/proc/{proxy.worker}/maps"
    at_rest(lambda: len(open(maps).readlines()), 1.3)  # idle stacks are trimmed once a second
    proxy.stop(signal.SIGTERM)
    for c in tunnels:
        c.close()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGQUIT], ids=lambda s: s.name)
def test_proc_a_signal_while_names_are_asked_for(start, sig):
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    proxy = start(f"resolver 127.0.0.1:{silent.getsockname()[1]};\nupstream u {{ server no.example:80; }}\n"
                  "server { listen 127.0.0.1:0; location / { proxy_pass http://u; } }")
    began = time.monotonic()
    proxy.stop(sig)
    assert time.monotonic() - began < 3
    silent.close()


def slowest_answer(proxy, seconds):
    slowest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        with proxy.connect() as c:
            assert c.get("/control").status == 200
        slowest = max(slowest, time.monotonic() - began)
    return slowest


@pytest.mark.parametrize("what", ["FLOW-27-download", "FLOW-27-upload", "FLOW-27-after-an-error"])
def test_flow_a_peer_that_is_always_ready_leaves_others_their_turn(start, room, origins, what):
    """Peers faster than we are were served for seconds on end, and everybody else waited."""
    block, ends = b"x" * (1 << 20), threading.Event()

    def script(c):
        c.read_head()
        c.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not ends.is_set():
            c.send(block)

    (origin,) = origins("a", script=script)
    proxy = start(f"server {{ listen 127.0.0.1:0; client_max_body_size 0; client_body_temp_path {room}/bodies; "
                  f"location / {{ proxy_pass http://{origin.address}; }} "
                  "location = /control { return 200 control; } }")

    def busy():
        with proxy.connect() as c:
            try:
                if what.endswith("download"):
                    c.send(request("GET"))
                    while not ends.is_set() and c.socket.recv(1 << 20):
                        pass
                    return
                c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 268435456\r\n\r\n" if what.endswith("upload")
                       else b"GET / HTTP/9.9\r\nHost: a\r\n\r\n")
                for _ in range(256):
                    if not ends.is_set():
                        c.send(block)
            except OSError:
                pass

    peers = [threading.Thread(target=busy, daemon=True) for _ in range(2)]
    for p in peers:
        p.start()
    try:
        assert slowest_answer(proxy, 1.5) < 1.0
    finally:
        ends.set()
        for p in peers:
            p.join(10)


@pytest.mark.parametrize("line, words", [
    ('add_header X "a\nb";', "control byte"),
    ("large_client_header_buffers 4 1024m;", "large_client_header_buffers"),
    ("proxy_buffers 4611686018427387904 4;", "proxy_buffers")], ids=["line-end", "head-of-4-gib", "product-overflows"])
def test_conf_a_value_that_cannot_work_is_refused(room, line, words):
    path = room / "c.conf"
    path.write_text(f"access_log off; server {{ listen 127.0.0.1:0; {line} return 200 a; }}")
    done = run("-t", "-c", path, "-p", room)
    assert done.returncode == 1 and words in done.stderr


def test_the_smallest_buffers_do_not_hang(start, origins):
    sent = []
    (origin,) = origins("a", script=sends_slowly_read(sent, 100))
    proxy = start(f"server {{ listen 127.0.0.1:0; location / {{ proxy_buffers 3 256; "
                  f"proxy_buffer_size 256; proxy_pass http://{origin.address}; }} }}")
    with proxy.connect() as c:
        c.send(request("GET"))
        at_rest(lambda: len(sent), 0.3)  # the sending blocks, and the reader ahead has begun
        assert len(c.response().body) == 10000000


@pytest.mark.parametrize("line", ["GET http://me:s3cret@a/ HTTP/1.1", "GET http://me:x@s3cret@a/ HTTP/1.1",
                                  "GET http://me:x/s3cret@a/ HTTP/1.1", "CONNECT me:s3cret@a:443 HTTP/1.1"],
                         ids=["TARG-13", "TARG-13-at-in-it", "TARG-13-slash-in-it", "TARG-13-connect"])
def test_targ_a_password_stands_in_no_log(start, room, line):
    proxy = start(f"access_log {room}/access.log combined; forward {{ listen 127.0.0.1:0; tunnel_peek off; "
                  "access_log {room}/access.log combined; rule allow if client 127.0.0.0/8; }".replace("{room}", str(room)))
    with proxy.connect() as c:
        c.send(f"{line}\r\nHost: a\r\n\r\n".encode())
        assert c.response().status == 400
    assert "***@" in proxy.wait_access(1)[0]
    assert "s3cret" not in proxy.access_log.read_text() + proxy.errors()
