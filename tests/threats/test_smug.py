"""SMUG: HTTP/1 framing from the client. Every row goes to a proxied location, a file and a `return`, and through
the forward face, in one segment, byte by byte, and cut at every CR."""
import pytest

from support.attack import G, P, S, Stage, assert_one_framing, exchange, rows, told
from support.wire import DELIVERIES, deliver

HELLO = b"\r\n\r\nhello" + S


def length(value):
    return P + b"Content-Length:" + value + HELLO


def coding(value, extra=b""):
    return P + extra + b"Transfer-Encoding:" + value + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + S


REFUSED = [
    # id, bytes, status
    ("SMUG-01-cl-te", P + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG" + S, 400),
    ("SMUG-02-te-cl", P + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + S + b"x" * 61 + b"\r\n0\r\n\r\n", 400),
    ("SMUG-03-cl-te-and-close", P + b"Connection: close\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG" + S, 400),
    ("SMUG-04-two-lengths", P + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + S, 400),
    ("SMUG-04-two-lengths-reversed", P + b"Content-Length: 44\r\nContent-Length: 0\r\n\r\n" + S, 400),
    ("SMUG-05-equal-twice", P + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("SMUG-06-list-of-equals", length(b" 5, 5"), 400),
    ("SMUG-06-list-of-two", length(b" 5, 6"), 400),
    ("SMUG-06-open-list", length(b" 5,"), 400),
    ("SMUG-07-plus", length(b" +5"), 400),
    ("SMUG-08-negative", P + b"Content-Length: -48\r\n\r\n" + S, 400),
    ("SMUG-08-minus-zero", P + b"Content-Length: -0\r\n\r\n" + S, 400),
    ("SMUG-09-hexadecimal", length(b" 0x5"), 400),
    ("SMUG-09-letter-after", length(b" 5h"), 400),
    ("SMUG-10-underscore", length(b" 1_0"), 400),
    ("SMUG-11-space-inside", length(b" 1 0"), 400),
    ("SMUG-11-parameter", length(b" 5;a"), 400),
    ("SMUG-11-fraction", length(b" 5.0"), 400),
    ("SMUG-11-quoted", length(b' "5"'), 400),
    ("SMUG-12-empty", P + b"Content-Length: \r\n\r\n" + S, 400),
    ("SMUG-13-empty-then-a-value", P + b"Content-Length:\r\nContent-Length: 43\r\n\r\n" + S, 400),
    ("SMUG-15-2-to-64-and-5", length(b" 18446744073709551621"), 400),
    ("SMUG-15-2-to-63", length(b" 9223372036854775808"), 400),
    ("SMUG-15-40-digits", length(b" " + b"9" * 40), 400),
    ("SMUG-17-30-digits", length(b" " + b"0" * 29 + b"5"), 400),
    ("SMUG-18-nbsp-before", length(b" \xa05"), 400),
    ("SMUG-18-nel-before", length(b" \x855"), 400),
    ("SMUG-18-nbsp-after", length(b" 5\xa0"), 400),
    ("SMUG-18-full-width", length(b" \xef\xbc\x95"), 400),
    ("SMUG-19-space-before-colon", P + b"Content-Length : 5\r\n\r\nhello", 400),
    ("SMUG-19-tab-before-colon", P + b"Content-Length\t: 5\r\n\r\nhello", 400),
    ("SMUG-20-te-space-before-colon", P + b"Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + S, 400),
    ("SMUG-21-no-colon-length", P + b"Content-Length 5\r\n\r\nhello", 400),
    ("SMUG-21-no-colon", G + b"X-Foo\r\n\r\n", 400),
    ("SMUG-22-space-before-first-field", b"POST / HTTP/1.1\r\n Content-Length: 5\r\nHost: a\r\n\r\nhello", 400),
    ("SMUG-23-folded-coding", P + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    ("SMUG-24-folded-field", G + b"X-A: 1\r\n\tb\r\n\r\n", 400),
    ("SMUG-25-name-across-lines", P + b"Transfer-\r\nEncoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ("SMUG-26-empty-name", P + b": x\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("SMUG-26-only-colon", P + b":\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("SMUG-27-nul-starts-name", G + b"\0X-A: 1\r\n\r\n", 400),
    ("SMUG-27-nul-in-name", G + b"X\0A: 1\r\n\r\n", 400),
    ("SMUG-27-nul-ends-name", G + b"X-A\0: 1\r\n\r\n", 400),
    ("SMUG-28-nul-in-value", G + b"X: a\0b\r\n\r\n", 400),
    ("SMUG-28-nul-in-host", b"GET / HTTP/1.1\r\nHost: a\0.b\r\n\r\n", 400),
    ("SMUG-29-bare-cr-in-value", P + b"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ("SMUG-30-bare-lf-ends-a-line", P + b"X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ("SMUG-31-all-lines-lf", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("SMUG-32-head-ended-by-cr-and-a-letter", G + b"\rZGET /smug: HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("SMUG-36-unknown-coding", P + b"Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + S, 501),
    ("SMUG-37-gzip-chunked", coding(b" gzip, chunked"), 501),
    ("SMUG-38-chunked-gzip", coding(b" chunked, gzip"), 400),
    ("SMUG-38-chunked-identity", coding(b" chunked, identity"), 400),
    ("SMUG-39-chunked-chunked", coding(b" chunked, chunked"), 400),
    ("SMUG-40-two-lines", coding(b" chunked\r\nTransfer-Encoding: chunked"), 400),
    ("SMUG-40-chunked-then-identity", coding(b" chunked\r\nTransfer-Encoding: identity"), 400),
    ("SMUG-41-identity", coding(b" identity"), 501),
    ("SMUG-41-identity-with-length", coding(b" identity", b"Content-Length: 5\r\n"), 400),
    ("SMUG-42-comma-before", coding(b" ,chunked"), 400),
    ("SMUG-42-comma-after", coding(b" chunked,"), 400),
    ("SMUG-42-two-commas-after", coding(b" chunked,,"), 400),
    ("SMUG-43-quoted", coding(b' "chunked"'), 400),
    ("SMUG-43-parameter", coding(b" chunked;q=1"), 400),
    ("SMUG-43-two-words", coding(b" chunked gzip"), 400),
    ("SMUG-44-vertical-tab", coding(b" \x0bchunked"), 400),
    ("SMUG-44-form-feed", coding(b" \x0cchunked"), 400),
    ("SMUG-44-nul-after", coding(b" chunked\0"), 400),
    ("SMUG-44-nbsp", coding(b" \xa0chunked"), 400),
    ("SMUG-44-ff", coding(b" \xffchunked"), 400),
    ("SMUG-45-empty-coding-with-length", P + b"Transfer-Encoding: \r\nContent-Length: 5\r\n\r\nhello" + S, 400),
    ("SMUG-47-chunked-in-1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + S, 400),
]
REFUSED += [(f"SMUG-33-control-{byte:02x}", G + b"X: a" + bytes([byte]) + b"b\r\n\r\n", 400)
            for byte in (*range(0x01, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F)]
REFUSED += [(f"SMUG-34-name-with-{byte:02x}", G + b"X" + bytes([byte]) + b"A: 1\r\n\r\n", 400)
            for byte in (0x80, 0xA0, 0xC3, 0xFF, *b'"(),/;<=>?@[\\]{}')]

FACES = ("proxied", "static", "returned")


@pytest.mark.parametrize("data, status", rows(REFUSED))
def test_smug(stage, data, status):
    for face in FACES:
        for cut in DELIVERIES:
            with told(face, cut):
                stage.refuses(face, data, status, cut)


@pytest.mark.parametrize("data, status", rows(REFUSED))
def test_smug_forward(forward, data, status):
    for cut in DELIVERIES:
        with told("forward", cut):
            forward.refuses("forward", data, status, cut)


# what must work

GOOD = [
    # id, bytes, the body that the origin must get, its Content-Length (None: any framing of ours)
    ("SMUG-14-leading-zero-is-decimal", P + b"Content-Length: 010\r\n\r\n0123456789", b"0123456789", "10"),
    ("SMUG-46-capital", coding(b" Chunked")[: -len(S)], b"hello", None),
    ("SMUG-46-upper-case", coding(b" CHUNKED")[: -len(S)], b"hello", None),
    ("SMUG-46-odd-name-no-space", P + b"TrAnSfEr-EnCoDiNg:chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", None),
    ("SMUG-46-tabs-around", P + b"Transfer-Encoding:\tchunked \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", None),
    ("SMUG-48-underscore", P + b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", b"hello", "5"),
    ("SMUG-49-connection-names-coding",
     P + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", None),
    ("SMUG-49-connection-names-length",
     P + b"Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", b"hello", None),
]


@pytest.mark.parametrize("data, body, declared", rows(GOOD))
def test_smug_kept(stage, data, body, declared):
    for face, status in (("proxied", 200), ("streamed", 200), ("static", 405), ("returned", 200)):
        for cut in DELIVERIES:
            with told(face, cut):
                stage.origin.forget()
                exchange(stage, face, data, cut, status)
                if face in ("proxied", "streamed"):
                    posts = [q for q in stage.origin.requests if q.method == "POST"]
                    assert len(posts) == 1
                    assert_one_framing(posts[0], body, declared)
                    assert not [n for n, _ in posts[0].fields if "_" in n], posts[0]


@pytest.mark.parametrize("data, body, declared", rows(GOOD))
def test_smug_kept_forward(forward, data, body, declared):
    for cut in DELIVERIES:
        with told("forward", cut):
            forward.origin.forget()
            exchange(forward, "forward", data, cut, 200)
            posts = [q for q in forward.origin.requests if q.method == "POST"]
            assert len(posts) == 1
            assert_one_framing(posts[0], body, declared)


@pytest.fixture(scope="module")
def patient_stage():
    """No limit for bodies, and a short time to send them."""
    stage = Stage(timeout="1s", extra="client_max_body_size 0;")
    yield stage
    stage.close()


@pytest.mark.parametrize("cut", DELIVERIES, ids=lambda cut: f"SMUG-16-2-to-32-and-5-{cut}")
def test_smug_length_is_not_cut_to_32_bits(patient_stage, cut):
    stage = patient_stage
    stage.mark_logs()
    with stage.client("proxied", timeout=8) as c:
        assert deliver(c, P + b"Content-Length: 4294967301\r\n\r\nhello" + S, cut)
        stage.control("proxied")
        assert c.take_all() == b"", "an answer before the body was whole"
    lines = stage.new_access()
    assert len(lines) == 1 and lines[0].startswith("408 0 "), lines
    assert stage.origin.requests == []
    stage.settle()


@pytest.mark.parametrize("data", [pytest.param(G + b"X.Foo: 1\r\n\r\n", id="SMUG-35-dot-in-name")])
def test_smug_invalid_name_is_dropped(stage, data):
    for cut in DELIVERIES:
        with told(cut):
            stage.origin.forget()
            stage.mark_logs()
            exchange(stage, "proxied", data, cut, 200, "GET")
            first = stage.origin.requests[0]
            assert first.method == "GET" and first.all("X.Foo") == [], first
            assert len(stage.new_errors(r"\[info\]")) == 1, stage.new_errors()


@pytest.mark.parametrize("data", [pytest.param(G + b"X.Foo: 1\r\n\r\n", id="SMUG-35-dot-in-name-passes-the-forward-face")])
def test_smug_a_token_passes_the_forward_face(forward, data):
    exchange(forward, "forward", data, "whole", 200, "GET")
    assert forward.origin.requests[0].get("X.Foo") == "1"


PADDED = S + b"p" * (47 - len(S))


@pytest.mark.parametrize("method, row", [
    pytest.param("GET", 50, id="SMUG-50-body-of-a-get"),
    pytest.param("HEAD", 51, id="SMUG-51-body-of-a-head"),
    pytest.param("DELETE", 51, id="SMUG-51-body-of-a-delete"),
    pytest.param("OPTIONS", 51, id="SMUG-51-body-of-options"),
    pytest.param("FOO", 51, id="SMUG-51-body-of-an-unknown-method"),
])
def test_smug_body_is_never_a_request(stage, method, row):
    data = f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 47\r\n\r\n".encode() + PADDED
    static = 200 if method in ("GET", "HEAD") else 405
    for face, status in (("proxied", 200), ("streamed", 200), ("static", static), ("returned", 200)):
        for cut in DELIVERIES:
            with told(face, cut):
                stage.origin.forget()
                stage.mark_logs()
                exchange(stage, face, data, cut, status, method)
                assert not [l for l in stage.new_access() if "/smug" in l]
                if face in ("proxied", "streamed"):
                    assert "/smug" not in stage.origin.targets()
                    assert_one_framing(stage.origin.requests[0], PADDED, "47")


@pytest.mark.parametrize("row", ["SMUG-52-small-body-to-a-file", "SMUG-52-small-body-to-a-return"])
def test_smug_small_body_is_read_off(stage, row):
    face, status = ("static", 405) if row.endswith("file") else ("returned", 200)
    body = S + b"p" * (100 - len(S))
    stage.mark_logs()
    exchange(stage, face, P + b"Content-Length: 100\r\n\r\n" + body, "whole", status)
    lines = stage.new_access(2)
    assert len(lines) == 2 and "/smug" not in "".join(lines), lines


@pytest.mark.parametrize("row", ["SMUG-52-large-body-to-a-file", "SMUG-52-large-body-to-a-return"])
def test_smug_large_body_ends_the_connection(stage, row):
    face, status = ("static", 405) if row.endswith("file") else ("returned", 200)
    stage.mark_logs()
    with stage.client(face, timeout=8) as c:
        deliver(c, P + b"Content-Length: 900000\r\n\r\n" + S * 10, "whole")  # and no more
        r = c.response("POST")
        assert r.status == status and r.closes, r
        c.assert_closed()
    lines = stage.new_access()
    assert len(lines) == 1, lines


@pytest.mark.parametrize("cut", DELIVERIES, ids=lambda cut: f"SMUG-53-no-framing-at-all-{cut}")
def test_smug_post_without_framing_has_an_empty_body(stage, cut):
    stage.origin.forget()
    with stage.client("proxied") as c:
        deliver(c, P + b"\r\n" + S, cut)
        assert c.response("POST").body == b"origin: POST /\n"
        assert c.response().body == b"origin: GET /smug\n"
        c.assert_kept()
    first, second = stage.origin.requests[:2]
    assert_one_framing(first, b"", "0")
    assert (second.method, second.target) == ("GET", "/smug")
    for face, status, canary in (("static", 405, 404), ("returned", 200, 200)):
        with stage.client(face) as c:
            deliver(c, P + b"\r\n" + S, cut)
            assert c.response("POST").status == status
            r = c.response()
            assert r.status == canary and (face == "static" or r.body == b"CANARY\n"), r


def test_the_canary_is_told_from_an_ordinary_answer(stage):
    """The harness itself: a canary that is run is seen."""
    with stage.client("returned") as c:
        assert c.ask(S).body == b"CANARY\n"
