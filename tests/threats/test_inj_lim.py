"""INJ: injection into heads, hop-by-hop abuse. LIM: sizes and slow peers. The rows that today's features meet."""
import base64

import pytest

from support.attack import G
from support.waiting import eventually
from support.wire import request


@pytest.fixture
def site(start, room, origin):
    return start(f"""
http {{
    log_format plain '$status $body_bytes_sent "$request"';
    access_log {room}/access.log plain;
    client_header_timeout 1s;
    client_body_timeout 1s;
    keepalive_requests 1000;
    server {{
        listen 127.0.0.1:0;
        location / {{
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_pass http://{origin.address};
        }}
        location /redirect {{ return 302 https://$host$request_uri; }}
        location /uri {{ return 302 https://$host$uri; }}
        location = /control {{ return 200 "x"; }}
    }}
}}
""")


@pytest.mark.parametrize("target, status, location", [
    pytest.param("/uri/%0d%0aSet-Cookie:%20s=1", 400, None, id="INJ-03-uri"),
    pytest.param("/redirect?%0d%0aSet-Cookie:%20s=1", 302, "https://a/redirect?%0d%0aSet-Cookie:%20s=1", id="INJ-03-request-uri")])
def test_inj_no_line_is_added_to_a_head(site, target, status, location):
    with site.connect() as c:
        r = c.get(target)
        assert r.status == status and not r.all("Set-Cookie")
        if location:
            assert r.get("Location") == location


@pytest.mark.parametrize("row", ["INJ-11-connection-names-our-fields"])
def test_inj_our_fields_cannot_be_removed(site, origin, row):
    with site.connect() as c:
        c.get("/", "a", "Connection: X-Forwarded-For, X-Real-IP, X-Forwarded-Proto", "X-Forwarded-For: 1.1.1.1")
    seen = origin.requests[0]
    assert seen.get("X-Real-IP") == "127.0.0.1" and seen.get("X-Forwarded-Proto") == "http"
    assert seen.get("X-Forwarded-For").endswith("127.0.0.1")


@pytest.mark.parametrize("user", [pytest.param(u, id=f"INJ-07-{n}") for n, u in {
    "line-feed": b"user\r\nX-Admin: 1", "bare-cr": b"user\rX-Admin: 1", "zero": b"user\0", "delete": b"us\x7fer"}.items()])
def test_inj_a_user_with_a_control_byte_is_nobody(start, origin, user):
    proxy = start(f"server {{ listen 127.0.0.1:0; location / {{ proxy_set_header X-User $remote_user;"
                  f"proxy_pass http://{origin.address}; }} }}")
    with proxy.connect() as c:
        assert c.get("/", "a", "Authorization: Basic " + base64.b64encode(b"user:pw").decode()).status == 200
        r = c.get("/", "a", "Authorization: Basic " + base64.b64encode(user + b":pw").decode())
    assert all(not q.all("X-Admin") and q.get("X-User", "user") == "user" for q in origin.requests), origin.requests
    assert r.status in (200, 401, 500)


@pytest.mark.parametrize("row", ["INJ-20-forwarded-for-of-nobody-trusted"])
def test_inj_x_forwarded_for_opens_no_door(start, origin, row):
    proxy = start(f"""server {{ listen 127.0.0.1:0;
        location /closed/ {{ allow 203.0.113.7; deny all; proxy_pass http://{origin.address}; }}
        location / {{ proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_pass http://{origin.address}; }} }}""")
    with proxy.connect() as c:
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"):
            value = "for=203.0.113.7" if name == "Forwarded" else "203.0.113.7"
            assert c.get("/closed/x", "a", f"{name}: {value}").status == 403
        assert not origin.requests
        assert c.get("/x", "a", "X-Forwarded-For: 203.0.113.7").status == 200
    assert origin.requests[0].get("X-Forwarded-For") == "203.0.113.7, 127.0.0.1"


@pytest.mark.parametrize("lines", [
    pytest.param("set $a $b; set $b $a; set $a $b;", id="INJ-27-each-other"), pytest.param("set $a $a; set $a $a$a;", id="INJ-27-itself"),
    pytest.param("set $a 0123456789; " + "set $a $a$a; " * 40, id="INJ-27-doubled")])
