"""-T, fmt, lint, help: what stands around a configuration."""
import json
import re
import subprocess

import pytest

from support.proxy import ROOT, run

GOOD = "server {\n    listen 127.0.0.1:0;\n    location / { return 200; }\n}\n"


def write(room, text, name="t.conf"):
    config = room / name
    config.write_text(text)
    return config


def lint(room, text, *args):
    return run("lint", "-c", write(room, text), *args)


# --- -T


def test_a_dump_is_a_configuration_again(room):
    (room / "a.inc").write_text("server { listen 127.0.0.1:0; server_name a; }")
    config = write(room, "upstream u { server 127.0.0.1:1; }\ninclude *.inc; # all\n")
    done = run("-T", "-q", "-c", config, "-p", room, "-e", "stderr")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"(?m)^# configuration file (.*):$", done.stdout) == [str(config), str(room / "a.inc")]
    again = run("-t", "-c", write(room, done.stdout, "again.conf"), "-p", room, "-e", "stderr")
    assert again.returncode == 0, again


def test_a_dump_shows_no_secret(room):
    config = write(room, 'server { listen 127.0.0.1:0; location / { proxy_pass http://127.0.0.1:1;\n'
                         'proxy_set_header Authorization "Basic c2VjcmV0"; proxy_set_header X-Api-Key abc123;\n'
                         'proxy_set_header Cookie $http_cookie; add_header Set-Cookie "session=xyz"; } }')
    dump = run("-T", "-c", config, "-p", room, "-e", "stderr").stdout
    assert "c2VjcmV0" not in dump and "abc123" not in dump and "xyz" not in dump
    assert dump.count("***") == 3 and "$http_cookie" in dump


def test_a_bad_configuration_is_not_dumped(room):
    done = run("-T", "-c", write(room, "nosuch;"), "-p", room, "-e", "stderr")
    assert done.returncode == 1 and done.stdout == "" and "unknown directive" in done.stderr


# --- fmt


def configurations():
    """Every text in tests and demo that looks like a configuration."""
    found = [(ROOT / "demo/bifrons.conf.in").read_text()]
    for file in sorted((ROOT / "tests").rglob("*.py")):
        for text in re.findall(r'"""(.*?)"""', file.read_text(), re.S):
            if re.search(r"\b(server|forward|location|upstream) .*\{", text):
                found.append(text)
    return found


def tokens(text):
    """Words, ends and comments of a sound text, in order."""
    return re.findall(r"#[^\n]*?(?=[ \t\r]*(?:\n|$))|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[;{}]|(?:\$\{|\\.|[^\s;{}\"'#])"
                      r"(?:\$\{|\\.|[^\s;{])*", text, re.S)


def test_fmt_keeps_all_words_and_comments_and_changes_nothing_twice(room):
    laid_out = 0
    for text in configurations():
        config = write(room, text)
        once = run("fmt", config)
        if once.returncode != 0:
            continue  # a text with marks that are no configuration
        laid_out += 1
        assert tokens(once.stdout) == tokens(text)
        config.write_text(once.stdout)
        assert run("fmt", config).stdout == once.stdout and run("fmt", "--check", config).returncode == 0
    assert laid_out > 5


def test_fmt_checks_and_writes_in_place(room):
    config = write(room, "server{listen 80;}")
    config.chmod(0o640)
    done = run("fmt", "--check", config)
    assert (done.returncode, done.stdout) == (1, f"{config}\n")
    assert run("fmt", "--write", config).returncode == 0
    assert config.read_text() == "server { listen 80; }\n" and config.stat().st_mode & 0o777 == 0o640
    assert run("fmt", "--check", "-c", config).returncode == 0
    assert [p.name for p in room.iterdir() if p.name.startswith("t.conf")] == ["t.conf"]


def test_fmt_leaves_a_text_without_form_alone(room):
    config = write(room, "server {\n  listen 80;\n")
    done = run("fmt", "--write", config)
    assert done.returncode == 1 and f'expecting "}}" in {config}:3' in done.stderr
    assert config.read_text() == "server {\n  listen 80;\n"


# --- lint

TRAPS = {
    "a header is lost": ("add_header X-A 1;\nserver { listen 127.0.0.1:0;\nlocation / { add_header X-B 1; } }",
                         '"X-A" is lost here', 3),
    "a request's header is lost": ("server { listen 127.0.0.1:0;\nproxy_set_header Host x;\n"
                                   "location / { proxy_set_header X y; } }", '"Host" is lost here', 3),
    "the same expression twice": ("server { listen 127.0.0.1:0;\nlocation ~ a { }\nlocation ~ a { }\n}",
                                  'location "~ a" is never reached', 3),
    "an expression for everything": ("server { listen 127.0.0.1:0;\nlocation ~ ^/ { }\nlocation ~ a { }\n}",
                                     'location "~ a" is never reached', 3),
    "return before locations": ("server { listen 127.0.0.1:0;\nreturn 301 /x;\nlocation /a { }\n}",
                                'location "/a" is never reached', 3),
    "if beside try_files": ("server { listen 127.0.0.1:0;\nlocation / { try_files $uri =404;\nif ($arg_a) { set $b 1; } }\n}",
                            '"try_files" is not run', 3),
    "without effect": ("\n\nmsie_padding on;\nserver { listen 127.0.0.1:0; }", "has no effect", 3),
    "a name twice": ("server { listen 127.0.0.1:8000; server_name a; }\n\nserver { listen 127.0.0.1:8000; server_name a; }",
                     'conflicting server name "a"', 3),
}


