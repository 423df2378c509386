"""CONF: what a configuration may do to us before one request is served. Clauses of these rows about reloads wait for
them; CONF-01's message is that of tests/e2e/test_command_line.py."""
import os
import resource
import shutil
import socket
import subprocess
import time

import pytest

from support.proxy import BIFRONS, run

SITE = 'server { listen 127.0.0.1:1; return 200 "x"; }\n'
ROOTED = os.geteuid() == 0


def check(room, text, *args, **options):
    """Exit code and what was said; within a second, and with no more memory than 64 MiB of files can need."""
    config = room / "t.conf"
    config.write_bytes(text if isinstance(text, bytes) else text.encode())
    return run("-t", "-c", config, "-p", room, "-e", room / "error.log", *args, **options)


def place(done, room, line, column, name="t.conf"):
    return f"\n{room}/{name}:{line}:{column}" in done.stderr


MISTAKES = [
    ("CONF-01-syntax", "server {\n    listen 127.0.0.1:1\n}\n", 3, 1, 'unexpected "}"'),
    ("CONF-01-unknown", "server {\n    listn 1;\n}\n", 2, 5, "listen"),
    ("CONF-01-arity", "server {\n    root;\n}\n", 2, 5, "invalid number of arguments"),
    ("CONF-01-context", "server {\n    http { }\n}\n", 2, 5, "not allowed here"),
    ("CONF-02-zero-byte", b"server {\n listen 127.0.0.1:1\0; }\n", 2, 20, "unexpected zero byte"),
    ("CONF-02-zero-byte-in-quotes", b'server {\n return 200 "a\0"; }\n', 2, 15, "unexpected zero byte"),
    ("CONF-05-100000-blocks", "http {" * 100000, 1, 64 * 6 + 1, "blocks are nested too deep"),
    ("CONF-05-a-word-of-10-mib", "error_log " + "a" * (10 << 20) + ";", 1, 11, "too long parameter"),
    ("CONF-05-unclosed-quote", 'server {\n return 200 "a;\n}\n', 4, 1, "the quote was opened in line 2, column 13"),
    ("CONF-05-unclosed-block", "http {\n server {\n", 3, 1, 'the block "server" was opened in line 2, column 2'),
    ("CONF-05-one-brace-too-many", SITE + "}\n", 2, 1, 'unexpected "}"'),
    ("CONF-06-2-to-64", "http {\n client_max_body_size 99999999999999999999g;\n}\n", 2, 23, "99999999999999999999g"),
    ("CONF-06-wraps-by-its-unit", "http {\n client_max_body_size 17179869184g;\n}\n", 2, 23, "17179869184g"),
    ("CONF-06-negative", "http {\n client_max_body_size -1;\n}\n", 2, 23, "-1"),
    ("CONF-06-unit", "http {\n client_max_body_size 1x;\n}\n", 2, 23, "1x"),
    ("CONF-06-empty", 'http {\n client_max_body_size "";\n}\n', 2, 23, '""'),
    ("CONF-06-processes", "worker_processes 100000;\n", 1, 18, "100000"),
    ("CONF-06-port", "server {\n listen 65536;\n}\n", 2, 9, "65536"),
    ("CONF-06-port-of-an-address", "server {\n listen 127.0.0.1:65536;\n}\n", 2, 9, "65536"),
    ("CONF-07-expression", 'server {\n location ~ "a(b" { }\n}\n', 2, 13, "missing closing parenthesis"),
    ("CONF-12-other-options", "server { listen 127.0.0.1:1 backlog=5; }\nserver { listen 127.0.0.1:1 backlog=6; }\n", 2, 17,
     "duplicate listen options"),
    ("CONF-12-two-defaults", "server { listen 127.0.0.1:1 default_server; }\nserver { listen 127.0.0.1:1 default_server; }\n", 2,
     None, "a duplicate default server"),
    ("CONF-23-js", "js_import a;\n" + SITE, 1, 1, "not supported"),
    ("CONF-23-lua", "http {\n lua_code_cache on;\n}\n", 2, 2, 'unknown directive "lua_code_cache"'),
    ("CONF-23-perl", "server {\n perl x;\n}\n", 2, 2, "not supported"),
    ("FILE-27-mp4", "server {\n mp4;\n}\n", 2, 2, "not supported"),
    ("FILE-27-flv", "server {\n flv;\n}\n", 2, 2, "not supported"),
    ("FILE-27-slice", "server {\n slice 1m;\n}\n", 2, 2, "not supported"),
]


