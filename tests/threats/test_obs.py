"""OBS: what peers choose in logs."""
import base64
import json
import re
import socket
import time

import pytest

from support.waiting import eventually
from support.wire import request

RAW = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
MARK = b"..."


def row(*names):
    return pytest.mark.parametrize("row", names)


def logged(room, name="access.log"):
    path = room / name
    return path.read_bytes() if path.exists() else b""


def wait_lines(room, count, name="access.log"):
    eventually(lambda: logged(room, name).count(b"\n") >= count, f"{count} lines in {name}")
    return logged(room, name).splitlines()


def log_site(start, room, format_line, log_line="access_log {room}/access.log f;", more=""):
    return start(f"""
log_format f {format_line};
large_client_header_buffers 8 64k;
{log_line.format(room=room)}
server {{ listen 127.0.0.1:0; root {room}; {more} location /ok {{ return 204; }} }}
""")


def send_all(proxy, *attacks):
    for attack in attacks:
        with proxy.connect() as c:
            c.send(attack)
            assert c.take_until(b"\r\n\r\n")


def user(name):
    return b"Authorization: Basic " + base64.b64encode(name + b":secret") + b"\r\n"


@row("OBS-01-terminal-escapes")
def test_obs_no_log_holds_a_byte_that_a_terminal_obeys(start, room, row):
    proxy = start(f"access_log {room}/access.log; server {{ listen 127.0.0.1:0; root {room}; }}")
    fields = b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: \x9b\t\xff\r\n"
    send_all(proxy, b"GET /\x1b[2J%1b]0;x HTTP/1.1\r\nHost: a\r\n\r\n",
             b"GET /%1b]0;x%07%08%0a%9b" + fields + b"\r\n",
             b"GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: \x1b]0;x\x07\x08\r\n\r\n",
             b"GET /x" + fields + user(b"name\nforged \x1b[2J") + b"\r\n")
    wait_lines(room, 4)
    proxy.wait_error(r"\\x1B")
    assert not RAW.search(logged(room)) and not RAW.search(logged(room, "error.log"))
    assert logged(room).count(b"\n") == 4
    assert rb"GET /\x1B[2J%1b]0;x" in logged(room)


@row("OBS-02-borders-of-fields")
def test_obs_the_borders_of_fields_cannot_be_forged(start, room, row):
    proxy = start(f"access_log {room}/access.log; server {{ listen 127.0.0.1:0; location / {{ return 204; }} }}")
    with proxy.connect() as c:
        assert c.get("/", "a", 'User-Agent: "a" 200 "\\', 'Referer: " 9 "').status == 204
    line = wait_lines(room, 1)[0].decode()
    assert line.count('"') == 6
    assert line.endswith(r'"\x22 9 \x22" "\x22a\x22 200 \x22\x5C"')


JSON = """escape=json '{"agent":"$http_user_agent","request":"$request","cookie":"$arg_x"}'"""


@row("OBS-03-json")
def test_obs_every_line_of_json_parses(start, room, row):
    proxy = log_site(start, room, JSON)
    agents = [b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xa8|\xe2\x80\xa9", b"\xc0\x80", b"\xf5\x80\x80\x80", b"\xc3\xa4", b"\\\"\t",
              b"\xe2\x82", b"\xc2\x85"]
    send_all(proxy, *(b"GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: " + a + b"\r\n\r\n" for a in agents))
    send_all(proxy, b"GET /\x00\x1f\x7f\xff HTTP/1.1\r\nHost: a\r\n\r\n")
    lines = [json.loads(line.decode("utf-8"), strict=True) for line in wait_lines(room, len(agents) + 1)]
    assert len(logged(room).decode().splitlines()) == len(agents) + 1  # U+2028, U+0085 split no line
    got = [line["agent"] for line in lines[:-1]]
    assert got[0] == "\u00ff\u00fe" and got[1] == "\u00ed\u00a0\u0080" and got[2] == "\u2028|\u2029" and got[5] == "\u00e4"
    assert lines[-1]["request"].startswith("GET /\0\x1f\x7f\u00ff")


@row("OBS-04-escape-none")
def test_obs_without_escapes_a_value_stays_on_its_line(start, room, row):
    proxy = log_site(start, room, "escape=none '$request|$binary_remote_addr|'")
    with socket.create_connection(proxy.address, source_address=("127.0.0.10", 0), timeout=5) as s:  # its last byte ends lines
        s.sendall(b"GET /\x00\ry HTTP/1.1\r\nHost: a\r\n\r\n")
        assert s.recv(4096)
    wait_lines(room, 1)
    assert logged(room) == b"GET /\\x00\\x0Dy HTTP/1.1|\x7f\\x00\\x00\\x0A|\n"


