"""SSRF, FWD, TUN, and TARG's rows for CONNECT: where a client may be taken, what is shown there, tunnels."""
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from support.origin import Gone, answer, black_hole, free_port, silent_listener
from support.proxy import Proxy, run
from support.room import room_close, room_open
from support.waiting import eventually
from support.wire import request

S = b"GET http://127.0.0.1/smug HTTP/1.1\r\nHost: a\r\n\r\n"
NEAR = "client 127.0.0.0/8 and address 127.0.0.1"


def config(room, rules, more=""):
    return f"""
log_format why '$status "$request" $decided_by';
access_log {room}/access.log why;
forward {{
    listen 127.0.0.1:0;
    {more}
    {rules}
}}
"""


@pytest.fixture(scope="module")
def closed():
    """Everybody near may go everywhere; only the floors are left."""
    room = room_open()
    proxy = Proxy(room, config(room, "rule allow if client 127.0.0.0/8;"))
    yield proxy
    try:
        proxy.settle()
        proxy.stop()
    finally:
        proxy.kill()
        room_close(room)


@pytest.fixture
def opened(start, room, origin):
    """The origin's address and port are named."""
    return start(config(room, f"rule allow if {NEAR} and port {origin.port};",
                        f"ports connect {origin.port}; tunnel_timeout 1s;"))


def fetch(c, target, *fields, method="GET", body=None):
    return c.ask(request(method, target, "a", *fields, body=body))


def connect(c, target, early=b"", fields=()):
    c.send(request("CONNECT", target, target, *fields) + early)
    return c.response("CONNECT")


ADDRESSES = {
    "SSRF-01": ["127.0.0.1", "127.8.9.1", "[::1]", "0.0.0.0", "[::]"],
    "SSRF-02": ["localhost", "LOCALHOST.", "x.localhost", "ip6-localhost"],
    "SSRF-03": ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]"],
    "SSRF-04": ["[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a00:1]"],
    "SSRF-05": ["[2002:7f00:1::]", "[2002:a00:1::1]", "[2001:0:7f00:1::]", "[2001:0:1:2:3:4:f5ff:fffe]"],
    "SSRF-06": ["127.0.0.1."],
    "SSRF-07": ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200"],
    "SSRF-08": ["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255", "100.64.0.0",
        "100.127.255.255", "192.0.0.0", "192.0.0.255", "198.18.0.0", "198.19.255.255", "169.254.0.0", "169.254.255.255",
        "[fc00::]", "[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]", "[fe80::]", "[febf:ffff::1]", "[fec0::]", "[feff::1]"],
    "SSRF-09": ["224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255", "[ff00::1]", "[ffff::1]", "[2001:db8::1]", "[100::1]"],
}


@pytest.mark.parametrize("address", [pytest.param(a, id=f"{row}-{a}") for row, many in ADDRESSES.items() for a in many])
def test_ssrf_refused(closed, address):
    """The floor holds though the rule allows; the log names it."""
    known = address != "ip6-localhost" or address in Path("/etc/hosts").read_text()
    seen = len(closed.access())
    with closed.connect() as c:
        assert fetch(c, f"http://{address}/x").status == 403 or not known
    with closed.connect() as c:
        r = connect(c, f"{address}:443")
        assert r.status == 403 and r.closes or not known
    lines = closed.wait_access(seen + 2)[seen:]
    assert not known or all("floor" in line for line in lines), lines


