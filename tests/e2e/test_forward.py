"""The forward face: who may go where, and what of the client is shown there."""
import re
import socket
import subprocess

import pytest

from support.origin import answer, free_port
from support.proxy import run
from support.wire import request

NEAR = "client 127.0.0.0/8 and address 127.0.0.1"


def forward(room, rules, top="", more=""):
    return f"""
log_format why '$status "$request" $decided_by';
access_log {room}/access.log why;
{top}
forward {{
    listen 127.0.0.1:0;
    {more}
    {rules}
}}
"""


@pytest.fixture
def opened(start, room, origin):
    """The origin on loopback may be reached: its address and port are named."""
    return start(forward(room, f"rule allow if {NEAR} and port {origin.port};", more=f"ports connect {origin.port};"))


def fetch(c, target, *fields, method="GET", body=None, version="1.1"):
    host = re.match(r"\w+://([^/?]*)", target)
    return c.ask(request(method, target, host[1] if host else "a", *fields, body=body, version=version))


def test_an_absolute_request_is_fetched(opened, origin):
    with opened.connect() as c:
        r = fetch(c, f"http://{origin.address}/x?y=z")
        assert r.status == 200 and r.body == b"origin: GET /x?y=z\n"
        assert fetch(c, f"http://{origin.address}/echo", method="POST", body=b"hello").body == b"hello"
        assert fetch(c, f"http://{origin.address}").body == b"origin: GET /\n"
        assert fetch(c, f"http://{origin.address}?q").body == b"origin: GET /?q\n"
    assert [q.get("Host") for q in origin.requests] == [origin.address] * 4
    assert len(origin.connections) == 1, "connections to an origin are pooled"


def test_curl_uses_it(opened, origin):
    done = subprocess.run(["curl", "-sS", "--noproxy", "", "-x", f"http://127.0.0.1:{opened.port}",
                           f"http://{origin.address}/by-curl", "-p", "-w", " %{http_connect}"],
                          capture_output=True, text=True, timeout=10)
    assert done.stdout == "origin: GET /by-curl\n 200", done
    assert origin.requests[0].target == "/by-curl"


def test_the_url_decides_not_the_host_field(opened, origin):
    with opened.connect() as c:
        c.ask(request("GET", f"http://{origin.address}/x", "other.example"))
    assert origin.requests[0].get("Host") == origin.address


def connect(c, target, early=b"", fields=()):
    c.send(request("CONNECT", target, target, *fields) + early)
    return c.response("CONNECT")


def test_connect_opens_a_tunnel(opened, origin):
    with opened.connect() as c:
        r = connect(c, origin.address)
        assert r.head == b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert c.get("/through").body == b"origin: GET /through\n"
        assert c.ask(request("POST", "/echo", body=b"x" * 1000000)).body == b"x" * 1000000
    assert origin.connections[0].received.startswith(b"GET /through HTTP/1.1\r\nHost: a\r\n\r\n")


def test_early_data_goes_first_into_the_tunnel(opened, origin):
    with opened.connect() as c:
        r = connect(c, origin.address, request("GET", "/early"))
        assert r.status == 200
        assert c.response().body == b"origin: GET /early\n"
    assert origin.targets() == ["/early"]


def test_a_server_that_speaks_first_is_heard(opened, origin):
    origin.script = lambda c: (c.send(b"220 hello\r\n"), c.wait_gone())
    with opened.connect(timeout=5) as c:
        assert connect(c, origin.address).status == 200
        assert c.take(11) == b"220 hello\r\n"


@pytest.mark.parametrize("target, status", [
    ("127.0.0.1:22", 403), ("127.0.0.1:25", 403), ("10.0.0.1:443", 403), ("169.254.169.254:443", 403),
    ("[::1]:443", 403), ("[fe80::1]:443", 403), ("0.0.0.0:443", 403), ("localhost:443", 403)])
def test_connect_is_refused_by_default(start, room, target, status):
    proxy = start(forward(room, "rule allow if client 127.0.0.0/8;"))
    with proxy.connect() as c:
        c.send(request("CONNECT", target, target))
        r = c.response("CONNECT")
        assert r.status == status and r.closes, r
        c.assert_closed()


