"""Limits and timeouts, set short."""
import pytest

from support.origin import BLOCK, black_hole
from support.waiting import eventually
from support.wire import request


def site(room, origin="127.0.0.1:1", top="", location=""):
    return f"""
http {{
    log_format plain '$status $body_bytes_sent "$request"';
    access_log {room}/access.log plain;
    {top}
    server {{
        listen 127.0.0.1:0;
        location / {{ proxy_pass http://{origin}; {location} }}
        location /return {{ return 200 "x"; }}
    }}
}}
"""


def test_a_body_over_the_limit_is_413_before_it_is_read(start, origin, room):
    proxy = start(site(room, origin.address, "client_max_body_size 1k;"))
    with proxy.connect() as c:
        c.send(request("POST", "/echo", "a", "Content-Length: 1025", "Expect: 100-continue"))
        r = c.head()
        assert r.status == 413, "100 was sent before a 413"
        c.body(r)
        assert r.closes
        c.assert_closed()
    with proxy.connect() as c:
        assert c.ask(request("POST", "/echo", body=b"x" * 1024)).status == 200
    assert proxy.wait_access(2)[0].startswith("413 ")


def test_a_chunked_body_over_the_limit_is_413(start, origin, room):
    proxy = start(site(room, origin.address, "client_max_body_size 1k;"))
    with proxy.connect() as c:
        c.send(request("POST", "/echo", "a", "Transfer-Encoding: chunked") + b"400\r\n" + b"x" * 1024 + b"\r\n1\r\nx\r\n")
        r = c.response("POST")
        assert r.status == 413 and r.closes
    assert not origin.requests


def test_the_limit_is_off_at_zero(start, origin, room):
    proxy = start(site(room, origin.address, "client_max_body_size 0;"))
    with proxy.connect() as c:
        assert c.ask(request("POST", "/upload", body=b"x" * (2 << 20))).body == b"%d" % (2 << 20)


def test_the_default_limit_is_one_mebibyte(start, origin, room):
    proxy = start(site(room, origin.address))
    with proxy.connect() as c:
        assert c.ask(request("POST", "/upload", body=b"x" * (1 << 20))).status == 200
        c.send(request("POST", "/upload", "a", f"Content-Length: {(1 << 20) + 1}"))
        assert c.response("POST").status == 413


def test_expect_gets_100_once_and_is_not_passed_on(start, origin, room):
    proxy = start(site(room, origin.address))
    with proxy.connect() as c:
        c.send(request("POST", "/echo", "a", "Expect: 100-continue", "Content-Length: 5"))
        assert c.take_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        c.send(b"hello")
        r = c.head()
        c.body(r)
        assert r.status == 200 and r.body == b"hello"
    assert origin.requests[0].get("Expect") is None


def test_a_head_that_takes_too_long_is_closed_and_logged_408(start, room):
    proxy = start(site(room, top="client_header_timeout 1s;"))
    with proxy.connect(timeout=6) as c:
        c.send(b"GET /return HTTP/1.1\r\nHost:")
        assert c.take_all() == b""
    assert proxy.wait_access()[0].startswith("408 0 ")


def test_the_whole_head_has_one_deadline(start, room):
    """A byte now and then does not renew it."""
    proxy = start(site(room, top="client_header_timeout 1s;"))
    with proxy.connect() as c:
        c.socket.settimeout(0.3)
        sent = 0
        c.send(b"GET /return HTTP/1.1\r\nX: ")
        for sent in range(20):
            try:
                assert c.socket.recv(10) == b""
                break
            except TimeoutError:
                try:
                    c.send(b"y")
                except OSError:
                    break
        assert sent < 6, "each byte renewed the deadline"


def test_a_silent_connection_is_closed_without_a_log_line(start, room):
    proxy = start(site(room, top="client_header_timeout 1s;"))
    with proxy.connect(timeout=6) as c:
        assert c.take_all() == b""
    with proxy.connect() as c:
        c.get("/return")
    assert len(proxy.wait_access()) == 1


def test_a_body_that_stops_is_closed_and_logged_408(start, origin, room):
    proxy = start(site(room, origin.address, "client_body_timeout 1s;"))
    with proxy.connect(timeout=6) as c:
        c.send(request("POST", "/echo", "a", "Content-Length: 10") + b"abc")
        assert c.take_all() == b""
    assert proxy.wait_access() == ['408 0 "POST /echo HTTP/1.1"']
    assert not origin.requests


def test_an_end_in_the_head_is_logged_400(start, room):
    proxy = start(site(room))
    with proxy.connect() as c:
        c.send(b"GET / HTTP/1.1\r\nHo")
        c.finish()
        assert c.take_all() == b""
    assert proxy.wait_access()[0].startswith("400 0 ")


