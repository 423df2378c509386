"""Upgrades: WebSocket passes without being told to, on both faces; what was not asked for never does."""
import base64
import hashlib
import os

import pytest

from support.waiting import eventually
from support.wire import Client, request

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def switching(upgrade="websocket", early=b""):
    """An origin that answers 101 and then sends back what comes, in capitals."""
    def script(c):
        r = c.read_request()
        key = (r.get("Sec-WebSocket-Key") or "").encode()
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        c.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + upgrade.encode() +
               b"\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n" + early)
        while True:
            if not c.buffer:
                c.fill()  # raises when the connection has gone
            c.send(c.buffer.upper())
            c.buffer = b""
    return script


def handshake(target="/chat", *fields, method="GET", **more):
    key = base64.b64encode(os.urandom(16)).decode()
    return key, request(method, target, "a.example", "Connection: keep-alive, Upgrade", "Upgrade: websocket",
                        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *fields, **more)


def site(origin, room, more="", location=""):
    return f"""
log_format plain '$status $upstream_status "$request" $body_bytes_sent';
access_log {room}/access.log plain;
server {{ listen 127.0.0.1:0; {more} location / {{ proxy_pass http://{origin.address}; {location} }} }}
"""


def test_a_websocket_passes_both_ways(start, room, origin):
    origin.script = switching(early=b"hello ")
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        key, head = handshake()
        c.send(head + b"early ")
        r = c.head()
        assert r.status == 101 and r.get("Upgrade") == "websocket", r
        assert r.get("Connection").lower() == "upgrade"
        assert r.get("Sec-WebSocket-Accept") == base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        assert c.take(12) == b"hello EARLY "
        for n in range(3):
            c.send(b"frame %d" % n)
            assert c.take(7) == b"FRAME %d" % n
    seen = origin.requests[0]
    assert seen.get("Upgrade") == "websocket" and seen.get("Connection").lower() == "upgrade"
    eventually(lambda: '101 101 "GET /chat HTTP/1.1"' in (room / "access.log").read_text(), "no line in the log")


def test_it_passes_through_tls_and_the_forward_face(start, room, origin, authority):
    origin.script = switching()
    certificate, key = authority.leaf("a.example")
    proxy = start(site(origin, room, f"listen 127.0.0.2:0 ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"))
    address = next(a for a in proxy.addresses if a[0] == "127.0.0.2")
    with Client(address, tls=authority.client(), name="a.example") as c:
        c.send(handshake()[1])
        assert c.head().status == 101
        c.send(b"sealed")
        assert c.take(6) == b"SEALED"


@pytest.mark.parametrize("row", ["FWD-26-websocket-by-absolute-form"])
def test_the_forward_face_carries_a_websocket(start, room, origin, row):
    origin.script = switching()
    proxy = start(f"""
access_log {room}/access.log combined;
forward {{ listen 127.0.0.1:0; tunnel_peek off;
    rule allow if client 127.0.0.1 and address 127.0.0.1 and port {origin.port}; }}
""")
    with proxy.connect() as c:
        c.send(handshake(f"http://{origin.address}/chat")[1])
        assert c.head().status == 101
        c.send(b"out")
        assert c.take(3) == b"OUT"
    assert origin.targets() == ["/chat"]


def test_the_directives_of_nginx_carry_any_protocol(start, room, origin):
    origin.script = switching("other")
    proxy = start(site(origin, room, location='proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; '
                                              'proxy_set_header Connection "upgrade";'))
    with proxy.connect() as c:
        c.send(request("GET", "/", "a.example", "Connection: Upgrade", "Upgrade: other"))
        assert c.head().status == 101
        c.send(b"x")
        assert c.take(1) == b"X"


@pytest.mark.parametrize("answer", ["other", "h2c"], ids=["RESP-19-other-protocol", "RESP-19-h2c"])
def test_resp_a_switch_to_something_else_is_502(start, room, origin, answer):
    origin.script = switching(answer, early=b"evil")
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(handshake()[1])
        r = c.response()
        assert r.status == 502 and b"evil" not in r.body


@pytest.mark.parametrize("row", ["FLOW-21-websocket-with-a-body"])
def test_flow_a_handshake_has_no_body(start, room, origin, row):
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(handshake(body=b"hello")[1])
        r = c.response()
        assert r.status == 400 and r.closes
    assert origin.requests == []


def test_an_ordinary_answer_to_a_handshake_is_relayed(start, room, origin):
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(handshake("/x")[1])
        assert c.response().status == 200
        assert c.get("/y").status == 200


def accepting(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


WS_02 = {
    "WS-02-no-accept": lambda key: [],
    "WS-02-accept-of-another-key": lambda key: ["Sec-WebSocket-Accept: " + accepting("another")],
    "WS-02-the-key-itself": lambda key: ["Sec-WebSocket-Accept: " + key],
    "WS-02-two-accepts": lambda key: ["Sec-WebSocket-Accept: " + accepting(key)] * 2,
    "WS-02-half-an-accept": lambda key: ["Sec-WebSocket-Accept: " + accepting(key)[:10]],
}


@pytest.mark.parametrize("row", WS_02)
def test_ws_a_101_that_never_saw_the_key_opens_nothing(start, room, origin, row):
    def script(c):
        fields = WS_02[row](c.read_request().get("Sec-WebSocket-Key"))
        c.send("\r\n".join(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                            *fields, "", ""]).encode() + b"evil")
        assert c.wait_gone()
    origin.script = script
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(handshake("/", "X-Version: 777")[1])
        r = c.response()
        assert r.status == 502 and b"evil" not in r.body


@pytest.mark.parametrize("row", ["WS-02-no-key"])
def test_ws_a_handshake_without_a_key_is_not_passed_on_as_one(start, room, origin, row):
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(request("GET", "/", "a.example", "Connection: Upgrade", "Upgrade: websocket",
                       "Sec-WebSocket-Version: 13"))
        assert c.response().status == 200
    assert origin.requests[0].get("Upgrade") is None


@pytest.mark.parametrize("row,status", [("WS-01-426", 426), ("WS-01-200", 200), ("WS-01-400", 400)])
def test_ws_without_a_tunnel_the_clients_bytes_are_requests(start, room, origin, row, status):
    def script(c):
        for answer in (status, 200):
            c.read_request()
            c.send(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % answer)
    origin.script = script
    proxy = start(site(origin, room, "location = /admin { return 403; }"))
    with proxy.connect() as c:
        c.send(handshake()[1] + request("GET", "/admin", "a.example"))
        assert c.response().status == status
        assert c.response().status == 403
    assert origin.targets() == ["/chat"]


@pytest.mark.parametrize("row", ["WS-04-frames-behind-the-101"])
def test_ws_frames_behind_the_101_come_at_once_and_in_order(start, room, origin, row):
    origin.script = switching(early=b"first second")
    proxy = start(site(origin, room))
    with proxy.connect() as c:
        c.send(handshake()[1])
        assert c.head().status == 101
        assert c.take(12) == b"first second"


@pytest.mark.parametrize("row", ["WS-08-pipelined-behind-an-upgrade"])
def test_ws_what_follows_a_101_is_never_a_request(start, room, origin, row):
    origin.script = switching()
    proxy = start(site(origin, room, "location = /admin { return 403; }"))
    with proxy.connect() as c:
        behind = request("GET", "/admin", "a.example")
        c.send(handshake()[1] + behind)
        assert c.head().status == 101
        assert c.take(len(behind)) == behind.upper()
