"""What `ssl_*` lines do, seen by openssl s_client: versions, ciphers, groups, sessions; and what is said of bad ones."""
import re
import subprocess

import pytest

from support.origin import free_port
from support.proxy import run

CERTBOT = 'ssl_session_cache shared:le_nginx_SSL:10m; ssl_session_timeout 1440m; ssl_session_tickets off;'
BODY = 'return 200 "$ssl_protocol $ssl_cipher $ssl_session_reused $ssl_server_name\\n";'


@pytest.fixture
def site(room, authority, start):
    """site(lines): a server with these lines, for a.example and (with the same certificate) b.example."""
    certificate, key = authority.leaf("a.example", "b.example")

    def begin(lines="", other=""):
        port = free_port()
        files = f"ssl_certificate {certificate}; ssl_certificate_key {key};"
        return start(f"""
server {{ listen 127.0.0.1:{port} ssl; server_name a.example; {files} {lines}
    {BODY} }}
server {{ listen 127.0.0.1:{port} ssl; server_name b.example; {files} {other or lines}
    {BODY} }}
""", listeners=1)

    return begin


class Asked:
    def __init__(self, done):
        said = done.stdout
        self.ok = "HTTP/1.1 200" in said
        self.body = said.partition("HTTP/1.1 200")[2].partition("\n\n")[2].partition("\n")[0]
        self.resumed = self.body.split(" ")[2] == "r" if self.ok else None
        self.group = (re.search(r"Server Temp Key: ([^\n]+)", said) or [None, ""])[1]
        self.text = said + done.stderr


def ask(proxy, *options, name="a.example", session=None, keep=None):
    """A request by openssl s_client, which stays until the server closes."""
    files = (["-sess_in", str(session)] if session else []) + (["-sess_out", str(keep)] if keep else [])
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-servername", name, "-ign_eof",
                           *options, *files], input=f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n",
                          capture_output=True, text=True, timeout=20)
    return Asked(done)


VERSIONS = ["-tls1_2", "-tls1_3"]


@pytest.mark.parametrize("lines, version, resumed", [
    ("", "-tls1_3", True),  # by ticket
    ("", "-tls1_2", True),
    (CERTBOT, "-tls1_3", True),  # kept: the ticket is an id
    (CERTBOT, "-tls1_2", True),  # by session id
    ("ssl_session_cache builtin:100; ssl_session_tickets off;", "-tls1_3", True),
    ("ssl_session_cache builtin; ssl_session_tickets off;", "-tls1_2", True),
    ("ssl_session_cache builtin shared:s:32k; ssl_session_tickets off;", "-tls1_2", True),
    ("ssl_session_tickets off;", "-tls1_3", False),
    ("ssl_session_tickets off;", "-tls1_2", False),
    ("ssl_session_cache off; ssl_session_tickets off;", "-tls1_2", False),
])
def test_a_session_is_resumed_where_it_may(site, room, lines, version, resumed):
    proxy, kept = site(lines), room / "session"
    first = ask(proxy, version, keep=kept)
    assert first.ok and not first.resumed
    if not kept.exists():
        assert not resumed
        return
    again = ask(proxy, version, session=kept)
    assert again.ok and again.resumed == resumed, again.text


def test_a_client_without_tickets_is_resumed_from_the_cache(site, room):
    kept = room / "session"
    for lines, resumed in (("ssl_session_cache shared:s:1m;", True), ("", False)):
        proxy = site(lines)
        assert ask(proxy, "-tls1_2", "-no_ticket", keep=kept).ok
        assert ask(proxy, "-tls1_2", "-no_ticket", session=kept).resumed == resumed


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lines", ["", CERTBOT], ids=["ticket", "cache"])
def test_a_session_of_another_server_is_not_resumed(site, room, lines, version):
    """The same certificate, zone and settings: TLS-20."""
    proxy, kept = site(lines), room / "session"
    assert ask(proxy, version, keep=kept).ok
    other = ask(proxy, version, name="b.example", session=kept)
    assert other.ok and not other.resumed and other.body.endswith(" b.example")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lines", ["", "ssl_session_cache shared:s:1m; ssl_session_tickets off;"])