@pytest.mark.parametrize("text, line, column, said", [pytest.param(*m[1:], id=m[0]) for m in MISTAKES])
def test_conf_a_mistake_is_told_with_its_place(room, text, line, column, said):
    began = time.monotonic()
    done = check(room, text)
    assert done.returncode == 1 and "[emerg]" in done.stderr and said in done.stderr, done.stderr[:2000]
    assert place(done, room, line, column if column else ""), done.stderr[:2000]
    assert len(done.stderr) < 20000 and time.monotonic() - began < 2


@pytest.mark.parametrize("text", [
    pytest.param(b"\xef\xbb\xbf" + SITE.encode(), id="CONF-02-byte-order-mark"),
    pytest.param(SITE.replace(" ", "\r\n").encode(), id="CONF-02-crlf"),
    pytest.param(SITE.replace("x", "\x01\x1b\x7f").encode() + b'# \xff\xfe\n', id="CONF-02-other-bytes-in-quotes"),
    pytest.param(b'server { listen 127.0.0.1:1; location ~ "^(a+)+$" { } }', id="CONF-07-backtracking")])
def test_conf_odd_texts_that_are_accepted(room, text):
    done = check(room, text)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("row", ["CONF-02-other-bytes-are-kept"])
def test_conf_bytes_in_quotes_are_the_users(start, row):
    text = b'server { listen 127.0.0.1:0; return 200 "\x01\x1b\xff"; }'.decode("latin-1")
    proxy = start(text)
    with proxy.connect() as c:
        assert c.get("/").body == "\x01\x1b\xff".encode()


@pytest.mark.parametrize("row", ["CONF-02-other-bytes-are-escaped-when-printed"])
def test_conf_no_control_byte_is_printed(room, row):
    config = room / "t.conf"
    config.write_bytes(b'"a\x1b[2J\xff" x;\n')
    done = subprocess.run([BIFRONS, "-t", "-c", config, "-p", room, "-e", room / "error.log"], capture_output=True, timeout=20)
    assert done.returncode == 1 and rb"a\x1B[2J\xFF" in done.stderr
    assert not [b for b in done.stderr if b != 10 and not 32 <= b < 127], done.stderr


def chain(folder, last):
    for n in range(last):
        (folder / f"{n}.conf").write_text(f"include {n + 1}.conf;\n")
    (folder / f"{last}.conf").write_text("")
    return "include 0.conf;\n" + SITE


def itself(folder):
    (folder / "a.conf").write_text("include a.conf;\n")
    return "include a.conf;\n" + SITE


def each_other(folder):
    (folder / "a.conf").write_text("include b.conf;\n")
    (folder / "b.conf").write_text("include a.conf;\n")
    return "include a.conf;\n" + SITE


def many_files(folder):
    (folder / "d").mkdir()
    for n in range(4097):
        (folder / "d" / f"{n}.conf").write_text("")
    return "include d/*.conf;\n" + SITE


def fifo(folder):
    os.mkfifo(folder / "fifo")
    return "include fifo;\n" + SITE


def unreadable(folder):
    (folder / "locked").write_text("")
    (folder / "locked").chmod(0)
    return "include locked;\n" + SITE


def large(folder):
    with open(folder / "large", "wb") as f:
        f.truncate(1 << 30)
    return "include large;\n" + SITE


INCLUDES = [
    ("CONF-03-itself", itself, "include loop"),
    ("CONF-03-a-b-a", each_other, "include loop"),
    ("CONF-03-1000-deep", lambda f: chain(f, 1000), "includes are nested too deep, at most 64"),
    ("CONF-03-64-deep", lambda f: chain(f, 63), None),
    ("CONF-03-too-many-files", many_files, "too many files, at most 4096"),
    ("CONF-03-pattern-without-a-match", lambda f: "include nosuch*.conf;\n" + SITE, None),
    ("CONF-03-no-such-file", lambda f: "include nosuch.conf;\n" + SITE, "No such file or directory"),
    ("CONF-04-fifo", fifo, 'fifo" failed (95: Operation not supported)'),
    ("CONF-04-folder", lambda f: "include /proc;\n" + SITE, "Is a directory"),
    ("CONF-04-no-end", lambda f: "include /dev/zero;\n" + SITE, "File too large"),
    ("CONF-04-1-gib", large, "File too large"),
]


@pytest.mark.parametrize("make, said", [pytest.param(m, s, id=i) for i, m, s in INCLUDES])
def test_conf_includes(room, make, said):
    text = make(room)
    began = time.monotonic()
    done = check(room, text, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (256 << 20, 256 << 20)))
    assert time.monotonic() - began < 2, "it hangs"
    if said:
        assert done.returncode == 1 and said in done.stderr, done.stderr
    else:
        assert done.returncode == 0, done.stderr