def test_inj_variables_of_variables_end(start, lines):
    proxy = start(f"server {{ listen 127.0.0.1:0; location / {{ {lines} return 200 x$a$b; set $b ''; }} location /ok {{ return 200 y; }} }}")
    with proxy.connect() as c:
        status = c.get("/").status
    with proxy.connect() as c:
        assert status in (200, 500) and c.get("/ok").body == b"y"
    assert (status == 500) == ("0123456789" in lines)


@pytest.mark.parametrize("row", ["INJ-12-connection-names-host"])
def test_inj_host_stays(site, origin, row):
    with site.connect() as c:
        assert c.get("/", "a", "Connection: Host, Authorization, Cookie, Content-Type", "Authorization: Basic eDp5",
                     "Cookie: a=b", "Content-Type: text/x").status == 200
    seen = origin.requests[0]
    assert seen.get("Host") == origin.address
    for name in ("Authorization", "Cookie", "Content-Type"):
        assert not seen.all(name), seen


@pytest.mark.parametrize("fields", [pytest.param(("Connection: connection, proxy-connection, close",), id="INJ-13-itself"),
                                    pytest.param(("Proxy-Connection: proxy-connection",), id="INJ-13-proxy-connection")])
def test_inj_connection_may_name_itself(site, origin, fields):
    with site.connect() as c:
        assert c.get("/", "a", *fields).status == 200
    assert len(origin.requests) == 1


@pytest.mark.parametrize("value, status", [
    pytest.param(", ".join(f"x{n}" for n in range(64)), 200, id="INJ-14-64-tokens"),
    pytest.param(", ".join(f"x{n}" for n in range(2000))[:7000], 400, id="INJ-14-many-tokens"),
    pytest.param(",,, ,close,,", 200, id="INJ-14-empty-members")])
def test_inj_many_names_in_connection(site, value, status):
    with site.connect() as c:
        assert c.get("/", "a", f"Connection: {value}").status == status


@pytest.mark.parametrize("row", ["INJ-22-the-clients-copy"])
def test_inj_the_clients_copy_never_stands_beside_ours(site, origin, row):
    with site.connect() as c:
        c.get("/", "a", "X-Real-IP: 9.9.9.9", "x-forwarded-proto: https", "X-REAL-IP: 8.8.8.8")
    assert origin.requests[0].all("X-Real-IP") == ["127.0.0.1"] and origin.requests[0].all("X-Forwarded-Proto") == ["http"]


LARGE = [
    ("LIM-01-one-long-field", G + b"X-A: " + b"a" * 8193 + b"\r\n\r\n"),
    ("LIM-02-forty-of-1-kib", G + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1024) for n in range(40)) + b"\r\n"),
    ("LIM-03-1001-fields", G + b"a:\r\n" * 1001 + b"\r\n"),
]


@pytest.mark.parametrize("data", [pytest.param(d, id=n) for n, d in LARGE])
def test_lim_a_head_too_large(site, data):
    with site.connect() as c:
        c.send(data)
        r = c.response()
        assert r.status == 400 and r.closes
        assert b"Request Header Or Cookie Too Large" in r.body
        c.assert_closed()


