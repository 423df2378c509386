"""COMP: what may be compressed, and for whom. COMP-09 and COMP-12 stand in tests/e2e/test_gzip.py, COMP-11 in
tests/unit/filter/test_gzip.c; COMP-13 is that of sub_filter; rows of gunzip, gzip_static and
brotli wait for them."""
import gzip

import pytest

from support.origin import answer
from support.wire import request

HTML = "Content-Type: text/html"
BODY = b"a body that is long enough to be compressed " * 40
SITE = """http {{ {lines} server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://{origin}; }} }} }}"""
ON = "gzip on; gzip_vary on; gzip_types *;"


def told(start, origin, said, *fields, lines=ON, method="GET"):
    origin.answers(said)
    proxy = start(SITE.format(lines=lines, origin=origin.address))
    with proxy.connect() as c:
        c.send(request(method, "/", "a", *fields))
        return c.response(method)


@pytest.mark.parametrize("lines, fields", [("", ()), ("gzip on;", ("Via: 1.1 x",))],
                         ids=["COMP-01-off-by-default", "COMP-01-not-for-other-proxies"])
def test_comp_secrets_are_not_compressed_unasked(start, origin, lines, fields):
    r = told(start, origin, answer(BODY, "200 OK", HTML), "Accept-Encoding: gzip", *fields, lines=lines)
    assert r.get("Content-Encoding") is None and r.body == BODY


UNTOUCHED = [
    ("COMP-05-not-gzip-at-all", "200 OK", "Content-Encoding: gzip"),
    ("COMP-05-twice", "200 OK", "Content-Encoding: gzip, gzip"),
    ("COMP-05-x-gzip", "200 OK", "Content-Encoding: x-gzip"),
    ("COMP-05-mixed-case", "200 OK", "Content-Encoding: GZip"),
    ("COMP-05-br", "200 OK", "Content-Encoding: br"),
    ("COMP-06-no-transform", "200 OK", "Cache-Control: public, no-transform"),
    ("COMP-06-content-range", "200 OK", "Content-Range: bytes 0-1/2"),
    ("COMP-06-partial", "206 Partial Content", "Content-Range: bytes 0-1759/5000"),
]


@pytest.mark.parametrize("status, field", [pytest.param(s, f, id=i) for i, s, f in UNTOUCHED])
def test_comp_an_answer_that_must_stay_is_relayed_as_it_is(start, origin, status, field):
    r = told(start, origin, answer(BODY, status, HTML, field), "Accept-Encoding: gzip")
    assert r.body == BODY
    assert r.all("Content-Encoding") == ([field.partition(": ")[2]] if field.startswith("Content-Encoding") else [])


@pytest.mark.parametrize("status, method", [("200 OK", "HEAD"), ("204 No Content", "GET"), ("304 Not Modified", "GET")],
                         ids=["COMP-06-head", "COMP-06-204", "COMP-06-304"])
def test_comp_no_body_no_compressor(start, origin, status, method):
    said = f"HTTP/1.1 {status}\r\n{HTML}\r\n\r\n".encode()
    r = told(start, origin, said, "Accept-Encoding: gzip", method=method)
    assert r.body == b"" and r.get("Transfer-Encoding") is None


REFUSING = [("q-0", "gzip;q=0"), ("star-q-0", "*;q=0"), ("bad-weight", "gzip;q=1.0001"), ("separators", ";;;,"),
            ("identity-q-0", "identity;q=0"), ("8-kib", "br, " * 1900 + "gzip;q=0")]


@pytest.mark.parametrize("accepts", [pytest.param(a, id=f"COMP-07-{i}") for i, a in REFUSING])
def test_comp_a_client_that_does_not_ask_gets_the_plain_body(start, origin, accepts):
    r = told(start, origin, answer(BODY, "200 OK", HTML), f"Accept-Encoding: {accepts}",
             lines=ON + " large_client_header_buffers 4 16k;")
    assert r.get("Content-Encoding") is None and r.body == BODY
    assert r.get("Vary") == "Accept-Encoding"


@pytest.mark.parametrize("fields", [(), ("Range: bytes=0-9",)], ids=["COMP-08-whole", "COMP-08-range"])
def test_comp_a_compressed_answer_has_one_framing_and_a_weak_tag(start, origin, fields):
    r = told(start, origin, answer(BODY, "200 OK", HTML, 'ETag: "a"', "Accept-Ranges: bytes"), "Accept-Encoding: gzip", *fields)
    assert (r.status, r.get("ETag"), r.get("Vary")) == (200, 'W/"a"', "Accept-Encoding")
    assert r.get("Content-Length") is None and r.get("Accept-Ranges") is None and r.get("Transfer-Encoding") == "chunked"
    assert gzip.decompress(r.body) == BODY


PIECES = [b"<p>One \xc3", b"\xa9 n", b"eed", b"le and NEE", b"DLE\xc3", b" nee", b"d</p>"]


@pytest.mark.parametrize("pieces", [PIECES, [bytes([byte]) for byte in b"".join(PIECES)], [b"".join(PIECES)]],
                         ids=["COMP-13-pattern-over-buffers", "COMP-13-one-byte-buffers", "COMP-13-one-buffer"])
def test_comp_a_text_is_replaced_wherever_it_is_cut(start, origin, pieces):
    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in pieces:
            c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        c.send(b"0\r\n\r\n")
    origin.script = script
    proxy = start(SITE.format(lines="sub_filter needle pin; sub_filter_once off;", origin=origin.address))
    with proxy.connect() as c:
        c.send(request("GET", "/", "a"))
        assert c.response().body == b"<p>One \xc3\xa9 pin and pin\xc3 need</p>"
