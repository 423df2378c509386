"""The command line, quick commands, and errors that say where, why, and what was meant."""
import os
import re
import signal
import socket
import subprocess

import pytest

from support.origin import free_port
from support.proxy import run
from support.wire import request


def check(room, text, *args):
    config = room / "t.conf"
    config.write_text(text)
    return config, run("-t", "-c", config, "-p", room, "-e", room / "error.log", *args)


def test_a_good_file_is_said_to_be_good(room):
    config, done = check(room, 'server { listen 127.0.0.1:0; return 200 "x"; }')
    assert done.returncode == 0, done
    assert f"the configuration file {config} syntax is ok" in done.stderr
    assert f"configuration file {config} test is successful" in done.stderr
    assert done.stdout == "" and all(l.startswith("bifrons: ") for l in done.stderr.splitlines())


def test_quiet_says_nothing_of_success(room):
    _, done = check(room, 'server { listen 127.0.0.1:0; return 200 "x"; }', "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


ERRORS = [
    # name, text, message, line, column, a word that must be suggested
    ("unknown directive", "server {\n    listn 80;\n}\n", 'unknown directive "listn"', 2, 5, "listen"),
    ("unknown directive of proxy", "server {\n listen 1;\n location / {\n  proxy_pas http://a;\n }\n}\n",
     'unknown directive "proxy_pas"', 4, 3, "proxy_pass"),
    ("wrong context", "server {\n    listen 127.0.0.1:1;\n    upstream u { server a; }\n}\n",
     '"upstream" directive is not allowed here', 3, 5, None),
    ("too few words", "server {\n    listen 127.0.0.1:1;\n    root;\n}\n", 'invalid number of arguments in "root" directive', 3, None, None),
    ("too many words", "server {\n    listen 127.0.0.1:1;\n    root a b;\n}\n", 'invalid number of arguments in "root" directive', 3, None, None),
    ("twice", "server {\n    listen 127.0.0.1:1;\n    root a;\n    root b;\n}\n", '"root" directive is duplicate', 4, None, None),
    ("on or off", "http {\n    sendfile yes;\n}\n", 'invalid value "yes" in "sendfile" directive, it must be "on" or "off"', 2, None, None),
    ("bad size", "http {\n    client_max_body_size 1x;\n}\n", '"client_max_body_size" directive invalid value', 2, None, None),
    ("unclosed", "server {\n    listen 127.0.0.1:1;\n", 'unexpected end of file, expecting "}"', None, None, None),
    ("one too many", "server {\n    listen 127.0.0.1:1;\n}\n}\n", 'unexpected "}"', 4, None, None),
    ("no semicolon", "server {\n    root a\n}\n", None, None, None, None),
    ("duplicate location", "server {\n listen 127.0.0.1:1;\n location /a { }\n location /a { }\n}\n", 'duplicate location "/a"', 4, None, None),
    ("duplicate upstream", "upstream a { server 127.0.0.1:1; }\nupstream a { server 127.0.0.1:1; }\n", 'duplicate upstream "a"', 2, None, None),
    ("empty upstream", "upstream a { }\n", "no servers are inside upstream", 1, None, None),
    ("two defaults", "server { listen 127.0.0.1:1 default_server; }\nserver { listen 127.0.0.1:1 default_server; }\n",
     "a duplicate default server for 127.0.0.1:1", 2, None, None),
    ("bad code", "server {\n listen 127.0.0.1:1;\n return 1000;\n}\n", 'invalid return code "1000"', 3, None, None),
    ("no format", "http {\n access_log /tmp/x nosuch;\n}\n", 'unknown log format "nosuch"', 2, None, None),
    ("no variable", 'server {\n listen 127.0.0.1:1;\n return 200 "$nosuch";\n}\n', 'unknown "nosuch" variable', None, None, None),
    ("no certificate named", "server {\n    listen 127.0.0.1:1 ssl;\n}\n",
     'no "ssl_certificate" is defined for the "listen ... ssl" directive', None, None, None),
    ("bad port", "server {\n    listen 127.0.0.1:65536;\n}\n", None, 2, None, None),
    ("unknown rule word", "forward {\n    listen 127.0.0.1:1;\n    rule alow if client 127.0.0.1;\n}\n", None, 3, None, "allow"),
    ("unknown condition", "forward {\n    listen 127.0.0.1:1;\n    rule allow if clent 127.0.0.1;\n}\n", None, 3, None, "client"),
    ("unreachable rule", "forward {\n    listen 127.0.0.1:1;\n    rule deny;\n    rule allow if client 127.0.0.1;\n}\n", None, 4, None, None),
    ("unknown list", "forward {\n    listen 127.0.0.1:1;\n    rule allow if host @nolist;\n}\n", None, 3, None, None),
    ("server's word in forward", "forward {\n    listen 127.0.0.1:1;\n    root /x;\n}\n", None, 3, None, None),
    ("mixed with server", "server { listen 127.0.0.1:1; }\nforward { listen 127.0.0.1:1; rule allow if client 127.0.0.1; }\n", None, 2, None, None),
]


@pytest.mark.parametrize("name, text, message, line, column, nearest", ERRORS, ids=[e[0] for e in ERRORS])
def test_an_error_says_where_and_shows_the_line(room, name, text, message, line, column, nearest):
    config, done = check(room, text)
    assert done.returncode == 1, done
    said = done.stderr.splitlines()
    first = re.match(r"bifrons: \[emerg\] (.*)", said[0])
    assert first, done.stderr
    if message:
        assert message in said[0], said[0]
    assert said[-1] == f"bifrons: configuration file {config} test failed"
    if name == "no variable":
        return  # NGINX says no place here
    if line:
        assert re.search(rf" in {re.escape(str(config))}:{line}$", said[0]) or f"{config}:{line}:" in done.stderr, done.stderr
    place = next((i for i, l in enumerate(said) if re.match(rf"{re.escape(str(config))}:\d+:\d+", l)), None)
    assert place is not None, f"no FILE:LINE:COL line: {done.stderr}"
    if line and column:
        assert said[place].startswith(f"{config}:{line}:{column}"), said[place]
    if name == "unclosed":
        assert 'the block "server" was opened in line 1' in done.stderr
        return  # behind the last line there is none to show
    number = int(said[place].split(":")[1])
    shown = text.splitlines()[number - 1] if number <= len(text.splitlines()) else ""
    assert shown.strip() in said[place + 1], done.stderr
    caret = said[place + 2]
    assert caret.strip(" \t|") .startswith("^"), done.stderr
    if column:
        offset = said[place + 1].index(shown.strip()) + column - 1 - (len(shown) - len(shown.lstrip()))
        assert caret.index("^") == offset, done.stderr
    if nearest:
        assert nearest in re.sub(re.escape(shown), "", done.stderr), f"{nearest} is not suggested: {done.stderr}"


def test_all_errors_of_a_file_are_shown_not_only_the_first(room):
    _, done = check(room, "server {\n    listn 80;\n    listen 127.0.0.1:1;\n    rot x;\n}\n")
    assert 'unknown directive "listn"' in done.stderr and 'unknown directive "rot"' in done.stderr


LATER = ["auth_basic x;", "gunzip on;", "limit_rate 1k;", "expires 1d;", "location /x { satisfy any; }"]


@pytest.mark.parametrize("directive", LATER)
def test_what_comes_later_is_known_and_refused(room, directive):
    config, done = check(room, f"server {{\n    listen 127.0.0.1:1;\n    {directive}\n}}\n")
    assert done.returncode == 1 and "known, not supported yet" in done.stderr and f"{config}:3:" in done.stderr, done.stderr


def test_what_has_no_effect_says_so_once(room):
    _, done = check(room, 'events { worker_connections 64; use epoll; multi_accept on; }\nhttp { tcp_nopush on; server { listen 127.0.0.1:0; return 200 "x"; } }\n')
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('"multi_accept" is accepted') == 1, done.stderr


def test_tunnel_peek_counts_as_off_and_says_so(room):
    _, done = check(room, "forward { listen 127.0.0.1:0; tunnel_peek on; rule allow if client 127.0.0.1; }\n")
    assert done.returncode == 0 and "tunnel_peek" in done.stderr, done.stderr


def test_a_missing_certificate_is_named(room, authority):
    _, key = authority.leaf("a.example")
    config, done = check(room, f"server {{\n    listen 127.0.0.1:1 ssl;\n    ssl_certificate /nonexistent/x.pem;\n"
                               f"    ssl_certificate_key {key};\n}}\n")
    assert done.returncode == 1 and "/nonexistent/x.pem" in done.stderr and f"{config}:3:" in done.stderr, done.stderr


def test_a_key_of_another_certificate_is_refused(room, authority):
    certificate, _ = authority.leaf("a.example")
    _, key = authority.leaf("b.example")
    _, done = check(room, f"server {{\n    listen 127.0.0.1:1 ssl;\n    ssl_certificate {certificate};\n"
                          f"    ssl_certificate_key {key};\n}}\n")
    assert done.returncode == 1 and "[emerg]" in done.stderr and str(key) in done.stderr, done.stderr


def test_a_missing_file_is_named(room):
    done = run("-t", "-c", room / "none.conf", "-p", room, "-e", room / "error.log")
    assert done.returncode == 1
    assert f'open() "{room}/none.conf" failed (2: No such file or directory)' in done.stderr


def test_a_missing_include_is_fatal_a_glob_without_match_is_not(room):
    _, done = check(room, "include none/*.conf;\nserver { listen 127.0.0.1:0; }\n")
    assert done.returncode == 0, done.stderr
    config, done = check(room, "include none.conf;\n")
    assert done.returncode == 1 and "none.conf" in done.stderr and f"{config}:1:" in done.stderr


def test_an_error_in_an_include_names_the_include(room):
    (room / "part.conf").write_text("server {\n    listen 127.0.0.1:1;\n    nonsense on;\n}\n")
    _, done = check(room, "include part.conf;\n")
    assert done.returncode == 1 and f"{room}/part.conf:3:5" in done.stderr, done.stderr


def test_an_include_loop_is_refused(room):
    _, done = check(room, "include t.conf;\n")
    assert done.returncode == 1 and "include" in done.stderr


def test_a_port_in_use_starts_nothing(room):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        config = room / "c.conf"
        config.write_text(f"pid {room}/p.pid;\nserver {{\n    listen 127.0.0.1:{port};\n    listen 127.0.0.2:0;\n}}\n")
        done = run("-c", config, "-p", room, "-e", room / "error.log")
    assert done.returncode == 1 and done.stdout == ""
    assert f"bind() to 127.0.0.1:{port} failed (98: Address already in use)" in done.stderr, done.stderr
    assert not (room / "p.pid").exists()


def test_version_and_help(room):
    done = run("-v")
    assert done.returncode == 0 and re.fullmatch(r"bifrons version: bifrons/[0-9.a-z-]+\n", done.stderr + done.stdout), done
    done = run("-V")
    assert done.returncode == 0
    said = done.stderr + done.stdout
    assert "OpenSSL" in said and "TLS SNI support enabled" in said and re.search(r"nginx/1\.\d+\.\d+", said), said
    done = run("-h")
    assert done.returncode == 0
    for option in ("-t", "-c", "-p", "-g", "-e", "-q", "-v", "-V", "reverse-proxy", "forward-proxy"):
        assert option in done.stderr + done.stdout


@pytest.mark.parametrize("args, message", [(["-z"], 'invalid option: "-?z"'), (["-c"], 'option "-c" requires'),
                                           (["nonsense"], "nonsense")])
def test_a_wrong_option_is_refused(args, message):
    done = run(*args)
    assert done.returncode == 1 and re.search(message, done.stderr), done


def test_g_sets_directives(room, start):
    proxy = start('server { listen 127.0.0.1:0; return 200 "x"; }', args=["-g", f"pid {room}/g.pid;"])
    assert (room / "g.pid").read_text().strip() == str(proxy.process.pid)


def test_e_names_the_log_until_the_file_does(room):
    """-e is where errors go before the file is read; it is no second error_log."""
    _, done = check(room, f'error_log {room}/other.log info;\nserver {{ listen 127.0.0.1:0; return 200 "x"; }}')
    assert done.returncode == 0, done.stderr


def test_an_error_in_g_is_in_the_command_line(room):
    _, done = check(room, 'server { listen 127.0.0.1:0; }', "-g", "nonsense on;")
    assert done.returncode == 1 and "in command line" in done.stderr, done.stderr


def test_options_may_be_joined(room):
    config = room / "t.conf"
    config.write_text('server { listen 127.0.0.1:0; return 200 "x"; }')
    done = run("-tq", f"-c{config}", f"-p{room}", f"-e{room}/error.log")
    assert (done.returncode, done.stderr) == (0, "")


def test_paths_are_relative_to_the_prefix(room, start):
    (room / "www").mkdir()
    (room / "www" / "f.txt").write_text("relative\n")
    (room / "sub").mkdir()
    (room / "sub" / "rel.conf").write_text("include part.conf;\n")
    (room / "sub" / "part.conf").write_text("access_log logs/mine.log;\nserver { listen 127.0.0.1:0; root www; }\n")
    proxy = start(None, args=["-c", "sub/rel.conf"], listeners=1)
    with proxy.connect() as c:
        assert c.get("/f.txt").body == b"relative\n"
    from support.waiting import eventually
    eventually(lambda: "/f.txt" in (room / "logs" / "mine.log").read_text(), "no line in the log")


def test_the_test_of_a_file_touches_nothing_that_runs(room, start):
    proxy = start(f'pid {room}/b.pid; access_log {room}/access.log; server {{ listen 127.0.0.1:0; return 200 "x"; }}')
    with proxy.connect() as c:
        c.get("/")
        proxy.wait_access()
        done = run("-t", "-c", proxy.config, "-p", room, "-e", room / "other.log")
        assert done.returncode == 0
        assert (room / "b.pid").read_text().strip() == str(proxy.process.pid)
        assert len(proxy.access()) == 1
        c.assert_kept()


def test_the_test_opens_the_logs_and_makes_folders_below_the_prefix_alone(room):
    (room / "prefix").mkdir()
    config = room / "prefix" / "t.conf"
    config.write_text('access_log logs/deep/a.log;\nserver { listen 127.0.0.1:0; error_log e.log; return 204; }\n')
    done = run("-t", "-c", config, "-p", room / "prefix")
    assert done.returncode == 0, done.stderr
    for name in ("logs/deep/a.log", "logs/error.log", "e.log"):
        assert (room / "prefix" / name).read_text() == ""
    config.write_text(f"error_log stderr;\nserver {{ listen 127.0.0.1:0;\n access_log {room}/none/a.log; }}\n")
    done = run("-t", "-c", config, "-p", room / "prefix")
    assert done.returncode == 1 and not (room / "none").exists()
    assert f'[emerg] open() "{room}/none/a.log" failed (2: No such file or directory) in {config}:3\n' in done.stderr
    assert f"{config}:3:2\n access_log {room}/none/a.log; }}\n ^\n" in done.stderr


FAILING = [
    ("error_log {room}/none/e.log;", r'open\(\) "{room}/none/e.log" failed \(2: [^)]*\)'),
    ("http {{ error_log {room}/none/e.log; }}", r'open\(\) "{room}/none/e.log" failed \(2: [^)]*\)'),
    ("client_body_temp_path {room}/none/a/b;", r'mkdir\("{room}/none/a/b"\) failed \(2: [^)]*\)'),
    pytest.param("user no.such.user;", r'getpwnam\("no.such.user"\) failed \(2: [^)]*\)',
                 marks=pytest.mark.skipif(os.geteuid() != 0, reason="it is a warning for others")),
]


@pytest.mark.parametrize("line, message", FAILING)
@pytest.mark.parametrize("options", [["-t"], []], ids=["test", "run"])
def test_a_start_that_fails_names_the_line(room, line, message, options):
    config = room / "t.conf"
    config.write_text(f"error_log stderr;\n{line.format(room=room)}\nserver {{ listen 127.0.0.1:0; return 204; }}\n")
    done = run(*options, "-c", config, "-p", f"{room}/prefix")
    said = re.search(rf"\[emerg\] {message.format(room=room)} in {config}:2\n{config}:2:\d+\n.*\n *\^\n", done.stderr)
    assert done.returncode == 1 and said, done.stderr


def test_a_pid_file_that_cannot_be_written_names_its_line(room):
    config = room / "t.conf"
    config.write_text(f"error_log stderr;\npid {room}/none/p.pid;\nserver {{ listen 127.0.0.1:0; access_log off; }}\n")
    done = run("-c", config, "-p", f"{room}/prefix")
    assert done.returncode == 1
    assert f'open() "{room}/none/p.pid" failed (2: No such file or directory) in {config}:2\n' in done.stderr


def test_reverse_proxy_by_one_command(start, origin):
    proxy = start(args=["reverse-proxy", "--from", "127.0.0.1:0", "--to", origin.address])
    with proxy.connect() as c:
        assert c.get("/x", "Name.example:80", "X-Forwarded-For: 1.2.3.4").body == b"origin: GET /x\n"
    seen = origin.requests[0]
    assert seen.get("X-Forwarded-For") == "1.2.3.4, 127.0.0.1" and seen.get("X-Forwarded-Proto") == "http"
    assert seen.get("X-Forwarded-Host") in ("Name.example:80", "name.example", "Name.example")


def test_reverse_proxy_takes_a_port_alone(start, origin):
    port = free_port("")
    proxy = start(args=["reverse-proxy", "--from", f":{port}", "--to", origin.address])
    assert proxy.port == port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(request("GET", "/x"))
        assert s.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("args", [["reverse-proxy"], ["reverse-proxy", "--from", "127.0.0.1:0"],
                                  ["reverse-proxy", "--from", "nonsense:x", "--to", "127.0.0.1:1"],
                                  ["forward-proxy", "--listen", "0.0.0.0:0"], ["forward-proxy", "--nonsense"]])
def test_a_quick_command_with_bad_words_is_refused(room, args):
    done = run(*args, "-e", room / "error.log")
    assert done.returncode == 1 and done.stderr.startswith("bifrons: "), done


def test_forward_proxy_by_one_command(start, origin):
    proxy = start(args=["forward-proxy", "--listen", "127.0.0.1:0"])
    with proxy.connect() as c:
        assert c.ask(request("GET", f"http://{origin.address}/", "a")).status == 403, "loopback is behind the floor"
        assert c.ask(request("GET", "/", "a")).status == 400
    assert not origin.requests


def test_a_closed_standard_output_is_no_fault(room):
    """`listening` lines are for whoever reads them."""
    config = room / "c.conf"
    config.write_text('server { listen 127.0.0.1:0; return 200 "x"; }\n')
    from support.proxy import BIFRONS

    p = subprocess.Popen([BIFRONS, "-c", str(config), "-p", str(room), "-e", str(room / "error.log"), "-g", f"pid {room}/p.pid;"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    from support.waiting import eventually

    eventually((room / "p.pid").exists, "it did not start")
    p.send_signal(signal.SIGTERM)
    assert p.wait(10) == 0
    assert os.path.exists(config) and not (room / "p.pid").exists()
