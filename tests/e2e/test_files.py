"""Static files."""
import hashlib
import os

import pytest

from support.waiting import eventually
from support.wire import request

MTIME = 1_600_000_000


@pytest.fixture
def site(room, start):
    www = room / "www"
    (www / "dir").mkdir(parents=True)
    (www / "docs").mkdir()
    (www / "file.txt").write_text("0123456789")
    (www / "index.html").write_text("home\n")
    (www / "docs" / "index.html").write_text("docs\n")
    (www / "none").write_text("")
    (room / "secret").write_text("outside\n")
    os.utime(www / "file.txt", (MTIME, MTIME))
    return start(f"""
http {{
    access_log {room}/access.log;
    server {{
        listen 127.0.0.1:0;
        root {www};
        location = /docs/index.html {{ add_header X-Redirected yes; }}
        location /exact/ {{ root {room}/nowhere; }}
    }}
}}
""")


def test_a_file_has_its_length_date_and_tag(site):
    with site.connect() as c:
        r = c.get("/file.txt")
        assert (r.status, r.body) == (200, b"0123456789")
        assert r.get("Last-Modified") == "Sun, 13 Sep 2020 12:26:40 GMT"
        assert r.get("ETag") == f'"{MTIME:x}-a"'
        assert r.get("Content-Type") == "text/plain" and r.get("Accept-Ranges") == "bytes"
        c.assert_kept("/file.txt")


def test_head_has_the_head_of_get(site):
    with site.connect() as c:
        got, head = c.get("/file.txt"), c.ask(request("HEAD", "/file.txt"))
        assert [f for f in got.fields if f[0] != "Date"] == [f for f in head.fields if f[0] != "Date"]
        assert head.body == b""
        c.assert_kept("/file.txt")


@pytest.mark.parametrize("field", [f'If-None-Match: "{MTIME:x}-a"', "If-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT"])
def test_what_the_client_has_is_not_sent_again(site, field):
    with site.connect() as c:
        r = c.get("/file.txt", "a", field)
        assert r.status == 304 and not r.all("Content-Length") and r.all("ETag")
        c.assert_kept("/file.txt")


@pytest.mark.parametrize("value, status, body, content_range", [
    ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
    ("bytes=-3", 206, b"789", "bytes 7-9/10"),
    ("bytes=7-", 206, b"789", "bytes 7-9/10"),
    ("bytes=7-100", 206, b"789", "bytes 7-9/10"),
    ("bytes=10-", 416, None, "bytes */10"),
])
def test_a_range(site, value, status, body, content_range):
    with site.connect() as c:
        r = c.get("/file.txt", "a", f"Range: {value}")
        assert (r.status, r.get("Content-Range")) == (status, content_range)
        assert body is None or r.body == body
        c.assert_kept("/file.txt")


def test_a_folder_is_redirected_to_its_slash(site):
    with site.connect() as c:
        r = c.get("/docs?a=b", "name.example")
        assert (r.status, r.get("Location")) == (301, f"http://name.example:{site.port}/docs/?a=b")


def test_an_index_is_found_by_internal_redirect(site):
    with site.connect() as c:
        r = c.get("/docs/")
        assert r.body == b"docs\n" and r.get("X-Redirected") == "yes", "the location of the index did not decide"
        assert c.get("/").body == b"home\n"


@pytest.mark.parametrize("target, status", [("/missing", 404), ("/dir/", 403), ("/file.txt/", 404), ("/exact/x", 404),
                                            ("/none", 200)])
def test_what_is_not_there(site, target, status):
    with site.connect() as c:
        assert c.get(target).status == status
        c.assert_kept("/file.txt")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_file_is_only_read(site, method):
    with site.connect() as c:
        assert c.ask(request(method, "/file.txt", body=b"x")).status == 405
        c.assert_kept("/file.txt")


@pytest.mark.parametrize("target", [
    "/../secret", "/dir/../../secret", "/%2e%2e/secret", "/dir/%2e%2e/%2e%2e/secret", "/..%2fsecret", "/dir/..%2f..%2fsecret",
    "//../secret", "/./../secret", "/%2e%2e%2fsecret", "/dir/....//secret", "/..\\secret", "/%c0%ae%c0%ae/secret",
    "/.%00./secret", "/%252e%252e/secret"])
