"""Proxying to one peer: what goes up, what comes back, what is kept."""
import re

import pytest

from support.origin import answer
from support.waiting import eventually
from support.wire import Closed, chunked, request


def site(origin, room, more="", location="", top=""):
    return f"""
http {{
    log_format plain '$status $body_bytes_sent "$request"';
    access_log {room}/access.log plain;
    {top}
    server {{
        listen 127.0.0.1:0;
        server_name a.example;
        location / {{ proxy_pass http://{origin.address}; {location} }}
        {more}
    }}
}}
"""


@pytest.mark.parametrize("name, target, request_target, sent", [
    ("no URI part", "", "/a/x%20y//z/../w", "/a/x%20y//z/../w"),
    ("a slash", "/", "/a/x%20y//z", "/x%20y/z"),
    ("a prefix", "/up", "/a/x", "/upx"),
    ("a folder", "/up/", "/a/x?q=1", "/up/x?q=1"),
    ("arguments", "/x?k=v", "/a/y?z=1", "/x?k=vy?z=1"),
], ids=lambda v: v if isinstance(v, str) and " " in v else "")
def test_the_uri_part_replaces_the_prefix(start, origin, room, name, target, request_target, sent):
    proxy = start(site(origin, room, f"location /a/ {{ proxy_pass http://{origin.address}{target}; }}"))
    with proxy.connect() as c:
        assert c.get(request_target).status == 200
    assert origin.targets() == [sent], name


def test_the_origin_sees_a_request_of_ours(start, origin, room):
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.get("/x", "Name.Example:80", "X-First: 1", "Accept: */*", "x-second: 2", "Connection: x-hop", "X-Hop: 1",
              "Keep-Alive: timeout=5", "TE: trailers", "Upgrade: h2c")
    seen = origin.wait_request()
    assert seen.version == "HTTP/1.1"
    assert seen.fields[0] == ("Host", origin.address)
    names = [n for n, _ in seen.fields]
    assert [n for n in names if n in ("X-First", "Accept", "x-second")] == ["X-First", "Accept", "x-second"]
    assert not {"X-Hop", "Keep-Alive", "TE", "Upgrade"} & set(names), names


def test_set_header_adds_replaces_and_removes(start, origin, room):
    proxy = start(site(origin, room, location="""
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Agent "$http_user_agent at $server_name";
        proxy_set_header User-Agent "";
    """))
    with proxy.connect() as c:
        c.get("/", "B.example:99", "X-Forwarded-For: 203.0.113.9", "User-Agent: curl", "X-Real-IP: 1.1.1.1")
    seen = origin.wait_request()
    assert seen.get("Host") == "b.example"
    assert seen.get("X-Real-IP") == "127.0.0.1"
    assert seen.get("X-Forwarded-For") == "203.0.113.9, 127.0.0.1"
    assert seen.get("X-Forwarded-Proto") == "http"
    assert seen.get("X-Agent") == "curl at a.example"
    assert seen.get("User-Agent") is None


def test_lists_of_set_header_replace_the_outer_one(start, origin, room):
    proxy = start(site(origin, room, "location /own/ { proxy_set_header X-Inner 1; proxy_pass http://%s; }" % origin.address,
                       top="proxy_set_header X-Outer 1;"))
    with proxy.connect() as c:
        c.get("/x")
        c.get("/own/x")
    first, second = origin.requests
    assert first.get("X-Outer") == "1" and second.get("X-Outer") is None and second.get("X-Inner") == "1"


def test_a_direct_peer_is_kept_open(start, origin, room):
    proxy = start(site(origin, room))
    for _ in range(3):
        with proxy.connect() as c:
            c.get("/1")
            c.get("/2")
    assert len(origin.requests) == 6 and len(origin.connections) == 1


def test_proxy_keepalive_off_closes_each_time(start, origin, room):
    proxy = start(site(origin, room, location="proxy_keepalive off;"))
    with proxy.connect() as c:
        for _ in range(3):
            assert c.get("/x").status == 200
    assert len(origin.connections) == 3
    for connection in origin.connections:
        assert connection.ended.wait(5)


def test_http_1_0_upstream_means_a_closed_connection(start, origin, room):
    proxy = start(site(origin, room, location="proxy_http_version 1.0;"))
    with proxy.connect() as c:
        assert c.get("/x").body == b"origin: GET /x\n"
        assert c.get("/y").status == 200
    assert [q.version for q in origin.requests] == ["HTTP/1.0", "HTTP/1.0"]
    assert origin.requests[0].get("Connection") == "close"


