"""`bifrons explain`: each kind of decision is told with its place, and nothing is done."""
import json
import os
import re
import shutil
import subprocess

import pytest

from support.explain import explain
from support.proxy import BIFRONS, SANITIZED, run

SITE = """
error_log {room}/no-error.log info;
access_log {room}/no-access.log;
upstream api {{
    server 127.0.0.1:3001 weight=2;
    server localhost:3002;
    server 127.0.0.1:3003 down;
    server app.internal:3004;
    server 127.0.0.1:3005 backup;
}}
server {{
    listen 127.0.0.1:8080;
    server_name a.example *.below.example begins.* ~^c(\\d+)\\.example$;
    root {room}/www;
    gzip on;
    location = /equal {{ return 204; }}
    location ^~ /img/ {{ root {room}/www; }}
    location /outer/ {{
        location /outer/inner/ {{ return 200 "inner"; }}
        location ~ \\.x$ {{ return 201 "x"; }}
    }}
    location ~ \\.php$ {{
        deny 10.0.0.0/8;
        allow 192.168.0.0/16;
        proxy_pass http://api;
    }}
    location /v1/ {{ proxy_pass http://api/v2/; }}
    location /one/ {{ proxy_pass http://127.0.0.1:3009; proxy_next_upstream off; }}
    location /moved/ {{ return 301 https://$host/new$uri; }}
    location /gone/ {{ return 444; }}
    location /inside/ {{ internal; }}
}}
server {{
    listen 127.0.0.1:8080;
    server_name other.example;
    return 200 "other $host $remote_addr $http_x_a";
}}
server {{
    listen 127.0.0.2:8080;
    return 200 "second $scheme $server_addr $server_port";
}}
"""

OFFICE = """
resolver {dns};
list games {{ .games.example; }}
forward {{
    listen 127.0.0.1:3128;
    tunnel_peek off;
    anonymity elite;
    rule deny if category games;
    rule deny if host .blocked.example and client 10.1.0.0/16;
    rule allow to=127.0.0.1:8080 if client 10.0.0.0/8 and host inner.example and address 127.0.0.1 and port 80 8080;
    rule allow if client 10.0.0.0/8 and port 80 443;
}}
forward {{
    listen 127.0.0.1:3129;
    tunnel_peek off;
    deny 10.9.0.0/16;
    rule deny if address private;
    rule allow if client 10.0.0.0/8;
}}
"""


@pytest.fixture
def site(room):
    (room / "www" / "img").mkdir(parents=True)
    (room / "www" / "dir").mkdir()
    (room / "www" / "empty").mkdir()
    (room / "www" / "img" / "a.png").write_bytes(b"x" * 500)
    (room / "www" / "big.html").write_bytes(b"x" * 500)
    (room / "www" / "dir" / "index.html").write_text("index")
    config = room / "site.conf"
    config.write_text(SITE.format(room=room))
    return config


@pytest.fixture
def office(room, names):
    config = room / "office.conf"
    config.write_text(OFFICE.format(dns=f"127.0.0.1:{names.port}"))
    return config


def line_of(config, fragment):
    return next(i for i, line in enumerate(config.read_text().splitlines(), 1) if fragment in line)


# --- servers

SERVERS = [
    ("http://a.example:8080/equal", "a.example", "exact name"),
    ("http://A.EXAMPLE:8080/equal", "a.example", "exact name"),
    ("http://x.y.below.example:8080/equal", "a.example", "wildcard *.below.example"),
    ("http://begins.anywhere:8080/equal", "a.example", "wildcard begins.*"),
    ("http://c12.example:8080/equal", "a.example", r"regular expression ~^c(\d+)\.example$"),
    ("http://nobody.example:8080/equal", "a.example", 'default server: no name is "nobody.example"'),
    ("http://other.example:8080/", "other.example", "exact name"),
    ("http://127.0.0.2:8080/", "", 'the only server: no name is "127.0.0.2"'),
]


