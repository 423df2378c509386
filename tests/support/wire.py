"""A raw HTTP/1 client: any bytes out, in any segments; what comes back is read without mercy."""
import re
import socket
import ssl
import time

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-9][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)\Z")


class Closed(AssertionError):
    """The connection ended where more was promised."""


class Response:
    def __init__(self, head):
        lines = head[:-4].split(b"\r\n")
        found = STATUS_LINE.match(lines[0])
        assert found, f"not a status line: {lines[0]!r}"
        self.status = int(found[1])
        self.reason = found[2].decode("latin-1")
        self.head = head
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            value = value.strip(b" \t")
            assert colon and TOKEN.match(name) and VALUE.match(value), f"not a field line: {line!r}"
            self.fields.append((name.decode(), value.decode("latin-1")))
        self.body = b""

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else default

    def names(self):
        return [n for n, _ in self.fields]

    @property
    def closes(self):
        return "close" in (self.get("Connection") or "").lower()

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.fields} {self.body[:200]!r}>"


class Client:
    """One connection. `address` is (host, port); `tls` an ssl.SSLContext, `name` its SNI."""

    def __init__(self, address, tls=None, name=None, timeout=10):
        self.socket = socket.create_connection(address[:2], timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=name)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def finish(self):
        """FIN: nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)
        return self

    def fill(self):
        """Reads once; False at the end of the stream."""
        try:
            more = self.socket.recv(262144)
        except (ConnectionResetError, ssl.SSLEOFError):
            more = b""
        self.buffer += more
        return bool(more)

    def take(self, length):
        while len(self.buffer) < length:
            if not self.fill():
                raise Closed(f"{length} bytes promised, {len(self.buffer)} came")
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def take_until(self, mark):
        start = 0
        while True:
            at = self.buffer.find(mark, start)
            if at >= 0:
                return self.take(at + len(mark))
            start = max(0, len(self.buffer) - len(mark))
            if not self.fill():
                raise Closed(f"no {mark!r} before the end: {self.buffer!r}")

    def take_all(self):
        while self.fill():
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def head(self):
        return Response(self.take_until(b"\r\n\r\n"))

    def chunks(self):
        """The chunks of a chunked body, one by one, trailers refused."""
        while True:
            line = self.take_until(b"\r\n")[:-2]
            assert re.match(rb"[0-9a-fA-F]{1,16}\Z", line), f"not a chunk size: {line!r}"
            size = int(line, 16)
            if size == 0:
                assert self.take(2) == b"\r\n", "trailers, or rubbish after the last chunk"
                return
            yield self.take(size)
            assert self.take(2) == b"\r\n", "chunk data not ended by CRLF"

    def response(self, method="GET"):
        """A whole final answer, strictly read; it must have exactly one unambiguous framing."""
        r = self.head()
        while 100 <= r.status < 200 and r.status != 101:
            r = self.head()
        self.body(r, method)
        return r

    def body(self, r, method="GET"):
        coding, length = r.get("Transfer-Encoding"), r.get("Content-Length")
        assert coding is None or length is None, "two framings in one answer"
        if method == "HEAD" or r.status in (204, 304) or r.status < 200:
            return
        if method == "CONNECT" and 200 <= r.status < 300:
            assert coding is None and length is None
            return
        if coding is not None:
            assert coding == "chunked", coding
            r.body = b"".join(self.chunks())
        elif length is not None:
            assert re.match(r"[0-9]+\Z", length), length
            r.body = self.take(int(length))
        else:
            assert r.closes, "neither framing nor close"
            r.body = self.take_all()

    def ask(self, data, method=None):
        self.send(data)
        return self.response(method or data.split(b" ", 1)[0].decode("latin-1"))

    def get(self, target="/", host="a", *fields):
        return self.ask(request("GET", target, host, *fields))

    def assert_closed(self, within=5.0):
        """The peer ends the connection and has said nothing more."""
        self.socket.settimeout(within)
        try:
            assert not self.fill() and not self.buffer, f"more came: {self.buffer!r}"
        except TimeoutError:
            raise AssertionError("the connection stayed open") from None

    def assert_kept(self, target="/", host="a"):
        """The connection is usable: a next request gets an answer of its own."""
        r = self.get(target, host)
        assert r.status == 200, r
        return r


def request(method, target="/", host="a", *fields, body=None, version="1.1"):
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += fields
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunked(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts if p) + b"0\r\n\r\n"


def _pieces(data, cut):
    if cut == "whole":
        return [data]
    if cut == "bytes":
        return [data[i : i + 1] for i in range(len(data))]
    return re.findall(rb"[^\r]*\r|[^\r]+\Z", data, re.S)


DELIVERIES = ("whole", "bytes", "cr")


def deliver(client, data, cut):
    """Sends in one segment, byte by byte, or cut behind every CR. True if all went out before the peer left.

    The pauses only make it likely that the peer sees the pieces apart; nothing depends on them."""
    pieces = _pieces(data, cut)
    pause = 0.0004 if cut == "cr" else 0.00003
    try:
        for i, piece in enumerate(pieces):
            client.socket.sendall(piece)
            if i + 1 < len(pieces) and i < (256 if cut == "cr" else 4096):
                time.sleep(pause)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True