@pytest.fixture(scope="module")
def shared_closed():
    """Everybody near may go everywhere; only the floors are left."""
    from support.proxy import Proxy
    from support.room import room_close, room_open

    path = room_open()
    proxy = Proxy(path, forward(path, "rule allow if client 127.0.0.0/8;"))
    yield proxy
    try:
        proxy.settle()
        proxy.stop()
    finally:
        proxy.kill()
        room_close(path)


@pytest.mark.parametrize("port", [1, 22, 25, 110, 6000, 6667])
def test_ports_that_are_no_web_are_refused(shared_closed, port):
    with shared_closed.connect() as c:
        r = fetch(c, f"http://192.0.2.1:{port}/")
        assert r.status == 403, r
    assert "floor" in shared_closed.wait_access()[-1]


def test_a_floor_is_lifted_only_by_naming_it(start, room, origin):
    proxy = start(forward(room, f"""
        rule allow if client 127.0.0.0/8 and host by-all.example and address 0.0.0.0/0 and port {origin.port};
        rule allow to=127.0.0.1:{origin.port} if client 127.0.0.0/8 and host by-name.example;
        rule allow to=127.0.0.1:{origin.port} if client 127.0.0.0/8 and host by-address.example and address 127.0.0.1;
        rule allow if client 127.0.0.0/8;
    """))
    with proxy.connect() as c:
        assert fetch(c, "http://by-name.example/").status == 403
        assert fetch(c, "http://by-address.example/x").body == b"origin: GET /x\n"
        assert fetch(c, f"http://{origin.address}/").status == 403
    assert origin.requests[0].get("Host") == "by-address.example", "`to=` keeps the asked name"


def test_to_does_not_lift_the_port_floor(start, room, origins):
    low = free_low_port()
    if low is None:
        pytest.skip("no low port may be bound here")
    (origin,) = origins("low", port=low)
    proxy = start(forward(room, f"""
        rule allow to=127.0.0.1:{low} if client 127.0.0.0/8 and host a.example and address 127.0.0.1;
        rule allow to=127.0.0.1:{low} if client 127.0.0.0/8 and host b.example and address 127.0.0.1 and port 80 {low};
    """))
    with proxy.connect() as c:
        assert fetch(c, "http://a.example/").status == 403
        assert fetch(c, "http://b.example/").status == 200
    assert len(origin.requests) == 1


def free_low_port():
    for port in range(900, 960):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    return None


def test_no_rule_means_deny_and_the_page_says_so(start, room, origin):
    proxy = start(forward(room, f"rule allow if {NEAR} and port {origin.port} and host 127.0.0.1 and method GET;"))
    with proxy.connect() as c:
        assert fetch(c, f"http://{origin.address}/").status == 200
        r = fetch(c, f"http://{origin.address}/", "Accept: text/html", method="POST", body=b"")
        assert r.status == 403 and b"default" in r.body.lower(), r
        assert r.get("Cache-Control") == "no-store"
        assert r.get("Proxy-Status", "").startswith("bifrons; error=http_request_denied")


def test_the_page_names_the_rule_that_decided(start, room):
    proxy = start(forward(room, "rule deny if host .facebook.com;\n    rule allow if client 127.0.0.0/8;"))
    line = proxy.line_of("rule deny")
    with proxy.connect() as c:
        for host in ("facebook.com", "www.facebook.com", "WWW.Facebook.COM", "facebook.com."):
            r = fetch(c, f"http://{host}/", "Accept: text/html")
            assert r.status == 403 and f"bifrons.conf:{line}" in r.body.decode(), r
            assert r.get("Content-Type").startswith("text/html")
        r = fetch(c, "http://facebook.com/", "Accept: application/json")
        assert r.get("Content-Type").startswith("application/") and b'"status"' in r.body
        r = fetch(c, "http://facebook.com/")
        assert r.body.count(b"\n") <= 1 and b"<" not in r.body, "one plain line"
    assert f"bifrons.conf:{line}" in proxy.wait_access()[0]


