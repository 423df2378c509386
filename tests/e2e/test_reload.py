"""HUP: a configuration takes the place of another in the workers that run, or nothing changes."""
import base64
import hashlib
import os
import re
import signal
import socket
import threading
from pathlib import Path

import pytest

from support.load import Load
from support.proxy import SANITIZED
from support.waiting import eventually
from support.wire import request

ROOTED = os.geteuid() == 0


def row(*names):
    """Rows of threats.md: their IDs stand in the name of the case."""
    return pytest.mark.parametrize("row", names)



def saying(text, more="", port=0):
    return f'{more}\nserver {{ listen 127.0.0.1:{port}; keepalive_timeout 60s; location / {{ return 200 "{text}"; }} }}\n'


def says(proxy, index=0):
    with proxy.connect(index) as c:
        return c.get("/").body.decode()


def test_new_settings_hold_from_the_next_request_on(start, room):
    proxy = start(saying("old"))
    workers = proxy.workers()
    with proxy.connect() as c:
        assert c.get("/").body == b"old"
        proxy.reload(saying("new"))
        assert c.get("/").body == b"new", "the connection lives on"
    assert says(proxy) == "new" and proxy.workers() == workers


def test_an_answer_under_way_keeps_the_settings_it_began_with(start, room, origin):
    go = threading.Event()

    def script(c):
        while True:
            c.read_request()
            go.wait(5)
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origin.script = script
    body = f"location / {{ proxy_pass http://{origin.address}; add_header X-Config %s; }}"
    proxy = start("server { listen 127.0.0.1:0; " + body % "old" + " }")
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        origin.wait_request()
        proxy.reload("server { listen 127.0.0.1:0; " + body % "new" + " }")
        go.set()
        assert c.response().get("X-Config") == "old"
        c.send(request("GET", "/"))
        assert c.response().get("X-Config") == "new"


WRONG = [
    ("a syntax error", "server { listen 127.0.0.1:0; retrun 200; }", r"\[emerg\] .*unknown directive \"retrun\" in .*:2"),
    ("a file that is not there", "include missing.conf;", r"\[emerg\] .*missing.conf\" failed \(2: No such file"),
    ("a key that is not there", "server { listen 127.0.0.1:0 ssl; ssl_certificate x.pem; ssl_certificate_key x.key; }",
     r"\[emerg\] .*x.pem"),
    ("a log that cannot be opened", "access_log /proc/none/a.log; server { listen 127.0.0.1:0; }", r"\[emerg\] .*/proc/none/a.log"),
    ("an address that is not ours", "server { listen 192.0.2.1:8080; }", r"\[emerg\] .*bind\(\) to 192.0.2.1:8080 failed"),
]


@pytest.mark.parametrize("text, want", [pytest.param(t, w, id=i) for i, t, w in WRONG])
def test_what_is_wrong_changes_nothing_and_is_said(start, room, text, want):
    proxy = start(saying("old"))
    with proxy.connect() as c:
        c.get("/")
        proxy.write(text)
        proxy.process.send_signal(signal.SIGHUP)
        proxy.wait_error(want)
        assert c.get("/").body == b"old"
    assert says(proxy) == "old"
    proxy.reload(saying("new"))  # and the next one is none the worse for it
    assert says(proxy) == "new"
    proxy.stop(clean=False)