ODD = [("SSRF-06", h) for h in ("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "000127.0.0.1", "1.1")]
ODD += [("SSRF-10", h) for h in ("[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1%lo]")]


@pytest.mark.parametrize("host", [pytest.param(h, id=f"{row}-{h}") for row, h in ODD])
def test_ssrf_malformed(closed, host):
    with closed.connect() as c:
        assert fetch(c, f"http://{host}/x").status == 400
    with closed.connect() as c:
        assert connect(c, f"{host}:443").status == 400


@pytest.mark.parametrize("port", [pytest.param(p, id=f"SSRF-18-connect-to-{p}") for p in (25, 22, 6379, 11211, 3306, 1, 80)])
def test_ssrf_connect_goes_to_443_only(closed, port):
    with closed.connect() as c:
        assert connect(c, f"192.0.2.1:{port}").status == 403


@pytest.mark.parametrize("port", [pytest.param(p, id=f"SSRF-18-http-to-{p}") for p in (25, 22, 1, 110)])
def test_ssrf_http_goes_to_no_low_port(closed, port):
    with closed.connect() as c:
        assert fetch(c, f"http://192.0.2.1:{port}/").status == 403


@pytest.mark.parametrize("listen", [pytest.param("0.0.0.0:0", id="SSRF-20-everywhere"),
                                    pytest.param("[::]:0", id="SSRF-20-everywhere-ipv6")])
def test_ssrf_an_open_listener_refuses_to_start(room, listen):
    path = room / "c.conf"
    path.write_text(f"forward {{\n    listen {listen};\n    rule allow;\n}}\n")
    done = run("-c", path, "-p", room, "-e", room / "error.log")
    assert done.returncode == 1 and f"{path}:" in done.stderr


@pytest.mark.parametrize("row", ["SSRF-12-allowed-and-forbidden-addresses"])
def test_ssrf_only_the_named_address_is_dialled(start, room, origin, row):
    """127.0.0.1 is named; ::1, which `localhost` may also be, is not."""
    proxy = start(config(room, f"rule allow if {NEAR} and port {origin.port};"))
    with proxy.connect() as c:
        assert fetch(c, f"http://localhost:{origin.port}/x").status == 200


@pytest.mark.parametrize("row", ["SSRF-22-one-address-in-three-coats"])
def test_ssrf_an_exception_holds_in_each_spelling(opened, origin, row):
    with opened.connect() as c:
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "localhost"):
            assert fetch(c, f"http://{host}:{origin.port}/x").status == 200, host
        for host in ("127.0.0.2", "[::ffff:127.0.0.2]", "[::1]"):
            assert fetch(c, f"http://{host}:{origin.port}/x").status == 403, host


@pytest.mark.parametrize("row", ["SSRF-24-redirect-to-loopback"])
def test_ssrf_a_redirect_is_relayed_never_followed(opened, origin, row):
    origin.answers(answer(b"", "302 Found", "Location: http://127.0.0.1/private"))
    with opened.connect() as c:
        r = fetch(c, f"http://{origin.address}/")
        assert (r.status, r.get("Location")) == (302, "http://127.0.0.1/private")
    assert len(origin.requests) == 1


@pytest.fixture
def named(start, room, origin, names):
    """Names are asked of a server of ours; 127.0.0.1 with the origin's port is named, nothing else of here."""
    proxy = start(config(room, f"rule allow if {NEAR} and port {origin.port}; rule allow if client 127.0.0.0/8;",
                         f"ports connect 443 {origin.port};").replace("forward {", f"resolver {names.address};\nforward {{"))
    proxy.names = names
    return proxy


@pytest.mark.parametrize("records", [
    pytest.param(["10.0.0.1"], id="SSRF-11-a"), pytest.param(["::ffff:10.0.0.1"], id="SSRF-11-aaaa"),
    pytest.param(["169.254.169.254"], id="SSRF-07-by-name"), pytest.param([("CNAME", "internal.example"), "10.1.2.3"], id="SSRF-14-cname"),
    pytest.param(["127.0.0.1"], id="SSRF-15-own-address"), pytest.param(["10.0.0.1", "192.168.0.1", "fd00::1"], id="SSRF-11-many")])
def test_ssrf_the_address_decides_not_the_name(named, records):
    named.names.names["public.example"] = [records]
    with named.connect() as c:
        assert fetch(c, "http://public.example/").status == 403
    with named.connect() as c:
        assert connect(c, "public.example:443").status == 403


@pytest.mark.parametrize("records", [pytest.param(["127.0.0.1", "127.0.0.2"], id="SSRF-12-good-first"),
                                     pytest.param(["127.0.0.2", "127.0.0.1"], id="SSRF-12-good-last")])
@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
def test_ssrf_only_what_is_allowed_is_dialled(named, origin, origins, records, down):
    (trap,) = origins("trap", host="127.0.0.2", port=origin.port)
    named.names.names["mixed.example"] = [records]
    if down:
        origin.listener.shutdown(socket.SHUT_RDWR)  # refuses from now on
    with named.connect() as c:
        r = fetch(c, f"http://mixed.example:{origin.port}/x")
        assert r.status == (502 if down else 200), r
    assert not trap.connections, "the forbidden address was dialled"


@pytest.mark.parametrize("row", ["SSRF-13-rebinding"])
def test_ssrf_a_new_request_is_checked_anew(named, origin, row):
    named.names.ttl = 0
    named.names.names["rebind.example"] = [["127.0.0.1"], ["127.0.0.2"]]
    target = f"http://rebind.example:{origin.port}/x"
    with named.connect() as c:
        assert fetch(c, target).status == 200
        assert fetch(c, target).status == 403, "SSRF-25: the pooled connection was used for another answer"
    assert origin.targets() == ["/x"]


@pytest.mark.parametrize("row", ["SSRF-02-no-query-for-localhost"])
def test_ssrf_localhost_is_never_asked_for(named, row):
    with named.connect() as c:
        for host in ("localhost", "LOCALHOST.", "x.localhost"):
            assert fetch(c, f"http://{host}/").status == 403
    assert named.names.queries == []


@pytest.mark.parametrize("row", ["FWD-18-a-name-that-does-not-exist"])
def test_fwd_an_unknown_name_is_502(named, row):
    with named.connect() as c:
        r = fetch(c, "http://none.example/")
        assert r.status == 502 and "dns_error" in r.get("Proxy-Status")
    with named.connect() as c:
        assert connect(c, "none.example:443").status == 502


# CONNECT's target, and targets in absolute form

CONNECTS = ["a", "a:", "a:0", ":443", "a:65536", "a:443x", "a:+443", "/x", "http://a/", "u@a:443", "[::1:443", "a:443/x"]


@pytest.mark.parametrize("target", [pytest.param(t, id=f"TARG-33-{i}") for i, t in enumerate(CONNECTS)])
def test_targ_connect_malformed(closed, target):
    with closed.connect() as c:
        r = connect(c, target, S)
        assert r.status == 400 and r.closes
        c.assert_closed()


@pytest.mark.parametrize("row", ["TARG-34-the-target-decides"])
def test_targ_host_has_no_effect_on_connect(opened, origin, row):
    with opened.connect() as c:
        c.send(request("CONNECT", origin.address, "other.example:443"))
        assert c.response("CONNECT").status == 200
    assert f'"CONNECT {origin.address} HTTP/1.1"' in opened.wait_access()[0]


FORMS = ["/path", "https://a.example/", "ftp://a.example/", "gopher://a.example/", "http://u:p4ss@a.example/", "http:///x",
         "http://", "http:/x", "http://a.example/#f", "http://a.example:0/", "http://a.example:65536/", "http://a.example:80x/",
         "*", "a:80", "file:///etc/passwd", "unix:/x:http://a/", "http://[::1/", "urn:x:y", "cache_object://a/", "whois://a/"]


def row_of(form):
    return {"/path": "FWD-19", "http://u:p4ss@a.example/": "TARG-13"}.get(
        form, "TARG-14" if re.match(r"http:/?/?/?(x|$)", form) else "TARG-15" if ":" in form and "http:" not in form else "TARG-16")


@pytest.mark.parametrize("target", [pytest.param(t, id=f"{row_of(t)}-forward-{i}") for i, t in enumerate(FORMS)])
def test_targ_forward_malformed(closed, target):
    seen, at = len(closed.access()), len(closed.errors())
    with closed.connect() as c:
        r = fetch(c, target)
        assert r.status == 400 and b"p4ss" not in r.body
    assert "p4ss" not in closed.errors()[at:] + "".join(closed.wait_access(seen + 1)[seen:])


# behaviour as a proxy

@pytest.mark.parametrize("row", ["FWD-01-proxy-authorization"])
def test_fwd_credentials_for_us_never_leave(opened, origin, row):
    with opened.connect() as c:
        fetch(c, f"http://{origin.address}/", "Proxy-Authorization: Basic c2VjcmV0OnB3")
        assert fetch(c, "http://10.0.0.1/", "Proxy-Authorization: Basic c2VjcmV0OnB3").status == 403
    seen = origin.requests[0]
    assert not seen.all("Proxy-Authorization") and b"c2VjcmV0" not in origin.connections[0].received
    assert "c2VjcmV0" not in opened.errors() + "".join(opened.wait_access(2))


@pytest.mark.parametrize("row", ["FWD-03-origin-answers-407"])
def test_fwd_only_we_may_ask_for_proxy_credentials(opened, origin, row):
    origin.answers(answer(b"pay", "407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=x"))
    with opened.connect() as c:
        r = fetch(c, f"http://{origin.address}/")
        assert r.status == 502 and not r.all("Proxy-Authenticate") and b"pay" not in r.body


@pytest.mark.parametrize("row", ["FWD-04-hop-by-hop"])
def test_fwd_hop_by_hop_fields_end_here(opened, origin, row):
    with opened.connect() as c:
        fetch(c, f"http://{origin.address}/", "Connection: keep-alive, X-Foo", "X-Foo: 1", "Proxy-Connection: keep-alive",
              "Keep-Alive: 5", "TE: gzip", "Trailer: X", "Upgrade: x")
    for name in ("X-Foo", "Proxy-Connection", "Keep-Alive", "Trailer", "Upgrade"):
        assert not origin.requests[0].all(name), origin.requests[0]
    assert origin.requests[0].get("TE") in (None, "trailers")


@pytest.mark.parametrize("row", ["FWD-05-anonymous"])
def test_fwd_the_client_is_hidden(opened, origin, row):
    hidden = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "X-Client-IP", "True-Client-IP"]
    with opened.connect() as c:
        fetch(c, f"http://{origin.address}/", *[f"{n}: 203.0.113.77" for n in hidden], "Via: 1.1 inner.example")
    raw = origin.connections[0].received
    assert b"203.0.113.77" not in raw and b"inner.example" not in raw and socket.gethostname().encode() not in raw