def test_a_deny_page_escapes_what_the_client_chose(shared_closed):
    with shared_closed.connect() as c:
        r = fetch(c, "http://10.0.0.1/<script>alert(1)</script>?secret", "Accept: text/html", "Authorization: Basic Zm9v",
                  "User-Agent: <b>")
        assert r.status == 403 and b"<script>" not in r.body and b"Zm9v" not in r.body and b"<b>" not in r.body


def verdicts(proxy, origin, hosts):
    found = {}
    for host in hosts:
        with proxy.connect() as c:
            r = fetch(c, f"http://{host}/")
            found[host] = r.status
    return found


def test_names_match_by_whole_labels(start, room, origin):
    proxy = start(forward(room, f"""
        rule deny if host .all.example only.example *.below.example;
        rule allow to=127.0.0.1:{origin.port} if {NEAR};
    """))
    got = verdicts(proxy, origin, ["all.example", "x.all.example", "ball.example", "only.example", "x.only.example",
                                   "below.example", "x.below.example", "example"])
    assert got == {"all.example": 403, "x.all.example": 403, "ball.example": 200, "only.example": 403, "x.only.example": 200,
                   "below.example": 200, "x.below.example": 403, "example": 200}


def test_the_first_rule_that_matches_decides(start, room, origin):
    proxy = start(forward(room, f"""
        rule allow to=127.0.0.1:{origin.port} if {NEAR} and host good.bad.example;
        rule deny if host .bad.example;
        rule allow to=127.0.0.1:{origin.port} if {NEAR};
    """))
    assert verdicts(proxy, origin, ["good.bad.example", "bad.example", "other.example"]) == {
        "good.bad.example": 200, "bad.example": 403, "other.example": 200}


def test_lists_and_categories(start, room, origin):
    proxy = start(forward(room, f"""
        rule deny if category social;
        rule deny if client @outsiders;
        rule allow to=127.0.0.1:{origin.port} if {NEAR} and host @partners;
    """, top="list social { .facebook.com; .tiktok.com; except .dev.facebook.com; }\n"
             "list partners { .partner.example; dev.facebook.com; }\nlist outsiders { 10.0.0.0/8; 127.0.0.9; }"))
    assert verdicts(proxy, origin, ["www.tiktok.com", "dev.facebook.com", "a.partner.example", "else.example"]) == {
        "www.tiktok.com": 403, "dev.facebook.com": 200, "a.partner.example": 200, "else.example": 403}
    with socket.create_connection(("127.0.0.1", proxy.port), source_address=("127.0.0.9", 0)) as s:
        s.settimeout(5)
        s.sendall(request("GET", "http://a.partner.example/", "a.partner.example"))
        assert s.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("rule, allowed", [
    ("method GET HEAD", {"GET": 200, "POST": 403}),
    ("not method POST", {"GET": 200, "POST": 403}),
    ("protocol http", {"GET": 200, "POST": 200}),
    ("protocol connect", {"GET": 403, "POST": 403}),
    ("port 80", {"GET": 200, "POST": 200}),
    ("port 81-90", {"GET": 403, "POST": 403}),
    ("host plain", {"GET": 403, "POST": 403}),
    ("host literal", {"GET": 403, "POST": 403}),
])
def test_conditions(start, room, origin, rule, allowed):
    proxy = start(forward(room, f"rule allow to=127.0.0.1:{origin.port} if {NEAR} and {rule};"))
    with proxy.connect() as c:
        for method, status in allowed.items():
            assert fetch(c, "http://a.example/", method=method, body=b"" if method == "POST" else None).status == status


def test_when_puts_its_conditions_before_each_rule(start, room, origin):
    proxy = start(forward(room, f"""
        when client 127.0.0.0/8 and host .in.example {{
            rule deny if host secret.in.example;
            rule allow to=127.0.0.1:{origin.port} if address 127.0.0.1;
        }}
    """))
    assert verdicts(proxy, origin, ["secret.in.example", "x.in.example", "out.example"]) == {
        "secret.in.example": 403, "x.in.example": 200, "out.example": 403}


