"""TARG: request target, Host and the choice of the server."""
import time

import pytest

from support.attack import G, Stage, told
from support.proxy import SANITIZED
from support.wire import DELIVERIES, request


def line(target, method=b"GET"):
    return method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"


def host(value):
    return b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n"


REFUSED = [
    ("TARG-01-no-host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("TARG-02-two-hosts", G + b"Host: b\r\n\r\n", 400),
    ("TARG-02-two-equal-hosts", G + b"Host: a\r\n\r\n", 400),
    ("TARG-05-open-bracket", host(b"[::1"), 400),
    ("TARG-05-letter-g", host(b"[::g]"), 400),
    ("TARG-05-scope", host(b"[fe80::1%eth0]"), 400),
    ("TARG-05-after-bracket", host(b"[::1]x"), 400),
    ("TARG-07-two-dots", host(b"a..b"), 400),
    ("TARG-07-dot-before", host(b".a"), 400),
    ("TARG-07-two-dots-after", host(b"a.."), 400),
    ("TARG-08-256-bytes", host(b".".join([b"a" * 51] * 5)[:256]), 400),
    ("TARG-08-8000-bytes", host(b"a" * 8000), 400),
    ("TARG-09-host-behind-a-space", G + b" Host: evil\r\n\r\n", 400),
    ("TARG-13-userinfo", line(b"http://u:p4ss@a/"), 400),
    ("TARG-15-file", line(b"file:///etc/passwd"), 400),
    ("TARG-17-fragment", line(b"/a#/../admin"), 400),
    ("TARG-18-nul", line(b"/%00"), 400),
    ("TARG-18-nul-and-extension", line(b"/a%00.php"), 400),
    ("TARG-21-del", line(b"/\x7f"), 400),
    ("TARG-26-above-the-root", line(b"/../etc/passwd"), 400),
    ("TARG-26-above-the-root-later", line(b"/a/../../etc/passwd"), 400),
    ("TARG-26-above-the-root-encoded", line(b"/%2e%2e/%2e%2e/etc/passwd"), 400),
    ("TARG-32-long-line", line(b"/" + b"a" * 8200), 414),
]
REFUSED += [(f"TARG-03-host-{i}", host(v), 400) for i, v in enumerate(
    (b"", b"a b", b"a,b", b"a/b", b"a\\b", b"u@a", b"a?x", b"a#x", b"%61"))]
REFUSED += [(f"TARG-04-port-{i}", host(v), 400) for i, v in enumerate((b"a:80x", b"a:99999", b"a:-1", b"a:+80", b"a:0"))]
REFUSED += [(f"TARG-14-no-host-in-{i}", line(v), 400) for i, v in enumerate(
    (b"http:///x", b"http://", b"http:/x", b"http://:80/", b"://a/"))]
REFUSED += [(f"TARG-15-scheme-{i}", line(v), 400) for i, v in enumerate(
    (b"ftp://a/", b"gopher://a/", b"urn:x:y", b"whois://a/", b"cache_object://a/", b"unix:/x:http://a/"))]
REFUSED += [(f"TARG-16-form-{i}", line(v), 400) for i, v in enumerate((b"*", b"a:80", b"a", b"?x", b"!"))]
REFUSED += [(f"TARG-19-percent-{i}", line(v), 400) for i, v in enumerate((b"/%zz", b"/%1", b"/%", b"/%u0041"))]
REFUSED += [(f"TARG-20-control-{i}", line(v), 400) for i, v in enumerate((b"/admin%0a", b"/a%0d%0ab", b"/a%7f", b"/a%09"))]
REFUSED += [(f"TARG-21-raw-{b:02x}", line(b"/x" + bytes([b]) + b"y"), 400) for b in (*range(1, 9), 0x0B, 0x0C, *range(0x0E, 0x21))]


@pytest.mark.parametrize("data, status", [pytest.param(d, s, id=n) for n, d, s in REFUSED])
def test_targ(stage, data, status):
    for face in ("proxied", "static", "returned"):
        for cut in ("whole", "cr") if len(data) > 4000 else DELIVERIES:
            with told(face, cut):
                r = stage.refuses(face, data, status, cut)
                assert b"p4ss" not in r.body
                assert "p4ss" not in "".join(stage.new_errors() + stage.new_access())


@pytest.mark.parametrize("target, sent", [
    pytest.param("/\xc3\xa9\xff", b"/\xc3\xa9\xff", id="TARG-22-high-bytes"),
    pytest.param("/?q=%00", b"/?q=%00", id="TARG-18-nul-in-the-query"),
    pytest.param("/%2561dmin", b"/%2561dmin", id="TARG-25-decoded-once"),
    pytest.param("/public/%252e%252e/admin", b"/public/%252e%252e/admin", id="TARG-25-dots-decoded-once"),
    pytest.param("/..;/admin", b"/..;/admin", id="TARG-27-semicolon"),
    pytest.param("/public/..;/admin", b"/public/..;/admin", id="TARG-27-semicolon-later"),
    pytest.param("/a;x=../b", b"/a;x=../b", id="TARG-27-parameter"),
    pytest.param("/..\\..\\etc", b"/..\\..\\etc", id="TARG-28-backslash"),
    pytest.param("/a%5c..%5cb", b"/a%5c..%5cb", id="TARG-28-backslash-encoded"),
    pytest.param("/%c0%ae%c0%ae/etc/passwd", b"/%c0%ae%c0%ae/etc/passwd", id="TARG-29-overlong"),
    pytest.param("/a%2Fb/%2e%2e/c?x=%41", b"/a%2Fb/%2e%2e/c?x=%41", id="TARG-31-same-octets"),
])
def test_targ_is_forwarded_octet_for_octet(stage, target, sent):
    stage.origin.forget()
    with stage.client("proxied") as c:
        c.send(request("GET", target, "a"))
        assert c.response().status == 200
    assert stage.origin.requests[0].head.split(b" ")[1] == sent
    with stage.client("static") as c:
        c.send(request("GET", target, "a"))
        r = c.response()
        assert r.status == (200 if target.startswith("/?") else 404), r


@pytest.fixture(scope="module")
def names_stage():
    many = " ".join(f"name{n}.example" for n in range(1000))
    from support.origin import free_port

    port = free_port()
    stage = Stage(extra=f"""
server {{ listen 127.0.0.5:{port}; server_name other; return 200 "other\\n"; }}
server {{ listen 127.0.0.5:{port}; server_name a a.example b.example; return 200 "named $host\\n"; }}
server {{ listen 127.0.0.5:{port}; server_name {many}; return 200 "many\\n"; }}
server {{ listen 127.0.0.5:{port}; server_name *.wild.example prefix.*; return 200 "wild $host\\n"; }}
server {{ listen 127.0.0.5:{port}; server_name "~^(?<who>[a-z]+)\\.RE\\.example$"; return 200 "regex $who\\n"; }}
server {{ listen 127.0.0.5:{port}; server_name "~^(b+)+$"; return 200 "slow\\n"; }}
""", locations="""
location /admin { return 403; }
location = /a { return 200 "exact\\n"; }
location ~ ^/(a+)+$ { return 200 "letters\\n"; }
location /internal/ { internal; return 200 "internal\\n"; }
location ~ \\.internal$ { internal; return 200 "internal\\n"; }
""")
    stage.names = ("127.0.0.5", port)
    yield stage
    stage.close()


@pytest.mark.parametrize("value, body", [
    pytest.param("A.", "named a", id="TARG-06-trailing-dot"),
    pytest.param("a.EXAMPLE", "named a.example", id="TARG-06-case"),
    pytest.param("NAME999.example.", "many", id="TARG-06-of-a-thousand"),
    pytest.param("name1000.example", "other", id="TARG-06-none"),
    pytest.param("X.Wild.EXAMPLE.", "wild x.wild.example", id="TARG-06-wildcard"),
    pytest.param("PREFIX.org.", "wild prefix.org", id="TARG-06-wildcard-at-the-end"),
    pytest.param("Ann.RE.Example.", "regex ann", id="TARG-06-expression"),
    pytest.param(".".join(["a" * 63] * 4)[:255], "other", id="TARG-08-255-bytes"),
])
def test_targ_names_ignore_case_and_a_dot(names_stage, value, body):
    from support.wire import Client

    with Client(names_stage.names) as c:
        assert c.get("/", value).body.decode().strip() == body


@pytest.mark.parametrize("target, status", [
    pytest.param(t, 403, id=f"TARG-{23 if i < 5 else 24}-{i}") for i, t in enumerate((
        "/public/../admin", "/public/%2e%2e/admin", "/public/.%2E/admin", "/public//../admin", "/public/./../admin",
        "/public%2f..%2fadmin", "/%61dmin", "//admin", "/admin%2f"))
] + [
    pytest.param("/a", 200, id="TARG-30-exact"), pytest.param("/a/", 0, id="TARG-30-slash"),
    pytest.param("/a/.", 0, id="TARG-30-dot"), pytest.param("/a//", 0, id="TARG-30-slashes"),
    pytest.param("/A", 0, id="TARG-30-case"), pytest.param("/x/../a", 200, id="TARG-30-normalised"),
])
def test_targ_locations_match_the_normalised_path(names_stage, target, status):
    names_stage.origin.forget()
    with names_stage.client("proxied") as c:
        r = c.get(target)
    if status == 403:
        assert r.status == 403 and not names_stage.origin.requests
    else:
        assert r.status == 200 and (r.body == b"exact\n") == bool(status), r


@pytest.mark.parametrize("row", ["TARG-10-the-target-decides"])
def test_targ_an_absolute_target_decides(names_stage, row):
    from support.wire import Client

    with Client(names_stage.names) as c:
        assert c.ask(request("GET", "http://b.example/x", "name1.example")).body == b"named b.example\n"
    names_stage.origin.forget()
    with names_stage.client("proxied") as c:
        assert c.ask(request("GET", "http://b/x?y", "a")).status == 200
    seen = names_stage.origin.requests[0]
    assert seen.target == "/x?y" and seen.get("Host") == names_stage.origin.address


@pytest.mark.parametrize("target, sent", [pytest.param("http://b", "/", id="TARG-11-no-path"),
                                          pytest.param("http://b?x=1", "/?x=1", id="TARG-11-only-a-query")])
def test_targ_the_path_of_an_absolute_target_is_a_slash(names_stage, target, sent):
    names_stage.origin.forget()
    with names_stage.client("proxied") as c:
        assert c.ask(request("GET", target, "b")).status == 200
    assert names_stage.origin.targets() == [sent]


@pytest.mark.parametrize("row", ["TARG-12-metadata-address"])
def test_targ_nothing_is_dialled_that_is_not_configured(names_stage, row):
    with names_stage.client("returned") as c:
        assert c.ask(request("GET", "http://169.254.169.254/latest/", "a")).body == b"returned\n"


def refused_in_time(stage, ask, status):
    """One error line at most, and another connection is served meanwhile."""
    began = time.monotonic()
    r = ask()
    took = time.monotonic() - began
    assert r.status == status, r
    assert took < (2.5 if SANITIZED else 0.1), f"{took * 1000:.0f} ms"
    stage.control("proxied")


@pytest.mark.parametrize("target", [pytest.param("/" + "a" * 5000 + "b", id="TARG-36-in-a-location")])
def test_targ_an_expression_that_backtracks_is_given_up(names_stage, target):
    names_stage.mark_logs()
    with names_stage.client("proxied") as c:
        refused_in_time(names_stage, lambda: c.get(target), 500)
    with names_stage.client("proxied") as c:
        assert c.get("/aaa").body == b"letters\n"
    errors = [line for line in names_stage.new_errors() if "[error]" in line]
    assert len(errors) == 1 and "was given up" in errors[0], errors


@pytest.mark.parametrize("host", [pytest.param("b" * 240 + ".c", id="TARG-36-in-a-name")])
def test_targ_an_expression_for_names_is_given_up(names_stage, host):
    from support.wire import Client

    names_stage.mark_logs()
    with Client(names_stage.names) as c:
        refused_in_time(names_stage, lambda: c.get("/", host), 500)
    errors = [line for line in names_stage.new_errors() if "[error]" in line]
    assert len(errors) == 1 and "was given up" in errors[0], errors


@pytest.mark.parametrize("target", [
    pytest.param("/internal/x", id="TARG-37-direct"), pytest.param("http://a/internal/x", id="TARG-37-absolute"),
    pytest.param("/x.internal", id="TARG-37-expression"), pytest.param("/%69nternal/x", id="TARG-37-encoded"),
    pytest.param("/y/../internal/x", id="TARG-37-dots"), pytest.param("//internal//x", id="TARG-37-slashes"),
])
def test_targ_an_internal_location_is_not_there_for_clients(names_stage, target):
    names_stage.origin.forget()
    with names_stage.client("proxied") as c:
        assert c.get(target).status == 404
    assert not names_stage.origin.requests
