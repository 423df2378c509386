"""TLS: what a client may do to a TLS listener. TLS-20 (ticket and cache) stands in tests/e2e/test_tls_settings.py, TLS-12,
TLS-33, TLS-34 and TLS-35 in tests/unit/tls and tests/unit/base/test_table.c; rows of client certificates, early data and
stapling wait for them."""
import re
import socket
import ssl
import struct
import subprocess
import time

import pytest

from support.origin import free_port
from support.wire import request

SITE = """
log_format names '$status $ssl_server_name $host $server_name';
access_log {room}/access.log names;
client_header_timeout 5s;
{lines}
server {{ listen 127.0.0.1:{port} ssl default_server; server_name default; {files} return 200 "default\\n"; }}
server {{ listen 127.0.0.1:{port} ssl; server_name a.example; {files} return 200 "a\\n"; }}
server {{ listen 127.0.0.1:{port} ssl; server_name b.example; {files} return 200 "b\\n"; }}
server {{ listen 127.0.0.2:0; return 200 "plain\\n"; }}
"""


@pytest.fixture
def site(room, authority, start):
    certificate, key = authority.leaf("a.example", "b.example", "default", "127.0.0.1")

    def begin(lines=""):
        return start(SITE.format(room=room, lines=lines, port=free_port(),
                                 files=f"ssl_certificate {certificate}; ssl_certificate_key {key};"), listeners=2)

    return begin


def trusting(authority, **settings):
    context = authority.client()
    context.check_hostname = False
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def still_served(proxy, authority):
    began = time.monotonic()
    with proxy.connect(tls=authority.client(), name="a.example") as c:
        assert c.get("/", "a.example").body == b"a\n"
    return time.monotonic() - began


def hello(name):
    """A ClientHello for TLS 1.2 with these bytes as the body of its server_name extension."""
    extension = struct.pack(">HH", 0, len(name)) + name
    body = (b"\x03\x03" + b"r" * 32 + b"\0" + b"\0\x02\xc0\x2b" + b"\x01\0" + struct.pack(">H", len(extension)) +
            extension)
    message = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(message)) + message


def sni(*names):
    entries = b"".join(b"\0" + struct.pack(">H", len(n)) + n for n in names)
    return struct.pack(">H", len(entries)) + entries


@pytest.mark.parametrize("line", ["client_header_timeout 1s;", "ssl_handshake_timeout 1s;"],
                         ids=["TLS-01-header-timeout", "TLS-01-own-timeout"])
def test_tls_a_dribbled_hello_ends_at_its_timeout(room, authority, start, line):
    certificate, key = authority.leaf("a.example")
    proxy = start(f"{line} server {{ listen 127.0.0.1:0 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; "
                  'return 200 "a\\n"; }')
    with proxy.connect(timeout=5) as c:
        began = time.monotonic()
        try:
            for byte in hello(sni(b"a.example")):
                c.socket.settimeout(0.25)
                c.send(bytes([byte]))
                try:
                    if c.socket.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
        except OSError:
            pass
        assert 0.9 < time.monotonic() - began < 4


RUBBISH = {
    "random": bytes((i * 197 + 31) % 256 for i in range(5000)),
    "ssl2": b"\x80\x2e\x01\0\x02\0\x15\0\0\0\x10" + b"c" * 37,
    "long-record": b"\x16\x03\x01\xff\xff" + b"\x01" * 65535,
    "empty-records": b"\x16\x03\x01\0\0" * 5000,
}


@pytest.mark.parametrize("what", RUBBISH, ids=[f"TLS-03-{n}" for n in RUBBISH])
def test_tls_rubbish_costs_nothing(site, authority, what):
    proxy = site()
    before = proxy.cpu()
    for _ in range(20):
        with proxy.connect(timeout=5) as c:
            try:
                c.send(RUBBISH[what])
                c.finish()
                said = c.take_all()
            except OSError:
                said = b""
            assert said == b"" or said[0] == 21 or said.startswith(b"HTTP/1.1 400"), said[:80]
    assert proxy.cpu() - before < 0.2
    still_served(proxy, authority)


def test_tls_plain_http_is_told_so(site):
    """TLS-04"""
    with site().connect() as c:
        c.send(request("GET", "/", "a.example"))
        r = c.response()
        assert r.status == 400 and r.closes
        assert b"The plain HTTP request was sent to HTTPS port" in r.body
        c.assert_closed()


def test_tls_a_hello_to_a_plain_listener(site):
    """TLS-05"""
    proxy = site()
    with proxy.connect(index=1) as c:
        c.send(hello(sni(b"a.example")))
        assert c.response().status == 400
        c.assert_closed()
    assert "\x16\x03" not in proxy.errors()
    assert all(" " <= byte for line in proxy.wait_access() for byte in line)


@pytest.mark.parametrize("line", [b"EHLO x\r\n", b"USER anonymous\r\n", b"a001 CAPABILITY\r\n"],
                         ids=["TLS-06-smtp", "TLS-06-ftp", "TLS-06-imap"])
def test_tls_another_protocol_is_not_echoed(site, authority, line):
    with site().connect(tls=authority.client(), name="a.example") as c:
        c.send(line)
        said = c.take_all()
    assert said.startswith(b"HTTP/1.1 400 ") and line.split()[0] not in said and line.split()[1] not in said.split()


@pytest.mark.parametrize("offered", [["foo"], ["h2"]], ids=["TLS-07", "TLS-08"])
def test_tls_no_protocol_in_common(site, authority, offered):
    context = authority.client()
    context.set_alpn_protocols(offered)
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        site().connect(tls=context, name="a.example")


def test_tls_http_1_1_of_both(site, authority):
    """TLS-08"""
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with site().connect(tls=context, name="a.example") as c:
        assert c.socket.selected_alpn_protocol() == "http/1.1"


