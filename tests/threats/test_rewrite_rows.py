"""INJ, TARG: what a request can do through `rewrite`, `return`, `set` and `if`."""
import pytest

from support.wire import request


@pytest.fixture
def site(start, room, origin):
    return start(f"""
http {{
    access_log {room}/access.log;
    server {{
        listen 127.0.0.1:0;
        default_type text/plain;
        set $x "a\\r\\nSet-Cookie: s=1";
        location /header {{ add_header X-A $x; return 200 x; }}
        location /return {{ return 302 $x; }}
        location /redirect {{ rewrite ^ http://a/$x redirect; }}
        location /old/ {{ rewrite ^/old/(.*)$ /new/$1 break; proxy_pass http://{origin.address}; }}
        location /query/ {{ rewrite ^ /new?q=$http_x? break; proxy_pass http://{origin.address}; }}
        location /set-query/ {{ set $args $http_x; proxy_pass http://{origin.address}; }}
        location /api/ {{ rewrite ^/api/(.*)$ /internal?migrated=true; set $v $1; return 200 $v; }}
        location /v/ {{ rewrite ^/v/(([a-z]+\\+[a-z]+)[a-z]*)$ /o/$1-$2 redirect; }}
        location /role {{ if ($http_x_role ~ "(^|, )admin($|,)") {{ return 403; }} return 200 ok; }}
        location /public/ {{ rewrite ^/public/(.*)$ /shown/$1 last; }}
        location /shown/ {{ return 200 $uri; }}
        location /admin {{ internal; return 200 secret; }}
        location /decoded/ {{ rewrite ^/decoded/(.*)$ /$1 last; }}
        location /a {{ rewrite ^ /a last; }}
    }}
}}
""")


@pytest.mark.parametrize("target, directive, header", [
    pytest.param("/header", "add_header", "X-A", id="INJ-01-add-header"),
    pytest.param("/return", "return", "Location", id="INJ-01-return"),
    pytest.param("/redirect", "rewrite", "Location", id="INJ-01-rewrite")])
def test_inj_a_control_byte_ends_no_header_line(site, target, directive, header):
    with site.connect() as c:
        r = c.get(target)
    assert r.status == 500 and not r.all("Set-Cookie") and not r.all(header)
    lines = [l for l in site.errors().splitlines() if "[error]" in l]
    assert len(lines) == 1 and header in lines[0]
    if directive != "add_header":  # its line names the field, which says as much
        assert directive in lines[0]


@pytest.mark.parametrize("row", ["INJ-04-a-rewritten-path"])
def test_inj_a_rewritten_path_is_one_target(site, origin, row):
    with site.connect() as c:
        assert c.get("/old/x%20HTTP/1.1%0d%0aHost:%20evil").status == 400
    with site.connect() as c:
        assert c.get("/old/x%20y%3fz").status == 200
    assert [q.target for q in origin.requests] == ["/new/x%20y%3Fz"]


@pytest.mark.parametrize("target", [pytest.param("/query/", id="INJ-04-args-of-a-rewrite"),
                                    pytest.param("/set-query/", id="INJ-04-args-that-were-set")])
def test_inj_rewritten_args_are_in_one_target(site, origin, target):
    with site.connect() as c:
        assert c.get(target, "a", "X: a HTTP/1.1 b").status == 200
    assert [q.target.partition("?")[2].removeprefix("q=") for q in origin.requests] == ["a%20HTTP/1.1%20b"]


@pytest.mark.parametrize("row", ["INJ-05-set-after-args"])
def test_inj_a_group_is_exactly_what_it_was(site, row):
    asked = "A" * 349 + "+" * 969
    with site.connect() as c:
        assert c.get("/api/" + asked).body.decode() == asked


@pytest.mark.parametrize("row", ["INJ-06-nested-groups"])
def test_inj_nested_groups_are_escaped_once(site, row):
    inner = "a" * 100 + "+" + "b" * 99
    with site.connect() as c:
        r = c.get(f"/v/{inner}")
    # "+" was escaped with the groups; in a path it means nothing and is plain again
    assert r.status == 302 and r.get("Location") == f"http://a:{site.port}/o/{inner}-{inner}"


@pytest.mark.parametrize("lines", [pytest.param(("X-Role: user", "X-Role: admin"), id="INJ-19-admin-last"),
                                   pytest.param(("X-Role: admin", "X-Role: user"), id="INJ-19-admin-first")])
def test_inj_a_condition_sees_all_lines(site, lines):
    with site.connect() as c:
        assert c.get("/role", "a", *lines).status == 403
        assert c.get("/role", "a", "X-Role: user").status == 200


@pytest.mark.parametrize("target, status, body", [
    pytest.param("/public/%252e%252e/admin", 200, b"/shown/%2e%2e/admin", id="TARG-25-rewritten-once"),
    pytest.param("/decoded/%2561dmin", 404, None, id="TARG-25-rewritten-to-a-location")])
def test_targ_nothing_is_decoded_again(site, target, status, body):
    with site.connect() as c:
        r = c.get(target)
    assert r.status == status and (body is None or r.body == body)


@pytest.mark.parametrize("row", ["TARG-38-rewrite"])
def test_targ_a_circle_ends(site, row):
    with site.connect() as c:
        assert c.get("/a").status == 500
    lines = [l for l in site.errors().splitlines() if "[error]" in l]
    assert len(lines) == 1 and 'rewrite or internal redirection cycle while processing "/a"' in lines[0]


@pytest.mark.parametrize("row", ["TARG-38-rewrite-pipelined"])
def test_targ_a_circle_leaves_others_alone(site, row):
    with site.connect() as c:
        c.send(request("GET", "/role", "a") * 2 + request("GET", "/a", "a"))
        assert [c.response().status for _ in range(3)] == [200, 200, 500]
