"""Access log, `$decided_by`, error pages, what a reader of the logs sees."""
import re

import pytest

from support.origin import free_port
from support.waiting import eventually
from support.wire import request


def test_combined_is_the_default_format(start, origin, room):
    proxy = start(f"""
access_log {room}/access.log;
server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
""")
    with proxy.connect() as c:
        c.get("/x?y", "a", 'User-Agent: agent "q"', "Referer: http://r.example/",
              "Authorization: Basic dXNlcjpwYXNz")
    line = proxy.wait_access()[0]
    assert re.fullmatch(r'127\.0\.0\.1 - user \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /x\?y HTTP/1\.1" 200 17 '
                        r'"http://r\.example/" "agent \\x22q\\x22"', line), line


def test_variables_of_a_log_format(start, origin, room):
    proxy = start(f"""
http {{
    log_format all '$request_method|$uri|$args|$status|$body_bytes_sent|$host|$server_name|$server_port|$scheme'
                   '|$upstream_addr|$upstream_status|$http_x_a|$sent_http_content_type|$remote_addr|$request_time'
                   '|$upstream_response_time|$bytes_sent|$request_length|$connection_requests|$msec';
    access_log {room}/access.log all;
    server {{ listen 127.0.0.1:0; server_name a.example; location / {{ proxy_pass http://{origin.address}; }} }}
}}
""")
    with proxy.connect() as c:
        sent = request("GET", "/%61?b=c", "A.example:80", "X-A: v")
        r = c.ask(sent)
        line = proxy.wait_access()[0].split("|")
    size = len(r.head) + len(r.body)
    assert line[:14] == ["GET", "/a", "b=c", "200", str(len(r.body)), "a.example", "a.example", str(proxy.port), "http",
                         origin.address, "200", "v", "text/plain", "127.0.0.1"]
    assert re.fullmatch(r"\d+\.\d{3}", line[14]) and re.fullmatch(r"\d+\.\d{3}", line[15])
    assert line[16:18] == [str(size), str(len(sent))] and line[18] == "1"
    assert re.fullmatch(r"\d+\.\d{3}", line[19])


@pytest.mark.parametrize("escape, want", [
    ("", r'\x22q\x22 \x5C \xC3\xA9'), ("escape=json", '\\"q\\" \\\\ \u00e9'), ("escape=none", '"q" \\ \u00e9')])
def test_escaping(start, room, escape, want):
    proxy = start(f"""
http {{
    log_format f {escape} '$http_user_agent|$http_none|';
    access_log {room}/access.log f;
    server {{ listen 127.0.0.1:0; return 200 "x"; }}
}}
""")
    with proxy.connect() as c:
        c.send('GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: "q" \\ \u00e9\r\n\r\n'.encode())
        c.response()
    unset = "-" if not escape else ""
    assert proxy.wait_access()[0] == f"{want}|{unset}|"


def test_access_log_off_wins_and_levels_replace(start, room):
    proxy = start(f"""
http {{
    log_format f '$uri';
    access_log {room}/access.log f;
    server {{
        listen 127.0.0.1:0;
        location /quiet {{ access_log {room}/access.log f; access_log off; return 200 "x"; }}
        location /own {{ access_log {room}/own.log f; return 200 "x"; }}
        location / {{ return 200 "x"; }}
    }}
}}
""")
    with proxy.connect() as c:
        for target in ("/quiet", "/own", "/plain"):
            c.get(target)
    eventually(lambda: (room / "own.log").read_text() == "/own\n", "own.log")
    assert proxy.wait_access() == ["/plain"]


def test_a_condition_of_the_log(start, room):
    proxy = start(f"""
http {{
    log_format f '$uri';
    access_log {room}/access.log f if=$arg_log;
    server {{ listen 127.0.0.1:0; return 200 "x"; }}
}}
""")
    with proxy.connect() as c:
        for target in ("/a", "/b?log=0", "/c?log=1"):
            c.get(target)
    assert proxy.wait_access() == ["/c"]