def test_tls_renegotiation_ends_the_connection(site, authority):
    """TLS-10"""
    proxy = site()
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-tls1_2", "-servername",
                           "a.example"], input="R\n", capture_output=True, text=True, timeout=20)
    assert "RENEGOTIATING" in done.stdout + done.stderr
    assert "verify return" not in (done.stdout + done.stderr).partition("RENEGOTIATING")[2]
    still_served(proxy, authority)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"], ids=["TLS-13-1.0", "TLS-13-1.1"])
def test_tls_old_versions_are_refused(site, version):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{site().port}", version, "-cipher",
                           "DEFAULT@SECLEVEL=0"], input="", capture_output=True, text=True, timeout=20)
    assert "alert protocol version" in done.stderr and "BEGIN CERTIFICATE" not in done.stdout


def test_tls_an_unknown_name_gets_the_default_server(site, authority):
    """TLS-14; the refusing form stands in tests/e2e/test_tls_settings.py"""
    with site().connect(tls=trusting(authority), name="c.example") as c:
        assert c.get("/", "c.example").body == b"default\n"


BAD_NAMES = {"too-long": sni(b"a" * 256), "zero": sni(b"a.example\0"), "empty": sni(b""),
             "two": sni(b"a.example", b"b.example")}


@pytest.mark.parametrize("name", BAD_NAMES, ids=[f"TLS-15-{n}" for n in BAD_NAMES])
def test_tls_a_name_that_is_none(site, authority, name):
    proxy = site()
    with proxy.connect() as c:
        c.send(hello(BAD_NAMES[name]))
        said = c.take_all()
    assert said[:1] == b"\x15" and said[5] == 2, said  # a fatal alert, and no certificate
    still_served(proxy, authority)


@pytest.mark.parametrize("name, body", [(b"A.Example.", b"a\n"), (b"127.0.0.1", b"default\n")],
                         ids=["TLS-15-case-and-dot", "TLS-15-address"])
def test_tls_a_name_in_another_form(site, authority, name, body):
    """The hello decides the certificate; without a Host of its own the request follows its server in the log."""
    proxy = site()
    with proxy.connect(tls=trusting(authority), name=name.decode()) as c:
        c.get("/", "nowhere.example")
        c.get("/", name.decode())
    chosen = proxy.wait_access(2)[-1].split()
    assert chosen[3] == {b"a\n": "a.example", b"default\n": "default"}[body]
    if body == b"a\n":
        assert chosen[1] == "a.example"


def test_tls_host_chooses_the_server_again(site, authority):
    """TLS-16"""
    proxy = site()
    with proxy.connect(tls=authority.client(), name="a.example") as c:
        assert c.get("/", "b.example").body == b"b\n"
    assert proxy.wait_access()[0] == "200 a.example b.example b.example"


def test_tls_early_data_is_not_offered(site, room):
    """TLS-29"""
    proxy, kept = site(), room / "session"
    subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-tls1_3", "-servername", "a.example",
                    "-sess_out", str(kept), "-ign_eof"], input="GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close"
                   "\r\n\r\n", capture_output=True, text=True, timeout=20)
    text = subprocess.run(["openssl", "sess_id", "-in", str(kept), "-noout", "-text"], capture_output=True, text=True)
    assert "Max Early Data: 0" in text.stdout


def test_tls_what_comes_behind_close_notify_is_dropped(site, authority):
    """TLS-36"""
    proxy = site()
    context = authority.client()
    with socket.create_connection(proxy.address, timeout=10) as plain:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="a.example")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
        try:
            tls.unwrap()
        except ssl.SSLError:
            pass
        plain.sendall(outgoing.read() + b"\x17\x03\x03\0\x20" + b"x" * 32)
        began = time.monotonic()
        try:
            while plain.recv(65536):
                pass
        except ConnectionError:
            pass
        assert time.monotonic() - began < 5
    proxy.settle()


@pytest.mark.parametrize("close", ["fin", "reset"], ids=["TLS-37-fin", "TLS-37-reset"])
def test_tls_a_cut_body_never_reaches_the_origin_whole(room, authority, start, origin, close):
    certificate, key = authority.leaf("a.example")
    proxy = start(f"""access_log {room}/access.log;
server {{ listen 127.0.0.1:0 ssl; ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{ proxy_pass http://{origin.address}; }} }}""")
    with proxy.connect(tls=authority.client(), name="a.example") as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
        assert c.head().status == 100  # the head was read: a reset cannot take it back
        c.send(b"half")
        if close == "reset":
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert proxy.wait_access()[0].split('"')[2].split()[0] in ("400", "499")
    assert not origin.requests


@pytest.mark.parametrize("row", ["TLS-40-expired-at-the-start"])
def test_tls_an_expired_certificate_is_served_with_a_warning(room, start, row):
    for command in (("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "old.key", "-out", "old.csr", "-subj", "/CN=a"),
                    ("x509", "-req", "-in", "old.csr", "-signkey", "old.key", "-days", "-1", "-out", "old.pem")):
        subprocess.run(["openssl", *command], cwd=room, check=True, capture_output=True)
    proxy = start(f"server {{ listen 127.0.0.1:0 ssl; ssl_certificate {room}/old.pem; ssl_certificate_key {room}/old.key;"
                  " return 200 served; }")
    assert re.search(r'\[warn\] the certificate ".*/old.pem" has expired on \w+, .* GMT in ', proxy.stderr.text())
    anything = ssl.create_default_context()
    anything.check_hostname, anything.verify_mode = False, ssl.CERT_NONE
    with proxy.connect(tls=anything, name="a") as c:
        assert c.get("/").body == b"served"