@pytest.mark.parametrize("row", ["LIM-03-1000-fields"])
def test_lim_a_thousand_fields_pass(site, row):
    with site.connect() as c:
        c.send(b"GET /control HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 999 + b"\r\n")
        assert c.response().status == 200


@pytest.mark.parametrize("row", ["LIM-05-slowloris"])
def test_lim_a_head_has_one_clock(site, row):
    with site.connect() as c:
        c.socket.settimeout(0.3)
        c.send(G)
        for sent in range(20):
            try:
                assert c.socket.recv(10) == b""
                break
            except TimeoutError:
                try:
                    c.send(b"X-%d: y\r\n" % sent)
                except OSError:
                    break
        assert sent < 6
    assert site.wait_access()[0].startswith("408 0 ")


@pytest.mark.parametrize("row", ["LIM-06-nothing-sent"])
def test_lim_silence_is_dropped_and_not_logged(site, row):
    with site.connect(timeout=5) as c:
        assert c.take_all() == b""
    with site.connect() as c:
        c.get("/control")
    assert len(site.wait_access()) == 1


@pytest.mark.parametrize("first", [pytest.param(False, id="LIM-07-one-byte"), pytest.param(True, id="LIM-07-one-byte-of-the-second")])
def test_lim_one_byte_then_nothing(site, first):
    with site.connect(timeout=5) as c:
        if first:
            c.get("/control")
        c.send(b"G")
        assert c.take_all() == b""
    assert site.wait_access(1 + first)[-1].startswith("408 0 ")


@pytest.mark.parametrize("row", ["LIM-08-a-body-that-stops"])
def test_lim_a_body_that_stops(site, origin, row):
    with site.connect(timeout=5) as c:
        c.send(request("POST", "/", "a", "Content-Length: 1000000") + b"x" * 1000)
        assert c.take_all() == b""
    assert site.wait_access()[0].startswith("408 0 ")
    assert not origin.requests


@pytest.mark.parametrize("row", ["LIM-24-half-close-of-a-proxied-request"])
def test_lim_a_half_close_while_proxied_is_gone(site, origin, row):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    with site.connect(timeout=5) as c:
        c.send(request("GET", "/"))
        origin.wait_request()
        c.finish()
        assert c.take_all() == b""
    assert site.wait_access()[0].startswith("499 0 ")
    assert origin.connections[0].ended.wait(5)


@pytest.mark.parametrize("row", ["LIM-25-half-close-of-a-local-answer"])
def test_lim_a_half_close_is_answered(site, row):
    with site.connect(timeout=5) as c:
        c.send(request("GET", "/control"))
        c.finish()
        assert c.response().status == 200
        c.assert_closed()


LEVELS_OF_FAULTS = ("warn", "error", "crit", "alert", "emerg")
PHASES = ["in-the-head", "in-the-body", "waiting", "in-the-answer", "parked"]


@pytest.mark.parametrize("phase", [pytest.param(p, id=f"LIM-26-reset-{p}") for p in PHASES])
def test_lim_a_reset_costs_nothing(site, origin, phase):
    if phase == "waiting":
        origin.script = lambda c: (c.read_request(), c.wait_gone())
    c = site.connect()
    if phase == "in-the-head":
        c.send(b"GET / HTTP/1.1\r\nHo")
    elif phase == "in-the-body":
        c.send(request("POST", "/", "a", "Content-Length: 100") + b"x")
    elif phase == "waiting":
        c.send(request("GET", "/"))
        origin.wait_request()
    elif phase == "in-the-answer":
        c.send(request("GET", "/big/100000000"))
        assert c.head().status == 200
    else:
        c.get("/control")
    c.reset()
    eventually(lambda: site.descriptors()["socket"] <= site.at_rest["socket"] + len(
        [x for x in origin.connections if not x.ended.is_set() and phase not in ("waiting", "in-the-answer")]), "still held")
    faults = [line for line in site.errors().splitlines() if any(f"[{level}]" in line for level in LEVELS_OF_FAULTS)]
    assert not [line for line in faults if "buffered to a temporary file" not in line], faults


@pytest.mark.parametrize("row", ["LIM-28-urgent-data"])
def test_lim_urgent_data_is_no_event(site, row):
    import socket

    with site.connect() as c:
        before = site.cpu()
        c.socket.send(b"!", socket.MSG_OOB)
        c.send(request("GET", "/control"))
        assert c.response().status in (200, 400)
        c.socket.settimeout(0.3)
        try:
            c.socket.recv(1)
        except TimeoutError:
            pass
        assert site.cpu() - before < 0.2, "it spins"


@pytest.mark.parametrize("row", ["LIM-29-the-1000th-request"])
def test_lim_the_thousandth_answer_closes(site, row):
    with site.connect() as c:
        for n in range(1, 1001):
            r = c.get("/control")
            assert r.closes == (n == 1000)
        c.assert_closed()


@pytest.mark.parametrize("face", [pytest.param("reverse", id="LIM-21-no-folder"),
                                  pytest.param("forward", id="LIM-21-no-folder-forward")])
def test_lim_without_a_folder_for_bodies_only_large_ones_fail(start, room, origin, face):
    blocks = {"reverse": f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}",
              "forward": f"forward {{ listen 127.0.0.1:0; rule allow to={origin.address} if client 127.0.0.0/8 and address 127.0.0.1; }}"}
    proxy = start(f"client_body_buffer_size 1k; client_body_temp_path {room}/bodies;\n{blocks[face]}")
    (room / "bodies").rmdir()
    target = "/" if face == "reverse" else "http://a/"
    for size, status in [(2000, 500), (1000, 200)]:
        with proxy.connect() as c:
            c.send(request("POST", target, body=b"x" * size))
            assert c.response().status == status
    assert len([l for l in proxy.error_log.read_text().splitlines() if "[crit]" in l]) == 1
    assert len(origin.requests) == 1