def test_no_path_escapes_its_root(site, target):
    with site.connect() as c:
        r = c.get(target)
        assert r.status in (400, 404) and b"outside" not in r.body, r


def test_an_unreadable_file_is_403(site, room):
    (room / "www" / "locked").write_text("x")
    (room / "www" / "locked").chmod(0)
    with site.connect() as c:
        assert c.get("/locked").status == 403


def test_a_fifo_is_not_waited_for(site, room):
    os.mkfifo(room / "www" / "fifo")
    with site.connect(timeout=3) as c:
        assert c.get("/fifo").status == 404
        c.assert_kept("/file.txt")


def test_a_symbolic_link_is_followed(site, room):
    """Whoever may write below a root decides where its links lead; a request cannot."""
    (room / "www" / "link").symlink_to("docs/index.html")
    (room / "www" / "out").symlink_to(room / "secret")
    with site.connect() as c:
        assert c.get("/link").body == b"docs\n"
        assert c.get("/out").body == b"outside\n"


def test_a_root_that_is_a_link_may_be_switched(start, room):
    """How sites are deployed: the link is renamed into place, and the next request sees the new files."""
    for name in ("old", "new"):
        (room / name).mkdir()
        (room / name / "version").write_text(name)
    (room / "current").symlink_to("old")
    proxy = start(f"server {{ listen 127.0.0.1:0; root {room}/current; }}")
    with proxy.connect() as c:
        assert c.get("/version").body == b"old"
        (room / "next").symlink_to("new")
        (room / "next").rename(room / "current")
        eventually(lambda: c.get("/version").body == b"new", "the old files are served for ever", 3)


def test_a_root_that_is_replaced_is_seen(start, room):
    (room / "site").mkdir()
    (room / "site" / "version").write_text("old")
    proxy = start(f"server {{ listen 127.0.0.1:0; root {room}/site; }}")
    with proxy.connect() as c:
        assert c.get("/version").body == b"old"
        (room / "site").rename(room / "aside")
        (room / "site").mkdir()
        (room / "site" / "version").write_text("new")
        eventually(lambda: c.get("/version").body == b"new", "the old files are served for ever", 3)


def test_a_large_file_arrives_whole_and_memory_stays(site, room):
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with open(room / "www" / "big", "wb") as f:
        for _ in range(256):
            f.write(block)
            digest.update(block)
    with site.connect() as c:
        c.get("/file.txt")
        before = site.memory()
        c.send(request("GET", "/big"))
        r = c.head()
        left, got = int(r.get("Content-Length")), hashlib.sha256()
        assert left == 256 << 20
        while left:
            if not c.buffer:
                assert c.fill()
            got.update(c.buffer)
            left -= len(c.buffer)
            c.buffer = b""
        assert got.digest() == digest.digest()
        assert site.memory() - before < 16 << 20
        c.assert_kept("/file.txt")


def test_a_file_that_shrinks_ends_in_a_cut_answer(site, room):
    path = room / "www" / "shrinks"
    path.write_bytes(b"x" * (64 << 20))
    with site.connect() as c:
        c.send(request("GET", "/shrinks"))
        assert c.head().get("Content-Length") == str(64 << 20)
        os.truncate(path, 1000)
        assert len(c.take_all()) < 64 << 20
    with site.connect() as c:
        c.assert_kept("/file.txt")


def test_a_file_that_grows_is_sent_as_long_as_it_was_said(site, room):
    path = room / "www" / "grows"
    path.write_bytes(b"x" * (8 << 20))
    with site.connect() as c:
        c.send(request("GET", "/grows"))
        r = c.head()
        with open(path, "ab") as f:
            f.write(b"y" * 1000)
        c.body(r)
        assert r.body == b"x" * (8 << 20)
        c.assert_kept("/file.txt")


def test_pipelined_requests_are_answered_in_order(site):
    with site.connect() as c:
        c.send(b"".join(request("GET", t) for t in ("/file.txt", "/docs/", "/missing", "/file.txt")))
        assert [c.response().status for _ in range(4)] == [200, 200, 404, 200]


def test_forty_pipelined_requests_are_answered_in_order(site):
    with site.connect() as c:
        c.send(b"".join(request("GET", "/file.txt", "a", f"Range: bytes={n % 10}-{n % 10}") for n in range(40)))
        assert [c.response().body for _ in range(40)] == [b"%d" % (n % 10) for n in range(40)]