def as_nobody(room, *args):
    """Runs a copy of the binary without root's rights, in a folder that is open to all."""
    shutil.copy(BIFRONS, room / "bifrons")
    (room / "bifrons").chmod(0o755)
    room.chmod(0o755)
    wrap = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"] if ROOTED else []
    return subprocess.run([*wrap, room / "bifrons", *map(str, args)], capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("row", ["CONF-04-unreadable"])
def test_conf_an_unreadable_file_is_an_error(room, row):
    (room / "t.conf").write_text(unreadable(room))
    done = as_nobody(room, "-t", "-c", room / "t.conf", "-p", room)
    assert done.returncode == 1 and 'locked" failed (13: Permission denied)' in done.stderr, done.stderr


@pytest.mark.parametrize("row", ["CONF-12-server-names"])
def test_conf_a_name_that_is_taken_is_ignored(room, row):
    done = check(room, "server { listen 127.0.0.1:1; server_name a; }\nserver { listen 127.0.0.1:1; server_name a; }\n")
    assert done.returncode == 0 and 'conflicting server name "a" on 127.0.0.1:1, ignored' in done.stderr, done.stderr
    assert "[warn]" in done.stderr


@pytest.mark.parametrize("row", ["CONF-11-a-port-in-use"])
def test_conf_a_port_in_use_ends_the_start(room, row):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
        (room / "t.conf").write_text(f"server {{ listen 127.0.0.1:{port}; }}\n")
        done = run("-c", room / "t.conf", "-p", room, "-e", room / "error.log")
    assert done.returncode == 1 and f"bind() to 127.0.0.1:{port} failed" in done.stderr
    assert "listening" not in done.stdout


@pytest.mark.parametrize("row", ["CONF-22-beside-the-service"])
def test_conf_a_trial_touches_nothing(start, room, row):
    proxy = start(f'pid {room}/b.pid;\naccess_log {room}/access.log;\nserver {{ listen 127.0.0.1:0; return 200 "x"; }}\n')
    with proxy.connect() as c:
        c.get("/")
    proxy.wait_access()
    text = proxy.config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{proxy.port}")
    (room / "trial.conf").write_text(text)
    before = {p.name: (p.stat().st_ino, p.read_bytes()) for p in (proxy.access_log, room / "b.pid")}
    done = run("-t", "-c", room / "trial.conf", "-p", room)
    assert done.returncode == 0, done.stderr
    assert before == {p.name: (p.stat().st_ino, p.read_bytes()) for p in (proxy.access_log, room / "b.pid")}


KEYS = [
    ("CONF-08-no-certificate", "none.pem", "a.key", 'none.pem" failed (2: No such file or directory)'),
    ("CONF-08-no-key", "a.pem", "none.key", 'none.key" failed (2: No such file or directory)'),
    ("CONF-08-key-of-another", "a.pem", "b.key", "certificate and key do not belong together"),
    ("CONF-08-encrypted-key", "a.pem", "locked.key", 'locked.key": the key is encrypted'),
    ("CONF-08-rubbish", "rubbish.pem", "a.key", 'rubbish.pem"'),
    ("CONF-08-a-key-for-a-certificate", "a.key", "a.key", 'a.key"'),
]


@pytest.mark.parametrize("certificate, key, said", [pytest.param(*k[1:], id=k[0]) for k in KEYS])
def test_conf_certificates_and_keys(room, authority, certificate, key, said):
    for name in ("a", "b"):
        for path, suffix in zip(authority.leaf(f"{name}.example"), ("pem", "key")):
            shutil.copy(path, room / f"{name}.{suffix}")
    subprocess.run(["openssl", "pkey", "-in", room / "a.key", "-aes128", "-passout", "pass:x", "-out", room / "locked.key"],
                   check=True, capture_output=True)
    (room / "rubbish.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    done = check(room, f"server {{\n listen 127.0.0.1:1 ssl;\n ssl_certificate {certificate};\n ssl_certificate_key {key};\n}}\n",
                 stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and said in done.stderr, done.stderr


@pytest.mark.parametrize("row", ["CONF-24-command-line"])
def test_conf_the_command_line_is_read_like_a_file(room, row):
    (room / "link.conf").symlink_to("t.conf")
    (room / "sub").mkdir()
    assert check(room, SITE, "-g", "worker_processes 1;").returncode == 0
    assert run("-t", "-c", room / "link.conf", "-p", f"{room}/sub/..", "-e", room / "error.log").returncode == 0
    done = check(room, SITE, "-g", "a" * 131000)
    assert done.returncode == 1 and "too long parameter" in done.stderr and len(done.stderr) < 20000
    done = check(room, SITE, "-g", "pid x.pid; }")
    assert done.returncode == 1 and 'unexpected "}" in command line' in done.stderr, done.stderr
