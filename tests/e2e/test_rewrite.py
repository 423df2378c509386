"""The rewrite directives in a running process: bodies, connections that are kept, files, logs, decisions."""
import pytest

from support.wire import request


@pytest.fixture
def site(start, room, origin):
    (room / "www").mkdir()
    (room / "www" / "there.txt").write_text("there\n")
    (room / "outside.txt").write_text("outside\n")
    (room / "more.conf").write_text("if ($step = 2) { set $step 3; }\nset $step \"${step}b\";\n")
    return start(f"""
http {{
    log_format steps '$status $uri $decided_by';
    access_log {room}/access.log steps;
    server {{
        listen 127.0.0.1:0;
        root {room}/www;
        default_type text/plain;
        client_max_body_size 1m;
        location / {{
            if (!-f $request_filename) {{ rewrite ^/(.*)$ /app/$1 last; }}
        }}
        location /app/ {{ proxy_pass http://{origin.address}/; }}
        location /probe {{
            if (-f $document_root/$arg_f) {{ return 200 yes; }}
            return 200 no;
        }}
        location /steps {{
            set $step 1;
            if ($step = 1) {{ set $step 2; }}
            include {room}/more.conf;
            return 200 $step;
        }}
        location /small/ {{
            client_max_body_size 3;
            rewrite ^/small/(.*)$ /app/$1 last;
        }}
        location /slow/ {{ if ($arg_x ~ "^(a+)+$") {{ return 200 yes; }} return 200 no; }}
    }}
}}
""")


def test_what_is_no_file_goes_to_the_application(site, origin):
    with site.connect() as c:
        assert c.get("/there.txt").body == b"there\n"
        assert c.get("/not%20there?a=1").status == 200
    assert [q.target for q in origin.requests] == ["/not%20there?a=1"]


def test_a_body_goes_with_a_rewritten_request(site, origin):
    with site.connect() as c:
        c.send(request("POST", "/form", "a", body=b"x" * 100_000))
        assert c.response("POST").status == 200
        assert c.get("/there.txt").status == 200  # on the same connection
    assert len(origin.requests[0].body) == 100_000


def test_a_body_too_large_for_the_first_location_is_refused(site):
    with site.connect() as c:
        c.send(request("POST", "/small/x", "a", body=b"xyz!"))
        assert c.response("POST").status == 413


def test_a_file_test_does_not_leave_the_root(site):
    with site.connect() as c:
        assert c.get("/probe?f=there.txt").body == b"yes"
        assert c.get("/probe?f=../outside.txt").body == b"no"


def test_an_included_file_runs_where_it_stands(site):
    with site.connect() as c:
        assert c.get("/steps").body == b"3b"


def test_the_log_says_which_line_decided(site):
    with site.connect() as c:
        c.get("/none")
    line = site.wait_access()[0]
    assert line.startswith("200 /app/none ")
    assert "if (!-f $request_filename) at " in line and "rewrite ^/(.*)$ at " in line and "location /app/" in line


def test_an_expression_that_is_given_up_is_an_error(site):
    with site.connect() as c:
        assert c.get("/slow/?x=aaa").body == b"yes"
        assert c.get("/slow/?x=" + "a" * 60 + "b").status == 500
    site.wait_error("was given up with")
