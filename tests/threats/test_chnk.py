"""CHNK: HTTP/1 chunked bodies from the client."""
import time

import pytest

from support.attack import S, assert_one_framing, exchange, rows, told
from support.waiting import eventually
from support.wire import DELIVERIES, deliver

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
END = b"\r\nhello\r\n0\r\n\r\n"
LARGE = ("whole", "cr")

REFUSED = [
    # id, what follows the head, status, deliveries
    ("CHNK-01-17-digits", b"FFFFFFFFFFFFFFFF1" + END, 400),
    ("CHNK-01-16-times-f", b"FFFFFFFFFFFFFFFF" + END, 400),
    ("CHNK-01-2-to-63", b"8000000000000000" + END, 400),
    ("CHNK-02-wraps-in-64-bits", b"10000000000000005" + END + S, 400),
    ("CHNK-02-wraps-in-32-bits", b"100000005" + END + S, 413),
    ("CHNK-03-20-digits", b"00000000000000000005" + END, 400),
    ("CHNK-04-hexadecimal-prefix", b"0x5" + END, 400),
    ("CHNK-05-plus", b"+5" + END, 400),
    ("CHNK-05-minus", b"-5" + END, 400),
    ("CHNK-05-minus-zero", b"-0x0\r\n\r\n" + S, 400),
    ("CHNK-06-underscore", b"0_2e\r\n\r\n" + S + b"0\r\n\r\n", 400),
    ("CHNK-06-underscore-inside", b"5_0" + END, 400),
    ("CHNK-07-leading-space", b" 5" + END, 400),
    ("CHNK-07-leading-tab", b"\t5" + END, 400),
    ("CHNK-07-leading-cr", b"\r5" + END, 400),
    ("CHNK-08-trailing-space", b"5 " + END, 400),
    ("CHNK-08-trailing-tab", b"5\t" + END, 400),
    ("CHNK-09-letters", b"Z\r\nZZ\r\nZZZ\r\n\r\n", 400),
    ("CHNK-09-letter-after", b"5g" + END, 400),
    ("CHNK-09-words", b"1these-bytes-are-not-size\r\nZ\r\n0\r\n\r\n", 400),
    ("CHNK-10-empty-size", b"\r\n\r\n" + S, 400),
    ("CHNK-11-lf-ends-size", b"5\nhello\r\n0\r\n\r\n", 400),
    ("CHNK-12-lf-ends-data", b"5\r\nhello\n0\r\n\r\n", 400),
    ("CHNK-13-other-bytes-end-data", b"5\r\nhelloXX0\r\n\r\n", 400),
    ("CHNK-13-nothing-ends-data", b"5\r\nhello0\r\n\r\n", 400),
    ("CHNK-14-spill", b"5\r\nAAAAAXXX\r\n0\r\n\r\n", 400),
    ("CHNK-15-lf-in-extension", b"5;\nxx\r\nhello\r\n0\r\n\r\n" + S, 400),
    ("CHNK-16-cr-before-extension", b"5\r\r;ABCD\r\nhello\r\n0\r\n\r\n", 400),
    ("CHNK-16-cr-cr-after-extension", b"41;a=b\r\rXXXX" + b"y" * 70 + b"\r\n0\r\n\r\n", 400),
    ("CHNK-16-cr-cr-hides-a-size", b"2\r\r;a\r\n02\r\n41\r\n0\r\n\r\n" + S, 400),
    ("CHNK-17-nul-in-extension", b"5;a=\0" + END, 400),
    ("CHNK-17-01-in-extension", b"5;a=\x01" + END, 400),
    ("CHNK-17-del-in-extension", b"5;a=\x7f" + END, 400),
    ("CHNK-18-extension-without-name", b"5;" + END, 400),
    ("CHNK-18-extension-only-value", b"5;=x" + END, 400),
    ("CHNK-18-extension-without-value", b"5;a=" + END, 400),
    ("CHNK-18-open-quote", b'5;a="open' + END, 400),
    ("CHNK-20-one-line-of-64-kib", b"5;" + b"a" * 65536 + END, 400, LARGE),
    ("CHNK-20-many-extensions", (b"1;" + b"a" * 200 + b"\r\nx\r\n") * 10000 + b"0\r\n\r\n", 400, ("whole",)),
    ("CHNK-21-empty-line-between-chunks", b"5\r\nhello\r\n\r\n0\r\n\r\n", 400),
    ("CHNK-23-lf-after-zero", b"0\n\r\n" + S, 400),
    ("CHNK-23-lf-ends-trailers", b"0\r\n\n" + S, 400),
    ("CHNK-23-cr-and-a-letter", b"0\r\n\rX" + S, 400),
    ("CHNK-27-folded-trailer", b"0\r\nX: a\r\n b\r\n\r\n", 400),
    ("CHNK-27-lf-ends-trailer", b"0\r\nX: a\n\r\n" + S, 400),
    ("CHNK-27-space-before-colon", b"0\r\nX : a\r\n\r\n", 400),
    ("CHNK-27-empty-name", b"0\r\n: a\r\n\r\n", 400),
    ("CHNK-28-10000-trailers", b"0\r\n" + b"X: a\r\n" * 10000 + b"\r\n", 400, LARGE),
    ("CHNK-28-a-trailer-of-64-kib", b"0\r\nX: " + b"a" * 65536 + b"\r\n\r\n", 400, LARGE),
]


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in REFUSED])
def test_chnk(stage, case):
    _, tail, status, *cuts = case
    for face in ("proxied", "streamed", "static", "returned"):
        # a file and a `return` may have answered before the body came to the fault
        others = {"static": (405,), "returned": (200,)}.get(face, ())
        for cut in cuts[0] if cuts else DELIVERIES:
            with told(face, cut):
                if face in ("proxied", "streamed"):
                    stage.refuses(face, HEAD + tail, status, cut, may_reach_origin=face == "streamed")
                else:
                    refused_or_answered(stage, face, HEAD + tail, (status, *others), cut)


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in REFUSED if "32-bits" not in c[0]])
def test_chnk_forward(forward, case):
    _, tail, status, *cuts = case
    for cut in cuts[0] if cuts else DELIVERIES:
        with told("forward", cut):
            forward.refuses("forward", HEAD + tail, status, cut, may_reach_origin=True)


