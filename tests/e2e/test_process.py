"""The process: signals, pid file, users, restarts."""
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from support.waiting import eventually
from support.wire import request

ROOTED = os.geteuid() == 0


def simple(room, more=""):
    return f'pid {room}/b.pid;\n{more}\nserver {{ listen 127.0.0.1:0; return 200 "x"; }}\n'


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT], ids=lambda s: s.name)
def test_it_stops_cleanly(start, room, sig):
    proxy = start(simple(room))
    assert (room / "b.pid").read_text() == f"{proxy.process.pid}\n"
    with proxy.connect() as c:
        c.get("/")
        proxy.stop(sig)
        c.assert_closed()
    assert not (room / "b.pid").exists()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_it_stops_at_once_with_work_in_hand(start, room, origin, sig):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    proxy = start(f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    clients = [proxy.connect() for _ in range(10)]
    for c in clients[:5]:
        c.send(request("GET", "/"))
    clients[5].send(b"GET / HT")
    origin.wait_request(5)
    proxy.stop(sig)
    for c in clients:
        c.close()


def test_quit_lets_an_answer_end(start, room, origin):
    go = threading.Event()

    def script(c):
        c.read_request()
        go.wait(5)
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    origin.script = script
    proxy = start(f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin.address}; }} }}")
    with proxy.connect(timeout=5) as c:
        c.send(request("GET", "/"))
        origin.wait_request()
        proxy.process.send_signal(signal.SIGQUIT)

        def refused():
            with socket.socket() as s:
                return s.connect_ex(proxy.address) != 0

        eventually(refused, "it still listens")
        go.set()
        r = c.response()
        assert r.body == b"done" and r.closes
    proxy.stop()


def test_it_can_start_again_at_once_on_the_same_port(start, room):
    proxy = start(simple(room))
    port = proxy.port
    with proxy.connect() as c:
        c.get("/")
        proxy.stop()
    again = start(simple(room).replace("127.0.0.1:0", f"127.0.0.1:{port}"), listeners=1)
    assert again.port == port


def test_an_alarm_is_no_end(start, room):
    proxy = start(simple(room))
    proxy.process.send_signal(signal.SIGALRM)
    with proxy.connect() as c:
        assert c.get("/").status == 200


def status_of(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return {k: v.split() for k, _, v in (line.partition(":") for line in text.splitlines())}


@pytest.mark.skipif(not ROOTED, reason="needs root")
@pytest.mark.parametrize("user, name", [("", "nobody"), ("user daemon;", "daemon")])
def test_as_root_it_drops_to_its_user(start, room, user, name):
    import pwd

    proxy = start(simple(room, user))
    for pid in proxy.workers():
        status = status_of(pid)
        assert set(map(int, status["Uid"])) == {pwd.getpwnam(name).pw_uid}, status["Uid"]
        assert set(map(int, status["Gid"])) == {pwd.getpwnam(name).pw_gid}, status["Gid"]
        assert status["Groups"] in ([], [str(pwd.getpwnam(name).pw_gid)])
        assert int(status["CapEff"][0], 16) == 0 and int(status["CapPrm"][0], 16) == 0
        assert status["NoNewPrivs"] == ["1"]
    with proxy.connect() as c:
        c.assert_kept()


@pytest.mark.skipif(not ROOTED, reason="needs root")
def test_as_root_it_opens_logs_keys_and_low_ports_before_it_drops(start, room, authority):
    certificate, key = authority.leaf("example.com")
    Path(key).chmod(0o600)
    port = next(p for p in range(900, 1000) if _free(p))
    proxy = start(f"""
access_log {room}/logs/a/access.log;
server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; return 200 "x"; }}
""", listeners=1)
    with proxy.connect(tls=authority.client(), name="example.com") as c:
        assert c.get("/", "example.com").status == 200
    eventually(lambda: (room / "logs" / "a" / "access.log").read_text(), "no log")


def _free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def test_it_runs_as_an_ordinary_user(ordinary, origin):
    proxy = ordinary(f"""
access_log access.log;
server {{ listen 127.0.0.1:0; client_max_body_size 0;
    location / {{ proxy_pass http://{origin.address}; }} location /f/ {{ root .; }} }}
""")
    (proxy.room / "f").mkdir()
    (proxy.room / "f" / "x").write_text("file\n")
    with proxy.connect() as c:
        assert c.get("/x").status == 200
        assert c.get("/f/x").body == b"file\n"
        assert c.ask(request("POST", "/upload", body=b"x" * 3000000)).body == b"3000000"


def test_a_user_directive_is_no_fault_of_an_ordinary_user(ordinary):
    proxy = ordinary('user www-data;\nserver { listen 127.0.0.1:0; return 200 "x"; }\n')
    with proxy.connect() as c:
        c.assert_kept()
    assert "[warn]" in proxy.errors() + proxy.stderr.text()


def test_an_unreadable_folder_for_logs_is_one_clear_error(room):
    from support.proxy import run

    (room / "file").write_text("")
    config = room / "c.conf"
    config.write_text(f'access_log {room}/file/access.log;\nserver {{ listen 127.0.0.1:0; }}\n')
    done = run("-c", config, "-p", room, "-e", room / "error.log")
    assert done.returncode == 1 and f"{room}/file/access.log" in done.stderr, done.stderr


def test_it_survives_a_storm_of_connects(start, room):
    proxy = start(simple(room))
    for n in range(1500):
        s = socket.create_connection(proxy.address)
        if n % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    with proxy.connect() as c:
        c.assert_kept()


def test_idle_connections_cost_little(start, room):
    proxy = start(simple(room, "worker_rlimit_nofile 4096;"))
    before = proxy.memory()
    clients = [proxy.connect() for _ in range(800)]
    for c in clients:
        c.get("/")
    grown = proxy.memory() - before
    assert grown < 3 << 20, f"{grown >> 10} KiB for 800 idle connections"
    for c in clients:
        c.close()


def test_few_descriptors_are_no_end(start, room):
    """LIM-14: more clients than descriptors; no spin; service goes on."""
    proxy = start(simple(room), wrap=["prlimit", "--nofile=64:64"])
    clients = []
    for _ in range(100):
        s = socket.socket()
        s.settimeout(0.2)
        if s.connect_ex(proxy.address) == 0:
            clients.append(s)
    before = proxy.cpu()
    threading.Event().wait(0.5)
    assert proxy.cpu() - before < 0.2, "it spins"
    for s in clients:
        s.close()

    def serves():
        try:
            with proxy.connect(timeout=2) as c:
                return c.get("/").status == 200
        except (AssertionError, OSError):
            return False

    eventually(serves, "service does not resume")
