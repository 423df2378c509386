"""Access log, `$decided_by`, error pages, what a reader of the logs sees."""
import gzip
import os
from pathlib import Path
import re
import signal
import socket
import subprocess
from collections import Counter

import pytest

from support.origin import free_port
from support.proxy import BIFRONS, run
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


def gentle(path):
    return path.read_text() if path.exists() else ""


def test_a_buffered_log_leaves_when_full_and_after_its_time(start, room):
    proxy = start(f"""
http {{
    log_format f '$uri';
    server {{
        listen 127.0.0.1:0;
        location /full {{ access_log {room}/full.log f buffer=12; return 200 "x"; }}
        location /timed {{ access_log {room}/timed.log f buffer=1m flush=300ms; return 200 "x"; }}
    }}
}}
""")
    with proxy.connect() as c:
        c.get("/full")
        c.get("/full")
        assert gentle(room / "full.log") == ""
        c.get("/full")
        eventually(lambda: gentle(room / "full.log") == "/full\n" * 2, "a full buffer leaves")
        c.get("/timed")
        assert gentle(room / "timed.log") == ""
        eventually(lambda: gentle(room / "timed.log") == "/timed\n", "flush=")
    proxy.stop()
    assert gentle(room / "full.log") == "/full\n" * 3


def test_a_compressed_log_is_read_by_zcat(start, room):
    proxy = start(f"""
http {{
    log_format f '$uri';
    access_log {room}/log.gz f gzip=9 flush=50ms;
    server {{ listen 127.0.0.1:0; return 200 "x"; }}
}}
""")
    with proxy.connect() as c:
        c.get("/one")
        eventually(lambda: (room / "log.gz").stat().st_size > 0, "flush=")
        c.get("/two")
    proxy.stop()
    assert gzip.decompress((room / "log.gz").read_bytes()) == b"/one\n/two\n"


def test_variables_in_a_path(start, room):
    (room / "www").mkdir()
    proxy = start(f"""
http {{
    log_format f '$uri';
    access_log {room}/by/$host-$arg_name.log f;
    server {{
        listen 127.0.0.1:0;
        root {room}/www;
        location /none/ {{ root {room}/absent; }}
    }}
}}
""")
    with proxy.connect() as c:
        for target, host in (("/a?name=x", "A.example"), ("/b?name=y", "b"), ("/c?name=x", "a.example"),
                             ("/none/x?name=z", "b"), ("/up?name=/../../up", "b")):
            assert c.get(target, host).status == 404
    logs = room / "by"
    eventually(lambda: gentle(logs / "a.example-x.log") == "/a\n/c\n" and gentle(logs / "b-y.log") == "/b\n", "two files")
    assert sorted(p.name for p in logs.iterdir()) == ["a.example-x.log", "b-y.log"]
    assert not (room / "up.log").exists()
    proxy.settle()


def test_syslog(start, room):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(room / "syslog"))
        (room / "syslog").chmod(0o666)
        for s in (udp, unix):
            s.settimeout(5)
        proxy = start(f"""
http {{
    log_format f '$uri $status';
    server {{
        listen 127.0.0.1:0;
        access_log syslog:server=127.0.0.1:{udp.getsockname()[1]},facility=local0,tag=web,severity=warn,nohostname f;
        access_log syslog:server=unix:{room}/syslog f;
        return 204;
    }}
}}
""")
        with proxy.connect() as c:
            c.get("/x")
        stamp = rb"[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d"
        assert re.fullmatch(rb"<132>" + stamp + rb" web: /x 204", udp.recv(2000))
        host = socket.gethostname().lower().encode()
        assert re.fullmatch(rb"<190>" + stamp + b" " + re.escape(host) + rb" bifrons: /x 204", unix.recv(2000))