@pytest.mark.parametrize("method, host", [pytest.param("GET", "dead", id="FWD-06-502"), pytest.param("GET", "gone.example", id="FWD-06-no-name"),
                                          pytest.param("CONNECT", "dead", id="FWD-06-connect")])
def test_fwd_pages_name_no_host_of_ours(start, room, origin, names, method, host):
    port = free_port()
    proxy = start(config(room, f"rule allow if {NEAR} and port {port}; rule allow if client 127.0.0.0/8 and host gone.example;",
                         f"ports connect {port}; resolver {names.address};"))
    where = f"127.0.0.1:{port}" if host == "dead" else host
    with proxy.connect() as c:
        r = connect(c, where) if method == "CONNECT" else fetch(c, f"http://{where}/", "X-Forwarded-For: 203.0.113.77")
    own = {socket.gethostname(), socket.getfqdn(), "203.0.113.77", names.address, f"127.0.0.1:{proxy.port}"}
    assert r.status == 502
    assert not [name for name in own if name.encode() in r.head + r.body]


@pytest.mark.parametrize("path", [pytest.param(p, id=f"FWD-13-{n}") for n, p in enumerate(
    ("/", "/status", "/squid-internal-mgr/menu", "/.well-known/acme-challenge/x", "/stub_status"))])