HIDDEN = ["X-Forwarded-For: 1.2.3.4", "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4", "Client-IP: 1.2.3.4",
          "X-Client-IP: 1.2.3.4", "True-Client-IP: 1.2.3.4", "CF-Connecting-IP: 1.2.3.4", "X-Cluster-Client-IP: 1.2.3.4",
          "X-ProxyUser-IP: 1.2.3.4", "X-Originating-IP: 1.2.3.4", "X-Remote-IP: 1.2.3.4", "X-Remote-Addr: 1.2.3.4",
          "X-Forwarded-Host: h", "X-Forwarded-Proto: http", "X-Host: h", "X-Proxy-ID: 1", "X-BlueCoat-Via: 1",
          "From: a@b.example", "Proxy: p", "Proxy-Authorization: Basic eDp5", "Proxy-Connection: keep-alive", "Proxy-Foo: 1",
          "Keep-Alive: 5", "TE: gzip", "Trailer: X", "Upgrade: x"]
KEPT = ["Referer: http://other.example/x", "User-Agent: agent/1", "Accept: */*", "Accept-Language: el", "DNT: 1",
        "Sec-Fetch-Mode: navigate", "Cookie: a=b", "Authorization: Basic eDp5", "X-Own: 1", "X.Dotted: 2"]


def test_anonymous_hides_the_client(opened, origin):
    with opened.connect() as c:
        assert fetch(c, f"http://{origin.address}/", *HIDDEN, *KEPT, "Connection: keep-alive, X-Foo", "X-Foo: 1",
                     "Via: 1.1 mine.example").status == 200
    seen = origin.requests[0]
    for field in HIDDEN + ["X-Foo: 1"]:
        name = field.partition(":")[0]
        assert not seen.all(name), f"{name} reached the origin"
    for field in KEPT:
        name, _, value = field.partition(": ")
        assert seen.get(name) == value, f"{name} did not reach the origin"
    assert re.fullmatch(r"1\.1 b-[0-9a-f]{8}", seen.get("Via")), seen.get("Via")
    assert socket.gethostname() not in seen.head.decode("latin-1")
    kept = [n for n, _ in seen.fields if n in {f.partition(":")[0] for f in KEPT}]
    assert kept == [f.partition(":")[0] for f in KEPT], "the order of fields changed"


def test_the_answer_carries_no_via_and_no_hop_by_hop(opened, origin):
    origin.answers(answer(b"x", "200 OK", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=9", "Upgrade: h2c",
                          "Proxy-Authenticate: Basic", "X-Kept: 1", "X-Accel-Redirect: /x", "Server: theirs"))
    with opened.connect() as c:
        r = fetch(c, f"http://{origin.address}/")
    for name in ("Via", "X-Hop", "Keep-Alive", "Upgrade", "Proxy-Authenticate"):
        assert not r.all(name), r
    assert r.get("X-Kept") == "1" and r.get("X-Accel-Redirect") == "/x"


def test_trace_is_405_and_options_with_no_forwards_left_is_answered(opened, origin):
    with opened.connect() as c:
        assert fetch(c, f"http://{origin.address}/", method="TRACE").status == 405
    with opened.connect() as c:
        assert fetch(c, f"http://{origin.address}/", "Max-Forwards: 0", method="OPTIONS").status == 200
        assert not origin.requests
        assert fetch(c, f"http://{origin.address}/", "Max-Forwards: 3", method="OPTIONS").status == 200
    assert origin.requests[0].get("Max-Forwards") == "2"


def test_our_own_via_is_a_loop(opened, origin):
    with opened.connect() as c:
        fetch(c, f"http://{origin.address}/")
        token = origin.requests[0].get("Via")
        r = fetch(c, f"http://{origin.address}/", f"Via: {token}")
        assert r.status == 508, r
        assert fetch(c, f"http://{origin.address}/", f"Via: 1.0 other, {token}, 1.1 more").status == 508
    assert len(origin.requests) == 1
    assert opened.wait_error("loop")