def test_errors_to_syslog(start, room):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(5)
        proxy = start(f"""
error_log syslog:server=127.0.0.1:{udp.getsockname()[1]},tag=web,nohostname info;
server {{ listen 127.0.0.1:0; root {room}; }}
""")
        with proxy.connect() as c:
            c.get("/none")
        got = udp.recv(4000)
        while b"/none" not in got:
            got = udp.recv(4000)
        assert re.match(rb"<187>\w{3} [ \d]\d \d\d:\d\d:\d\d web: \d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#", got), got
        assert not got.endswith(b"\n")


def test_a_syslog_server_that_is_not_there_costs_no_request(start, room):
    proxy = start(f"""
http {{
    server {{
        listen 127.0.0.1:0;
        access_log syslog:server=unix:{room}/none;
        return 204;
    }}
}}
""")
    with proxy.connect() as c:
        for _ in range(20):
            assert c.get("/x").status == 204
    proxy.wait_error(r"\[alert\] .*send\(\) to \"syslog:server=unix:.*\" failed, lines lost: 1 \(2: No such file")
    assert proxy.errors().count("send()") == 1
    proxy.stop(clean=False)


def open_files(pid):
    return [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]


def test_usr1_opens_the_logs_anew(start, room):
    room.chmod(0o777)  # with the worker's rights
    proxy = start(f"""
http {{
    log_format f '$uri';
    access_log {room}/access.log f;
    access_log {room}/buffered.log f buffer=1k;
    server {{ listen 127.0.0.1:0; return 204; }}
}}
""")
    with proxy.connect() as c:
        c.get("/old")
        proxy.wait_access()
        for name in ("access.log", "buffered.log", "error.log"):
            os.rename(room / name, room / f"{name}.1")
        proxy.process.send_signal(signal.SIGUSR1)
        eventually(lambda: not any(f.endswith(".log.1") for f in open_files(proxy.worker)), "still has the old ones")
        c.get("/new")
        assert proxy.wait_access() == ["/new"]
    old = (room / "error.log.1").read_text()
    assert re.search(r"\[notice\] .*signal 10 \(SIGUSR1\) received, reopening logs\n.*\[notice\] .*: reopening logs\n", old)
    assert (room / "error.log").exists() and (room / "access.log.1").read_text() == "/old\n"
    assert (room / "buffered.log.1").read_text() == "/old\n"
    proxy.settle()
    proxy.stop()
    assert (room / "buffered.log").read_text() == "/new\n"


def test_a_standard_log_that_nobody_uses_is_not_opened(start, room):
    start(f"server {{ listen 127.0.0.1:0; access_log {room}/access.log; return 204; }}")
    assert not (room / "logs" / "access.log").exists()


def test_a_log_that_cannot_be_reopened_stays(start, room):
    folder = room / "logs"
    folder.mkdir()
    proxy = start(f"""
http {{
    log_format f '$uri';
    access_log {folder}/access.log f;
    server {{ listen 127.0.0.1:0; return 204; }}
}}
""")
    os.rename(folder, room / "moved")
    proxy.process.send_signal(signal.SIGUSR1)
    proxy.wait_error(r"\[emerg\] .*open\(\) \".*logs/access.log\" failed \(2: No such file")
    with proxy.connect() as c:
        c.get("/x")
    eventually(lambda: gentle(room / "moved" / "access.log") == "/x\n", "the old descriptor")
    proxy.stop(clean=False)


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/stderr", "stderr"])
def test_our_own_output_is_a_log(start, room, path):
    proxy = start(f"""
http {{
    log_format f 'logged $uri';
    access_log {path} f;
    server {{ listen 127.0.0.1:0; return 204; }}
}}
""")
    with proxy.connect() as c:
        c.get("/x")
    out = proxy.stdout if path.endswith("stdout") else proxy.stderr
    eventually(lambda: "logged /x" in out.lines, "a line")


def test_a_full_disk_costs_no_request(start, room):
    proxy = start("""
http {
    access_log /dev/full;
    server { listen 127.0.0.1:0; return 204; }
}
""")
    with proxy.connect() as c:
        for _ in range(50):
            assert c.get("/x").status == 204
    proxy.wait_error(r"\[alert\] .*write\(\) to \"/dev/full\" failed, lines lost: 1 \(28: No space left on device\)")
    assert proxy.errors().count("/dev/full") <= 2
    proxy.stop(clean=False)


