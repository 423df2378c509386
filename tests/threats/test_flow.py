"""FLOW: request line, Expect, upgrade, pipelining, early answers."""
import subprocess
import sys
import threading
import time

import pytest

from support.attack import G, P, S, Stage, exchange, rows, told
from support.origin import answer, good
from support.waiting import eventually
from support.wire import DELIVERIES, deliver, request

END = b"Host: a\r\n\r\n"

REFUSED = [
    ("FLOW-01-lower-case-method", b"get / HTTP/1.1\r\n" + END, 400),
    ("FLOW-01-mixed-case-method", b"Get / HTTP/1.1\r\n" + END, 400),
    ("FLOW-01-odd-method", b'G=":<>(e),[T];?" / HTTP/1.1\r\n' + END, 400),
    ("FLOW-01-nul-method", b"\0 / HTTP/1.1\r\n" + END, 400),
    ("FLOW-02-method-of-64-kib", b"A" * 65536 + b" / HTTP/1.1\r\n" + END, 400),
    ("FLOW-03-two-spaces", b"GET  / HTTP/1.1\r\n" + END, 400),
    ("FLOW-03-tab", b"GET\t/ HTTP/1.1\r\n" + END, 400),
    ("FLOW-03-two-spaces-before-version", b"GET /  HTTP/1.1\r\n" + END, 400),
    ("FLOW-03-space-at-the-end", b"GET / HTTP/1.1 \r\n" + END, 400),
    ("FLOW-04-leading-space", b" GET / HTTP/1.1\r\n" + END, 400),
    ("FLOW-05-lf-in-the-line", b"GET /\nHTTP/1.1\r\n" + END, 400),
    ("FLOW-05-two-crs", b"GET / HTTP/1.1\r\r\n" + END, 400),
    ("FLOW-05-crs-in-the-version", b"GET / HTTP/\r\r1.1\r\n" + END, 400),
    ("FLOW-06-space-and-nul", b"GET /file.jpg \0.php HTTP/1.1\r\n" + END, 400),
    ("FLOW-07-version-1.32", b"GET / HTTP/1.32\r\n" + END, 400),
    ("FLOW-07-version-01.1", b"GET / HTTP/01.1\r\n" + END, 400),
    ("FLOW-07-version-1.", b"GET / HTTP/1.\r\n" + END, 400),
    ("FLOW-07-version-wraps", b"GET / HTTP/4294967297.1\r\n" + END, 400),
    ("FLOW-07-version-lower-case", b"GET / http/1.1\r\n" + END, 400),
    ("FLOW-07-version-httx", b"GET / HTTX/1.1\r\n" + END, 400),
    ("FLOW-07-version-1.1a", b"GET / HTTP/1.1a\r\n" + END, 400),
    ("FLOW-08-version-2.0", b"GET / HTTP/2.0\r\n" + END, 505),
    ("FLOW-08-version-3.0", b"GET / HTTP/3.0\r\n" + END, 505),
    ("FLOW-08-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("FLOW-09-http-0.9", b"GET /\r\n", 400),
    ("FLOW-10-two-empty-lines", b"\r\n\r\n" + G + b"\r\n", 400),
    ("FLOW-10-10000-empty-lines", b"\r\n" * 10000, 400),
    ("FLOW-13-expect-twice-then-a-bad-field", P + b"Expect: 100-continue\r\nExpect: 100-continue\r\nX : y\r\n\r\n", 400),
    ("FLOW-14-expect-with-a-word-before", P + b"Expect: y 100-continue\r\nContent-Length: 5\r\n\r\nhello", 417),
    ("FLOW-14-expect-list", P + b"Expect: \t100-continue,x\r\nContent-Length: 5\r\n\r\nhello", 417),
    ("FLOW-14-expect-other", P + b"Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", 417),
    ("FLOW-31-connect", b"CONNECT a:443 HTTP/1.1\r\n" + END, 405),
    ("FLOW-31-trace", b"TRACE / HTTP/1.1\r\nX-Secret: s3cret\r\n" + END, 405),
]
LARGE = ("FLOW-02-method-of-64-kib", "FLOW-10-10000-empty-lines")


@pytest.mark.parametrize("data, status, name", [pytest.param(d, s, n, id=n) for n, d, s in REFUSED])
def test_flow(stage, data, status, name):
    for face in ("proxied", "static", "returned"):
        for cut in ("whole", "cr") if name in LARGE else DELIVERIES:
            with told(face, cut):
                r = stage.refuses(face, data, status, cut)
                assert b"s3cret" not in r.body


@pytest.mark.parametrize("cut", DELIVERIES, ids=lambda cut: f"FLOW-10-one-empty-line-{cut}")
def test_flow_one_empty_line_is_skipped(stage, cut):
    for face in ("proxied", "static", "returned"):
        with told(face):
            exchange(stage, face, b"\r\n" + G + b"\r\n", cut, 200, "GET")


@pytest.mark.parametrize("face", [pytest.param("proxied", id="FLOW-11-expect-with-the-body-withheld"),
                                  pytest.param("streamed", id="FLOW-11-expect-with-the-body-withheld-streamed")])
def test_flow_one_100_then_the_body(stage, face):
    stage.origin.forget()
    with stage.client(face, timeout=5) as c:
        c.send(request("POST", "/echo", "a", "Expect: 100-continue", "Content-Length: 5"))
        assert c.take_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        c.send(b"hello")
        r = c.head()
        assert r.status == 200, "a second interim answer"
        c.body(r)
        assert r.body == b"hello"
        c.assert_kept()
    assert stage.origin.requests[0].get("Expect") is None


@pytest.mark.parametrize("face", [pytest.param("proxied", id="FLOW-12-expect-with-the-body"),
                                  pytest.param("streamed", id="FLOW-12-expect-with-the-body-streamed"),
                                  pytest.param("static", id="FLOW-12-expect-with-the-body-file"),
                                  pytest.param("returned", id="FLOW-12-expect-with-the-body-return")])
def test_flow_at_most_one_100(stage, face):
    with stage.client(face, timeout=5) as c:
        c.send(request("POST", "/", "a", "Expect: 100-continue", body=b"hello"))
        first = c.head()
        if first.status == 100:
            first = c.head()
        assert first.status == (405 if face == "static" else 200)
        c.body(first)
        if not first.closes:
            c.assert_kept("/file.txt")


@pytest.mark.parametrize("row", ["FLOW-15-expect-in-1.0"])
def test_flow_no_100_for_1_0(stage, row):
    with stage.client("proxied", timeout=5) as c:
        c.send(request("POST", "/echo", "a", "Expect: 100-continue", body=b"hello", version="1.0"))
        r = c.head()
        assert r.status == 200
        c.body(r)
        assert r.body == b"hello"


@pytest.fixture(scope="module")
def small_stage():
    stage = Stage(extra="client_max_body_size 10;")
    yield stage
    stage.close()


@pytest.mark.parametrize("row", ["FLOW-16-expect-refused-but-the-body-comes"])
def test_flow_a_refused_body_is_never_a_request(small_stage, row):
    stage = small_stage
    for cut in DELIVERIES:
        with told(cut):
            stage.mark_logs()
            with stage.client("proxied", timeout=5) as c:
                deliver(c, P + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(S) + S, cut)
                r = c.head()
                assert r.status == 413 and r.closes, r
                c.body(r)
                c.assert_closed()
            assert len(stage.new_access()) == 1
            assert not stage.origin.requests
    stage.settle()


@pytest.mark.parametrize("cut", DELIVERIES, ids=lambda cut: f"FLOW-17-body-of-a-get-with-expect-{cut}")
def test_flow_a_body_is_a_body(stage, cut):
    stage.origin.forget()
    with stage.client("proxied", timeout=5) as c:
        deliver(c, G + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(S) + S, cut)
        assert c.response().status == 200
        c.assert_kept()
    assert stage.origin.targets() == ["/", "/"]
    assert stage.origin.requests[0].body == S


H2C = G + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"


@pytest.mark.parametrize("data", rows([
    ("FLOW-18-h2c", H2C),
    ("FLOW-20-upgrade-to-tls", G + b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n"),
    ("FLOW-22-websocket-in-a-post", P + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n"),
    ("FLOW-22-websocket-without-connection", G + b"Upgrade: websocket\r\n\r\n"),
]))
def test_flow_no_upgrade_passes(stage, data):
    stage.origin.forget()
    with stage.client("proxied", timeout=5) as c:
        c.send(data)
        assert c.response().status == 200
        c.assert_kept()
    names = {n.lower() for n, _ in stage.origin.requests[0].fields}
    assert not names & {"upgrade", "http2-settings"}, names
    assert "upgrade" not in (stage.origin.requests[0].get("Connection") or "").lower()


@pytest.mark.parametrize("row", ["FLOW-19-101-for-h2c"])
def test_flow_no_tunnel_without_an_upgrade(stage, row):
    stage.origin.script = lambda c: (c.read_request(), c.send(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nevil"), c.wait_gone())
    try:
        with stage.client("proxied", timeout=5) as c:
            c.send(H2C)
            r = c.response()
            assert r.status == 502 and b"evil" not in r.body
            assert stage.origin.connections[-1].ended.wait(5)
    finally:
        stage.origin.script = good


@pytest.mark.parametrize("cut", DELIVERIES, ids=lambda cut: f"FLOW-23-pipelined-{cut}")
def test_flow_pipelined_answers_come_in_order(stage, cut):
    with stage.client("proxied") as c:
        deliver(c, request("GET", "/1") + request("GET", "/2") + request("POST", "/echo", body=b"three"), cut)
        assert [c.response().body for _ in range(3)] == [b"origin: GET /1\n", b"origin: GET /2\n", b"three"]
        c.assert_kept()


@pytest.mark.parametrize("cut", DELIVERIES, ids=lambda cut: f"FLOW-24-good-then-bad-{cut}")
def test_flow_the_first_answer_is_whole(stage, cut):
    for face in ("proxied", "static", "returned"):
        with told(face), stage.client(face) as c:
            deliver(c, G + b"\r\nINVALID\r\n\r\n", cut)
            assert c.response().status == 200
            r = c.response()
            assert r.status == 400 and r.closes
            c.assert_closed()


@pytest.mark.parametrize("field", [pytest.param("Connection: close", id="FLOW-25-close"),
                                   pytest.param("Connection: keep-alive, close", id="FLOW-32-close-wins")])
def test_flow_after_close_nothing_is_run(stage, field):
    for face in ("proxied", "static", "returned"):
        for cut in DELIVERIES:
            with told(face, cut):
                stage.origin.forget()
                stage.mark_logs()
                with stage.client(face) as c:
                    deliver(c, request("GET", "/", "a", field) + S, cut)
                    r = c.response()
                    assert r.status == 200 and r.closes
                    c.assert_closed()
                assert len(stage.new_access()) == 1
                assert "/smug" not in stage.origin.targets()


@pytest.fixture(scope="module")
def counted_stage():
    stage = Stage(locations="location = /many { keepalive_requests 1000; return 404; }")
    yield stage
    stage.close()


@pytest.mark.parametrize("row", ["FLOW-26-10000-pipelined-and-nothing-read"])
def test_flow_unread_answers_stop_the_reading(counted_stage, row):
    stage = counted_stage
    data = request("GET", "/many") * 10000
    stage.mark_logs()
    with stage.client("proxied", timeout=5) as c:
        sender = threading.Thread(target=deliver, args=(c, data, "whole"), daemon=True)
        sender.start()
        stage.control("proxied")
        count = 0
        while True:
            r = c.response()
            count += 1
            assert r.status == 404
            if r.closes:
                break
        assert count == 1000
        sender.join(5)
    stage.settle()


FLOOD = """
import select, socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.setblocking(False)
batch = sys.argv[3].encode().decode("unicode_escape").encode() * 200
print("on", flush=True)
while True:
    can_read, can_write, _ = select.select([s], [s], [])
    if can_read and not s.recv(1 << 20):
        break
    if can_write:
        s.send(batch)
"""


@pytest.mark.parametrize("row", ["FLOW-27-one-client-pipelines-without-end"])
def test_flow_others_are_served_meanwhile(stage, row):
    took = []
    line = request("GET", "/").decode().replace("\r", "\\r").replace("\n", "\\n")
    address = "127.0.0.4", str(stage.proxy.port_of("127.0.0.4"))
    flood = subprocess.Popen([sys.executable, "-c", FLOOD, *address, line], stdout=subprocess.PIPE)
    try:
        assert flood.stdout.readline() == b"on\n"
        for _ in range(30):
            began = time.monotonic()
            stage.control("proxied")
            took.append(time.monotonic() - began)
        assert flood.poll() is None, "the flood was ended"
    finally:
        flood.kill()
        flood.wait()
        flood.stdout.close()
    # in all but a few: three processes share the cores of a test machine
    assert sorted(took)[len(took) * 3 // 4] < 0.05, took


@pytest.mark.parametrize("row", ["FLOW-28-an-early-whole-answer"])
def test_flow_an_early_answer_is_given_and_the_upload_dropped(row):
    stage = Stage(script=lambda c: (c.read_head(), c.send(answer(b"early")), c.wait_gone()), extra="client_max_body_size 0;")
    try:
        with stage.client("streamed", timeout=10) as c:
            c.send(request("POST", "/", "a", "Content-Length: 10485760"))
            deliver(c, b"x" * 100000, "whole")
            r = c.response("POST")
            assert r.status == 200 and r.body == b"early", r
            assert stage.origin.connections[0].ended.wait(5), "the upstream connection was kept"
            deliver(c, b"x" * 1000, "whole")
        stage.settle()
    finally:
        stage.close()


@pytest.mark.parametrize("row", ["FLOW-29-413-then-a-reset"])
def test_flow_the_answer_before_a_reset_is_relayed(row):
    def script(c):
        c.read_head()
        c.send(answer(b"too much", "413 Payload Too Large"))
        c.reset()

    stage = Stage(script=script, extra="client_max_body_size 0;")
    try:
        statuses = []
        for _ in range(5):
            with stage.client("streamed", timeout=10) as c:
                c.send(request("POST", "/", "a", "Content-Length: 10485760"))
                stage.origin.wait_request(len(statuses) + 1)
                deliver(c, b"x" * 500000, "whole")
                statuses.append(c.response("POST").status)
        assert statuses == [413] * 5
    finally:
        stage.close()


@pytest.mark.parametrize("row", ["FLOW-30-sending-for-ever-after-413"])
def test_flow_discarding_ends(row):
    stage = Stage(extra="client_max_body_size 10; lingering_time 2s; lingering_timeout 1s;")
    try:
        with stage.client("proxied", timeout=10) as c:
            c.send(request("POST", "/", "a", "Content-Length: 1000000000"))
            assert c.response("POST").status == 413
            began = time.monotonic()
            with pytest.raises(OSError):
                while True:
                    c.socket.sendall(b"x" * 1000)
                    assert time.monotonic() - began < 8, "it reads for ever"
                    c.ended = threading.Event()
                    c.ended.wait(0.02)
        eventually(lambda: stage.proxy.descriptors() <= stage.at_rest, "the connection is still held")
    finally:
        stage.close()
