"""FILE: static files."""
import os

import pytest

from support.attack import S
from support.wire import request

SIZE = 10


@pytest.fixture
def site(start, room):
    www = room / "www"
    www.mkdir()
    (www / "f.txt").write_bytes(b"0123456789")
    (www / "empty").write_bytes(b"")
    (www / "dir").mkdir()
    (room / "secret").write_text("outside\n")
    proxy = start(f"""
access_log {room}/access.log;
server {{ listen 127.0.0.1:0; root {www}; location /var/ {{ root {room}/www/$arg_d; }} }}
""")
    proxy.www = www
    return proxy


@pytest.mark.parametrize("d", [pytest.param(d, id=f"FILE-03-{i}") for i, d in enumerate(
    ("../../etc", "..%2f..%2fetc", "..", "../.."))])
def test_file_a_variable_cannot_climb(site, d):
    (site.www.parent / "var").mkdir()
    (site.www.parent / "var" / "x").write_text("outside\n")
    with site.connect() as c:
        r = c.get(f"/var/x?d={d}")
        assert r.status == 404 and b"outside" not in r.body


@pytest.mark.parametrize("row", ["FILE-06-links"])
def test_file_links_are_followed_but_not_for_ever(site, row):
    (site.www / "out").symlink_to(site.www.parent / "secret")
    (site.www / "in").symlink_to("dir/../f.txt")
    (site.www / "loop").symlink_to("loop")
    with site.connect() as c:
        assert c.get("/out").body == b"outside\n"
        assert c.get("/in").body == b"0123456789"
        assert c.get("/loop").status == 403
        c.assert_kept("/f.txt")


@pytest.mark.parametrize("kind", [pytest.param(k, id=f"FILE-08-{k}") for k in ("fifo", "socket", "zero")])
def test_file_only_regular_files_are_opened(site, kind):
    import socket

    path = site.www / kind
    if kind != "socket":
        os.mkfifo(path)
    elif kind == "socket":
        s = socket.socket(socket.AF_UNIX)
        s.bind(str(path))
        s.close()
    else:
        path.symlink_to("/dev/zero")
    with site.connect(timeout=3) as c:
        assert c.get("/" + kind).status == 404
        c.assert_kept("/f.txt")
    if kind != "socket":
        assert site.wait_error(r"\[crit\].*is not a regular file")


@pytest.mark.parametrize("target, status", [
    pytest.param("/locked", 403, id="FILE-09-mode-0"), pytest.param("/" + "n" * 256, 404, id="FILE-09-long-component"),
    pytest.param("/" + "n/" * 2500, 404, id="FILE-09-long-path"), pytest.param("/f.txt/", 404, id="FILE-09-slash-after-a-file"),
    pytest.param("/dir/", 403, id="FILE-09-no-index")])
def test_file_what_cannot_be_opened(site, target, status):
    (site.www / "locked").write_text("x")
    (site.www / "locked").chmod(0)
    with site.connect() as c:
        assert c.get(target).status == status
        c.assert_kept("/f.txt")


@pytest.mark.parametrize("row", ["FILE-10-truncated-while-sent"])
def test_file_a_file_that_shrinks_is_cut(site, row):
    (site.www / "big").write_bytes(b"x" * (64 << 20))
    with site.connect() as c:
        c.send(request("GET", "/big"))
        assert c.head().status == 200
        os.truncate(site.www / "big", 100)
        assert len(c.take_all()) < 64 << 20
    with site.connect() as c:
        c.assert_kept("/f.txt")


@pytest.mark.parametrize("row", ["FILE-11-grows-while-sent"])
def test_file_a_file_that_grows_keeps_its_length(site, row):
    (site.www / "big").write_bytes(b"x" * (16 << 20))
    with site.connect() as c:
        c.send(request("GET", "/big"))
        r = c.head()
        with open(site.www / "big", "ab") as f:
            f.write(b"y" * 100000)
        c.body(r)
        assert r.body == b"x" * (16 << 20)
        c.assert_kept("/f.txt")


@pytest.mark.parametrize("method", [pytest.param(m, id=f"FILE-14-{m.lower()}") for m in ("POST", "PUT", "DELETE", "PATCH")])
def test_file_is_only_read(site, method):
    with site.connect() as c:
        assert c.ask(request(method, "/f.txt", body=S)).status == 405
        c.assert_kept("/f.txt")
    assert len(site.wait_access(2)) == 2


