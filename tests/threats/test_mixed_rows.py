"""Rows of FILE, INJ, TARG, UP, SSRF, FWD and WS that stand in no other file."""
import os
import threading

import pytest

from support.origin import answer
from support.waiting import eventually
from support.wire import request


def row(name):
    return pytest.mark.parametrize("row", [name])


# FILE


@pytest.fixture
def www(room):
    folder = room / "www"
    folder.mkdir()
    return folder


@row("FILE-07-a-folder-becomes-a-link")
def test_file_what_was_checked_is_what_is_read(start, room, www, row):
    for name, text in (("www/d", "inside\n"), ("outside", "outside\n")):
        (room / name).mkdir()
        (room / name / "f").write_text(text)
    (www / "link").symlink_to(room / "outside")
    proxy = start(f"server {{ listen 127.0.0.1:0; root {www}; disable_symlinks on; keepalive_requests 10000; location = /ok {{ return 200 x; }} }}")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            os.rename(www / "d", www / "aside")
            os.rename(www / "link", www / "d")
            os.rename(www / "d", www / "link")
            os.rename(www / "aside", www / "d")

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        with proxy.connect() as c:
            for _ in range(3000):
                r = c.get("/d/f")
                seen.add(r.status)
                assert b"outside" not in r.body
    finally:
        stop.set()
        thread.join()
    assert seen <= {200, 403, 404} and 200 in seen


@pytest.mark.parametrize("cache", [pytest.param("", id="FILE-12-no-cache"),
                                   pytest.param("open_file_cache max=10; open_file_cache_valid 1s;", id="FILE-12-cached")])
def test_file_one_answer_is_one_file(start, www, cache):
    size = 8 << 20
    (www / "f").write_bytes(b"0" * size)
    proxy = start(f"server {{ listen 127.0.0.1:0; root {www}; {cache} }}")

    def replace(letter):
        (www / "new").write_bytes(letter * size)
        os.rename(www / "new", www / "f")

    with proxy.connect() as c:
        for letter in (b"1", b"2", b"3"):
            c.send(request("GET", "/f"))
            r = c.head()
            replace(letter)
            c.body(r)
            assert len(r.body) == size and len(set(r.body)) == 1
        eventually(lambda: c.get("/f").body == b"3" * size, "the new content never comes")
    proxy.at_rest = proxy.descriptors()  # the cache holds one


@pytest.mark.parametrize("target", ["/.git/config", "/%2egit/config", "/a/.htpasswd", "/a/%2e%68tpasswd", "//.git/config",
                                    "/a/../.git/config"], ids=lambda t: f"FILE-15-rule{t}")
def test_file_a_rule_against_dots_meets_every_spelling(start, www, target):
    for name in (".git/config", "a/.htpasswd"):
        (www / name).parent.mkdir()
        (www / name).write_text("secret\n")
    proxy = start(f"server {{ listen 127.0.0.1:0; root {www}; location ~ /\\. {{ deny all; }} }}")
    with proxy.connect() as c:
        r = c.get(target)
        assert r.status == 403 and b"secret" not in r.body


@pytest.mark.parametrize("query", ["start=-1", "start=99999999999999999999", "start=5&end=1"], ids=lambda q: f"FILE-27-{q}")
def test_file_arguments_have_no_effect(start, www, query):
    (www / "f.mp4").write_bytes(b"0123456789")
    with start(f"server {{ listen 127.0.0.1:0; root {www}; }}").connect() as c:
        r = c.get(f"/f.mp4?{query}")
        assert r.status == 200 and r.body == b"0123456789"


# INJ, TARG


@pytest.fixture
def rewriting(start, origin):
    double = " ".join(f"set $x{n + 1} $x{n}$x{n};" for n in range(16))
    return start(f"""
large_client_header_buffers 4 16k;
server {{
    listen 127.0.0.1:0;
    set $x "a\\r\\nSet-Cookie: s=1";
    location /header {{ proxy_set_header X-A $x; proxy_pass http://{origin.address}; }}
    location /large {{ set $x0 aaaaaaaaaaaaaaaa; {double} add_header X-A $x16; return 200 x; }}
    location /large-up {{ set $x0 aaaaaaaaaaaaaaaa; {double} proxy_set_header X-A $x16; proxy_pass http://{origin.address}; }}
    location /text {{ add_header X-Next $arg_next; add_header X-Cookie $http_cookie; return 200 x; }}
    location /up {{ proxy_pass http://{origin.address}; }}
    location = /ok {{ return 200 x; }}
}}
""")