def test_an_address_in_use_changes_nothing(start, room):
    proxy = start(saying("old"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        proxy.write(saying("new") + saying("more", port=port))
        proxy.process.send_signal(signal.SIGHUP)
        proxy.wait_error(rf"\[emerg\] .*bind\(\) to 127.0.0.1:{port} failed \(98: Address already in use\)")
        assert says(proxy) == "old"
    proxy.stop(clean=False)


def test_a_reader_that_crashes_changes_nothing(start, room):
    sig = signal.SIGKILL if SANITIZED else signal.SIGSEGV  # which a sanitizer would catch
    proxy = start(saying("old"))
    slow = "\n".join(f'server {{ listen 127.0.0.1:0; server_name n{n}; return 200 "new"; }}' for n in range(6000))
    proxy.write(slow)
    proxy.process.send_signal(signal.SIGHUP)

    def crashed():
        for pid in proxy.pids():
            try:
                if Path(f"/proc/{pid}/comm").read_text() == "bifrons-reader\n":
                    os.kill(pid, sig)
                    return True
            except (FileNotFoundError, ProcessLookupError):
                pass
        return False

    eventually(crashed, "no reader was seen")
    proxy.wait_error(rf"\[emerg\] .*the configuration reader crashed \(signal {sig.value}\)")
    assert says(proxy) == "old"
    proxy.stop(clean=False)


def test_listeners_come_and_go(start, room):
    proxy = start(saying("one"), listeners=1)
    first = proxy.address
    kept = proxy.connect()
    kept.get("/")
    proxy.reload(saying("one") + 'server { listen 127.0.0.2:0; return 200 "two"; }')
    assert len(proxy.addresses) == 2 and says(proxy, 1) == "two" and says(proxy, 0) == "one"
    assert kept.get("/").body == b"one"
    proxy.reload(f'server {{ listen 127.0.0.2:0; return 200 "two"; }}')

    def refused():
        with socket.socket() as s:
            return s.connect_ex(first) != 0

    eventually(refused, "it still listens")
    kept.assert_closed()
    assert says(proxy, 1) == "two"
    proxy.at_rest = proxy.descriptors()


def test_a_request_on_a_listener_that_goes_is_answered(start, room, origin):
    go = threading.Event()

    def script(c):
        c.read_request()
        go.wait(5)
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origin.script = script
    other = 'server { listen 127.0.0.2:0; return 200 "two"; }\n'
    proxy = start(other + f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    with proxy.connect(1) as c:
        c.send(request("GET", "/"))
        origin.wait_request()
        proxy.reload(other)
        go.set()
        assert c.response().body == b"ok"
        c.assert_closed()
    proxy.at_rest = proxy.descriptors()


@pytest.mark.parametrize("before, after", [(1, 3), (3, 1), (2, 2)])
def test_the_number_of_workers_changes(start, room, before, after):
    proxy = start(saying("old", f"worker_processes {before};"))
    first = proxy.workers()
    proxy.reload(saying("new", f"worker_processes {after};"))
    eventually(lambda: len(proxy.workers()) == after, f"{proxy.workers()}")
    assert set(first[:min(before, after)]) <= set(proxy.workers()), "those that may stay stay"
    for _ in range(40):
        assert says(proxy) == "new", "no socket is left without a worker"
    proxy.at_rest = proxy.descriptors()


@pytest.mark.skipif(not ROOTED, reason="needs root")
def test_another_user_takes_successors(start, room, origin):
    go = threading.Event()

    def script(c):
        c.read_request()
        go.wait(5)
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origin.script = script
    text = f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} location /s {{ return 204; }} }}"
    proxy = start(text)
    before = proxy.worker
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        origin.wait_request()
        proxy.reload("user daemon;\n" + text)
        go.set()
        assert c.response().body == b"ok", "the old worker drains"
    eventually(lambda: before not in proxy.workers(), "the old worker stays")
    assert "Uid:\t1\t" in Path(f"/proc/{proxy.worker}/status").read_text()
    with proxy.connect() as c:
        assert c.get("/s").status == 204


@pytest.mark.parametrize("workers", [1, 2])
def test_twenty_reloads_under_load_lose_nothing(start, room, workers):
    more = f"worker_processes {workers}; access_log off;"
    proxy = start(saying("old", more))
    with Load(proxy.address, clients=6, strict=True) as load:
        for n in range(20):
            proxy.reload(saying(f"n{n}", more))
        assert load.done > 100
    assert load.failed == []


