"""`return`, `add_header`, names of servers, locations, pipelining, HTTP/1.0: one process, many small questions."""
import pytest

from support.origin import free_port
from support.wire import request


@pytest.fixture
def site(start, room):
    return start(f"""
http {{
    default_type text/plain;
    add_header X-Outer outer;
    access_log {room}/access.log;
    server {{
        listen 127.0.0.1:0;
        server_name a.example;
        location / {{ return 200 "root\\n"; }}
        location = /exact {{ return 200 "exact\\n"; }}
        location /prefix/ {{ return 200 "prefix\\n"; }}
        location ^~ /caret/ {{ return 200 "caret\\n"; }}
        location /redirect {{ return 301 https://$host$request_uri; }}
        location /found {{ return 302 /else; }}
        location /url {{ return http://other.example/; }}
        location /own {{ add_header X-Own "v $uri"; return 200 "own\\n"; }}
        location /missing {{ add_header X-Own own; return 404; }}
        location /always {{ add_header X-Own own always; return 404; }}
        location /silence {{ return 444; }}
        location /tokens {{ server_tokens off; return 200 "x"; }}
    }}
}}
""")


@pytest.mark.parametrize("target, body", [("/", "root"), ("/exact", "exact"), ("/exact/", "root"), ("/prefix/x", "prefix"),
                                          ("/prefix", "root"), ("/caret/x", "caret"), ("/a/../exact", "exact"),
                                          ("/%65xact", "exact"), ("//exact", "exact"), ("/prefix/../exact?q", "exact")])
def test_the_location_is_found_in_the_normalised_path(site, target, body):
    with site.connect() as c:
        assert c.get(target).body.decode() == body + "\n"


def test_redirects(site):
    with site.connect() as c:
        r = c.get("/redirect/%20x?y=z", "Name.example:81")
        assert (r.status, r.get("Location")) == (301, "https://name.example/redirect/%20x?y=z")
        r = c.get("/found", "name.example")
        assert (r.status, r.get("Location")) == (302, f"http://name.example:{site.port}/else")
        r = c.get("/url")
        assert (r.status, r.get("Location")) == (302, "http://other.example/")


def test_add_header_replaces_the_outer_list(site):
    with site.connect() as c:
        assert c.get("/").get("X-Outer") == "outer"
        r = c.get("/own")
        assert r.get("X-Own") == "v /own" and r.get("X-Outer") is None
        assert c.get("/missing").get("X-Own") is None
        assert c.get("/always").get("X-Own") == "own"


def test_444_is_silence(site):
    with site.connect() as c:
        c.send(request("GET", "/silence"))
        assert c.take_all() == b""
    assert " 444 0 " in site.wait_access()[0]


def test_server_tokens(site):
    with site.connect() as c:
        assert c.get("/tokens").get("Server") == "bifrons"
        assert c.get("/").get("Server").startswith("bifrons/")


def test_http_1_0_closes_unless_asked(site):
    with site.connect() as c:
        assert c.ask(request("GET", "/", version="1.0")).closes
        c.assert_closed()
    with site.connect() as c:
        r = c.ask(request("GET", "/", "a", "Connection: keep-alive", version="1.0"))
        assert not r.closes
        c.assert_kept()


def test_pipelined_requests_are_answered_in_order(site):
    with site.connect() as c:
        c.send(b"".join(request("GET", t) for t in ("/", "/exact", "/missing", "/own")) + request("GET", "/", "a", "Connection: close"))
        assert [c.response().status for _ in range(5)] == [200, 200, 404, 200, 200]
        c.assert_closed()


def test_close_wins(site):
    with site.connect() as c:
        c.send(request("GET", "/", "a", "Connection: keep-alive, close") + request("GET", "/exact"))
        assert c.response().closes
        c.assert_closed()


