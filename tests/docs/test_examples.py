"""Every configuration that README.md or doc/ shows is one that `bifrons -t` accepts.

A block that begins with ```nginx is a whole file. ```nginx server (or location, http, upstream, forward) is a part
of such a block and is put into one. Ports become free ones, certificates ours, so that nothing but the text counts.
"""
import re
import socket

import pytest

from support.proxy import ROOT, run

PAGES = [ROOT / "README.md", *sorted((ROOT / "doc").rglob("*.md"))]
BLOCK = re.compile(r"^```nginx(?: (\w+))?\n(.*?)^```", re.M | re.S)
AROUND = {
    None: "{}",
    "http": "http {{ {} }}",
    "server": "server {{ listen 127.0.0.1:8080; {} }}",
    "location": "server {{ listen 127.0.0.1:8080; location / {{ {} }} }}",
    "upstream": "upstream group {{ {} }}",
    "forward": "forward {{ listen 127.0.0.1:3128; tunnel_peek off; {} }}",
}
LISTEN = re.compile(r"(?<![\w$./-])listen\s+(\S*:)?(\d+)(?=[\s;])")
FILES = re.compile(r"(?<![\w$./-])(ssl_certificate|ssl_certificate_key)\s+[^\s;]+;")


def examples():
    for page in PAGES:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield pytest.param(match[1], match[2], id=f"{page.relative_to(ROOT)}:{line}")


def free_ports(count):
    """So many different ports that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    try:
        for s in held:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in held]
    finally:
        for s in held:
            s.close()


def address_here(address):
    """An address that this machine does not have becomes every address."""
    return address if not address or address.startswith(("127.", "[")) else "0.0.0.0:"


def placed_here(text, certificate, key):
    """The same configuration with ports and files of this machine; equal ports stay equal."""
    asked = sorted({m[2] for m in LISTEN.finditer(text)})
    ours = dict(zip(asked, map(str, free_ports(len(asked)))))
    text = LISTEN.sub(lambda m: f"listen {address_here(m[1] or '')}{ours[m[2]]}", text)
    files = {"ssl_certificate": certificate, "ssl_certificate_key": key}
    return FILES.sub(lambda m: f"{m[1]} {files[m[1]]};", text)


def check(room, authority, kind, text):
    config = room / "example.conf"
    certificate, key = authority.leaf("example.com", "www.example.com")
    config.write_text(placed_here(AROUND[kind].format(text), certificate, key))
    return run("-t", "-c", config, "-p", room)


@pytest.mark.parametrize("kind, text", examples())
def test_an_example_is_accepted(room, authority, kind, text):
    done = check(room, authority, kind, text)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr or "tunnel_peek" in done.stderr or "# warns" in text, done.stderr


def test_there_are_examples():
    pages = {str(p.id).split(":")[0] for p in examples()}
    assert "README.md" in pages and len(pages) > 6, pages


@pytest.mark.parametrize("kind, text", [(None, "server { listen 80; no_such_thing on; }"), ("location", "server { }"),
                                        ("forward", "rule allow if hots a.example;")])
def test_a_bad_example_would_be_noticed(room, authority, kind, text):
    assert check(room, authority, kind, text).returncode == 1
