"""A stage for hostile bytes: one proxy for a whole module, four reverse faces and a forward one.

    proxied    everything to a good origin, request bodies spooled
    streamed   the same, `proxy_request_buffering off`
    static     a file
    returned   `return 200`
    forward    the origin through `forward { }`, in absolute form

Each has a control connection that must be answered while an attack runs, and after it all must be as before."""
import re
import time

import pytest

from support.origin import Origin, answer
from support.proxy import SANITIZED, Proxy
from support.room import room_close, room_open
from support.waiting import eventually
from support.wire import Client, Response, deliver

S = b"GET /smug HTTP/1.1\r\nHost: a\r\n\r\n"
P = b"POST / HTTP/1.1\r\nHost: a\r\n"
G = b"GET / HTTP/1.1\r\nHost: a\r\n"

REVERSE = ("proxied", "streamed", "static", "returned")
GROWTH = 8 << 20

HTTP = """\
http {{
    log_format stage '$status $body_bytes_sent "$request"';
    access_log {room}/access.log stage;
    keepalive_requests 1000000;
    keepalive_timeout 1h;
    client_header_timeout {timeout};
    client_body_timeout {timeout};
    proxy_read_timeout {read_timeout};
    proxy_connect_timeout 2s;
    {extra}
    server {{
        listen 127.0.0.1:0;
        server_name proxied;
        location / {{ proxy_pass http://{origin}; }}
        location = /control {{ access_log off; return 200 "control\\n"; }}
        {locations}
    }}
    server {{
        listen 127.0.0.2:0;
        server_name streamed;
        location / {{ proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://{origin}; }}
        location = /control {{ access_log off; return 200 "control\\n"; }}
    }}
    server {{
        listen 127.0.0.3:0;
        server_name static;
        root {room}/site;
        location = /control {{ access_log off; return 200 "control\\n"; }}
    }}
    server {{
        listen 127.0.0.4:0;
        server_name returned;
        location / {{ return 200 "returned\\n"; }}
        location = /smug {{ return 200 "CANARY\\n"; }}
        location = /control {{ access_log off; return 200 "control\\n"; }}
    }}
}}
"""

FORWARD = """\
log_format stage '$status $body_bytes_sent "$request"';
access_log {room}/access.log stage;
keepalive_requests 1000000;
keepalive_timeout 1h;
client_header_timeout {timeout};
client_body_timeout {timeout};
proxy_read_timeout {read_timeout};
forward {{
    listen 127.0.0.1:0;
    rule allow if client 127.0.0.0/8 and address 127.0.0.1 and port {port} {control_port};
}}
"""