def test_too_many_proxies_is_a_loop(opened, origin):
    with opened.connect() as c:
        many = ", ".join(f"1.1 p{n}" for n in range(17))
        assert fetch(c, f"http://{origin.address}/", f"Via: {many}").status == 508
        few = ", ".join(f"1.1 p{n}" for n in range(5))
        assert fetch(c, f"http://{origin.address}/", f"Via: {few}").status == 200


def test_our_own_listener_is_never_a_destination(start, room):
    port = free_port()
    config = forward(room, f"rule allow if client 127.0.0.0/8 and address 127.0.0.1 own and port {port};",
                     more=f"ports connect {port};").replace("127.0.0.1:0", f"127.0.0.1:{port}")
    proxy = start(config, listeners=1)
    with proxy.connect() as c:
        assert fetch(c, f"http://127.0.0.1:{port}/").status in (403, 508)
    with proxy.connect() as c:
        assert connect_status(c, f"127.0.0.1:{port}") in (403, 508)


def connect_status(c, target):
    c.send(request("CONNECT", target, target))
    return c.response("CONNECT").status


def test_failures_have_their_status(start, room):
    from support.origin import black_hole

    down = free_port()
    held, hole = black_hole()
    proxy = start(forward(room, f"rule allow if {NEAR} and port {down} {hole};\nrule allow if client 127.0.0.0/8;",
                          more=f"ports connect {down} {hole} 443; proxy_connect_timeout 1s;"))
    with proxy.connect() as c:
        r = fetch(c, f"http://127.0.0.1:{down}/")
        assert r.status == 502 and "connection_refused" in r.get("Proxy-Status", "")
        r = fetch(c, f"http://127.0.0.1:{hole}/")
        assert r.status == 504 and "connection_timeout" in r.get("Proxy-Status", "")
    for port, status in ((down, 502), (hole, 504)):
        with proxy.connect() as c:
            assert connect_status(c, f"127.0.0.1:{port}") == status
    for s in held:
        s.close()


@pytest.mark.parametrize("rule", ["", "rule allow;", "rule allow if client 0.0.0.0/0;", "rule allow if not client 10.0.0.0/8;",
                                  "rule allow if host a.example;"])
def test_an_open_proxy_refuses_to_start(room, rule):
    config = room / "open.conf"
    config.write_text(f"forward {{\n    listen 0.0.0.0:0;\n    {rule}\n}}\n")
    done = run("-c", config, "-p", room, "-e", room / "error.log")
    assert done.returncode == 1, done
    assert done.stderr.startswith("bifrons: [emerg] ") and f"{config}:" in done.stderr, done.stderr


def test_accept_time_deny_resets(start, room, origin):
    proxy = start(forward(room, f"rule allow if {NEAR} and port {origin.port};", more="allow 127.0.0.1; deny all;"))
    with proxy.connect() as c:
        assert fetch(c, f"http://{origin.address}/").status == 200
    with socket.create_connection(("127.0.0.1", proxy.port), source_address=("127.0.0.9", 0)) as s:
        s.settimeout(5)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            s.sendall(request("GET", f"http://{origin.address}/", "a"))
            if s.recv(100) == b"":
                raise AssertionError("closed cleanly, or answered")


def test_a_client_that_leaves_is_logged_499(opened, origin):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    with opened.connect() as c:
        c.send(request("GET", f"http://{origin.address}/slow", "a"))
        origin.wait_request()
    assert opened.wait_access()[0].startswith("499 ")
    assert origin.connections[0].ended.wait(5)


def test_a_tunnel_is_logged_at_its_end(opened, origin):
    with opened.connect() as c:
        connect(c, origin.address)
        c.get("/x")
        assert opened.access() == []
    line = opened.wait_access()[0]
    assert line.startswith(f'200 "CONNECT {origin.address} HTTP/1.1"'), line
    assert f"bifrons.conf:{opened.line_of('rule allow')}" in line


def test_many_tunnels_at_once(opened, origin):
    clients = [opened.connect() for _ in range(100)]
    for c in clients:
        assert connect(c, origin.address).status == 200
    for n, c in enumerate(clients):
        c.send(request("GET", f"/{n}"))
    for n, c in enumerate(clients):
        assert c.response().body == f"origin: GET /{n}\n".encode()
    for c in clients:
        c.close()


