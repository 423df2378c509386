"""Internal redirects: what nginx cannot be asked for, or does otherwise."""
import pytest

from support.origin import Origin
from support.wire import request


def refuses_in_the_middle(c):
    """503 after the head and a part of the body."""
    request = c.read_head()
    c.take(3)
    c.send(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
    assert request.method == "POST"
    c.close()


@pytest.fixture
def site(start, room, origin):
    (room / "www").mkdir()
    (room / "www" / "sorry.html").write_text("sorry\n")
    half = Origin(refuses_in_the_middle)
    proxy = start(f"""
log_format why '$status $decided_by';
access_log {room}/access.log why;
server {{
    listen 127.0.0.1:0;
    root {room}/www;
    proxy_intercept_errors on;
    location /streamed/ {{ proxy_request_buffering off; error_page 503 = @other; proxy_pass http://{half.address}; }}
    location /spooled/ {{ error_page 503 = @other; proxy_pass http://{half.address}; }}
    location /page/ {{ error_page 404 /sorry.html; return 404; }}
    location /tried/ {{ try_files $uri /sorry.html =404; }}
    location /injected/ {{ error_page 404 http://x/$1; location ~ ^/injected/(.*) {{ error_page 404 http://x/$1; return 404; }} }}
    location @other {{ proxy_pass http://{origin.address}; }}
}}
""")
    yield proxy
    half.close()


def test_half_a_body_goes_nowhere_else(site, origin):
    with site.connect() as c:
        c.send(request("POST", "/streamed/x", "a", "Content-Length: 6") + b"abc")
        assert c.response("POST").status == 502
    assert not origin.requests


def test_a_whole_body_goes_to_the_next_upstream(site, origin):
    with site.connect() as c:
        assert c.ask(request("POST", "/spooled/x", "a", body=b"abcdef")).status == 200
    assert [(r.method, r.target, r.body) for r in origin.requests] == [("POST", "/spooled/x", b"abcdef")]


def test_the_log_says_what_led_there(site, room):
    with site.connect() as c:
        assert c.get("/page/x").status == 404
        assert c.get("/tried/x").status == 200
    lines = site.wait_access(2)
    assert "error_page" in lines[0] and "/sorry.html" in lines[0], lines
    assert "try_files" in lines[1] and "/sorry.html" in lines[1], lines


def test_a_body_behind_an_error_page_is_no_request(site):
    with site.connect() as c:
        c.send(request("POST", "/page/x", "a", body=b"GET /smug HTTP/1.1\r\nHost: a\r\n\r\n") + request("GET", "/sorry.html", "a"))
        assert c.response("POST").status == 404
        assert c.response().body == b"sorry\n"


def test_missing_files_stand_in_the_error_log_unless_told_otherwise(start, room):
    proxy = start(f"server {{ listen 127.0.0.1:0; root {room}; location /quiet {{ log_not_found off; }} }}")
    with proxy.connect() as c:
        assert c.get("/quiet-file").status == 404
        assert c.get("/loud-file").status == 404
    log = proxy.error_log.read_text()
    assert "loud-file\" failed (2: No such file or directory)" in log and "open() \"" in log and "/quiet-file\" failed" not in log


def test_dot_segments_that_a_value_brings_pass_by_no_location(start, room, origin):
    (room / "www/secret").mkdir(parents=True)
    (room / "www/files").mkdir()
    (room / "www/secret/key").write_text("secret")
    (room / "www/files/open").write_text("open")
    proxy = start(f"""server {{ listen 127.0.0.1:0; root {room}/www;
        location /secret/ {{ deny all; }}
        location /r/ {{ rewrite ^ /files/$arg_n last; }}
        location /t/ {{ try_files /files/$arg_n =404; }}
        location /p/ {{ rewrite ^ /pub/$arg_n break; proxy_pass http://{origin.address}; }} }}""")
    with proxy.connect() as c:
        for path in ("/r/", "/t/"):
            assert c.get(f"{path}?n=open").body == b"open"
            assert c.get(f"{path}?n=../secret/key").status == 404
        assert c.get("/p/?n=../admin").status == 404
    assert origin.requests == []


def test_a_search_for_many_texts_lets_others_run(start, room):
    """Texts that resemble themselves are compared far at each place."""
    (room / "page.html").write_bytes(b"a" * 400000)
    lines = "".join(f"sub_filter {'a' * 200}{chr(98 + i)} x;" for i in range(20))
    proxy = start(f"server {{ listen 127.0.0.1:0; root {room}; {lines} location /control {{ return 200 ok; }} }}")
    with proxy.connect(timeout=60) as slow, proxy.connect() as control:
        slow.send(request("GET", "/page.html"))
        for _ in range(3):
            assert control.get("/control").body == b"ok"
        assert slow.response().body == b"a" * 400000