@pytest.mark.parametrize("url, name, how", SERVERS)
def test_the_server_and_why(site, url, name, how):
    e = explain(site, url)
    assert (e["server"]["subject"], e["server"]["how"], e["server"]["file"]) == (name, how, str(site))
    assert e["server"]["line"] > 0
    assert e["face"] == "reverse" and e["listener"]["line"] > 0


def test_the_listener_is_the_one_of_address_and_port(site):
    assert explain(site, "http://a.example:8080/")["listener"]["subject"] == "127.0.0.1:8080"
    assert explain(site, "http://127.0.0.2:8080/")["listener"]["subject"] == "127.0.0.2:8080"
    e = explain(site, "http://a.example/", "--to", "127.0.0.2:8080")
    assert (e["listener"]["subject"], e["listener"]["how"]) == ("127.0.0.2:8080", "by --to")
    e = explain(site, "http://a.example/equal")
    assert e["listener"]["how"] == "the URL names no port: the first of its scheme"
    done = run("explain", "-c", site, "http://a.example:81/")
    assert done.returncode == 1 and "no server listens there; there are 127.0.0.1:8080, 127.0.0.2:8080" in done.stderr


def test_tls_is_taken_as_given(room, authority):
    certificate, key = authority.leaf("a.example")
    config = room / "tls.conf"
    config.write_text(f"ssl_certificate {certificate};\nssl_certificate_key {key};\n"
                      'server { listen 127.0.0.1:8443 ssl; return 200 "$scheme $https $ssl_protocol $ssl_server_name"; }\n'
                      "server { listen 127.0.0.1:8080; return 301 https://$host; }\n")
    e = explain(config, "https://a.example:8443/")
    assert e["status"] == 200 and e["listener"]["subject"] == "127.0.0.1:8443"
    assert explain(config, "https://a.example/")["listener"]["subject"] == "127.0.0.1:8443", "the first that speaks TLS"
    assert explain(config, "http://a.example/")["listener"]["subject"] == "127.0.0.1:8080"
    assert explain(config, "http://a.example:8443/")["status"] == 400, "plain HTTP to a TLS port"
    done = run("explain", "-c", config, "https://a.example:8080/")
    assert done.returncode == 1 and "127.0.0.1:8080 speaks no TLS" in done.stderr


# --- locations

LOCATIONS = [
    ("/equal", "/equal", "equal", 204),
    ("/img/a.png", "/img/", "longest prefix, no expression is asked", 200),
    ("/outer/inner/y", "/outer/inner/", "longest prefix, inside /outer/", 200),
    ("/outer/z.x", r"~ \.x$", "first expression that matches, inside /outer/", 201),
    ("/a/b.php", r"~ \.php$", "first expression that matches", None),
    ("/v1/x", "/v1/", "longest prefix", None),
    ("/v1", "/v1/", "it answers for the path without its slash", 301),
    ("/inside/x", "/inside/", "longest prefix, but it is internal", 404),
]


@pytest.mark.parametrize("path, label, how, status", LOCATIONS)
def test_the_location_and_why(site, path, label, how, status):
    e = explain(site, f"http://a.example:8080{path}")
    assert (e["location"]["subject"], e["location"]["how"], e["status"]) == (label, how, status)
    assert e["location"]["line"] > line_of(site, "server_name a.example")


def test_without_a_location_the_server_itself_decides(site):
    e = explain(site, "http://a.example:8080/big.html")
    assert e["location"] is None and e.all("location")[0]["how"] == "no location has the path"
    assert e["status"] == 200 and e["source"]["subject"].endswith("/www/big.html")


# --- what answers

def test_a_return_tells_its_line_and_where_it_leads(site):
    e = explain(site, "http://a.example:8080/moved/x")
    (decision,) = e.all("return")
    assert decision["line"] == line_of(site, "/moved/") and decision["how"] == "301 https://$host/new$uri"
    assert e["status"] == 301 and e.header("Location") == "https://a.example/new/moved/x"
    e = explain(site, "http://a.example:8080/gone/")
    assert e["status"] == 444 and e.all("answer")[0]["how"] == "nothing is sent: the connection is closed"


