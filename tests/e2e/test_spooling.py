"""A slow reader does not hold an upstream: the rest of its answer waits in a file without a name."""
import hashlib
import re
import socket

import pytest
from test_bodies import GROWTH, Peak

from support.nginx import Nginx
from support.origin import BLOCK, big_digest, free_port
from support.room import room_close, room_open
from support.waiting import eventually
from support.wire import Client, request

SIZE = 64 << 20
FOLDER = "spool"


def config(origin, room, extra="", listen="listen 127.0.0.1:0;"):
    return (f"proxy_temp_path {room}/{FOLDER}; proxy_http_version 1.1; "
            f"server {{ {listen} location / {{ proxy_pass http://{origin.address}; {extra} }} }}")


def whole(c, size):
    """Reads a body of which the head has come; its digest."""
    digest, left = hashlib.sha256(), size
    while left:
        if not c.buffer:
            assert c.fill()
        digest.update(c.buffer)
        left -= len(c.buffer)
        c.buffer = b""
    return digest.hexdigest()


def chunked_digest(c):
    """The same of chunks; few of them are long, so they are not put together."""
    digest, size = hashlib.sha256(), 1
    while size:
        while b"\r\n" not in c.buffer:
            assert c.fill()
        line, _, c.buffer = c.buffer.partition(b"\r\n")
        left = size = int(line, 16)
        while left:
            if not c.buffer:
                assert c.fill()
            part, c.buffer = c.buffer[:left], c.buffer[left:]
            digest.update(part)
            left -= len(part)
        assert c.take(2) == b"\r\n"
    return digest.hexdigest()


def count_ended(origin, chunked=False):
    """A script that answers with 64 MiB; the list grows when all of it was taken."""
    done = []

    def script(c):
        while True:
            c.read_request()
            framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % SIZE
            c.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
            for _ in range(SIZE // len(BLOCK)):
                c.send((b"%x\r\n" % len(BLOCK) + BLOCK + b"\r\n") if chunked else BLOCK)
            if chunked:
                c.send(b"0\r\n\r\n")
            done.append(1)

    origin.script = script
    return done


@pytest.mark.parametrize("extra", ["sendfile on;", "sendfile off;"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_64_mib_leave_the_upstream_early_and_not_into_memory(start, origin, room, extra, chunked):
    done = count_ended(origin, chunked)
    proxy = start(config(origin, room, extra))
    with proxy.connect(timeout=60) as c, Peak(proxy) as peak:
        c.send(request("GET", "/"))
        assert c.head().status == 200
        eventually(lambda: done, "the upstream waits for the client", 30)
        assert not [p for p in (room / FOLDER).rglob("*") if p.is_file()], "it lies there with a name"
        assert (chunked_digest(c) if chunked else whole(c, SIZE)) == big_digest(SIZE)
    assert peak.grown < GROWTH, f"{peak.grown >> 20} MiB more"


def test_over_tls_the_file_is_read(start, origin, room, authority):
    done = count_ended(origin)
    certificate, key = authority.leaf("a.example")
    proxy = start(config(origin, room, "sendfile on;", "listen 127.0.0.1:0 ssl; "
                         f"ssl_certificate {certificate}; ssl_certificate_key {key};"))
    with proxy.connect(timeout=60, tls=authority.client(), name="a.example") as c, Peak(proxy) as peak:
        c.send(request("GET", "/"))
        assert c.head().status == 200
        eventually(lambda: done, "the upstream waits for the client", 30)
        assert whole(c, SIZE) == big_digest(SIZE)
    assert peak.grown < GROWTH, f"{peak.grown >> 20} MiB more"


@pytest.mark.parametrize("extra, ends", [("", True), ("proxy_max_temp_file_size 0;", False),
                                         ("proxy_max_temp_file_size 1m;", False)],
                         ids=["file", "none", "1m"])
def test_as_nginx_does(start, origin, room, extra, ends):
    """The upstream is through or waits; the log says that there is a file, or does not."""
    done = count_ended(origin)
    port, beside = free_port(), room_open()
    nginx = Nginx(beside, re.sub(r"proxy_temp_path [^;]*;", "", config(
        origin, beside, extra, f"listen 127.0.0.1:{port};")), [port])
    try:
        said = []
        proxy = start(config(origin, room, extra))
        for address, log in ((("127.0.0.1", port), nginx.error_log), (proxy.address, proxy.error_log)):
            done.clear()
            with Client(address, timeout=60) as c:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                c.send(request("GET", "/"))
                assert c.head().status == 200
                if ends:
                    eventually(lambda: done, "the upstream waits for the client", 30)
                else:
                    sent = origin.connections[-1].socket
                    eventually(lambda s=sent: stalled(s), "the upstream never waits", 30)
                    assert not done
                assert whole(c, SIZE) == big_digest(SIZE)
            said.append([re.sub(r" file .* while", " file F while", line[1])
                         for line in re.finditer(r"\[warn\] [^*]*\*\d+ (.*? while reading upstream), client",
                                                 log.read_text())])
        assert said[0] == said[1] == ([] if "size 0" in extra else
                                      ["an upstream response is buffered to a temporary file F while reading upstream"])
    finally:
        nginx.stop()
        room_close(beside)


def stalled(sock, state={}):
    """Its unsent bytes stay the same for a while of looks."""
    import fcntl
    import struct

    try:
        unsent = struct.unpack("i", fcntl.ioctl(sock, 0x5411, b"\0" * 4))[0]  # TIOCOUTQ
    except OSError:
        return False
    was, count = state.get(sock, (None, 0))
    state[sock] = (unsent, count + 1 if unsent == was and unsent > 0 else 0)
    return state[sock][1] > 20


def test_without_a_folder_the_client_sets_the_pace(start, origin, room):
    done = count_ended(origin)
    proxy = start(config(origin, room))
    (room / FOLDER).rmdir()
    with proxy.connect(timeout=60) as c, Peak(proxy) as peak:
        c.send(request("GET", "/"))
        assert c.head().status == 200
        assert whole(c, SIZE) == big_digest(SIZE)
    assert done and peak.grown < GROWTH
