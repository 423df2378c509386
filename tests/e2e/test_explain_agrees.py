"""What `explain --json` says of a request is what the live server does with it: the same decisions at the same lines as
`$decided_by`, the same status, the same Location. A corpus of configurations, each with all its requests."""
import itertools
import re

import pytest

from support.explain import explain
from support.origin import free_port
from support.wire import request

LIVE = ("server", "location", "return", "rule", "floor", "index", "upstream", "peer")  # what the ring keeps

NAMES = """
server {{ listen 127.0.0.1:{port}; server_name first.example; return 200 "$host $server_name"; }}
server {{ listen 127.0.0.1:{port} default_server; server_name default.example ""; location / {{ return 201 "d"; }} }}
server {{ listen 127.0.0.1:{port}; server_name *.wild.example wild.example .dot.example; return 202 "w"; }}
server {{ listen 127.0.0.1:{port}; server_name *.a.wild.example www.* mail.wild.*; return 203 "x"; }}
server {{ listen 127.0.0.1:{port}; server_name ~^(?<n>\\d+)\\.re\\.example$ ~Upper; return 206 "$n"; }}
"""
LOCATIONS = """
server {{
    listen 127.0.0.1:{port};
    root {room}/www;
    location = / {{ return 200 "root"; }}
    location / {{ return 201 "prefix"; }}
    location /docs/ {{ root {room}/www; }}
    location ^~ /caret/ {{ return 202 "caret"; }}
    location ~ \\.php$ {{ return 203 "php"; }}
    location ~* \\.(JPG|gif)$ {{ return 206 "image"; }}
    location /outer/ {{
        return 207 "outer";
        location /outer/inner/ {{ return 208 "inner"; }}
        location = /outer/same {{ return 209 "same"; }}
        location ~ nested {{ return 210 "nested"; }}
    }}
    location /hidden/ {{ internal; }}
    location /moved {{ return 301 /elsewhere$is_args$args; }}
    location /far {{ return 302 https://far.example$request_uri; }}
    location /teapot {{ return 418 "tea"; }}
    location /missing {{ return 404; }}
}}
"""
FILES = """
server {{
    listen 127.0.0.1:{port};
    root {room}/www;
    index none.html index.html;
    gzip on;
    location /other/ {{ root {room}/elsewhere; }}
    location /absolute/ {{ index /docs/file.txt; }}
    location ~ \\.html$ {{ add_header X-Html yes; }}
    location /small/ {{ client_max_body_size 1; }}
}}
"""
ACCESS = """
allow 127.0.0.1;
deny all;
server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 "rewrite comes first"; }}
    location /docs/ {{ root {room}/www; }}
    location /closed/ {{ deny 127.0.0.0/8; allow all; root {room}/www; }}
    location /inherits/ {{ root {room}/www; location /inherits/deep/ {{ deny all; }} }}
    location /nobody/ {{ allow 10.0.0.0/8; root {room}/www; }}
}}
"""
PROXY = """
upstream group {{ server {origin}; server {origin2} backup; server 127.0.0.1:1 down; }}
upstream by_name {{ server localhost:{origin_port}; }}
server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://group; }}
    location /uri/ {{ proxy_pass http://group/base/; }}
    location /one/ {{ proxy_pass http://{origin}; }}
    location /name/ {{ proxy_pass http://by_name; }}
    location /dead/ {{ proxy_pass http://127.0.0.1:1; }}
    location /slash/ {{ proxy_pass http://group; }}
    location ~ /re/ {{ deny all; proxy_pass http://group; }}
}}
"""
ODD = ["/a/../b", "/a//b", "/%2e%2e/x", "/%41", "/bad%", "/..", "/x%00", "/docs", "/docs/?a=1&b", "/?", "/%3f"]
CORPUS = {
    "names": (NAMES, ["first.example", "FIRST.example", "default.example", "nobody", "wild.example", "x.wild.example", "x.y.wild.example",
                      "b.a.wild.example", "a.wild.example", "dot.example", "www.dot.example", "www.org", "mail.wild.org",
                      "12.re.example", "x.re.example", "upper.example", "first.example.", "-bad_.example", "a..b", "[::1]", "1.2.3.4"],
              ["/", "/x"], ["GET"]),
    "locations": (LOCATIONS, ["a"],
                  ["/", "/x", "/docs/", "/docs/file.txt", "/docs/none", "/caret/x.php", "/caret", "/x.php", "/x.PHP", "/a.jpg", "/A.GIF",
                   "/outer/", "/outer", "/outer/x", "/outer/inner/x", "/outer/inner", "/outer/same", "/outer/a/nested", "/outer/x.php",
                   "/hidden/x", "/hidden/x.php", "/moved", "/moved?a=b", "/far/x?y", "/teapot", "/missing", *ODD],
                  ["GET", "POST", "TRACE"]),
    "files": (FILES, ["a"], ["/", "/docs/", "/docs/file.txt", "/docs/none", "/empty/", "/empty", "/other/x", "/other/", "/absolute/", "/page.html",
                             "/page.html/", "/page.html/x", "/folder", "/folder/", "/small/", *ODD], ["GET", "HEAD", "PUT"]),
    "access": (ACCESS, ["a"], ["/", "/docs/file.txt", "/closed/x", "/inherits/x", "/inherits/deep/x", "/nobody/x", "/docs/"], ["GET", "POST"]),
    "proxy": (PROXY, ["a"], ["/", "/x", "/uri/y?z=1", "/uri", "/one/x", "/one", "/name/x", "/dead/x", "/slash", "/a/re/b", "/%41%20b", *ODD],
              ["GET", "POST", "HEAD"]),
}