def test_fwd_our_own_name_is_a_target_like_any(start, room, names, path):
    names.names["bifrons.example"] = [["127.0.0.1"]]
    proxy = start(config(room, "rule allow if client 127.0.0.0/8;", f"resolver {names.address};"))
    for host in ("bifrons.example", f"bifrons.example:{proxy.port}", f"127.0.0.1:{proxy.port}", "localhost"):
        with proxy.connect() as c:
            r = c.ask(request("GET", f"http://{host}{path}", host))
            assert r.status in (403, 508), (host, r)
    with proxy.connect() as c:
        assert c.get(path, "bifrons.example").status in (400, 403, 508)


def race(start, room, names, port, good):
    names.names["two.example"] = [["::1", "127.0.0.1"]]
    proxy = start(config(room, f"rule allow if {NEAR} and port {port}; rule allow if client 127.0.0.0/8 and address ::1 and port {port};",
                         f"resolver {names.address}; proxy_connect_timeout 1s;"))
    began = time.monotonic()
    with proxy.connect() as c:
        r = c.ask(request("GET", f"http://two.example:{port}/", "two.example"))
    took = time.monotonic() - began
    assert r.status == (200 if good else 504), r
    return took


@pytest.mark.parametrize("row", ["FWD-29-first-family-black-holed"])
def test_fwd_the_second_family_is_tried_soon(start, room, origin, names, row):
    stuffed = silent_listener(origin.port)
    assert 0.2 < race(start, room, names, origin.port, True) < 0.9
    assert len(origin.connections) == 1
    for s in stuffed:
        s.close()


@pytest.mark.parametrize("row", ["FWD-29-first-family-refuses"])
def test_fwd_after_a_reset_the_second_family_is_tried_at_once(start, room, origin, names, row):
    assert race(start, room, names, origin.port, True) < 0.2
    assert len(origin.connections) == 1


@pytest.mark.parametrize("row", ["FWD-29-both-black-holed"])
def test_fwd_both_families_silent_is_504(start, room, names, row):
    held, port = black_hole()
    stuffed = silent_listener(port)
    assert race(start, room, names, port, False) < 3
    for s in stuffed + held:
        s.close()