def test_an_end_in_the_body_is_logged_400(start, origin, room):
    proxy = start(site(room, origin.address))
    with proxy.connect() as c:
        c.send(request("POST", "/echo", "a", "Content-Length: 10") + b"abc")
        c.finish()
        assert c.take_all() == b""
    assert proxy.wait_access() == ['400 0 "POST /echo HTTP/1.1"']


def test_an_idle_connection_is_closed_after_keepalive_timeout(start, room):
    proxy = start(site(room, top="keepalive_timeout 1s;"))
    with proxy.connect(timeout=6) as c:
        assert not c.get("/return").closes
        assert c.take_all() == b""
    assert len(proxy.wait_access()) == 1


def test_keepalive_timeout_zero_closes_at_once(start, room):
    proxy = start(site(room, top="keepalive_timeout 0;"))
    with proxy.connect() as c:
        assert c.get("/return").closes
        c.assert_closed()


def test_keepalive_timeout_can_be_said_to_the_client(start, room):
    proxy = start(site(room, top="keepalive_timeout 75s 20s;"))
    with proxy.connect() as c:
        assert c.get("/return").get("Keep-Alive") == "timeout=20"


def test_keepalive_requests_ends_with_close(start, room):
    proxy = start(site(room, top="keepalive_requests 3;"))
    with proxy.connect() as c:
        assert [c.get("/return").closes for _ in range(3)] == [False, False, True]
        c.assert_closed()


def test_a_peer_that_does_not_answer_the_dial_is_504(start, room):
    held, port = black_hole()
    proxy = start(site(room, f"127.0.0.1:{port}", "proxy_connect_timeout 1s;"))
    with proxy.connect(timeout=6) as c:
        assert c.get("/").status == 504
        c.assert_kept("/return")
    for s in held:
        s.close()


def test_a_peer_that_reads_and_never_answers_is_504(start, origin, room):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    proxy = start(site(room, origin.address, "proxy_read_timeout 1s;"))
    with proxy.connect(timeout=6) as c:
        assert c.get("/").status == 504
        c.assert_kept("/return")
    assert origin.connections[0].ended.wait(5)
    assert proxy.wait_error(r"\[error\].*timed out")


def test_a_peer_that_stalls_in_the_body_ends_in_a_cut_answer(start, origin, room):
    origin.script = lambda c: (c.read_request(), c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), c.wait_gone())
    proxy = start(site(room, origin.address, "proxy_read_timeout 1s;"))
    with proxy.connect(timeout=6) as c:
        c.send(request("GET", "/"))
        assert c.head().status == 200
        assert c.take_all() == b"abc"


def test_a_peer_that_does_not_take_the_body_is_504(start, origin, room):
    origin.script = lambda c: (c.read_head(), c.ended.wait(20))
    proxy = start(site(room, origin.address, "proxy_send_timeout 1s; client_max_body_size 0;"))
    with proxy.connect(timeout=10) as c:
        c.send(request("POST", "/", body=b"x" * (16 << 20)))
        assert c.response("POST").status == 504


def test_a_client_that_takes_nothing_ends_at_send_timeout(start, origin, room):
    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            c.send(BLOCK)

    origin.script = script
    proxy = start(site(room, origin.address, "send_timeout 1s;"))
    with proxy.connect(timeout=6) as c:
        c.send(request("GET", "/"))
        assert c.head().status == 200
        assert origin.connections[0].ended.wait(10), "the upstream connection is still held"


def test_a_line_or_a_field_too_long(start, room):
    proxy = start(site(room))
    with proxy.connect() as c:
        assert c.get("/return?" + "a" * 9000).status == 414
    with proxy.connect() as c:
        r = c.get("/return", "a", "X-A: " + "a" * 9000)
        assert r.status == 400 and b"Request Header Or Cookie Too Large" in r.body
    with proxy.connect() as c:
        assert c.get("/return?" + "a" * 7000, "a", "X-A: " + "a" * 7000).status == 200


@pytest.mark.parametrize("count, status", [(998, 200), (1001, 400)])
def test_a_thousand_fields_are_enough(start, room, count, status):
    proxy = start(site(room))
    with proxy.connect() as c:
        c.send(b"GET /return HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * count + b"\r\n")
        assert c.response().status == status


def test_a_refused_upload_is_drained_then_closed(start, origin, room):
    """The client that goes on sending still reads its 413."""
    proxy = start(site(room, origin.address, "client_max_body_size 1k;"))
    with proxy.connect() as c:
        c.send(request("POST", "/echo", "a", "Content-Length: 10000000"))
        for _ in range(20):
            try:
                c.send(b"x" * 10000)
            except OSError:
                break
        assert c.response("POST").status == 413
    eventually(lambda: proxy.access(), "no log line")