class Stage:
    def __init__(self, kind="reverse", script=None, timeout="5s", read_timeout="5s", extra="", locations=""):
        self.room = room_open()
        self.origin = Origin(script)
        self.steady = Origin(lambda c: _steady(c))
        site = self.room / "site"
        site.mkdir()
        site.chmod(0o755)
        (site / "index.html").write_text("a static file\n")
        (site / "file.txt").write_text("a static file\n")
        if kind == "forward":
            text = FORWARD.format(room=self.room, port=self.origin.port, timeout=timeout,
                                  control_port=self.steady.port, read_timeout=read_timeout)
        else:
            text = HTTP.format(room=self.room, origin=self.origin.address, timeout=timeout, extra=extra,
                               locations=locations, read_timeout=read_timeout)
        try:
            self.proxy = Proxy(self.room, text)
        except BaseException:
            self.origin.close()
            self.steady.close()
            room_close(self.room)
            raise
        self.faces = REVERSE if kind == "reverse" else ("forward",)
        self.controls = {face: self.client(face) for face in self.faces}
        for face in self.faces:
            self.control(face)
        self.marks = 0
        self.mark_logs()
        self.at_rest = self.proxy.descriptors()
        self.memory = self.proxy.memory()

    # which face, and where

    def client(self, face, **options):
        host = f"127.0.0.{REVERSE.index(face) + 1}" if face != "forward" else "127.0.0.1"
        return Client((host, self.proxy.port_of(host)), **options)

    def address_to(self, face, data):
        """The bytes as that face wants them: the forward one takes only absolute form."""
        if face != "forward":
            return data
        base = b" http://" + self.origin.address.encode()
        return re.sub(rb"(?<=[A-Z]) (?=/[^ \r\n]* HTTP/1\.[01]\r)", lambda _: base, data)

    # what must stand all the time

    def control(self, face):
        """Another connection is served while the attack runs."""
        target = b"/control" if face != "forward" else b"http://" + self.steady.address.encode() + b"/control"
        began = time.monotonic()
        r = self.controls[face].ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        took = time.monotonic() - began
        assert r.status == 200 and r.body == b"control\n", f"control request: {r}"
        assert took < (2.5 if SANITIZED else 0.25), f"control request took {took * 1000:.0f} ms"

    def mark_logs(self):
        """From here on `new_access` and `new_errors` count. A request of ours is logged behind all that was before."""
        self.marks += 1
        face = self.faces[-1]
        mark = f"/mark-{self.marks} "
        base = "" if face != "forward" else f"http://{self.steady.address}"
        self.controls[face].ask(f"GET {base}{mark}HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        eventually(lambda: mark in "".join(self.proxy.access()[-3:]), "a request is not logged")
        self.log_at = len(self.proxy.errors())
        self.access_at = len(self.access_all())

    def access_all(self):
        return [l for l in self.proxy.access() if "/control" not in l and "/mark-" not in l]

    def new_access(self, count=1):
        """Lines of the access log since the mark."""
        eventually(lambda: len(self.access_all()) >= self.access_at + count,
                   f"{count} access log lines, got {self.access_all()[self.access_at:]}", 3)
        return self.access_all()[self.access_at:]

    def new_errors(self, pattern=""):
        return [l for l in self.proxy.errors()[self.log_at:].splitlines() if re.search(pattern, l)]

    def settle(self):
        """After each case: descriptors and memory are as before."""
        self.origin.drop()
        try:
            eventually(lambda: self.proxy.descriptors() <= self.at_rest, "")
        except AssertionError:
            raise AssertionError(f"descriptors leaked: now {dict(self.proxy.descriptors())}, "
                                 f"at rest {dict(self.at_rest)}") from None
        grown = self.proxy.memory() - self.memory
        assert SANITIZED or grown < GROWTH, f"{grown >> 20} MiB more memory"
        assert not re.search(r"\[(alert|emerg)\]", self.proxy.errors()), self.new_errors(r"\[(alert|emerg)\]")
        self.origin.forget()
        assert not self.origin.faults, self.origin.faults

    def close(self):
        for client in self.controls.values():
            client.close()
        self.origin.close()
        self.steady.close()
        try:
            self.proxy.stop()
        finally:
            self.proxy.kill()
            room_close(self.room)

    # attacks

    def refuses(self, face, data, status, cut="whole", may_reach_origin=False, statuses=()):
        """Status, `Connection: close`, the end; nothing reached the origin; one access line; one line of its cause."""
        data = self.address_to(face, data)
        self.mark_logs()
        octets, seen = self.origin.octets, len(self.origin.requests)
        with self.client(face, timeout=3) as c:
            deliver(c, data, cut)
            self.control(face)
            try:
                said = c.take_all()
            except TimeoutError:
                raise AssertionError(f"no end of the connection; it said {c.buffer!r}") from None
        r, rest = parse_one(said)
        assert r.status in (status, *statuses), f"{r.status} instead of {status}: {said[:300]!r}"
        assert r.closes, f"no Connection: close: {r}"
        assert not rest, f"more than one answer: {rest[:300]!r}"
        lines = self.new_access()
        assert len(lines) == 1 and lines[0].startswith(str(r.status)), f"access log: {lines}"
        cause = r"\[error\] .*too large" if status == 413 else r"\[info\]"
        eventually(lambda: self.new_errors(cause), "no line names the cause", 2)
        assert len(self.new_errors(cause)) == 1, self.new_errors()
        worse = "notice|warn|crit|alert|emerg" if status == 413 else "notice|warn|error|crit|alert|emerg"
        assert not self.new_errors(rf"\[({worse})\]"), self.new_errors()
        if may_reach_origin:
            assert "/smug" not in "".join(self.origin.targets()), "the canary reached the origin"
            assert not any(q.whole for q in self.origin.requests[seen:]), "a whole request reached the origin"
        else:
            assert self.origin.octets == octets, f"bytes reached the origin: {self.origin.requests[seen:]}"
        return r


def _steady(c):
    while True:
        c.read_request()
        c.send(answer(b"control\n"))


def parse_one(said):
    """(answer, what follows it) of all bytes of a connection that ended."""
    assert said, "closed without an answer"
    c = Client.__new__(Client)
    c.buffer = said
    c.fill = lambda: False
    r = c.head()
    assert isinstance(r, Response)
    c.body(r)
    return r, c.buffer


def rows(cases):
    return [pytest.param(*case[1:], id=case[0]) for case in cases]


class told:
    """Says which face and which delivery an assertion belongs to."""

    def __init__(self, *what):
        self.what = what

    def __enter__(self):
        return self

    def __exit__(self, kind, fault, trace):
        if kind and issubclass(kind, (AssertionError, OSError)):
            raise AssertionError(f"{' '.join(map(str, self.what))}: {fault or kind.__name__}") from fault


def exchange(stage, face, data, cut, status, method="POST", kept=True):
    """One good exchange; `kept`: the connection serves a next one. A file and a `return` may close when a body
    came slowly (SMUG-52), if they say so."""
    with stage.client(face, timeout=5) as c:
        assert deliver(c, stage.address_to(face, data), cut)
        stage.control(face)
        r = c.response(method)
        assert r.status == status, r
        if r.closes and cut != "whole" and face in ("static", "returned"):
            c.assert_closed()
        elif kept:
            assert not r.closes, r
            after = c.ask(stage.address_to(face, b"GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n"))
            assert after.status == 200 and b"CANARY" not in after.body, after
        return r


def assert_one_framing(request, body, declared=None):
    """The origin got exactly this body, under one framing, made by us."""
    assert request.whole and request.body == body, request
    lengths, codings = request.all("Content-Length"), request.all("Transfer-Encoding")
    assert len(lengths) + len(codings) == 1, request
    assert codings in ([], ["chunked"]) and lengths in ([], [str(len(body))]), request
    if declared is not None:
        assert lengths == [declared], request
