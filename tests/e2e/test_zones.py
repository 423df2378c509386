"""Directives about shared memory and threads: what is refused, and in which words."""

import pytest

from support.proxy import run

CONN = "limit_conn_zone $uri zone=x:1m; "
REQ = "limit_req_zone $uri zone=x:1m rate=5r/s; "
REFUSED = {
    "limit_conn_zone $uri zone=x;": 'invalid zone size "zone=x"',
    "limit_conn_zone $uri zone=x:1x;": 'invalid zone size "zone=x:1x"',
    "limit_conn_zone $uri zone=x:10k;": 'zone "zone=x:10k" is too small',
    "limit_conn_zone $uri zone=:1m;": '"limit_conn_zone" must have "zone" parameter',
    "limit_conn_zone $uri foo=1;": 'invalid parameter "foo=1"',
    "limit_conn_zone $uri;": 'invalid number of arguments in "limit_conn_zone" directive',
    CONN + "limit_conn_zone $args zone=x:2m;": 'limit_conn_zone "x" is already bound to key "$uri"',
    CONN + "limit_conn x 0;": 'invalid number of connections "0"',
    CONN + "limit_conn x 70000;": "connection limit must be less 65536",
    CONN + "limit_conn x 1; limit_conn x 2;": '"limit_conn" directive is duplicate',
    "limit_conn z 1;": 'zero size shared memory zone "z"',
    CONN + "limit_req zone=x;": 'the shared memory zone "x" is already declared for a different use',
    CONN + REQ: 'the shared memory zone "x" is already declared for a different use',
    "limit_conn_status 399;": "value must be between 400 and 599",
    "limit_conn_log_level debug;": 'invalid value "debug"',
    "limit_req_zone $uri zone=x:1m rate=0r/s;": 'invalid rate "rate=0r/s"',
    "limit_req_zone $uri zone=x:1m rate=5r/h;": 'invalid rate "rate=5r/h"',
    "limit_req_zone $uri rate=5r/s foo;": 'invalid parameter "foo"',
    REQ + "limit_req zone=x burst=0;": 'invalid burst value "burst=0"',
    REQ + "limit_req zone=x delay=0;": 'invalid delay value "delay=0"',
    REQ + "limit_req zone=x bla;": 'invalid parameter "bla"',
    REQ + "limit_req burst=5;": '"limit_req" must have "zone" parameter',
    REQ + "limit_req zone=x; limit_req zone=x burst=5;": '"limit_req" directive is duplicate',
    "limit_req zone=z;": 'zero size shared memory zone "z"',
    "stub_status;": '"stub_status" directive is not allowed here',
    "thread_pool a;": 'invalid number of arguments in "thread_pool" directive',
    "thread_pool a threads=0;": 'invalid threads value "threads=0"',
    "thread_pool a threads=2 max_queue=0;": 'invalid max_queue value "max_queue=0"',
    "thread_pool a threads=2 foo;": 'invalid parameter "foo"',
    "thread_pool a max_queue=3;": '"thread_pool" must have "threads" parameter',
    "thread_pool a threads=2; thread_pool a threads=3;": 'duplicate thread pool "a"',
}
WARNED = {
    "limit_conn_zone $http_x_key zone=x:1m;": 'clients choose "$http_x_key" themselves',
    "thread_pool a threads=2;": 'no directive uses the thread pool "a"',
}
TAKEN = (
    "thread_pool default threads=2 max_queue=10;",
    CONN + "limit_conn x 65535; limit_conn_dry_run on; limit_conn_log_level info; limit_conn_status 429;",
    REQ + "limit_req zone=x nodelay burst=3; limit_req_log_level notice; limit_req_dry_run on; limit_req_status 429;",
    "limit_req_zone $uri zone=x:32k rate=5;",
    "limit_req zone=x; " + REQ,
)


def check(room, lines):
    config = room / "bifrons.conf"
    config.write_text(f"error_log {room}/error.log;\n{lines}\nserver {{ listen 127.0.0.1:0; }}\n")
    return run("-t", "-c", config, "-p", room)


@pytest.mark.parametrize("lines", REFUSED)
def test_refused(room, lines):
    result = check(room, lines)
    assert result.returncode == 1
    assert REFUSED[lines] in result.stderr and "bifrons.conf:2" in result.stderr


@pytest.mark.parametrize("lines", WARNED)
def test_warned_of(room, lines):
    result = check(room, lines)
    assert result.returncode == 0 and WARNED[lines] in result.stderr


@pytest.mark.parametrize("lines", TAKEN)
def test_taken_without_a_word(room, lines):
    result = check(room, lines)
    assert result.returncode == 0 and "[warn]" not in result.stderr


def test_explain_says_the_limits_and_counts_nothing(room):
    config = room / "bifrons.conf"
    config.write_text(f"""
limit_conn_zone $remote_addr zone=c:1m;
limit_req_zone $arg_k zone=r:1m rate=30r/m;
server {{ listen 127.0.0.1:8080; location / {{ limit_conn c 5; limit_req zone=r; root {room}; }} }}
""")
    result = run("explain", "-c", config, "-p", room, "http://127.0.0.1:8080/?k=1")
    assert "limit_conn c" in result.stdout and "at most 5 requests of this key at a time" in result.stdout
    assert "limit_req r" in result.stdout and "0.500 requests of this key in a second" in result.stdout