def test_a_file_is_looked_for_and_named(site, room):
    e = explain(site, "http://a.example:8080/img/a.png")
    assert e["source"]["subject"] == f"file {room}/www/img/a.png" and e["source"]["line"] == line_of(site, "^~ /img/")
    assert e["status"] == 200 and e.header("Content-Type") == "image/png" and e.header("Content-Length") is None
    e = explain(site, "http://a.example:8080/img/none.png")
    assert e["status"] == 404 and e["source"]["how"].endswith("No such file or directory")
    e = explain(site, "http://a.example:8080/empty/")
    assert e["status"] == 403 and e["source"]["how"] == "a folder, and no index is there"


def test_an_index_leads_to_another_round(site, room):
    e = explain(site, "http://a.example:8080/dir/")
    assert e.subjects("index") == ["/dir/index.html"] and len(e.all("location")) == 2
    assert e["source"]["subject"] == f"file {room}/www/dir/index.html" and e["status"] == 200


def test_access_rules_tell_which_one(site):
    e = explain(site, "http://a.example:8080/x.php", "--client", "10.1.2.3")
    (rule,) = e.all("rule")
    assert (rule["subject"], rule["how"], rule["verdict"]) == ("deny", "deny 10.0.0.0/8", "refuse")
    assert rule["line"] == line_of(site, "deny 10.0.0.0/8") and e["status"] == 403 and e["upstream"] is None
    assert explain(site, "http://a.example:8080/x.php", "--client", "192.168.1.1").all("rule")[0]["verdict"] == "pass"
    (rule,) = explain(site, "http://a.example:8080/x.php", "--client", "8.8.8.8").all("rule")
    assert rule["subject"] == "none" and "it passes" in rule["how"]


def test_an_upstream_tells_whom_it_would_ask(site):
    e = explain(site, "http://a.example:8080/v1/z%20q?k=1")
    assert e["upstream"]["subject"] == "api" and e["source"]["subject"] == "http://api/v2/z%20q?k=1"
    assert e["status"] is None and e.all("answer")[0]["how"] == "what the upstream says"
    told = {p["subject"]: p["how"] for p in e.all("peer")}
    assert told == {
        "127.0.0.1:3001": "asked first",
        "127.0.0.1:3002": "asked if those before it fail",
        "127.0.0.1:3005": "asked if those before it fail (backup)",
        "127.0.0.1:3003": "never asked: down",
        "app.internal:3004": "a name: its addresses are asked for at the start",
    }
    assert [p["line"] for p in e.all("peer")][0] == line_of(site, "3001 weight")
    e = explain(site, "http://a.example:8080/one/x")
    assert e["upstream"] is None and e.subjects("peer") == ["127.0.0.1:3009"]


def test_compression_tells_why_not(site):
    asked = ("--header", "Accept-Encoding: gzip")
    (gzip,) = explain(site, "http://a.example:8080/big.html", *asked).all("filter")
    assert (gzip["subject"], gzip["how"], gzip["verdict"]) == ("gzip", "compresses", "pass")
    (gzip,) = explain(site, "http://a.example:8080/big.html").all("filter")
    assert gzip["how"] == "leaves it as it is: the client does not accept it"
    (gzip,) = explain(site, "http://a.example:8080/img/a.png", *asked).all("filter")
    assert gzip["how"] == "leaves it as it is: gzip_types does not name its type"


def test_a_substitution_tells_why_not(room):
    config = room / "sub.conf"
    config.write_text("server { listen 127.0.0.1:8080; sub_filter a b; default_type text/html;\n"
                      'location / { return 200 "aaa"; } location /e { return 200; } location /j { default_type x/y; return 200 "a"; } }')
    for path, how in (("/", "replaces"), ("/e", "leaves it as it is: it is empty"),
                      ("/j", "leaves it as it is: sub_filter_types does not name its type")):
        (told,) = explain(config, f"http://a:8080{path}").all("filter")
        assert (told["subject"], told["how"]) == ("sub_filter", how)