def test_a_pipe_without_a_reader_blocks_nobody(start, room):
    os.mkfifo(room / "pipe")
    proxy = start(f"""
http {{
    log_format f '$uri';
    access_log {room}/pipe f;
    server {{ listen 127.0.0.1:0; return 204; }}
}}
""")
    with proxy.connect() as c:
        for i in range(100):
            assert c.get(f"/{i}/{'x' * 2000}").status == 204  # more than a pipe holds
        reader = os.open(room / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        got = b""

        def whole():
            nonlocal got
            try:
                got += os.read(reader, 1 << 20)
            except BlockingIOError:
                pass
            return got.count(b"\n") == 100

        eventually(whole, "all that waited")
        os.close(reader)
        assert [line.split(b"/")[1] for line in got.splitlines()] == [b"%d" % i for i in range(100)]


def test_a_client_that_gave_up_is_499(start, origin, room):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    proxy = start(f"""
http {{
    log_format f '$status|$bytes_sent|$body_bytes_sent|$upstream_addr|$upstream_status|$upstream_response_time'
                 '|$request_completion|$request_time';
    access_log {room}/access.log f;
    server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
}}
""")
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        origin.wait_request()
    line = proxy.wait_access()[0]
    assert re.fullmatch(rf"499\|0\|0\|{origin.address}\|-\|\d+\.\d{{3}}\|\|\d+\.\d{{3}}", line), line


def test_times_and_statuses_of_several_attempts(start, origin, room):
    down = f"127.0.0.1:{free_port()}"
    proxy = start(f"""
http {{
    log_format f '$status|$upstream_addr|$upstream_status|$upstream_connect_time|$upstream_header_time'
                 '|$upstream_response_time|$upstream_bytes_sent';
    access_log {room}/access.log f;
    upstream group {{ server {down}; server {origin.address} backup; }}
    server {{
        listen 127.0.0.1:0;
        location / {{ proxy_pass http://group; }}
        location /down {{ proxy_pass http://{down}; }}
        location /none {{ return 204; }}
    }}
}}
""")
    with proxy.connect() as c:
        for target in ("/", "/down", "/none"):
            c.get(target)
    both, refused, none = proxy.wait_access(3)
    time = r"\d+\.\d{3}"
    assert re.fullmatch(rf"200\|{down}, {origin.address}\|502, 200\|-, {time}\|-, {time}\|{time}, {time}\|0, [1-9]\d+", both), both
    assert re.fullmatch(rf"502\|{down}\|502\|-\|-\|{time}\|0", refused), refused
    assert none == "204|-|-|-|-|-|-"


def test_bytes_of_a_chunked_answer(start, origin, room):
    origin.script = lambda c: (c.read_request(), c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
                                                        b"0\r\n\r\n"), c.wait_gone())
    proxy = start(f"""
http {{
    log_format f '$bytes_sent $body_bytes_sent $request_length $content_length';
    access_log {room}/access.log f;
    server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
}}
""")
    sent = request("POST", "/", "a", "Transfer-Encoding: chunked", "Connection: close") + b"3\r\nabc\r\n0\r\n\r\n"
    with proxy.connect() as c:
        c.send(sent)
        raw = c.take_all()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"chunked" in head and body == b"5\r\nhello\r\n0\r\n\r\n"
    assert proxy.wait_access()[0] == f"{len(raw)} {len(body)} {len(sent)} -"


def test_the_bytes_of_a_tunnel(start, origin, room):
    proxy = start(f"""
log_format f '$status|$request|$bytes_sent|$body_bytes_sent|$request_time|$upstream_addr';
forward {{
    listen 127.0.0.1:0;
    access_log {room}/access.log f;
    rule allow to={origin.address} if client 127.0.0.0/8 and address 127.0.0.1 and port {origin.port};
}}
""")
    with proxy.connect() as c:
        c.send(f"CONNECT {origin.address} HTTP/1.1\r\nHost: {origin.address}\r\n\r\n".encode())
        head = c.take_until(b"\r\n\r\n")
        c.send(request("GET", "/", "a", "Connection: close"))
        body = c.take_all()
    line = proxy.wait_access()[0]
    assert re.fullmatch(rf"200\|CONNECT {origin.address} HTTP/1.1\|{len(head) + len(body)}\|{len(body)}\|\d+\.\d{{3}}"
                        rf"\|{origin.address}", line), line


