"""Directives of TLS towards clients that change one thing each."""
import ssl
import time

import pytest

from support.origin import free_port


@pytest.fixture
def site(start, authority):
    def begin(lines):
        certificate, key = authority.leaf("a.example")
        return start(f'access_log off; server {{ listen 127.0.0.1:{free_port()} ssl; ssl_certificate {certificate};'
                     f' ssl_certificate_key {key}; {lines} return 200 "$ssl_protocol $ssl_cipher"; }}', listeners=1)
    return begin


def context_of(authority, version=None, ciphers=None, curve=None):
    context = authority.client()
    if version:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    if curve:
        context.set_ecdh_curve(curve)
    return context


def agreed(proxy, context):
    """The version and the cipher; None: no handshake."""
    try:
        with proxy.connect(tls=context, name="a.example") as c:
            assert c.get("/", "a.example").status == 200
            return c.socket.version(), c.socket.cipher()[0]
    except (ssl.SSLError, OSError):
        return None


@pytest.mark.parametrize("lines, with_1_2, with_1_3", [
    ("ssl_protocols TLSv1.2;", True, False), ("ssl_protocols TLSv1.3;", False, True), ("", True, True)])
def test_versions_are_those_of_ssl_protocols(site, authority, lines, with_1_2, with_1_3):
    proxy = site(lines)
    assert bool(agreed(proxy, context_of(authority, ssl.TLSVersion.TLSv1_2))) == with_1_2
    assert bool(agreed(proxy, context_of(authority, ssl.TLSVersion.TLSv1_3))) == with_1_3


def test_ciphers_are_those_of_ssl_ciphers(site, authority):
    proxy = site("ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;")
    only = ssl.TLSVersion.TLSv1_2
    assert agreed(proxy, context_of(authority, only)) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert agreed(proxy, context_of(authority, only, "ECDHE-ECDSA-AES256-GCM-SHA384")) is None


@pytest.mark.parametrize("prefer, got", [("on", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("off", "ECDHE-ECDSA-AES128-GCM-SHA256")])
def test_whose_order_of_ciphers_counts(site, authority, prefer, got):
    proxy = site("ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256; "
                 f"ssl_prefer_server_ciphers {prefer};")
    client = context_of(authority, ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    assert agreed(proxy, client)[1] == got


def test_groups_are_those_of_ssl_ecdh_curve(site, authority):
    proxy = site("ssl_ecdh_curve secp384r1;")
    assert agreed(proxy, context_of(authority, curve="secp384r1"))
    assert agreed(proxy, context_of(authority, curve="prime256v1")) is None


def resumes(proxy, authority):
    context = context_of(authority, ssl.TLSVersion.TLSv1_2)
    with proxy.connect(tls=context, name="a.example") as c:
        c.get("/", "a.example")
        session = c.socket.session
    with proxy.connect() as c:
        c.socket = context.wrap_socket(c.socket, server_hostname="a.example", session=session)
        return c.socket.session_reused, session


@pytest.mark.parametrize("lines, reused", [("", True), ("ssl_session_tickets off;", False)], ids=["on", "off"])
def test_tickets_resume_sessions(site, authority, lines, reused):
    assert resumes(site(lines), authority)[0] == reused


def test_a_ticket_tells_its_life(site, authority):
    proxy = site("ssl_session_timeout 7m;")
    assert resumes(proxy, authority)[1].ticket_lifetime_hint == 420


def test_a_handshake_has_its_own_timeout(site):
    proxy = site("client_header_timeout 60s; ssl_handshake_timeout 200ms;")
    began = time.monotonic()
    with proxy.connect() as c:
        c.send(b"\x16\x03\x01")
        assert c.take_all() == b""
    assert time.monotonic() - began < 5