@pytest.mark.parametrize("row", ["FWD-09-our-own-via"])
def test_fwd_our_own_via_is_a_loop(opened, origin, row):
    with opened.connect() as c:
        fetch(c, f"http://{origin.address}/")
        token = origin.requests[0].get("Via")
        assert re.fullmatch(r"1\.1 b-[0-9a-f]{8}", token)
        assert fetch(c, f"http://{origin.address}/", f"Via: 1.0 other, {token}, 1.1 more").status == 508
    assert len(origin.requests) == 1
    assert opened.wait_error("loop")


@pytest.mark.parametrize("method, status", [pytest.param("OPTIONS", 200, id="FWD-11-options"), pytest.param("TRACE", 405, id="FWD-11-trace")])
def test_fwd_max_forwards_0_is_answered_here(opened, origin, method, status):
    with opened.connect() as c:
        assert fetch(c, f"http://{origin.address}/", "Max-Forwards: 0", method=method).status == status
    assert not origin.requests


@pytest.mark.parametrize("row", ["FWD-12-script-in-the-url"])
def test_fwd_pages_escape(closed, row):
    with closed.connect() as c:
        r = fetch(c, "http://10.0.0.1/<script>alert(1)</script>", "Accept: text/html", "Authorization: Basic Zm9vc2VjcmV0")
        assert r.status == 403 and b"<script>" not in r.body and b"Zm9vc2VjcmV0" not in r.body


@pytest.mark.parametrize("fields", [pytest.param(("Content-Length: 5",), id="FWD-14-length"),
                                    pytest.param(("Transfer-Encoding: chunked",), id="FWD-14-chunked")])
def test_fwd_a_connect_has_no_body(opened, origin, fields):
    with opened.connect() as c:
        r = connect(c, origin.address, b"hello", fields)
        assert r.status == 400 and r.closes
        c.assert_closed()
    assert not origin.connections


@pytest.mark.parametrize("row", ["FWD-15-early-data"])
def test_fwd_early_data_goes_first_and_once(opened, origin, row):
    origin.script = lambda c: c.wait_gone()
    early = bytes(range(256)) * 30
    with opened.connect() as c:
        assert connect(c, origin.address, early).status == 200
        c.send(b"and then")
        eventually(lambda: origin.connections and origin.connections[0].received == early + b"and then", "not the same bytes, once and in order")


@pytest.mark.parametrize("target", [pytest.param("10.0.0.1:443", id="FWD-16-refused-by-the-floor"),
                                    pytest.param("192.0.2.1:25", id="FWD-16-refused-by-the-port")])
def test_fwd_early_bytes_of_a_refused_connect_are_never_parsed(closed, target):
    seen = len(closed.access())
    with closed.connect() as c:
        assert connect(c, target, S).status == 403
        c.assert_closed()
    assert len(closed.wait_access(seen + 1)) == seen + 1


@pytest.mark.parametrize("row", ["FWD-17-answer-to-connect"])
def test_fwd_the_answer_to_connect_is_bare(opened, origin, row):
    origin.script = lambda c: (c.send(b"first word of the origin"), c.wait_gone())
    with opened.connect() as c:
        assert connect(c, origin.address).head == b"HTTP/1.1 200 Connection established\r\n\r\n"
        assert c.take(24) == b"first word of the origin"


@pytest.mark.parametrize("row", ["FWD-20-host-of-another-name"])
def test_fwd_host_comes_from_the_target(opened, origin, row):
    with opened.connect() as c:
        c.ask(request("GET", f"http://{origin.address}/", "other.example"))
    assert origin.requests[0].get("Host") == origin.address


@pytest.mark.parametrize("row", ["FWD-21-each-request-is-judged"])
def test_fwd_a_kept_connection_is_judged_each_time(start, room, origin, row):
    proxy = start(config(room, f"rule deny if host bad.example; rule allow to=127.0.0.1:{origin.port} if {NEAR};"))
    with proxy.connect() as c:
        c.send(b"".join(request("GET", f"http://{h}.example/{h}", h) for h in ("good", "bad", "other")))
        assert [c.response().status for _ in range(3)] == [200, 403, 200]
    assert origin.targets() == ["/good", "/other"]