def test_a_head_that_does_not_come_is_408(start, room):
    proxy = start(f"""
http {{
    log_format f '$status|$bytes_sent|$body_bytes_sent|"$request"|$request_length|$upstream_addr';
    access_log {room}/access.log f;
    client_header_timeout 200ms;
    server {{ listen 127.0.0.1:0; return 204; }}
}}
""")
    with proxy.connect() as c:
        c.send(b"GET / HT")
        c.take_all()
    line = proxy.wait_access()[0]
    assert re.match(r'408\|0\|0\|', line), line


def test_a_tunnel_that_fails_names_its_peer_once(start, room):
    port = free_port()
    proxy = start(f"""
access_log off;
forward {{ listen 127.0.0.1:0; tunnel_peek off; ports connect {port};
    rule allow if client 127.0.0.0/8 and address 127.0.0.1 and port {port}; }}
""")
    with proxy.connect() as c:
        assert c.ask(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()).status == 502
    assert proxy.wait_error(rf'connect\(\) failed.*, upstream: "127.0.0.1:{port}", host')


def test_a_chunked_body_that_is_too_large_is_told_with_its_size(start, room, origin):
    proxy = start(f"""
access_log off; client_max_body_size 1k;
server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
""")
    with proxy.connect() as c:
        c.send(request("POST", "/", "a", "Transfer-Encoding: chunked") + b"5dc\r\n" + b"x" * 1500 + b"\r\n0\r\n\r\n")
        assert c.response().status == 413
    assert proxy.wait_error(r"\[error\] .*client intended to send too large chunked body: 1500 bytes")


def test_a_client_that_stops_reading_leaves_a_line(start, room):
    (room / "big").write_bytes(b"x" * 20000000)
    proxy = start(f"access_log off; server {{ listen 127.0.0.1:0 sndbuf=4k; send_timeout 200ms; root {room}; }}")
    with proxy.connect() as c:
        c.send(request("GET", "/big"))
        assert proxy.wait_error(r"\[info\] .*client timed out.*110: Connection timed out.* while sending to client")


def calls_of(proxy, room, work):
    """The names of the system calls that the worker makes while `work` runs."""
    trace = room / "trace"
    tracer = subprocess.Popen(["strace", "-f", "-o", str(trace), "-p", str(proxy.worker)], stderr=subprocess.PIPE,
                              text=True)
    assert "attached" in tracer.stderr.readline()
    work()
    tracer.send_signal(signal.SIGINT)
    tracer.communicate(timeout=10)
    return re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE)


def test_a_line_costs_one_write_and_no_other_call(start, room):
    """doc/performance.md says so."""
    proxy = start(f"""
http {{
    server {{
        listen 127.0.0.1:0;
        location /logged {{ access_log {room}/access.log; return 204; }}
        location /quiet {{ access_log off; return 204; }}
    }}
}}
""")
    calls = {}
    with proxy.connect() as c:

        def ask(target, lines):
            for _ in range(20):
                c.get(target)
            proxy.wait_access(lines)

        c.get("/logged")
        for target, lines in (("/logged", 21), ("/quiet", 0)):
            calls[target] = Counter(calls_of(proxy, room, lambda t=target, n=lines: ask(t, n)))
    assert calls["/logged"]["write"] - calls["/quiet"]["write"] == 20, calls
    for name in ("fcntl", "poll", "fstat", "openat", "lseek"):
        assert calls["/logged"][name] == calls["/quiet"][name], calls