def refused_or_answered(stage, face, data, statuses, cut):
    """One answer of those, then the end; never a second request."""
    stage.mark_logs()
    with stage.client(face, timeout=3) as c:
        deliver(c, data, cut)
        stage.control(face)
        r = c.response("POST")
        assert r.status in statuses and r.closes, r
        c.assert_closed()
    lines = stage.new_access()
    assert len(lines) == 1, lines


GOOD = [
    # id, what follows the head, the body
    ("CHNK-19-good-extensions", b'5;a=b;c="d\\"e;f"\r\nhello\r\n0;z\r\n\r\n', b"hello"),
    ("CHNK-22-three-zeros", b"5\r\nhello\r\n000\r\n\r\n", b"hello"),
    ("CHNK-26-trailers", b"5\r\nhello\r\n0\r\nHost: evil\r\nAuthorization: Basic eDp5\r\nCookie: a=b\r\n"
     b"Content-Type: x/y\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n", b"hello"),
]


def assert_nothing_merged(request):
    for name in ("Authorization", "Cookie", "Content-Type", "X-Forwarded-For", "X"):
        assert not request.all(name), request
    assert request.all("Host") != ["evil"]


@pytest.mark.parametrize("tail, body", rows(GOOD))
def test_chnk_kept(stage, tail, body):
    for face, status in (("proxied", 200), ("streamed", 200), ("static", 405), ("returned", 200)):
        for cut in DELIVERIES:
            with told(face, cut):
                stage.origin.forget()
                exchange(stage, face, HEAD + tail, cut, status)
                if face in ("proxied", "streamed"):
                    assert_one_framing(stage.origin.requests[0], body)
                    assert_nothing_merged(stage.origin.requests[0])


@pytest.mark.parametrize("tail, body", rows(GOOD))
def test_chnk_kept_forward(forward, tail, body):
    for cut in DELIVERIES:
        with told(cut):
            forward.origin.forget()
            exchange(forward, "forward", HEAD + tail, cut, 200)
            assert_one_framing(forward.origin.requests[0], body)
            assert_nothing_merged(forward.origin.requests[0])


