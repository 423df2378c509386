"""TLS towards clients."""
import os
import signal
import socket
import ssl
import subprocess

import pytest

from support.origin import free_port
from support.waiting import eventually
from support.wire import Client, request


@pytest.fixture
def two_names(room, authority, start):
    a, b, port = authority.leaf("a.example"), authority.leaf("b.example"), free_port()
    return start(f"""
server {{ listen 127.0.0.1:{port} ssl; server_name a.example; ssl_certificate {a[0]}; ssl_certificate_key {a[1]};
    return 200 "a $scheme $https $server_name\\n"; }}
server {{ listen 127.0.0.1:{port} ssl; server_name b.example; ssl_certificate {b[0]}; ssl_certificate_key {b[1]};
    return 200 "b $scheme $https $server_name\\n"; }}
""", listeners=1)


def test_the_name_in_the_hello_chooses_the_certificate(two_names, authority):
    for name in ("a.example", "b.example"):
        with two_names.connect(tls=authority.client(), name=name) as c:
            assert c.get("/", name).body == f"{name[0]} https on {name}\n".encode()


def test_a_wildcard_or_an_expression_chooses_the_certificate(room, authority, start):
    other, wild, regex, port = *(authority.leaf(n) for n in ("o.example", "x.wild.example", "r7.example")), free_port()
    end = """ return 200 "$server_name $1\\n"; }"""
    proxy = start(f"""
server {{ listen 127.0.0.1:{port} ssl; server_name o.example; ssl_certificate {other[0]}; ssl_certificate_key {other[1]};{end}
server {{ listen 127.0.0.1:{port} ssl; server_name *.wild.example; ssl_certificate {wild[0]}; ssl_certificate_key {wild[1]};{end}
server {{ listen 127.0.0.1:{port} ssl; server_name "~^r(\\d)"; ssl_certificate {regex[0]}; ssl_certificate_key {regex[1]};{end}
server {{ listen 127.0.0.1:{port} ssl; server_name "~^(a+)+$"; ssl_certificate {regex[0]}; ssl_certificate_key {regex[1]};{end}
""", listeners=1)
    for name, body in (("x.wild.example", b"*.wild.example \n"), ("r7.example", b"~^r(\\d) 7\n")):
        with proxy.connect(tls=authority.client(), name=name) as c:
            assert c.get("/", name).body == body
    with pytest.raises((ssl.SSLError, OSError)):  # given up at its limit: no choice, no handshake
        proxy.connect(tls=authority.client(), name="a" * 60 + "." + "a" * 60 + ".b")
    with proxy.connect(tls=authority.client(), name="o.example") as c:
        assert c.get("/", "o.example").status == 200


def test_an_unknown_name_gets_the_default_certificate(two_names, authority):
    with pytest.raises(ssl.SSLCertVerificationError):
        two_names.connect(tls=authority.client(), name="c.example")
    context = authority.client()
    context.check_hostname = False
    with two_names.connect(tls=context, name="c.example") as c:
        assert c.get("/", "c.example").body.startswith(b"a https")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                         ids=lambda v: v.name)
def test_both_versions_are_spoken(two_names, authority, version):
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    with two_names.connect(tls=context, name="a.example") as c:
        assert c.socket.version() == version.name.replace("_", ".")
        assert c.get("/", "a.example").status == 200


def test_tls_1_1_is_refused(two_names):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{two_names.port}", "-tls1_1", "-cipher",
                           "DEFAULT@SECLEVEL=0"], input=b"", capture_output=True, timeout=10)
    assert done.returncode != 0


def test_http_1_1_is_agreed_by_alpn(two_names, authority):
    context = authority.client()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with two_names.connect(tls=context, name="a.example") as c:
        assert c.socket.selected_alpn_protocol() == "http/1.1"
        assert c.get("/", "a.example").status == 200


def test_plain_http_on_a_tls_port_is_told_so(two_names):
    with two_names.connect() as c:
        c.send(request("GET", "/", "a.example"))
        r = c.response()
        assert r.status == 400 and r.closes, r
        assert b"plain HTTP request was sent to HTTPS port" in r.body
        c.assert_closed()