def test_an_error_log_that_nobody_reads_blocks_nobody(room):
    reader, writer = os.pipe()
    config = room / "c.conf"
    config.write_text(f"""
error_log stderr info;
http {{ access_log off; server {{ listen 127.0.0.1:0; return 204; }} }}
""")
    process = subprocess.Popen([BIFRONS, "-p", str(room), "-c", str(config)], stdout=subprocess.PIPE, stderr=writer, text=True)
    os.close(writer)
    try:
        port = int(process.stdout.readline().rpartition(":")[2])
        for _ in range(600):  # more than a pipe holds
            with socket.create_connection(("127.0.0.1", port), timeout=5) as c:
                c.sendall(b"GET / HTTP/1.1\r\nBad Header: " + b"x" * 200 + b"\r\n\r\n")
                assert c.recv(12) == b"HTTP/1.1 400"
        os.set_blocking(reader, False)
        got = b""

        def said():
            nonlocal got
            try:
                got += os.read(reader, 1 << 20)
            except BlockingIOError:
                pass
            with socket.create_connection(("127.0.0.1", port), timeout=5) as c:
                c.sendall(b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n")
                c.recv(12)
            return re.findall(rb"records of the error log lost: \d+ \(11: ", got)

        assert eventually(said, "how many were lost") and len(re.findall(rb"log lost", got)) == 1
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0
        os.close(reader)


def test_records_go_to_the_logs_of_the_location(start, room):
    for name in ("outer", "inner", "both"):
        (room / f"{name}.log").touch()
    proxy = start(f"""
error_log {room}/error.log info;
error_log {room}/outer.log error;
http {{
    server {{
        listen 127.0.0.1:0;
        root {room}/none;
        location /inner/ {{ error_log {room}/inner.log crit; }}
        location /both/ {{ error_log {room}/both.log debug; error_log {room}/outer.log info; }}
    }}
}}
""")
    with proxy.connect() as c:
        for target in ("/a", "/inner/b", "/both/c"):
            assert c.get(target).status == 404
    eventually(lambda: "/both/c" in gentle(room / "both.log"), "a record")

    def targets(name):
        return re.findall(r'request: "GET (\S+)', gentle(room / name))

    assert targets("error.log") == ["/a"]
    assert targets("outer.log") == ["/a", "/both/c"]
    assert targets("inner.log") == []
    assert targets("both.log") == ["/both/c"]
    assert "[notice]" not in gentle(room / "outer.log")


@pytest.mark.skipif(os.geteuid() != 0, reason="root is what must not be led astray")
def test_root_is_not_led_elsewhere_by_a_log_that_is_a_link(room):
    (room / "logs").mkdir()
    (room / "logs" / "a.log").symlink_to(room / "made-by-root")
    config = room / "c.conf"
    config.write_text(f"error_log stderr;\nserver {{ listen 127.0.0.1:0;\naccess_log {room}/logs/a.log; }}\n")
    for options in (["-t"], []):
        done = run(*options, "-c", config, "-p", room)
        assert done.returncode == 1 and f"failed (40: Too many levels of symbolic links) in {config}:3" in done.stderr
    assert not (room / "made-by-root").exists()


def test_a_value_in_a_path_leads_to_a_file_of_the_folder_alone(start, room):
    proxy = start(f"""
http {{
    log_format f '$uri';
    access_log {room}/by/$host.log f;
    server {{ listen 127.0.0.1:0; root {room}; }}
}}
""")
    (room / "precious").write_text("as it was\n")
    (room / "precious").chmod(0o666)
    (room / "by" / "link.log").symlink_to(room / "precious")
    os.mkfifo(room / "by" / "pipe.log")
    (room / "by" / "pipe.log").chmod(0o666)
    with proxy.connect() as c:
        for host in ("link", "pipe", "fine"):
            assert c.get("/none", host).status == 404
    eventually(lambda: gentle(room / "by" / "fine.log") == "/none\n", "a line")
    assert (room / "precious").read_text() == "as it was\n"
    assert proxy.wait_error(r'\[crit\] .*open\(\) ".*/by/link.log" failed \(40: ')