def test_method_and_headers_are_part_of_the_question(site):
    e = explain(site, "http://a.example:8080/big.html", "--method", "DELETE")
    assert e["status"] == 405 and e["request"]["method"] == "DELETE"
    e = explain(site, "http://a.example:8080/", "--header", "Host: other.example")
    assert e["server"]["subject"] == "other.example"
    e = explain(site, "http://a.example:8080/", "--header", "Content-Length: 99999999999")
    assert e["status"] == 413 and e.subjects("limit") == ["client_max_body_size"]
    e = explain(site, "http://a.example:8080/%zz")
    assert e["status"] == 400 and e.all("target")[0]["verdict"] == "refuse" and e["server"]["subject"] == "a.example"
    e = explain(site, "http://a.example:8080/", "--header", "Content-Length: 1", "--header", "Content-Length: 2")
    assert e["status"] == 400


# --- the forward face

def test_rule_by_rule(office):
    e = explain(office, "http://www.a.example/x", "--client", "10.2.0.1", forward=True)
    rules = [(r["subject"], r["how"], r["verdict"]) for r in e.all("rule")]
    assert rules == [
        ("rule deny if category games", "does not match: category games", "next"),
        ("rule deny if host .blocked.example and client 10.1.0.0/16", "does not match: host .blocked.example", "next"),
        ("rule allow to=127.0.0.1:8080 if client 10.0.0.0/8 and host inner.example and address 127.0.0.1 and port 80 8080",
         "does not match: host inner.example", "next"),
        ("rule allow if client 10.0.0.0/8 and port 80 443", "matches: client 10.0.0.0/8, port 80 443", "pass"),
    ]
    first = line_of(office, "rule deny if category")
    assert [r["line"] for r in e.all("rule")] == [first, first + 1, first + 2, first + 3]
    assert all(r["file"] == str(office) for r in e.all("rule"))
    assert e["verdict"] == "open" and e["status"] is None and e["rule"] == f"office.conf:{first + 3}"
    assert e.all("address")[0]["how"].startswith("judged after resolution")
    assert e.subjects("anonymity") == ["elite"] and e["source"]["subject"] == "http://www.a.example/x"


def test_a_denial_names_rule_and_reason(office):
    e = explain(office, "http://chess.games.example/", "--client", "10.2.0.1", forward=True)
    assert (e["verdict"], e["rule"], e["reason"], e["category"], e["status"]) == (
        "deny", f"office.conf:{line_of(office, 'rule deny if category')}", "category games", "games", 403)
    e = explain(office, "http://www.a.example/", "--client", "11.0.0.1", forward=True)
    assert (e["verdict"], e["rule"]) == ("deny", "default") and e.all("rule")[-1]["subject"] == "default"


def test_a_given_address_is_judged(office):
    e = explain(office, "a.example:443", "--client", "10.2.0.1", "--address", "8.8.8.8", forward=True)
    assert e["verdict"] == "allow" and e["request"]["method"] == "CONNECT" and e["status"] is None
    assert e["source"]["subject"] == "tunnel to a.example:443" and e.all("address")[0]["verdict"] == "pass"
    e = explain(office, "https://a.example/", "--client", "10.2.0.1", "--address", "192.168.1.1", forward=True)
    assert (e["verdict"], e["rule"], e["status"]) == ("deny", "floor:address", 403)
    assert e.all("address")[0]["how"].startswith("private; denied by the address floor")
    e = explain(office, "a.example:22", "--client", "10.2.0.1", forward=True, room=None)
    assert e["verdict"] == "deny"


def test_an_address_rule_is_read_once_it_is_known(office):
    words, private = ("--to", "127.0.0.1:3129", "--client", "10.2.0.1"), line_of(office, "address private")
    e = explain(office, "http://a.example/", *words, forward=True)
    assert [r["how"] for r in e.all("rule")[-2:]] == ["not yet: address private", "matches: client 10.0.0.0/8"]
    e = explain(office, "http://a.example/", *words, "--address", "10.0.0.1", forward=True)
    assert (e["verdict"], e["rule"], e["stage"]) == ("deny", f"office.conf:{private}", "address")
    e = explain(office, "http://a.example/", *words, "--address", "8.8.8.8", forward=True)
    assert (e["verdict"], e["rule"]) == ("allow", f"office.conf:{private + 1}")