@pytest.mark.parametrize("location", ["", "proxy_request_buffering off;", "proxy_buffering off;"],
                         ids=["buffered", "streamed", "unbuffered answer"])
class TestBodies:
    def test_up_by_length(self, start, origin, room, location):
        proxy = start(site(origin, room, location=location))
        with proxy.connect() as c:
            for size in (0, 1, 100, 16384, 300000):
                body = bytes(i % 251 for i in range(size))
                assert c.ask(request("POST", "/echo", body=body)).body == body
        assert [q.get("Content-Length") for q in origin.requests] == ["0", "1", "100", "16384", "300000"]

    def test_up_in_chunks(self, start, origin, room, location):
        proxy = start(site(origin, room, location=location))
        parts = [b"a" * 10, b"b" * 70000, b"c"]
        with proxy.connect() as c:
            r = c.ask(request("POST", "/echo", "a", "Transfer-Encoding: chunked") + chunked(*parts))
            assert r.body == b"".join(parts)
            c.assert_kept()
        seen = origin.requests[0]
        if "request_buffering off" in location:
            assert seen.get("Transfer-Encoding") == "chunked"
        else:
            assert seen.get("Content-Length") == "70011"

    def test_down_in_chunks(self, start, origin, room, location):
        proxy = start(site(origin, room, location=location))
        with proxy.connect() as c:
            r = c.get("/chunked")
            assert r.body == b"hello world" and r.get("Transfer-Encoding") == "chunked"
            c.assert_kept()

    def test_down_until_close(self, start, origin, room, location):
        origin.answers(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", then="close")
        proxy = start(site(origin, room, location=location))
        with proxy.connect() as c:
            r = c.get("/")
            assert r.body == b"until the end" and r.get("Transfer-Encoding") == "chunked"
            assert not r.closes
            assert c.get("/").body == b"until the end"

    def test_a_1_0_client_gets_no_chunks(self, start, origin, room, location):
        proxy = start(site(origin, room, location=location))
        with proxy.connect() as c:
            r = c.ask(request("GET", "/chunked", version="1.0"))
            assert r.body == b"hello world" and r.closes and not r.all("Transfer-Encoding")


def test_a_streamed_body_flows_before_it_is_whole(start, origin, room):
    proxy = start(site(origin, room, location="proxy_request_buffering off;"))
    with proxy.connect() as c:
        c.send(request("POST", "/echo", "a", "Content-Length: 10") + b"first")
        eventually(lambda: origin.connections and origin.connections[0].received.endswith(b"first"),
                   "the first part did not reach the origin")
        c.send(b"other")
        assert c.response("POST").body == b"firstother"


def test_a_buffered_body_takes_no_peer_before_it_is_whole(start, origin, room):
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(request("POST", "/echo", "a", "Content-Length: 100000") + b"x" * 99999)
        with proxy.connect() as other:
            assert other.get("/x").status == 200
        assert len(origin.connections) == 1 and origin.targets() == ["/x"]
        c.send(b"y")
        assert c.response("POST").body == b"x" * 99999 + b"y"


def test_an_answer_flows_before_it_is_whole(start, origin, room):
    """The head leaves when the origin pauses, and each part as it comes."""

    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        go[0].wait(5)
        c.send(b"first")
        go[1].wait(5)
        c.send(b"other")
        c.wait_gone()

    import threading

    go = [threading.Event(), threading.Event()]
    origin.script = script
    proxy = start(site(origin, room))
    with proxy.connect(timeout=5) as c:
        c.send(request("GET", "/"))
        assert c.head().get("Content-Length") == "10"
        go[0].set()
        assert c.take(5) == b"first"
        go[1].set()
        assert c.take(5) == b"other"


def test_an_early_answer_ends_the_upload(start, origin, room):
    def script(c):
        c.read_head()
        c.send(answer(b"no thanks", "200 OK"))
        c.wait_gone()

    origin.script = script
    proxy = start(site(origin, room, location="proxy_request_buffering off;", top="client_max_body_size 0;"))
    with proxy.connect() as c:
        c.send(request("POST", "/", "a", "Content-Length: 10000000") + b"x" * 1000)
        r = c.response("POST")
        assert r.body == b"no thanks"
    assert origin.connections[0].ended.wait(5)


def test_redirects_of_the_origin_pass(start, origin, room):
    origin.answers(answer(b"", "302 Found", "Location: http://other.example/x"),
                   answer(b"", "302 Found", "Location: /relative"),
                   answer(b"", "302 Found", f"Location: http://{origin.address}/mapped"))
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        assert c.get("/").get("Location") == "http://other.example/x"
        assert c.get("/").get("Location") == "/relative"


def test_hidden_fields_and_our_own(start, origin, room):
    origin.answers(answer(b"x", "200 OK", "Server: theirs", "Date: Thu, 01 Jan 1970 00:00:00 GMT", "X-Powered-By: p",
                          "X-Accel-Expires: 1", "Set-Cookie: a=1", "Set-Cookie: b=2"))
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        r = c.get("/")
    assert re.match(r"bifrons(/|$)", r.get("Server")) and "1970" not in r.get("Date")
    assert r.get("X-Powered-By") == "p" and r.all("Set-Cookie") == ["a=1", "b=2"] and not r.all("X-Accel-Expires")


def test_a_client_that_leaves_ends_the_upstream_exchange(start, origin, room):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(request("GET", "/slow"))
        origin.wait_request()
    assert origin.connections[0].ended.wait(5)
    assert proxy.wait_access() == ['499 0 "GET /slow HTTP/1.1"']


def test_a_client_that_leaves_in_mid_answer_costs_nothing(start, origin, room):
    origin.script = lambda c: (c.read_request(), c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500),
                               c.wait_gone())
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        assert c.take(15) == b"HTTP/1.1 200 OK"
    assert origin.connections[0].ended.wait(5)


