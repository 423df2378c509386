"""Origins on loopback: one that speaks good HTTP/1.1 and remembers, and one that does what a script says."""
import random
import re
import socket
import threading

import pytest

from support.waiting import eventually


class Gone(Exception):
    """The proxy closed the connection."""


class Request:
    def __init__(self, head):
        self.head = head
        line, *rest = head[:-4].split(b"\r\n")
        self.line = line.decode("latin-1")
        self.method, self.target, self.version = (self.line.split(" ") + ["", ""])[:3]
        self.fields = []
        for field in rest:
            name, _, value = field.partition(b":")
            self.fields.append((name.decode("latin-1"), value.strip().decode("latin-1")))
        self.body = b""
        self.body_size = 0
        self.whole = False

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {self.fields}"
        return values[0] if values else default

    def __repr__(self):
        return f"<{self.line} {self.fields} {self.body[:100]!r}>"


class Connection:
    """One accepted connection, as a script sees it. `received` keeps all bytes (of long bodies the first MiB)."""

    KEEP = 1 << 20

    def __init__(self, origin, sock):
        self.origin = origin
        self.socket = sock
        self.received = b""
        self.buffer = b""
        self.requests = []
        self.ended = threading.Event()
        self.reset_by_peer = False

    def fill(self, size=262144):
        try:
            more = self.socket.recv(size)
        except OSError:
            self.reset_by_peer = True
            more = b""
        if not more:
            raise Gone
        if len(self.received) < self.KEEP:
            self.received += more
        self.buffer += more
        self.origin.octets += len(more)

    def take(self, length):
        while len(self.buffer) < length:
            self.fill()
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def take_until(self, mark):
        while mark not in self.buffer:
            self.fill()
        return self.take(self.buffer.index(mark) + len(mark))

    def read_head(self):
        request = Request(self.take_until(b"\r\n\r\n"))
        self.requests.append(request)
        with self.origin.lock:
            self.origin.requests.append(request)
        return request

    def read_body(self, request, keep=True):
        """By the framing that the request declares; exactly one is allowed."""
        coding, length = request.get("Transfer-Encoding"), request.get("Content-Length")
        assert not (coding and length), "two framings reached the origin"
        for part in self._chunks() if coding else self._counted(int(length or 0)):
            request.body_size += len(part)
            if keep:
                request.body += part
        request.whole = True

    def _counted(self, left):
        while left:
            if not self.buffer:
                self.fill()
            part, self.buffer = self.buffer[:left], self.buffer[left:]
            left -= len(part)
            yield part

    def _chunks(self):
        while True:
            line = self.take_until(b"\r\n")[:-2]
            assert re.match(rb"[0-9a-fA-F]+\Z", line), f"chunk line at the origin: {line!r}"
            size = int(line, 16)
            if size == 0:
                assert self.take(2) == b"\r\n", "a trailer reached the origin"
                return
            yield from self._counted(size)
            assert self.take(2) == b"\r\n"

    def read_request(self):
        request = self.read_head()
        self.read_body(request)
        return request

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.reset_by_peer = True
            raise Gone from None

    def close(self):
        """FIN, after all that was sent."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def wait_gone(self):
        """Reads until the proxy leaves; what still comes is in `received`."""
        while True:
            self.fill()


class Origin:
    """Runs `script(connection)` for each connection in a thread of its own; a script that returns leaves it open.

    `requests` are all requests in order of arrival, `connections` all connections, `octets` all bytes received."""

    live = []

    def __init__(self, script=None, host="127.0.0.1", port=0, tls=None):
        self.script = script or good
        self.name = "origin"
        self.tls = tls
        self.lock = threading.Lock()
        self.connections = []
        self.requests = []
        self.faults = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family, backlog=512)
        self.host, self.port = self.listener.getsockname()[:2]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.closing = False
        self.octets = 0
        Origin.live.append(self)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            if self.closing:
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        if self.tls:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                sock.close()
                return
        connection = Connection(self, sock)
        with self.lock:
            self.connections.append(connection)
        try:
            self.script(connection)
            while True:
                connection.fill()
        except Gone:
            pass
        except OSError:
            pass
        except AssertionError as fault:
            self.faults.append(str(fault))
        finally:
            connection.ended.set()
            sock.close()

    def answers(self, *answers, then=None):
        """Each request in turn (over all connections) is read and gets the next answer; the last one repeats.

        `then` is "close" or "reset": done after each answer."""
        state = {"next": 0}

        def script(c):
            while True:
                c.read_request()
                with self.lock:
                    answer = answers[min(state["next"], len(answers) - 1)]
                    state["next"] += 1
                c.send(answer)
                if then == "close":
                    return c.close()
                if then == "reset":
                    return c.reset()

        self.script = script

    def drop(self):
        """Closes all connections: what a proxy keeps idle for us must go too."""
        with self.lock:
            live = [c for c in self.connections if not c.ended.is_set()]
        for c in live:
            try:
                c.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for c in live:
            c.ended.wait(2)

    def forget(self):
        with self.lock:
            self.requests.clear()
            self.connections[:] = [c for c in self.connections if not c.ended.is_set()]

    def wait_request(self, count=1, within=5.0):
        eventually(lambda: len(self.requests) >= count, f"{count} requests at the origin", within)
        return self.requests[count - 1]

    def targets(self):
        with self.lock:
            return [r.target for r in self.requests]

    def close(self):
        self.closing = True
        Origin.live.remove(self)
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was already
        self.listener.close()
        self.drop()


def answer(body=b"", status="200 OK", *fields):
    """The bytes of an ordinary answer."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def good(c):
    """A good HTTP/1.1 origin: says what it got. `/echo` gives the body back, `/big/N` N bytes, `/chunked` chunks."""
    while True:
        request = c.read_head()
        path = request.target.partition("?")[0]
        c.read_body(request, keep="/upload" not in path)
        keep = "close" not in (request.get("Connection") or "").lower() and request.version != "HTTP/1.0"
        body, fields = _good_body(c, request, path)
        fields.append("Connection: " + ("keep-alive" if keep else "close"))
        if request.method == "HEAD":
            fields.append(f"Content-Length: {len(body)}")
            c.send("\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode())
        elif path.endswith("/chunked"):
            fields.append("Transfer-Encoding: chunked")
            head = "\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode()
            c.send(head + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
        elif "/big/" in path:
            _send_big(c, int(path.rpartition("/")[2]), fields)
        else:
            c.send(answer(body, "200 OK", *fields))
        if not keep:
            return c.close()


def _good_body(c, request, path):
    fields = ["Content-Type: text/plain", f"X-Origin: {c.origin.name}"]
    if path.endswith("/echo"):
        return request.body, fields
    if path.endswith("/upload"):
        return str(request.body_size).encode(), fields
    return f"{c.origin.name}: {request.method} {request.target}\n".encode("latin-1"), fields


BLOCK = bytes(range(256)) * 1024  # 256 KiB


def _send_big(c, size, fields):
    c.send("\r\n".join(["HTTP/1.1 200 OK", *fields, f"Content-Length: {size}", "", ""]).encode())
    while size:
        part = BLOCK[:size]
        c.send(part)
        size -= len(part)


def big_digest(size):
    """SHA-256 of what `/big/size` sends."""
    import hashlib

    digest = hashlib.sha256()
    while size:
        digest.update(BLOCK[:size])
        size -= min(size, len(BLOCK))
    return digest.hexdigest()


def black_hole():
    """(sockets to hold, port) of a listener whose backlog is full: a connect to it neither succeeds nor fails."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(0)
    fillers = []
    for _ in range(4):
        f = socket.socket()
        f.setblocking(False)
        try:
            f.connect(s.getsockname())
        except BlockingIOError:
            pass
        fillers.append(f)
    return [s, *fillers], s.getsockname()[1]


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago, below those that the kernel gives away; for peers that cannot say theirs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((host, random.randrange(18000, 30000)))
            except OSError:
                continue
            return s.getsockname()[1]


def silent_listener(port):
    """At [::1], with a queue that is full: the kernel answers no further SYN."""
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    try:
        listener.bind(("::1", port))
    except OSError:
        pytest.skip("no IPv6 on loopback")
    listener.listen(0)
    stuffed = [listener]
    for _ in range(3):
        s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex(("::1", port))
        stuffed.append(s)
    return stuffed