@pytest.mark.parametrize("row", ["FWD-24-one-line-each"])
def test_fwd_each_refusal_has_one_line(closed, row):
    seen = len(closed.access())
    with closed.connect() as c:
        fetch(c, "http://10.0.0.1/one")
        fetch(c, "http://192.0.2.1:25/two")
    with closed.connect() as c:
        connect(c, "10.0.0.1:443")
    lines = closed.wait_access(seen + 3)[seen:]
    assert len(lines) == 3 and all(l.startswith("403 ") for l in lines), lines


@pytest.mark.parametrize("row", ["FWD-25-a-page-over-connect"])
def test_fwd_a_refused_connect_gets_a_short_page(closed, row):
    with closed.connect() as c:
        r = connect(c, "10.0.0.1:443", fields=("Accept: text/html",))
    assert r.status == 403 and r.closes and not r.all("Location") and len(c.buffer) < 1024


# tunnels

@pytest.mark.parametrize("row", ["TUN-01-half-close-of-the-client"])
def test_tun_the_answer_arrives_after_the_clients_fin(opened, origin, row):
    def script(c):
        try:
            c.wait_gone()
        except Gone:
            pass
        c.send(b"y" * (1 << 20))
        c.close()

    origin.script = script
    with opened.connect() as c:
        assert connect(c, origin.address).status == 200
        c.send(b"all of it")
        c.finish()
        assert c.take_all() == b"y" * (1 << 20)
    assert origin.connections[0].received == b"all of it"


@pytest.mark.parametrize("row", ["TUN-02-half-close-of-the-origin"])
def test_tun_the_client_goes_on_after_the_origins_fin(opened, origin, row):
    origin.script = lambda c: (c.take(1), c.socket.shutdown(socket.SHUT_WR), c.wait_gone())
    with opened.connect() as c:
        assert connect(c, origin.address).status == 200
        c.send(b"!")
        assert c.take_all() == b""
        c.send(b"x" * 100000)
        eventually(lambda: len(origin.connections[0].received) == 100001, "the rest did not arrive")


@pytest.mark.parametrize("row", ["TUN-03-idle"])
def test_tun_silence_ends_it(opened, origin, row):
    origin.script = lambda c: c.wait_gone()
    with opened.connect(timeout=6) as c:
        assert connect(c, origin.address).status == 200
        assert c.take_all() == b""
    assert origin.connections[0].ended.wait(5)


@pytest.mark.parametrize("row", ["TUN-04-reset-of-the-origin"])
def test_tun_a_reset_is_passed_on(opened, origin, row):
    origin.script = lambda c: (c.take(5), c.send(b"x" * 100000), c.reset())
    with opened.connect() as c:
        assert connect(c, origin.address).status == 200
        c.send(b"hello")
        with pytest.raises(ConnectionResetError):
            while c.socket.recv(65536):
                pass


@pytest.mark.parametrize("row", ["TUN-04-reset-of-the-client"])
def test_tun_a_reset_of_the_client_is_passed_on(opened, origin, row):
    origin.script = lambda c: c.wait_gone()
    c = opened.connect()
    assert connect(c, origin.address).status == 200
    c.send(b"hello")
    eventually(lambda: origin.connections and origin.connections[0].received == b"hello", "nothing came")
    c.reset()
    assert origin.connections[0].ended.wait(5)
    assert origin.connections[0].reset_by_peer, "a clean end instead of a reset"


@pytest.mark.parametrize("row", ["TUN-05-client-reads-nothing"])
def test_tun_little_is_held(start, room, origin, row):
    sent = {"bytes": 0}

    def script(c):
        c.take(1)
        threading.Thread(target=echo_up, args=(c,), daemon=True).start()
        while True:
            c.send(b"x" * 65536)
            sent["bytes"] += 65536

    def echo_up(c):
        try:
            c.wait_gone()
        except (Gone, OSError):
            pass

    origin.script = script
    proxy = start(config(room, f"rule allow if {NEAR} and port {origin.port};", f"ports connect {origin.port};"))
    with proxy.connect() as c:
        assert connect(c, origin.address).status == 200
        before = proxy.memory()
        c.send(b"!")
        last = [-1]

        def stalled():
            was, last[0] = last[0], sent["bytes"]
            return sent["bytes"] and was == last[0] and not origin.connections[0].ended.wait(0.1)

        eventually(stalled, "the origin is never stalled", 10)
        assert proxy.memory() - before < 2 << 20
        c.send(b"y" * 10000)  # the other direction goes on
        eventually(lambda: origin.connections[0].received.endswith(b"y" * 10000), "the other direction stands still")