RANGES = [
    ("FILE-19-1300-times-all", "bytes=" + ",".join(["0-"] * 1300), 200),
    ("FILE-20-negative", "bytes=-9223372036854775608,-9223372036854775808", 416),
    ("FILE-20-2-to-64", "bytes=18446744073709551615-", 416),
    ("FILE-20-past-2-to-64", "bytes=0-18446744073709551616", 416),
    ("FILE-21-empty", "bytes=", 200),
    ("FILE-21-letters", "bytes=a-b", 416),
    ("FILE-21-reversed", "bytes=5-2", 416),
    ("FILE-21-dash", "bytes=-", 416),
    ("FILE-21-list-with-a-letter", "bytes=1-2,x", 416),
    ("FILE-21-no-equals", "bytes 0-1", 200),
    ("FILE-21-other-unit", "items=0-1", 200),
    ("FILE-22-past-the-end", "bytes=10-", 416),
    ("FILE-22-suffix-of-nothing", "bytes=-0", 416),
]


@pytest.mark.parametrize("value, status", [pytest.param(v, s, id=n) for n, v, s in RANGES])
def test_file_ranges(site, value, status):
    with site.connect() as c:
        r = c.get("/f.txt", "a", f"Range: {value}")
        assert r.status == status, r
        if status == 416:
            assert r.get("Content-Range") == "bytes */10"
        else:
            assert r.body == b"0123456789"
        c.assert_kept("/f.txt")


@pytest.mark.parametrize("row", ["FILE-22-empty-file"])
def test_file_a_range_of_nothing(site, row):
    with site.connect() as c:
        r = c.get("/empty", "a", "Range: bytes=0-0")
        assert r.status == 416 and r.get("Content-Range") == "bytes */0"


@pytest.mark.parametrize("fields", [pytest.param(f, id=f"FILE-23-{i}") for i, f in enumerate((
    ("Range: bytes=0-1", "Range: bytes=2-3"), ("Range: bytes=0-1", 'If-Range: "old"'), ("Range: bytes=0-1", 'If-Range: W/"x"'),
    ("Range: bytes=0-1", "If-Range: Sun, 99 Foo")))])
def test_file_a_doubtful_range_is_ignored(site, fields):
    with site.connect() as c:
        r = c.get("/f.txt", "a", *fields)
        assert r.status == 200 and r.body == b"0123456789", r


@pytest.mark.parametrize("field", [pytest.param(f, id=f"FILE-25-{i}") for i, f in enumerate((
    "If-Modified-Since: garbage", "If-Modified-Since:", "If-Modified-Since: " + "x" * 2048,
    "If-Modified-Since: Sun, 01 Jan 99999 00:00:00 GMT", "If-None-Match: " + '"x", ' * 1600, 'If-None-Match: "open',
    "If-None-Match: W/"))])
def test_file_bad_conditions_are_ignored(site, field):
    with site.connect() as c:
        assert c.get("/f.txt", "a", field).status == 200
        c.assert_kept("/f.txt")


@pytest.mark.parametrize("name, target", [
    pytest.param("q?m", "/q%3Fm", id="FILE-26-question-mark"), pytest.param("h#m", "/h%23m", id="FILE-26-hash"),
    pytest.param("p%m", "/p%25m", id="FILE-26-percent"), pytest.param("s m", "/s%20m", id="FILE-26-space")])
def test_file_odd_names(site, name, target):
    (site.www / name).write_text("odd\n")
    (site.www / (name + "d")).mkdir()
    with site.connect() as c:
        assert c.get(target).body == b"odd\n"
        r = c.get(target + "d")
        assert r.status == 301 and r.get("Location").endswith(target + "d/"), r


@pytest.mark.parametrize("row", ["FILE-28-past-4-gib"])
def test_file_offsets_have_64_bits(site, row):
    with open(site.www / "huge", "wb") as f:
        f.truncate(5 << 30)
        f.seek((4 << 30) + 1)
        f.write(b"here")
    with site.connect() as c:
        r = c.get("/huge", "a", f"Range: bytes={(4 << 30) + 1}-{(4 << 30) + 4}")
        assert r.status == 206 and r.body == b"here" and r.get("Content-Range").endswith(f"/{5 << 30}")
        r = c.ask(request("HEAD", "/huge"))
        assert r.get("Content-Length") == str(5 << 30)


@pytest.mark.parametrize("row", ["FILE-29-the-root-comes-and-goes"])
def test_file_a_root_that_vanishes_and_returns(site, row):
    with site.connect() as c:
        assert c.get("/f.txt").status == 200
        site.www.rename(site.www.parent / "aside")
        assert c.get("/f.txt").status == 404
        (site.www.parent / "aside").rename(site.www)
        assert c.get("/f.txt").status == 200


