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