@pytest.mark.parametrize("name", TRAPS)
def test_lint_tells_of_a_trap(room, name):
    text, said, line = TRAPS[name]
    done = lint(room, text, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert [(said in m["text"], m["line"], m["severity"]) for m in found] == [(True, line, "warning")], found
    tested = run("-t", "-c", room / "t.conf", "-p", room, "-e", "stderr")
    assert tested.returncode == 0 and said in tested.stderr


SOUND = [
    GOOD,
    "add_header X-A 1;\nserver { listen 127.0.0.1:0;\nlocation / { add_header x-a 2; add_header X-B 1; } }",
    "server { listen 127.0.0.1:0;\nif ($arg_a) { return 403; }\nlocation / { try_files $uri =404; if ($arg_b) { return 404; } } }",
    "server { listen 127.0.0.1:0;\nlocation ~ a { }\nlocation ~* a { }\nlocation ~ b { }\n}",
]


@pytest.mark.parametrize("text", SOUND)
def test_lint_is_silent_about_what_is_sound(room, text):
    done = lint(room, text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_lint_says_errors_with_another_code(room):
    done = lint(room, "nosuch;")
    assert done.returncode == 2 and 'unknown directive "nosuch"' in done.stdout


def test_a_certificate_that_soon_expires_is_told(room):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                    "-subj", "/CN=a.example", "-keyout", room / "k.pem", "-out", room / "c.pem"], check=True, capture_output=True)
    done = lint(room, "server { listen 127.0.0.1:0 ssl; ssl_certificate c.pem; ssl_certificate_key k.pem; }")
    assert done.returncode == 1 and "expires soon, on" in done.stdout


# --- an unclosed block


def test_an_unclosed_location_is_told_once_at_the_next_one(room):
    done = run("-t", "-p", room, "-e", "stderr", "-c", write(
        room, "server {\n    listen 127.0.0.1:0;\n    location /a {\n        root /x;\n    location /b { }\n"
              "    location /c { }\n}\nserver { }\n"))
    assert done.stderr.count("[emerg]") == 1 and f'location "/b" is outside location "/a" in {room}/t.conf:5' in done.stderr
    assert 'is the "}" missing that closes "location" of line 3?' in done.stderr


def test_indentation_says_which_block_is_not_closed(room):
    done = run("-t", "-p", room, "-e", "stderr", "-c", write(
        room, "server {\n    location /a {\n        if ($x) {\n            break;\n    }\n}\n"))
    assert done.stderr.count("[emerg]") == 1 and '"if" of line 3 is most likely not closed' in done.stderr


# --- help


def test_help_says_what_a_directive_is(room):
    done = run("help", "proxy_read_timeout")
    assert done.returncode == 0 and done.stdout.startswith("proxy_read_timeout TIME;\n")
    assert re.search(r"in: +http, server, location", done.stdout) and re.search(r"default: +60s", done.stdout)
    assert "header field of the request" in run("help", "$http_x").stdout
    assert 'did you mean "proxy_pass"?' in run("help", "proxy_pas").stderr
    assert "known, not supported yet" in run("help", "fastcgi_pass").stderr


def examples():
    text = (ROOT / "src/run/examples.c").read_text()
    text = text[text.index("directive_examples[] = {"):]
    return [e.encode().decode("unicode_escape") for e in re.findall(r'"((?:\\.|[^"\\])*)"', text)]


AROUND = {"http": "%s\nserver { listen 127.0.0.1:0; }", "server": "server { %s }", "location": "server { location / { %s } }",
          "upstream": "upstream u { server 127.0.0.1:1; %s }", "forward": "forward { listen 127.0.0.1:0; rule allow if client 127.0.0.1; %s }",
          "main": "%s", "events": "events { %s }"}


@pytest.mark.parametrize("line", examples())
def test_every_example_of_help_is_good(room, authority, line):
    name = re.match(r"\w+", line)[0]
    said = run("help", name).stdout
    assert f"example:  {line}\n" in said
    block = said[: said.index(f"example:  {line}")]
    where = re.findall(r"in: +(\w+)", block)[-1]
    (room / "example.pem").touch()
    done = run("lint", "-c", write(room, AROUND[where] % line), "-p", room)
    faults = [l for l in done.stdout.splitlines() if "[emerg]" in l and not re.search(r"certificate|listen|example\.key", l)]
    assert not faults, done.stdout


def test_a_mistyped_command_is_helped(room):
    assert "see bifrons -h" in run("revers-proxy").stderr
    assert run("--help").returncode == 0