@row("OBS-05-longest-line")
@pytest.mark.parametrize("escape", ["default", "json", "none"])
def test_obs_a_line_is_cut_with_a_mark(start, room, row, escape):
    proxy = log_site(start, room, f"escape={escape} '{'$http_a|' * 50}end'")
    with proxy.connect() as c:
        assert c.get("/ok", "a", "A: " + "x" * 32000).status == 204
        assert c.get("/ok").status == 204
    first, second = wait_lines(room, 2)
    assert len(first) < 66000 and first.endswith(MARK + b"|end") and first.count(b"|") == 50
    assert second.endswith(b"|end") and MARK not in second


UPSTREAMS = {
    "reason": b"HTTP/1.1 200 \x1b[2J\x9b\x07\r\nContent-Length: 0\r\n\r\n",
    "status-line": b"\x1b[2J\x9b HTTP?\r\n\r\n",
    "field": b"HTTP/1.1 200 OK\r\nX\x1b[2J\x9b: y\r\nContent-Length: 0\r\n\r\n",
    "value": b"HTTP/1.1 200 OK\r\nX: \x1b[2J\r\nContent-Length: 0\r\n\r\n",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: \x1b[2J\r\n\r\n",
}


@pytest.mark.parametrize("kind", [pytest.param(k, id=f"OBS-06-{k}") for k in UPSTREAMS])
def test_obs_what_an_upstream_says_is_escaped(start, origin, room, kind):
    origin.script = lambda c: (c.read_request(), c.send(UPSTREAMS[kind]), c.wait_gone())
    proxy = start(f"""
log_format f '$upstream_http_x|$sent_http_x|$upstream_status';
access_log {room}/access.log f;
server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
""")
    with proxy.connect() as c:
        c.send(request("GET", "/", "a", "Connection: close"))
        c.take_all()
    wait_lines(room, 1)
    assert not RAW.search(logged(room)) and not RAW.search(logged(room, "error.log"))


@row("OBS-07-hosts-in-a-path")
def test_obs_hosts_make_files_below_the_folder_alone(start, room, row):
    proxy = log_site(start, room, "'$host'", "access_log {room}/by/$host.log f;")
    (room / "by" / "link.log").symlink_to(room / "elsewhere")
    for host in ("..", "a/b", "../up", "a..b", "."):
        with proxy.connect() as c:
            c.send(f"GET /ok HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert c.response().status == 400, host
    hosts = [f"h{i}" for i in range(500)]
    with proxy.connect() as c:
        assert c.get("/ok", "link").status == 204
        c.send(b"".join(request("GET", "/ok", host) for host in hosts))
        for _ in hosts:
            assert c.response().status == 204
    eventually(lambda: all(logged(room, f"by/{h}.log") == h.encode() + b"\n" for h in hosts), "a line for each")
    assert not (room / "elsewhere").exists() and not (room / "up.log").exists()
    made = {p.name for p in (room / "by").iterdir()}
    assert made - {f"{h}.log" for h in hosts} <= {"link.log", ".log", "_.log"}, made
    proxy.settle()


SECRET = "c2VjcmV0OnNlY3JldA=="


@row("OBS-08-credentials")
def test_obs_no_credential_is_logged_at_any_level(start, origin, room, row):
    origin.script = lambda c: (c.read_request(), c.send(f"HTTP/1.1 200 OK\r\nSet-Cookie: sid={SECRET}\r\nContent-Length: 0\r\n\r\n"
                                                        .encode()), c.wait_gone())
    names = ("http_authorization", "http_proxy_authorization", "http_cookie", "cookie_sid", "sent_http_set_cookie",
             "upstream_http_set_cookie")
    proxy = start(f"""
error_log {room}/debug.log debug;
log_format f '{"|".join("$" + n for n in names)}|$request';
log_format j escape=json '{"|".join("$" + n for n in names)}|$request';
log_format n escape=none '{"|".join("$" + n for n in names)}|$request';
access_log {room}/access.log f;
access_log {room}/json.log j;
access_log {room}/none.log n;
server {{
    listen 127.0.0.1:0;
    location / {{ proxy_pass http://{origin.address}; }}
    location /down {{ proxy_pass http://127.0.0.1:1; }}
}}
""")
    fields = (f"Authorization: Basic {SECRET}", f"Proxy-Authorization: Basic {SECRET}", f"Cookie: sid={SECRET}")
    with proxy.connect() as c:
        assert c.get("/", "a", *fields).status == 200
        assert c.get("/down", "a", *fields).status == 502
    bad = f"GET http://user:{SECRET}@a/ HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    worse = f"GET / HTTP/1.1\r\nHost: a\r\nCookie : sid={SECRET}\r\nAuthorization\t: Basic {SECRET}\r\n\r\n".encode()
    send_all(proxy, bad, worse)
    lines = wait_lines(room, 4)
    assert lines[0] == b"Basic ***|-|***|***|***|***|GET / HTTP/1.1"
    for name in ("access.log", "json.log", "none.log", "debug.log"):
        assert logged(room, name) and SECRET.encode() not in logged(room, name), name
    assert SECRET not in proxy.stderr.text()


@row("OBS-09-syslog")
def test_obs_a_record_of_syslog_is_one_datagram_cut(start, room, row):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        proxy = log_site(start, room, "escape=none '$binary_remote_addr $request $http_a'",
                         f"access_log syslog:server=127.0.0.1:{udp.getsockname()[1]},nohostname f;")
        with socket.create_connection(proxy.address, source_address=("127.0.0.10", 0), timeout=5) as s:
            s.sendall(request("GET", "/ok", "a", "A: " + "x" * 60000))
            assert s.recv(4096)
            s.sendall(request("GET", "/ok", "a", "A: short"))
            long, short = udp.recv(70000), udp.recv(70000)
        assert len(long) == 2048 and long.endswith(b"x" + MARK) and b"\n" not in long
        assert rb"\x0A GET /ok" in long and short.endswith(b"short")


@row("OBS-10-a-flood-of-errors")
def test_obs_a_flood_of_errors_is_bounded_and_counted(start, room, row):
    proxy = start(f"""
error_log {room}/debug.log debug;
keepalive_requests 1000000;
access_log off;
server {{ listen 127.0.0.1:0; root {room}; }}
""")
    def records():
        return logged(room, "debug.log")

    def suppressed():
        return sum(map(int, re.findall(rb"suppressed, since peers caused too many: (\d+)", records())))

    count, began = 8000, time.monotonic()
    with proxy.connect() as c:
        c.send(request("GET", "/none") * count)
        for _ in range(count):
            assert c.response().status == 404
        seconds = time.monotonic() - began
        asked = count

        def all_told():
            nonlocal asked
            asked += 1
            assert c.get("/none").status == 404
            return suppressed() + records().count(b"/none\" failed") == asked

        eventually(all_told, "those beyond the bound are counted")
    assert suppressed() > 0 or seconds > 4
    assert records().count(b"/none\" failed") - (asked - count) <= 1000 * (int(seconds) + 2)


IDS = {"control": b"X-Request-ID: a\tb", "long": b"X-Request-ID: " + b"x" * 8000, "form": b"X-Request-ID: 1; DROP",
       "ours-in-form": b"X-Request-ID: 0123456789abcdef0123456789abcdef", "traceparent": b"traceparent: 00-zz-zz-01"}


@pytest.mark.parametrize("kind", [pytest.param(k, id=f"OBS-11-{k}") for k in IDS])
def test_obs_the_id_of_a_request_is_ours(start, room, kind):
    proxy = log_site(start, room, "'$request_id'", more="location /id { return 200 $request_id; }")
    with proxy.connect() as c:
        c.send(b"GET /id HTTP/1.1\r\nHost: a\r\n" + IDS[kind] + b"\r\n\r\n")
        body = c.response().body
    assert re.fullmatch(rb"[0-9a-f]{32}", body) and body not in IDS[kind]
    assert wait_lines(room, 1) == [body]


TOKENS = {
    "page": b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "400-before-a-server": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no-method": b"\x01\r\n\r\n",
    "505": b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
    "long": b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n",
    "return": b"GET /ok HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "502": b"GET /down HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("kind", [pytest.param(k, id=f"OBS-21-{k}") for k in TOKENS])
def test_obs_the_version_is_hidden_everywhere(start, room, kind):
    proxy = start(f"""
http {{
    server_tokens off;
    server {{
        listen 127.0.0.1:0;
        root {room};
        location /ok {{ return 200 "ok"; }}
        location /down {{ proxy_pass http://127.0.0.1:1; }}
    }}
}}
""")
    with proxy.connect() as c:
        c.send(TOKENS[kind])
        got = c.take_all()
    assert b"Server: bifrons\r\n" in got
    assert not re.search(rb"bifrons/[0-9]|nginx", got), got
