"""Rows of FILE, INJ and TARG that internal redirects, `alias`, `try_files` and `autoindex` made due."""
import json
import os
import re

import pytest

from support.origin import Origin
from support.waiting import eventually
from support.wire import Client, request


def accel(c):
    """An origin that says what its path asks for."""
    while True:
        target = c.read_request().target
        where = {"/ok": "/inside/f.txt", "/climb": "/internal/../../etc/passwd", "/nul": "/x%00", "/url": "http://evil/",
                 "/encoded": "/inside/%2e%2e/%2e%2e/secret", "/control": "/x%0ay", "/loop": "/accel/loop"}[target]
        c.send(b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: %s\r\nX-Accel-Limit-Rate: 1\r\nContent-Length: 2\r\n\r\nok"
               % where.encode())


@pytest.fixture
def site(start, room):
    www = room / "www"
    (www / "sub").mkdir(parents=True)
    (www / "f.txt").write_text("inside\n")
    (www / "sub" / "g.txt").write_text("deeper\n")
    (room / "secret").write_text("outside\n")
    (room / "wwwx").mkdir()
    (room / "wwwx" / "f.txt").write_text("outside\n")
    os.symlink("../../secret", www / "sub" / "link")
    origin = Origin(accel)
    proxy = start(f"""
access_log {room}/access.log;
server {{
    listen 127.0.0.1:0;
    root {www};
    location /static {{ alias {www}/; }}
    location /glued {{ alias {www}; }}
    location ~ ^/f/(.*)$ {{ alias {www}/sub/$1; }}
    location /try {{ try_files $arg_f =404; }}
    location /strict/ {{ alias {www}/; disable_symlinks on from={www}; }}
    location /owner/ {{ alias {www}/; disable_symlinks if_not_owner; }}
    location /list/ {{ alias {www}/list/; autoindex on; }}
    location /json/ {{ alias {www}/list/; autoindex on; autoindex_format json; }}
    location /accel/ {{ proxy_pass http://{origin.address}/; }}
    location /inside/ {{ internal; alias {www}/; }}
    location /itself {{ try_files /none /itself; }}
    location = /e {{ recursive_error_pages on; error_page 404 /e; return 404; }}
}}
forward {{
    listen 127.0.0.1:0;
    rule allow if client 127.0.0.0/8 and address 127.0.0.1 and port {origin.port};
}}
""")
    proxy.www, proxy.origin = www, origin
    yield proxy
    origin.close()


def outside(site, target, statuses=(404,)):
    with site.connect() as c:
        r = c.get(target)
        assert r.status in statuses and b"outside" not in r.body and b"root:" not in r.body, (r.status, r.body[:100])


@pytest.mark.parametrize("target", [
    pytest.param("/static../secret", id="FILE-01-dots"), pytest.param("/static..%2fsecret", id="FILE-01-encoded"),
    pytest.param("/gluedx/f.txt", id="FILE-01-glued"), pytest.param("/glued../secret", id="FILE-01-no-slash")])
def test_file_an_alias_is_not_left(site, target):
    outside(site, target)


@pytest.mark.parametrize("target, status", [
    pytest.param("/f/../x", 404, id="FILE-02-dots"), pytest.param("/f/%2e%2e/%2e%2e/x", 400, id="FILE-02-above-the-root"),
    pytest.param("/f//etc/passwd", 404, id="FILE-02-slashes"), pytest.param("/f/..%2f..%2fsecret", 400, id="FILE-02-encoded")])
def test_file_an_alias_by_expression_is_not_left(site, target, status):
    outside(site, target, (status,))


@pytest.mark.parametrize("path", [pytest.param(p, id=f"FILE-04-{i}") for i, p in enumerate(
    ("/../../etc/passwd", "/../secret", "../secret", "/sub/../../secret", "/f.txt/../../secret"))])
def test_file_try_files_is_not_led_out(site, path):
    outside(site, f"/try?f={path}")


@pytest.mark.parametrize("row", ["FILE-05-links"])
def test_file_links_are_refused_where_they_may_not_be_followed(site, row):
    os.symlink("f.txt", site.www / "last")
    os.symlink("sub", site.www / "middle")
    with site.connect() as c:
        for path in ("last", "middle/g.txt", "sub/link"):
            assert c.get(f"/strict/{path}").status == 403, path
        assert c.get("/strict/sub/g.txt").body == b"deeper\n"
        assert c.get("/owner/last").body == b"inside\n"