def test_names_choose_the_server(start, room):
    port = free_port()
    proxy = start(f"""
server {{ listen 127.0.0.1:{port}; server_name first.example; return 200 first; }}
server {{ listen 127.0.0.1:{port} default_server; server_name second.example; return 200 second; }}
server {{ listen 127.0.0.1:{port} ; server_name third.example fourth.example; return 200 third; }}
""", listeners=1)
    with proxy.connect() as c:
        for host, body in (("first.example", "first"), ("FIRST.example.", "first"), ("first.example:99", "first"),
                           ("fourth.example", "third"), ("nobody.example", "second")):
            assert c.get("/", host).body.decode() == body, host
        r = c.ask(request("GET", "http://third.example/", "first.example"))
        assert r.body == b"third"


def test_two_listeners_of_one_server(start):
    proxy = start("server { listen 127.0.0.1:0; listen 127.0.0.2:0 backlog=16; return 200 $server_addr; }")
    for index, address in enumerate(("127.0.0.1", "127.0.0.2")):
        with proxy.connect(index) as c:
            assert c.get().body.decode() == address


def test_ipv6_listener(start):
    proxy = start('server { listen [::1]:0; return 200 "$remote_addr $server_addr"; }')
    with proxy.connect() as c:
        assert c.get("/", "[::1]").body == b"::1 ::1"


def test_a_header_for_always_stands_on_every_refusal(start, room, origin):
    """Security headers are written with `always` for exactly these."""
    (room / "file").write_bytes(b"x" * 100)
    proxy = start(f"""
http {{ add_header X-A 1 always; server {{ listen 127.0.0.1:0; root {room}; }}
    server {{ listen 127.0.0.1:0; server_name other; add_header X-A 2 always; }} }}
""")
    refused = {
        416: request("GET", "/file", "a", "Range: bytes=999-"),
        400: request("GET", "/%", "a"),
        494: request("GET", "/", "a", "X: " + "x" * 40000),
        505: b"GET / HTTP/7.1\r\nHost: a\r\n\r\n",
        405: request("TRACE", "/", "a"),
    }
    for status, data in refused.items():
        with proxy.connect() as c:
            c.send(data)
            r = c.response(data.split(b" ")[0].decode())
            assert r.status in (status, 400) and r.all("X-A") == ["1"], r
    with proxy.connect() as c:
        c.send(request("GET", "/%", "other"))
        assert c.response().get("X-A") is not None
    with proxy.connect() as c:
        c.send(request("GET", "/file", "a", 'If-Match: "none"'))
        r = c.response()
        assert r.status == 412 and r.all("X-A") == ["1"]


def test_plain_http_at_a_tls_port_can_be_led_on(start, authority):
    certificate, key = authority.leaf("a.example")
    proxy = start(f"""server {{ listen 127.0.0.1:0 ssl; server_name d; ssl_certificate {certificate};
ssl_certificate_key {key}; error_page 497 https://$host:28443$request_uri; }}""")
    with proxy.connect() as c:
        c.send(request("GET", "/a?b", "example.com"))
        r = c.response()
        assert r.status == 302 and r.get("Location") == "https://example.com:28443/a?b", r


def test_the_error_log_names_what_was_asked_of_the_peer(start):
    port = free_port()
    proxy = start(f"server {{ listen 127.0.0.1:0; location /px/ {{ proxy_pass http://127.0.0.1:{port}/y/; }} }}")
    with proxy.connect() as c:
        assert c.get("/px/a?b=c").status == 502
    assert proxy.wait_error(rf'upstream: "http://127.0.0.1:{port}/y/a\?b=c", host')


def test_a_line_for_a_field_of_framing_is_said_to_do_nothing(start):
    proxy = start('server { listen 127.0.0.1:0; location / { add_header Content-Length 7; add_header X-A 1; return 200 ok; } }')
    assert "framing of answers is always made by the proxy: no effect" in proxy.stderr.text()
    with proxy.connect() as c:
        r = c.get("/")
        assert r.body == b"ok" and r.get("X-A") == "1"