@pytest.fixture
def www(room):
    for folder in ("www/docs", "www/empty", "www/folder", "www/absolute", "www/small"):
        (room / folder).mkdir(parents=True)
    (room / "www" / "index.html").write_text("home")
    (room / "www" / "page.html").write_text("x" * 300)
    (room / "www" / "docs" / "file.txt").write_text("text")
    (room / "www" / "folder" / "index.html").write_text("folder")
    return room


def as_logged(decisions):
    """Decisions in the words of `$decided_by`; of peers the first, whom an idle process asks."""
    told, peers = [], 0
    for d in decisions:
        peers += d["what"] == "peer"
        if d["what"] not in LIVE or (d["what"] == "peer" and peers > 1) or d["subject"] == "none":
            continue
        named = d["subject"] if d["subject"].startswith(d["what"]) else f"{d['what']} {d['subject']}".rstrip()
        told.append(f"{named} at {d['file']}:{d['line']}" if d["line"] else named)
    return told


def ask(proxy, method, path, host):
    with proxy.connect() as c:
        body = b"" if method in ("POST", "PUT") else None
        c.send(request(method, path, host, body=body))
        return c.response(method)


def check(proxy, seen, method, path, host, port):
    answer = ask(proxy, method, path, host)
    status, decided = proxy.wait_access(seen + 1)[seen].split(" ", 1)
    e = explain(proxy.config, f"http://a:{port}{path}", "--method", method, "--header", f"Host: {host}", room=proxy.room)
    name = f"{method} {path} of {host}"
    assert int(status) == answer.status
    live, told = re.sub(" +", " ", decided), "; ".join(as_logged(e["decisions"]))
    assert told == live, f"{name}: {told!r}, live {live!r}"
    if e["status"] is None:
        assert answer.get("X-Origin") or answer.status == 502 or answer.body.startswith(b"origin"), name
        return
    assert e["status"] == answer.status, name
    assert e.header("Location") == answer.get("Location"), name


@pytest.mark.parametrize("name", CORPUS)
def test_explained_is_what_happens(start, www, origins, name):
    text, hosts, paths, methods = CORPUS[name]
    one, two = origins("one", "two")
    port = free_port()
    room = www
    text = text.format(port=port, room=room, origin=one.address, origin2=two.address, origin_port=one.port)
    proxy = start(f"log_format why escape=none '$status $decided_by';\naccess_log {room}/access.log why;\n{text}")
    seen, faults = 0, []
    for method, path, host in itertools.product(methods, paths, hosts):
        try:
            check(proxy, seen, method, path, host, port)
        except AssertionError as fault:
            faults.append(str(fault)[:600])
        seen += 1
    assert not faults, f"{len(faults)} of {seen} differ:\n" + "\n".join(faults[:8])


FORWARD = """
list games {{ .games.example; 198.51.100.0/24; }}
forward {{
    listen 127.0.0.1:{port};
    tunnel_peek off;
    rule deny if category games;
    rule deny if method DELETE and host .a.example;
    rule allow to={origin} if client 127.0.0.1 and host inner.example and address 127.0.0.1 and port 80 {origin_port};
    rule allow if client 127.0.0.1 and host localhost and port 80;
    rule deny if address private;
    rule allow if client 127.0.0.0/8 and port 80 443 {origin_port};
}}
"""
URLS = ["http://chess.games.example/", "http://games.example/x", "http://www.a.example/", "http://inner.example/hello", "http://localhost/",
        "http://127.0.0.1/", "http://127.0.0.1:{origin_port}/", "http://10.0.0.1/", "http://[::1]/", "http://198.51.100.7/",
        "http://169.254.169.254/", "http://a.example:22/", "http://2130706433/", "http://a..b/", "http://[bad/"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "CONNECT", "TRACE"])
def test_the_forward_face_agrees(start, origins, room, method):
    (origin,) = origins("one")
    port = free_port()
    text = FORWARD.format(port=port, origin=origin.address, origin_port=origin.port)
    proxy = start(f"log_format why '$status $forward_verdict $forward_rule $decided_by';\naccess_log {room}/access.log why;\n"
                  f"resolver 127.0.0.1:1; resolver_timeout 100ms;\n{text}")
    faults = []
    for seen, url in enumerate(u.format(origin_port=origin.port) for u in URLS):
        authority = url[len("http://") :].partition("/")[0]
        target = f"{authority}:80" if method == "CONNECT" and not authority.endswith(str(origin.port)) else url
        target = target.removeprefix("http://").rstrip("/") if method == "CONNECT" else target
        with proxy.connect() as c:
            c.send(request(method, target, authority))
            answer = c.response(method)
        status, verdict, rule, _ = proxy.wait_access(seen + 1)[seen].split(" ", 3)
        e = explain(proxy.config, target, "--method", method, forward=True, room=room)
        if e["verdict"] == "open":
            good = verdict == "allow" or answer.status >= 500  # nobody resolves it here
        elif e["status"] is None:
            good = e["verdict"] == verdict == "allow" and e["rule"] == rule
        else:
            good = (e["status"], e["verdict"], e["rule"] or "-") == (answer.status, verdict.replace("-", "error"), rule)
        if not good:
            faults.append(f"{method} {target}: {(e['status'], e['verdict'], e['rule'])}, live {(status, verdict, rule)}")
    assert not faults, "\n".join(faults)