def test_where_a_rule_leads_is_judged_without_being_asked(office):
    e = explain(office, "http://inner.example/", "--client", "10.2.0.1", forward=True)
    assert e["verdict"] == "allow" and e.subjects("address") == ["127.0.0.1"]
    assert e["source"]["subject"] == "http://127.0.0.1:8080/"
    waits = [r for r in e.all("rule") if r["how"].startswith("matches, if the address does: address 127.0.0.1")]
    assert waits and waits[0]["line"] == line_of(office, "rule allow to=")


def test_literal_addresses_need_no_resolution(office):
    for url in ("http://127.0.0.1/", "http://[::1]/", "http://localhost/"):
        e = explain(office, url, "--client", "10.2.0.1", forward=True)
        assert (e["verdict"], e["status"], e["rule"]) == ("deny", 403, "floor:address"), url


def test_names_are_resolved_when_it_is_wished(office, names):
    names.names["a.example"] = [["8.8.8.8"]]
    names.names["evil.example"] = [["192.168.0.1"]]
    e = explain(office, "http://a.example/", "--client", "10.2.0.1", "--resolve", forward=True)
    assert e["verdict"] == "allow" and e.subjects("address") == ["8.8.8.8"]
    e = explain(office, "http://evil.example/", "--client", "10.2.0.1", "--resolve", forward=True)
    assert e["verdict"] == "deny" and e["status"] == 403
    e = explain(office, "http://none.example/", "--client", "10.2.0.1", "--resolve", forward=True)
    assert e.all("address")[0]["how"] == "none.example could not be resolved" and e["status"] in (502, 503, 504)


def test_a_client_that_is_reset_is_told(office):
    e = explain(office, "http://a.example/", "--to", "127.0.0.1:3129", "--client", "10.9.1.1", forward=True)
    assert any(r["subject"] == "reset" for r in e.all("rule")) and e["status"] == 403


def test_what_is_no_question_for_a_proxy(office):
    e = explain(office, "http://a..example/", "--client", "10.2.0.1", forward=True)
    assert e["status"] == 400 and e["verdict"] == "error"


# --- the table

def test_the_table_has_a_line_for_each_decision(site, room):
    done = run("explain", "-c", site, "http://a.example:8080/img/a.png")
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert [l.split()[0] for l in lines] == ["listener", "server", "location", "source", "filter", "answer"]
    assert re.fullmatch(r"server +a\.example +exact name +site\.conf:\d+", lines[1])
    assert re.fullmatch(rf"location +/img/ +longest prefix, no expression is asked +site\.conf:{line_of(site, '^~ /img/')}",
                        lines[2])
    columns = {l.index("site.conf:") for l in lines[:3]}
    assert len(columns) == 1, "places stand in one column"
    assert re.fullmatch(r"answer +200 OK +image/png", lines[-1])


def test_included_files_are_named(room):
    (room / "servers").mkdir()
    (room / "servers" / "a.conf").write_text('server {\n listen 127.0.0.1:8080;\n return 200 "x";\n}\n')
    config = room / "main.conf"
    config.write_text("include servers/*.conf;\n")
    done = run("explain", "-c", config, "http://a.example:8080/")
    assert "servers/a.conf:3" in done.stdout and str(room) not in done.stdout


def test_bytes_that_harm_a_terminal_are_shown(site):
    done = run("explain", "-c", site, "http://a.example:8080/a%1b%5b0m%ff")
    assert done.returncode == 0 and "\x1b" not in done.stdout
    document = subprocess.run([BIFRONS, "explain", "-c", site, "--json", "http://a.example:8080/x%ff%c3%a4%22"],
                              capture_output=True, timeout=20).stdout
    assert json.loads(document.decode("utf-8"))["status"] in (400, 404)


# --- bad words