def test_an_answer_ends_with_close_notify(two_names, authority):
    context = authority.client()
    with socket.create_connection(two_names.address, timeout=5) as plain:
        with context.wrap_socket(plain, server_hostname="a.example", suppress_ragged_eofs=False) as s:
            s.sendall(request("GET", "/", "a.example", "Connection: close"))
            said = b""
            while more := s.recv(65536):  # a missing close_notify raises
                said += more
    assert said.endswith(b"a https on a.example\n")


def test_a_client_that_talks_rubbish_harms_nobody(two_names, authority):
    for rubbish in (b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"\0" * 70000, b"\x80\x01", b"\0"):
        with two_names.connect(timeout=5) as c:
            try:
                c.send(rubbish)
                c.finish()
                c.take_all()
            except OSError:
                pass
    with two_names.connect(tls=authority.client(), name="a.example") as c:
        assert c.get("/", "a.example").status == 200


def test_a_silent_handshake_ends_at_its_timeout(room, authority, start):
    certificate, key = authority.leaf("a.example")
    proxy = start(f"""
client_header_timeout 1s;
server {{ listen 127.0.0.1:0 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; return 200 "x"; }}
""")
    with proxy.connect(timeout=5) as c:
        c.send(b"\x16\x03\x01")
        assert c.take_all() == b""


def test_a_large_file_arrives_whole_over_tls(room, authority, start):
    certificate, key = authority.leaf("a.example")
    content = bytes(range(256)) * 40000
    (room / "big").write_bytes(content)
    proxy = start(f"""
server {{ listen 127.0.0.1:0 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; root {room}; }}
""")
    with proxy.connect(tls=authority.client(), name="a.example") as c:
        assert c.get("/big", "a.example").body == content
        assert c.get("/big", "a.example", "Range: bytes=256-511").body == bytes(range(256))


def test_a_session_is_resumed(two_names, authority):
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Client(two_names.address, context, "a.example") as c:
        assert c.get("/", "a.example").status == 200
        session = c.socket.session
    plain = socket.create_connection(two_names.address, timeout=5)
    with context.wrap_socket(plain, server_hostname="a.example", session=session) as s:
        assert s.session_reused


def test_a_session_is_resumed_by_every_worker(start, room, authority):
    certificate, key = authority.leaf("a.example")
    text = f"""
worker_processes 3;
server {{ listen 127.0.0.1:0 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; return 200 "x"; }}
"""
    proxy = start(text)
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Client(proxy.address, context, "a.example") as c:
        session = c.socket.session

    def resumed():
        with socket.create_connection(proxy.address, timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname="a.example", session=session) as s:
                return s.session_reused

    assert all(resumed() for _ in range(15))
    proxy.reload(text)
    os.kill(proxy.worker, signal.SIGTERM)
    eventually(lambda: len(proxy.workers()) == 3 and "exited with code 0" in proxy.errors(), "no successor")
    assert all(resumed() for _ in range(15)), "also by one that has just come"


def test_a_head_is_read_by_the_settings_of_the_server_that_the_hello_names(start, room, authority):
    first, second = authority.leaf("a.example"), authority.leaf("b.example")
    proxy = start(f"""http {{
    server {{ listen 127.0.0.1:0 ssl; server_name a.example; ssl_certificate {first[0]}; ssl_certificate_key {first[1]};
        return 200 a; }}
    server {{ listen 127.0.0.1:0 ssl; server_name b.example; ssl_certificate {second[0]}; ssl_certificate_key {second[1]};
        large_client_header_buffers 4 32k; underscores_in_headers on; return 200 $http_a_b; }}
}}""", listeners=1)
    head = "GET / HTTP/1.1\r\nHost: {name}\r\nA_B: kept\r\nX: " + "x" * 9000 + "\r\n\r\n"
    for name, status in (("a.example", 494), ("b.example", 200)):
        with proxy.connect(tls=authority.client(), name=name) as c:
            c.send(head.format(name=name).encode())
            r = c.response()
            assert r.status in (status, 400 if status == 494 else status)
            assert status != 200 or r.body == b"kept"