@row("INJ-02-a-field-for-the-origin")
def test_inj_a_control_byte_never_reaches_the_origin(rewriting, origin, row):
    with rewriting.connect() as c:
        assert c.get("/header").status == 500
    with rewriting.connect() as c:
        c.assert_kept("/ok")
    assert not origin.octets


@pytest.mark.parametrize("target", [pytest.param("/large", id="INJ-25-answer"), pytest.param("/large-up", id="INJ-25-request")])
def test_inj_a_huge_value_is_not_cut(rewriting, origin, target):
    with rewriting.connect() as c:
        assert c.get(target).status == 500
    assert not origin.octets


@row("INJ-26-percent-forms-stay")
def test_inj_nothing_is_decoded(rewriting, row):
    with rewriting.connect() as c:
        r = c.get("/text?next=%0d%0aX:y", "a", "Cookie: a=%0d%0a")
    assert r.get("X-Next") == "%0d%0aX:y" and r.get("X-Cookie") == "a=%0d%0a" and not r.all("X")


@pytest.mark.parametrize("field", ["X_Forwarded_For: 1.1.1.1", "Remote_User: root"], ids=lambda f: f"INJ-15-{f.partition(':')[0]}")
def test_inj_a_name_with_an_underscore_is_dropped(rewriting, origin, field):
    with rewriting.connect() as c:
        assert c.get("/up", "a", field).status == 200
    assert not origin.requests[0].all(field.partition(":")[0])


@pytest.mark.parametrize("target", [pytest.param("//evil.example/%2e%2e", id="TARG-35-dots"),
                                    pytest.param("/%2f%2fevil.example", id="TARG-35-encoded"),
                                    pytest.param("//evil.example", id="TARG-35-plain"), pytest.param("/%5cevil.example", id="TARG-35-backslash")])
def test_targ_a_redirect_to_a_folder_stays_here(start, www, target):
    for name in ("evil.example", "\\evil.example"):
        (www / name).mkdir()
    proxy = start(f"server {{ listen 127.0.0.1:0; root {www}; absolute_redirect off; merge_slashes off; }}")
    with proxy.connect() as c:
        where = c.get(target).get("Location", "/")
    assert where.startswith("/") and where[1:2] not in ("/", "\\"), where


# FWD, WS


@pytest.fixture
def forward(start, origin):
    return start(f"forward {{ listen 127.0.0.1:0; rule allow if client 127.0.0.0/8 and address 127.0.0.1 and port {origin.port}; }}")


@pytest.mark.parametrize("fields", [pytest.param(("Location: ftp://a.example/x",), id="FWD-31-location"),
                                    pytest.param(("Content-Type: x-odd/;;",), id="FWD-31-type"),
                                    pytest.param(("Content-Type: text/ftp-dir-listing",), id="FWD-31-listing")])
def test_fwd_an_odd_answer_is_relayed(forward, origin, fields):
    body = b"drwxr-xr-x 2 ftp ftp 512 Jan 1 00:00 pub\r\n"
    origin.answers(answer(body, "200 OK", *fields))
    with forward.connect() as c:
        r = c.get(f"http://{origin.address}/", origin.address)
    assert r.body == body
    for field in fields:
        name, _, value = field.partition(": ")
        assert r.all(name) == [value]


@row("WS-07-another-site")
def test_ws_a_rule_on_origin_comes_before_the_dial(start, origin, row):
    proxy = start(f'server {{ listen 127.0.0.1:0; location / {{ if ($http_origin ~ evil) {{ return 403; }} proxy_pass http://{origin.address}; }} }}')
    fields = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==")
    with proxy.connect() as c:
        assert c.get("/", "a", *fields, "Origin: http://evil.example").status == 403
    assert not origin.connections
    with proxy.connect() as c:
        assert c.get("/", "a", *fields, "Origin: http://good.example").status == 200
    assert origin.requests[0].get("Origin") == "http://good.example"