TWO = [
    ("CHNK-24-trailer-like-a-request-line", b"0\r\nX:POST /smug HTTP/1.1\r\n\r\n", b""),
    ("CHNK-25-trailers-that-are-framing",
     b"5\r\nhello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n", b"hello"),
]


@pytest.mark.parametrize("tail, body", rows(TWO))
def test_chnk_exactly_two_requests(stage, tail, body):
    for face in ("proxied", "streamed"):
        for cut in DELIVERIES:
            with told(face, cut):
                stage.origin.forget()
                with stage.client(face) as c:
                    deliver(c, HEAD + tail + NEXT, cut)
                    assert c.response("POST").body == b"origin: POST /\n"
                    assert c.response().body == b"origin: GET /\n"
                assert [(q.method, q.target) for q in stage.origin.requests] == [("POST", "/"), ("GET", "/")]
                assert_one_framing(stage.origin.requests[0], body)
                assert_nothing_merged(stage.origin.requests[0])


@pytest.mark.parametrize("face", [pytest.param("proxied", id="CHNK-29-chunks-of-one-byte"),
                                  pytest.param("streamed", id="CHNK-29-chunks-of-one-byte-streamed")])
def test_chnk_200000_chunks_cost_little(stage, face):
    count = 200000
    stage.origin.forget()
    with stage.client(face, timeout=20) as c:
        before = stage.proxy.cpu()
        c.send(HEAD.replace(b" / ", b" /upload ") + b"1\r\nx\r\n" * count + b"0\r\n\r\n")
        r = c.response("POST")
        spent = stage.proxy.cpu() - before
    assert r.status == 200 and r.body == b"%d" % count, r
    assert spent < 1.0, f"{spent:.2f} s of CPU"


@pytest.mark.parametrize("face", [pytest.param("proxied", id="CHNK-30-client-leaves-in-a-chunk"),
                                  pytest.param("streamed", id="CHNK-30-client-leaves-in-a-chunk-streamed")])
def test_chnk_an_unfinished_body_is_never_finished_by_us(stage, face):
    stage.origin.forget()
    stage.mark_logs()
    with stage.client(face) as c:
        c.send(HEAD + b"5\r\nhel")
        if face == "streamed":
            stage.origin.wait_request()
    lines = stage.new_access()
    assert len(lines) == 1 and lines[0].startswith("400 "), lines
    assert_origin_saw_no_end(stage)


@pytest.mark.parametrize("row", ["CHNK-31-bad-chunk-after-1-mib"])
def test_chnk_a_late_fault_is_never_passed_on(stage, row):
    stage.origin.forget()
    good = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with stage.client("streamed", timeout=10) as c:
        # less than client_max_body_size
        c.send(HEAD.replace(b" / ", b" /upload ") + good * 15)
        eventually(lambda: stage.origin.octets > 0 and stage.origin.requests, "the body is not streamed")
        deliver(c, b"zz\r\n" + S, "whole")
        r = c.response("POST")
        assert r.status == 400 and r.closes, r
        c.assert_closed()
    assert_origin_saw_no_end(stage)


def assert_origin_saw_no_end(stage):
    """The upstream connection, if there was one, was closed without a last chunk."""
    for connection in list(stage.origin.connections):
        if connection.requests:
            assert connection.ended.wait(5), "the upstream connection is still open"
            assert not connection.requests[-1].whole, "a whole request reached the origin"


@pytest.mark.parametrize("face", [pytest.param("proxied", id="CHNK-32-a-stray-byte-after-the-end"),
                                  pytest.param("returned", id="CHNK-32-a-stray-byte-after-the-end-return")])
def test_chnk_a_stray_byte_starts_a_bad_request(stage, face):
    for cut in DELIVERIES:
        with told(cut), stage.client(face, timeout=5) as c:
            began = time.monotonic()
            deliver(c, HEAD + b"0\r\n\r\n\0", cut)
            r = c.response("POST")
            assert r.status == 200
            if not r.closes:  # a `return` closes if the body came slowly (SMUG-52)
                r = c.response()
                assert r.status == 400 and r.closes, r
            else:
                assert face == "returned" and cut != "whole", r
            c.assert_closed()
            assert time.monotonic() - began < 4, "it waited for more of what cannot be a request"