def test_a_peer_that_goes_quietly_is_replaced(start, origin, room):
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        assert c.get("/1").status == 200
        origin.drop()
        assert origin.connections[0].ended.wait(5)
        assert c.get("/2").body == b"origin: GET /2\n"


def test_a_reused_connection_that_dies_under_a_get_is_retried_once(start, origin, room):
    def script(c):
        c.read_request()
        c.send(answer(b"first"))
        if len(origin.connections) == 1:
            c.read_head()
            return c.close()  # after the second request came
        while True:
            c.read_request()
            c.send(answer(b"second"))

    origin.script = script
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        assert c.get("/1").body == b"first"
        assert c.get("/2").status == 200
    assert len(origin.connections) == 2


def test_a_reused_connection_that_dies_under_a_post_is_not_retried(start, origin, room):
    def script(c):
        c.read_request()
        c.send(answer(b"first"))
        c.read_head()
        c.close()

    origin.script = script
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        assert c.get("/1").body == b"first"
        assert c.ask(request("POST", "/2", body=b"x")).status == 502
    assert len([q for q in origin.requests if q.method == "POST"]) == 1


def test_an_unresolvable_name_is_a_502_not_a_failed_start(start, origin, room, names):
    proxy = start(site(origin, room, f"location /n/ {{ proxy_pass http://late.example:{origin.port}; }}",
                       top=f"resolver {names.address};"))
    assert "[warn]" in proxy.errors() + proxy.stderr.text()
    with proxy.connect() as c:
        assert c.get("/n/x").status == 502
        assert c.get("/x").status == 200


def test_a_name_is_asked_of_the_configured_server(start, origin, room, names):
    names.names["backend.example"] = [["127.0.0.1"]]
    proxy = start(site(origin, room, f"location /n/ {{ proxy_pass http://backend.example:{origin.port}; }}",
                       top=f"resolver {names.address};"))
    with proxy.connect() as c:
        assert c.get("/n/x").status == 200
    assert origin.requests[-1].get("Host") == f"backend.example:{origin.port}"
    assert {name for name, _ in names.queries} == {"backend.example"}


def test_a_name_in_etc_hosts_is_dialled(start, origin, room):
    proxy = start(site(origin, room, f"location /n/ {{ proxy_pass http://localhost:{origin.port}; }}"))
    with proxy.connect() as c:
        def works():
            return c.get("/n/x").status == 200
        eventually(works, "localhost did not resolve")
    assert origin.requests[-1].get("Host") == f"localhost:{origin.port}"


def test_an_ipv6_peer_and_listener(start, origins, room):
    (origin,) = origins("six", host="::1")
    proxy = start(f"server {{ listen [::1]:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    with proxy.connect() as c:
        assert c.get("/x").body == b"six: GET /x\n"
    assert origin.requests[0].get("Host") == f"[::1]:{origin.port}"


def test_a_cut_answer_is_seen_as_cut(start, origin, room):
    origin.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", then="close")
    proxy = start(site(origin, room))
    with proxy.connect() as c, pytest.raises(Closed):
        c.get("/")