@pytest.mark.parametrize("row", ["FILE-05-swapped"])
def test_file_a_link_put_in_a_files_place_is_never_followed(site, row):
    target, spare = site.www / "swapped", site.www / "spare"
    with site.connect() as c:
        for turn in range(300):
            if turn % 2:
                os.symlink("../secret", spare)
            else:
                spare.write_text("inside\n")
            os.replace(spare, target)
            r = c.get("/strict/swapped")
            assert (r.status, r.body) == (200, b"inside\n") if turn % 2 == 0 else r.status == 403


NAMES = ["<script>alert(1)</script>".replace("/", "\u2215"), '"onmouseover=x', "javascript:alert(1)", "a&b", "new\nline",
         b"inv\xff\xfe".decode("utf-8", "surrogateescape"), "%2e%2e", ".hidden"]


@pytest.fixture
def strange(site):
    (site.www / "list").mkdir()
    for name in NAMES:
        (site.www / "list" / name).write_text("x")
    return site


@pytest.mark.parametrize("row", ["FILE-16-html"])
def test_file_a_list_holds_no_markup_of_names(strange, row):
    with strange.connect() as c:
        body = c.get("/list/").body.decode("utf-8", "surrogateescape")
        links = re.findall(r'<a href="([^"]*)">', body)
        assert len(links) == len(NAMES) and links[0] == "../"
        assert all(re.fullmatch(r"(\.\./|[A-Za-z0-9._~%-]+)", link) for link in links), links
        assert "<script" not in body and "new\nline" not in body
        for link in links[1:]:  # and each leads to its file, but for a name with a control byte (TARG-20)
            assert c.get(f"/list/{link}").status == (400 if "%0A" in link else 200), link


@pytest.mark.parametrize("row", ["FILE-16-json"])
def test_file_a_list_is_json_whatever_the_names(strange, row):
    with strange.connect() as c:
        listed = json.loads(c.get("/json/").body.decode("utf-8"))
        assert len(listed) == len(NAMES) - 1 and "new\nline" in [e["name"] for e in listed]


@pytest.mark.parametrize("row", ["FILE-17-many-entries"])
def test_file_a_huge_folder_is_streamed(site, row):
    folder = site.www / "list"
    folder.mkdir()
    for n in range(40_000):  # more names than are held
        os.close(os.open(folder / f"a-long-enough-name-of-a-file-{n}", os.O_CREAT))
    with site.connect() as c:
        body = c.get("/list/").body
    assert body.endswith(b"</html>\r\n")
    assert len(set(re.findall(rb'href="(a-long[^"]*)"', body))) == 40_000


@pytest.mark.parametrize("row", ["FILE-18-dotfiles-and-off"])
def test_file_lists_are_asked_for_and_hide_dotfiles(strange, row):
    with strange.connect() as c:
        assert b"hidden" not in c.get("/list/").body
        assert c.get("/sub/").status == 403


@pytest.mark.parametrize("path", [pytest.param(p, id=f"INJ-23-{p}") for p in ("climb", "nul", "url", "encoded", "control")])
def test_inj_an_upstream_cannot_lead_out(site, path):
    outside(site, f"/accel/{path}")


@pytest.mark.parametrize("row", ["INJ-23-good"])
def test_inj_a_good_redirect_is_confined(site, row):
    with site.connect() as c:
        r = c.get("/accel/ok")
        assert (r.status, r.body) == (200, b"inside\n") and not r.all("X-Accel-Redirect")
        assert c.get("/inside/f.txt").status == 404


@pytest.mark.parametrize("row", ["INJ-24-forward"])
def test_inj_the_forward_face_obeys_no_origin(site, row):
    with Client(site.addresses[1]) as c:
        r = c.ask(request("GET", f"http://{site.origin.address}/ok", site.origin.address))
        assert (r.status, r.body) == (200, b"ok")
        assert r.get("X-Accel-Redirect") == "/inside/f.txt" and r.get("X-Accel-Limit-Rate") == "1"


@pytest.mark.parametrize("target", [
    pytest.param("/accel/loop", id="INJ-23-loop"), pytest.param("/itself", id="TARG-38-try-files"),
    pytest.param("/e", id="TARG-38-error-page")])
def test_targ_a_loop_ends_after_ten_redirects(site, target):
    with site.connect() as c:
        assert c.get(target).status == 500
    eventually(lambda: "redirection cycle" in site.error_log.read_text(), "no line in the error log")
    assert site.error_log.read_text().count("redirection cycle") == 1