BAD = [
    ([], "Usage: bifrons explain"),
    (["--json"], "a URL is missing"),
    (["http://a/", "http://b/"], "one URL is explained at a time"),
    (["--nonsense", "http://a/"], 'invalid option: "--nonsense"'),
    (["-t", "http://a/"], 'invalid option: "-t"'),
    (["--client", "nobody", "http://a/"], '--client "nobody" is no address'),
    (["--client"], 'option "--client" requires a value'),
    (["--header", "no colon", "http://a/"], '"NAME: VALUE" was expected'),
    (["--header", "A: b\r\nC: d", "http://a/"], '"NAME: VALUE" was expected'),
    (["--method", "GET X", "http://a/"], "is no method"),
    (["http://a/b c"], "spaces and control bytes"),
    (["ftp://a/"], "only http and https"),
    (["http:///x"], "names no host"),
    (["--address", "8.8.8.8", "http://a/"], 'invalid option: "--address"'),
]


@pytest.mark.parametrize("words, said", BAD, ids=[" ".join(b[0]).strip() or "nothing" for b in BAD])
def test_bad_words_are_one_clear_line(site, words, said):
    done = run("explain", *(["-c", site] if words else []), *words)
    assert done.returncode == 1 and done.stdout == "" and said in done.stderr


def test_forward_words(office):
    done = run("forward", "explain", "-c", office, "--user", "u", "http://a/")
    assert done.returncode == 1 and "users are known, not supported yet" in done.stderr
    assert run("forward", "nonsense").returncode == 1
    assert "Usage: bifrons explain" in run("forward", "explain", "-h").stderr


def test_a_bad_configuration_is_said_as_ever(room):
    config = room / "bad.conf"
    config.write_text("server {\n    listn 80;\n}\n")
    done = run("explain", "-c", config, "http://a/")
    assert done.returncode == 1 and 'unknown directive "listn"' in done.stderr and "did you mean" in done.stderr
    assert run("explain", "-c", room / "none.conf", "http://a/").returncode == 1


# --- nothing is done

CALLS = re.compile(r"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)")
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE")
NEVER = {"connect", "listen", "accept", "accept4", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat2", "creat",
         "chmod", "fchmodat", "chown", "fchownat", "kill", "symlink", "linkat", "execve", "fork", "vfork"}


@pytest.mark.skipif(shutil.which("strace") is None or SANITIZED, reason="needs strace and an ordinary build")
@pytest.mark.parametrize("face, words", [
    ("site", ["explain", "http://a.example:8080/v1/x"]),
    ("site", ["explain", "--json", "http://a.example:8080/dir/"]),
    ("office", ["forward", "explain", "--client", "10.2.0.1", "http://a.example/"]),
    ("office", ["forward", "explain", "--client", "10.2.0.1", "--address", "8.8.8.8", "a.example:443"]),
])
def test_no_socket_and_no_file_is_made(site, office, room, face, words):
    before = sorted(str(p) for p in room.rglob("*"))
    log = room / "calls"
    config = {"site": site, "office": office}[face]
    done = subprocess.run(["strace", "-f", "-o", log, BIFRONS, *words, "-c", config, "-p", room], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and done.stdout, done.stderr
    calls = [CALLS.match(l).groups() for l in log.read_text().splitlines() if CALLS.match(l)]
    assert len(calls) > 20
    for name, rest in calls[1:]:  # the first one is its own start
        assert name not in NEVER, f"{name}({rest}"
        assert not (name.startswith("open") and WRITES.search(rest)), f"{name}({rest}"
        if name == "socket":  # the addresses of this machine are asked of the kernel alone
            assert face == "office" and "AF_NETLINK" in rest, rest
        if name in ("bind", "sendto"):
            assert "AF_NETLINK" in rest or "nlmsg" in rest, rest
    log.unlink()
    assert sorted(str(p) for p in room.rglob("*")) == before


def test_an_ordinary_user_may_ask(site):
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    done = run("explain", "-c", site, "http://a.example:8080/img/a.png", user=65534)
    assert done.returncode == 0, done.stderr