def test_a_session_ends_at_its_timeout(site, room, lines, version):
    """s_client is told of the life, and keeps to it; so the hint is what is looked at."""
    proxy, kept = site(f"ssl_session_timeout 77s; {lines}"), room / "session"
    assert ask(proxy, version, keep=kept).ok
    text = subprocess.run(["openssl", "sess_id", "-in", str(kept), "-noout", "-text"], capture_output=True, text=True)
    if "TLS session ticket lifetime hint" in text.stdout:
        assert "lifetime hint: 77 (seconds)" in text.stdout
    else:
        assert version == "-tls1_2" and "off" in lines


def test_versions_are_those_that_are_named(site):
    proxy = site("ssl_protocols TLSv1.2;")
    assert ask(proxy, "-tls1_2").body.startswith("TLSv1.2 ") and not ask(proxy, "-tls1_3").ok
    proxy = site("ssl_protocols TLSv1.3;")
    assert ask(proxy, "-tls1_3").body.startswith("TLSv1.3 ") and not ask(proxy, "-tls1_2").ok


def test_ciphers_are_those_that_are_named(site):
    one, other = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
    proxy = site(f"ssl_ciphers {one};")
    assert ask(proxy, "-tls1_2").body.split()[1] == one
    assert not ask(proxy, "-tls1_2", "-cipher", other).ok


@pytest.mark.parametrize("line, chosen", [("", 0), ("ssl_prefer_server_ciphers on;", 0),
                                          ("ssl_prefer_server_ciphers off;", 1)])
def test_who_chooses_the_cipher(site, line, chosen):
    both = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]
    proxy = site(f"ssl_ciphers {':'.join(both)}; {line}")
    assert ask(proxy, "-tls1_2", "-cipher", ":".join(reversed(both))).body.split()[1] == both[chosen]


def test_groups_are_those_that_are_named(site):
    proxy = site("ssl_ecdh_curve secp384r1;")
    for version in VERSIONS:
        assert "384" in ask(proxy, version).group
    assert not ask(proxy, "-tls1_3", "-groups", "X25519").ok


def test_dhe_needs_parameters(room, start):
    """Only an RSA certificate has DHE ciphers."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.pem",
                    "-days", "2", "-subj", "/CN=a.example"], cwd=room, check=True, capture_output=True, timeout=60)
    subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out",
                    "dh.pem"], cwd=room, check=True, capture_output=True, timeout=60)
    for line, served in (("", False), ("ssl_dhparam dh.pem;", True)):
        proxy = start(f"server {{ listen 127.0.0.1:0 ssl; ssl_certificate rsa.pem; ssl_certificate_key rsa.key; {line} "
                      f"{BODY} }}")
        answer = ask(proxy, "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")
        assert answer.ok == served, answer.text
        if served:
            assert answer.group.startswith("DH,")


def test_a_command_of_openssl_is_obeyed(site):
    proxy = site("ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;")
    assert ask(proxy, "-tls1_3").body.split()[1] == "TLS_CHACHA20_POLY1305_SHA256"


def test_records_are_as_large_as_they_may_be(room, authority, start):
    certificate, key = authority.leaf("a.example")
    (room / "file").write_bytes(b"x" * 40000)
    proxy = start(f"server {{ listen 127.0.0.1:0 ssl; ssl_buffer_size 4k; ssl_certificate {certificate}; "
                  f"ssl_certificate_key {key}; root {room}; }}")
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-ign_eof", "-msg", "-tls1_2"],
                          input="GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", capture_output=True,
                          text=True, timeout=20)
    sizes = [int(line, 16) for line in re.findall(r"<<< TLS 1\.2, RecordHeader \[length 0005\]\s+17 03 03 (.. ..)",
                                                  done.stdout.replace("\n", " ")) for line in [line.replace(" ", "")]]
    assert len(sizes) >= 10 and 4096 <= max(sizes) <= 4096 + 64, done.stdout[:2000]


def test_a_rejected_name_needs_no_certificate(room, authority, start):
    certificate, key = authority.leaf("a.example")
    port = free_port()
    proxy = start(f"""
server {{ listen 127.0.0.1:{port} ssl default_server; ssl_reject_handshake on; }}
server {{ listen 127.0.0.1:{port} ssl; server_name a.example; ssl_certificate {certificate}; ssl_certificate_key {key};
    {BODY} }}