def test_upstream_connections_live_on(start, room, origin):
    body = f"location / {{ proxy_pass http://{origin.address}; add_header X-N %d; }}"
    proxy = start("server { listen 127.0.0.1:0; " + body % 0 + " }")
    with proxy.connect() as c:
        c.get("/")
        proxy.reload("server { listen 127.0.0.1:0; " + body % 1 + " }")
        assert c.get("/").get("X-N") == "1"
    assert len(origin.connections) == 1


def test_logs_are_opened_anew_and_new_ones_with_the_masters_rights(start, room):
    (room / "logs").mkdir(mode=0o700)
    log = f"access_log {room}/logs/%s.log;"
    proxy = start(log % "a" + saying("x"))
    says(proxy)
    eventually(lambda: (room / "logs/a.log").read_text().count("\n") == 1, "no line")
    (room / "logs/a.log").rename(room / "logs/a.old")
    proxy.reload(log % "a" + saying("x"))
    says(proxy)
    eventually(lambda: (room / "logs/a.log").read_text().count("\n") == 1, "not opened anew")
    proxy.reload(log % "b" + saying("x"))
    says(proxy)
    eventually(lambda: (room / "logs/b.log").read_text().count("\n") == 1, "not opened")
    names = [os.readlink(fd) for pid in proxy.pids() for fd in Path(f"/proc/{pid}/fd").iterdir()]
    assert not [n for n in names if n.startswith(f"{room}/logs/a.")], "what nobody names any more is closed"
    proxy.at_rest = proxy.descriptors()


def test_two_hups_at_once_end_with_the_newest(start, room):
    proxy = start(saying("old"))
    for n in range(10):
        proxy.write(saying(f"n{n}"))
        proxy.process.send_signal(signal.SIGHUP)
    eventually(lambda: says(proxy) == "n9", "the last one does not come")


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def switch_and_echo(c):
    r = c.read_request()
    key = (r.get("Sec-WebSocket-Key") or "").encode()
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    c.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while True:
        if not c.buffer:
            c.fill()
        c.send(c.buffer)
        c.buffer = b""


def echoes(c):
    c.send(b"still there?")
    return c.take(12) == b"still there?"


@row("TUN-07-PROC-38-memory-is-flat-over-200-reloads")
def test_memory_is_flat_over_200_reloads(start, room, origin, row):
    """A tunnel and a WebSocket stay open over all of them, and hold no generation."""
    origin.script = switch_and_echo
    echo = socket.create_server(("127.0.0.1", 0))

    def serve():
        peer, _ = echo.accept()
        while data := peer.recv(100):
            peer.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    to = echo.getsockname()[1]
    names = "\n".join(f"server {{ listen 127.0.0.1:0; server_name s{n}; return 204; }}" for n in range(100))
    proxy = start(f"""
access_log {room}/access.log;
server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}
{names}
forward {{ listen 127.0.0.2:0; ports connect {to};
    rule allow if client 127.0.0.0/8 and address 127.0.0.1 and port {to}; }}
""", listeners=2)
    websocket, tunnel = proxy.connect(0), proxy.connect(1)
    websocket.send(request("GET", "/", "a", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                           "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode()))
    assert websocket.head().status == 101 and echoes(websocket)
    tunnel.send(request("CONNECT", f"127.0.0.1:{to}", f"127.0.0.1:{to}"))
    assert tunnel.response("CONNECT").status == 200 and echoes(tunnel)
    for _ in range(20):
        proxy.reload()
    before = {pid: resident(pid) for pid in proxy.pids()}
    kinds = proxy.descriptors()
    for _ in range(30 if SANITIZED else 180):
        proxy.reload()
    assert echoes(websocket) and echoes(tunnel)
    grown = {pid: resident(pid) - before[pid] for pid in before}
    assert all(g < (40000 if SANITIZED else 1000) for g in grown.values()), f"KiB: {grown} of {before}"
    eventually(lambda: proxy.descriptors() <= kinds, f"{proxy.descriptors()} {kinds}")
    websocket.close()
    tunnel.close()
    echo.close()