def test_decided_by_names_each_place(start, origins, room):
    (b,) = origins("b")
    down = f"127.0.0.1:{free_port()}"
    proxy = start(f"""
log_format why '$uri $decided_by';
access_log {room}/access.log why;
upstream group {{
    server {down};
    server {b.address};
}}
server {{
    listen 127.0.0.1:0;
    server_name a.example;
    location /up/ {{
        proxy_pass http://group;
    }}
    location = /return {{
        return 200 "x";
    }}
    location / {{
        root {room};
    }}
}}
""")
    with proxy.connect() as c:
        c.get("/up/x", "a.example")
        c.get("/return", "a.example")
        c.get("/none", "a.example")
    up, ret, none = proxy.wait_access(3)
    at = lambda text: f"bifrons.conf:{proxy.line_of(text)}"  # noqa: E731
    for line in (up, ret, none):
        assert at("server {") in line or at("server_name") in line or at("listen") in line, line
    assert at("location /up/") in up and at(f"server {down}") in up and at(f"server {b.address}") in up, up
    assert at("location = /return") in ret and at("location / {") in none


def test_bytes_of_a_peer_are_escaped_in_the_error_log(start, room):
    proxy = start(f'server {{ listen 127.0.0.1:0; root {room}; }}')
    with proxy.connect() as c:
        c.send(b"GET /\xff%1bnone\x9b HTTP/1.1\r\nHost: a\r\nUser-Agent: \x9b\r\n\r\n")
        c.take_until(b"\r\n\r\n")
    with proxy.connect() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n")
        assert c.response().status == 400
    eventually(lambda: "[info]" in proxy.errors(), "no line")
    raw = proxy.error_log.read_bytes()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f-\x9f]", raw), raw


def test_the_error_page_is_nginx_with_our_name(start, room):
    proxy = start(f"""
http {{
    server {{ listen 127.0.0.1:0; location / {{ root {room}; }} location /off/ {{ server_tokens off; root {room}; }} }}
}}
""")
    with proxy.connect() as c:
        r = c.get("/none")
        page = re.fullmatch(rb"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1>"
                            rb"</center>\r\n<hr><center>(bifrons/[0-9.a-z-]+)</center>\r\n</body>\r\n</html>\r\n", r.body)
        assert page and r.get("Server") == page[1].decode() and r.get("Content-Type") == "text/html"
        r = c.get("/off/none")
        assert r.get("Server") == "bifrons" and b"<hr><center>bifrons</center>" in r.body


def test_the_502_page_names_no_peer(start, room):
    down = f"127.0.0.1:{free_port()}"
    proxy = start(f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{down}; }} }}")
    with proxy.connect() as c:
        r = c.get("/")
        assert r.status == 502 and down.encode() not in r.head + r.body
    assert proxy.wait_error(rf"\[error\] .*111: Connection refused.*while connecting to upstream.*{down}")


def test_the_error_log_says_who_asked_what(start, room):
    down = f"127.0.0.1:{free_port()}"
    proxy = start(f"server {{ listen 127.0.0.1:0; server_name a.example; location / {{ proxy_pass http://{down}; }} }}")
    with proxy.connect() as c:
        c.get("/x?y", "A.example")
    line = proxy.wait_error(r"\[error\]")
    assert re.match(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#\d+: \*\d+ ", line), line
    for part in ("client: 127.0.0.1", "server: a.example", 'request: "GET /x?y HTTP/1.1"', f'upstream: "http://{down}/x?y"',
                 'host: "A.example"'):
        assert part in line, line


def test_the_clean_exit_is_counted_in_one_line(start, origin, room):
    proxy = start(f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    with proxy.connect() as c:
        c.get("/")
    proxy.stop()
    lines = [l for l in proxy.errors().splitlines() if "[info]" in l and "fiber" in l and "pool" in l]
    assert len(lines) == 1, proxy.errors()[-1000:]