""", listeners=1)
    assert ask(proxy).ok
    said = ask(proxy, name="c.example")
    assert not said.ok and "alert number 112" in said.text and "BEGIN CERTIFICATE" not in said.text


# --- what is refused --------------------------------------------------------------------------

BAD = [
    ("ssl_ciphers NOSUCH;", 'invalid value "NOSUCH" in "ssl_ciphers" directive: no cipher match'),
    ("ssl_ecdh_curve nosuch;", 'invalid value "nosuch" in "ssl_ecdh_curve" directive: '),
    ("ssl_conf_command Options NoSuch;", 'invalid value "NoSuch" of command "Options" in "ssl_conf_command" directive: '),
    ("ssl_conf_command PrivateKey /etc/passwd;", 'invalid value "/etc/passwd" of command "PrivateKey" in '),
    ("ssl_dhparam bifrons.conf;", 'bifrons.conf" of "ssl_dhparam" directive: '),
    ("ssl_dhparam none.pem;", 'none.pem" failed (2: No such file or directory)'),
    ("ssl_protocols SSLv3;", '"SSLv3" is broken and not supported'),
    ("ssl_protocols TLSv9;", '"TLSv9"'),
    ("ssl_prefer_server_ciphers maybe;", 'invalid value "maybe" in "ssl_prefer_server_ciphers" directive'),
    ("ssl_session_cache shared:s;", 'invalid session cache "shared:s"'),
    ("ssl_session_cache shared::1m;", 'invalid session cache "shared::1m"'),
    ("ssl_session_cache shared:s:lots;", 'invalid session cache "shared:s:lots"'),
    ("ssl_session_cache shared:s:16k;", 'session cache "s" is too small'),
    ("ssl_session_cache builtin:0;", 'invalid session cache "builtin:0"'),
    ("ssl_session_cache builtins;", 'invalid session cache "builtins"'),
    ("ssl_session_cache disk;", 'invalid session cache "disk"'),
    ("ssl_early_data on;", '"ssl_early_data on" is known, not supported yet'),
    ("ssl_buffer_size 0;", '"ssl_buffer_size" must be greater than 0'),
]


@pytest.mark.parametrize("line, text", BAD, ids=[line for line, _ in BAD])
def test_a_bad_line_is_named_with_its_value_and_place(room, authority, line, text):
    certificate, key = authority.leaf("a.example")
    path = room / "bifrons.conf"
    path.write_text(f"server {{\n listen 127.0.0.1:0 ssl;\n ssl_certificate {certificate};\n"
                    f" ssl_certificate_key {key};\n {line}\n}}\n")
    done = run("-t", "-p", room, "-c", path, "-e", room / "error.log")
    assert done.returncode == 1
    error = next(l for l in done.stderr.splitlines() if "[emerg]" in l)
    assert text in error and error.endswith(f" in {path}:5"), done.stderr
    assert done.stderr.count(f"in {path}:5") == 1


def test_a_missing_certificate_is_said_once_at_its_server(room):
    path = room / "bifrons.conf"
    path.write_text("server {\n listen 127.0.0.1:0 ssl;\n}\n")
    done = run("-t", "-p", room, "-c", path, "-e", room / "error.log")
    assert done.returncode == 1
    assert (f'[emerg] no "ssl_certificate" is defined for the "listen ... ssl" directive in {path}:1\n' in done.stderr)
    assert done.stderr.count(" in /") == 1, done.stderr


def test_a_zone_has_one_size(room, authority):
    certificate, key = authority.leaf("a.example")
    path = room / "bifrons.conf"
    path.write_text(f"ssl_certificate {certificate}; ssl_certificate_key {key};\n" + "".join(
        f"server {{ listen 127.0.0.1:0 ssl; server_name {n};\n ssl_session_cache shared:s:{size}; }}\n"
        for n, size in (("a", "1m"), ("b", "1m"), ("c", "2m"))))
    done = run("-t", "-p", room, "-c", path, "-e", room / "error.log")
    assert done.returncode == 1
    assert ('the size 2097152 of shared memory zone "s" conflicts with already declared size 1048576 in '
            f"{path}:7\n") in done.stderr, done.stderr


def test_early_data_off_is_what_there_is(site):
    assert ask(site("ssl_early_data off;")).ok
