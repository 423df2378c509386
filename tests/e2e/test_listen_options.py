"""Options of `listen` reach the sockets."""
import ctypes
import os
import socket
from pathlib import Path

DEFER, FASTOPEN, IDLE, INTERVAL, COUNT = (socket.TCP_DEFER_ACCEPT, socket.TCP_FASTOPEN, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL,
                                          socket.TCP_KEEPCNT)

PIDFD_GETFD = 438


def listening(proxy, number=0):
    """A copy of the worker's listening socket of that address."""
    address = proxy.addresses[number]
    pidfd = os.pidfd_open(proxy.process.pid)
    try:
        for name in Path(f"/proc/{proxy.process.pid}/fd").iterdir():
            if not os.readlink(name).startswith("socket:"):
                continue
            copy = socket.socket(fileno=take(pidfd, int(name.name)))
            if copy.family == socket.AF_INET and copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and copy.getsockname() == address:
                return copy
            copy.close()
    finally:
        os.close(pidfd)
    raise AssertionError("no such socket")


def take(pidfd, fd):
    got = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, fd, 0)
    assert got >= 0, os.strerror(ctypes.get_errno())
    return got


def options(proxy, number=0):
    with listening(proxy, number) as s:
        return {"defer": s.getsockopt(socket.IPPROTO_TCP, DEFER) > 0, "fastopen": s.getsockopt(socket.IPPROTO_TCP, FASTOPEN),
                "keepalive": s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), "idle": s.getsockopt(socket.IPPROTO_TCP, IDLE),
                "interval": s.getsockopt(socket.IPPROTO_TCP, INTERVAL), "count": s.getsockopt(socket.IPPROTO_TCP, COUNT)}


def text(words):
    return f"server {{ listen 127.0.0.1:0 {words}; location / {{ return 200 ok; }} }}"


def test_options_of_tcp_reach_the_socket_and_a_reload_changes_them(start):
    proxy = start(text("deferred fastopen=7 so_keepalive=30m:11:5"))
    assert options(proxy) == {"defer": True, "fastopen": 7, "keepalive": 1, "idle": 1800, "interval": 11, "count": 5}
    proxy.reload(text("so_keepalive=::9"))
    now = options(proxy)
    assert (now["defer"], now["fastopen"], now["keepalive"], now["count"]) == (False, 0, 1, 9), now
    proxy.reload(text("so_keepalive=off"))
    assert options(proxy)["keepalive"] == 0
    with proxy.connect() as c:
        c.assert_kept("/")


def test_who_sends_nothing_is_not_accepted_when_accepting_is_deferred(start):
    proxy = start(text("deferred"))
    before = proxy.descriptors()["socket"]
    with proxy.connect() as silent, proxy.connect() as c:
        assert c.get("/").status == 200
        assert proxy.descriptors()["socket"] == before + 1
        assert silent.get("/").status == 200


def test_keepalive_is_what_accepted_sockets_have(start):
    proxy = start(text("so_keepalive=on"))
    with proxy.connect() as c:
        c.get("/")
        rows = [l.split() for l in Path("/proc/net/tcp").read_text().splitlines()]
        (timer,) = [r[5] for r in rows if r[1].endswith(f":{proxy.port:04X}") and r[3] == "01"]
        assert timer.startswith("02:"), timer
