"""DNS: what the real binary makes of name servers that cut short, forge, or say nothing. The rest of these rows is in
tests/unit/net/test_dns*.c, where time can be pushed on."""
import socket
import time

import pytest

from support.dns import NameServer
from support.origin import answer, silent_listener
from support.waiting import eventually
from support.wire import request

NEAR = "client 127.0.0.0/8 and address"


def forward(resolver, port, more=""):
    return (f"resolver {resolver}; resolver_timeout 3s;\n"
            f"forward {{ listen 127.0.0.1:0; ports connect {port}; {more}\n"
            f"  rule allow if {NEAR} 127.0.0.1 and port {port}; rule allow if {NEAR} ::1 and port {port}; }}\n")


def fetch(proxy, name, port, index=0):
    with proxy.connect(index) as c:
        return c.ask(request("GET", f"http://{name}:{port}/x", name))


@pytest.mark.parametrize("row", ["DNS-09-truncated-is-asked-for-over-tcp"])
def test_dns_over_tcp(start, origin, names, row):
    names.truncates = True
    names.names["long.example"] = [["127.0.0.1"]]
    proxy = start(forward(names.address, origin.port))
    assert fetch(proxy, "long.example", origin.port).status == 200
    assert names.framed == 2, "A and AAAA"
    names.stream.close()
    assert fetch(proxy, "gone.example", origin.port).status == 502


@pytest.mark.parametrize("row", ["DNS-09-the-answer-over-tcp-is-judged-like-any"])
def test_dns_over_tcp_is_judged(start, origin, names, row):
    names.truncates = True
    names.names["inside.example"] = [["127.0.0.2"]]
    proxy = start(forward(names.address, origin.port))
    assert fetch(proxy, "inside.example", origin.port).status == 403


def test_a_silent_first_family_costs_a_quarter_of_a_second(start, origin, names):
    stuffed = silent_listener(origin.port)
    names.names["both.example"] = [["::1", "127.0.0.1"]]
    proxy = start(forward(names.address, origin.port))
    began = time.monotonic()
    assert fetch(proxy, "both.example", origin.port).status == 200
    assert 0.2 < time.monotonic() - began < 3
    for s in stuffed:
        s.close()


@pytest.mark.parametrize("row", ["SSRF-12-the-second-family-is-judged-too"])
def test_ssrf_no_race_to_what_is_forbidden(start, origin, origins, names, row):
    """127.0.0.2 is no address of a rule: not even when the allowed family is silent."""
    stuffed = silent_listener(origin.port)
    (trap,) = origins("trap", host="127.0.0.2", port=origin.port)
    names.names["mixed.example"] = [["::1", "127.0.0.2"]]
    proxy = start(forward(names.address, origin.port, "proxy_connect_timeout 1s;"))
    assert fetch(proxy, "mixed.example", origin.port).status == 504
    assert not trap.connections
    for s in stuffed:
        s.close()


def test_a_stale_answer_serves_while_the_name_server_is_silent(start, origin, names):
    names.ttl = 1
    names.names["a.example"] = [["127.0.0.1"]]
    proxy = start(forward(names.address, origin.port))
    assert fetch(proxy, "a.example", origin.port).status == 200
    names.silent = True
    asked = len(names.queries)

    def asked_again():
        assert fetch(proxy, "a.example", origin.port).status == 200
        return len(names.queries) > asked

    eventually(asked_again, "the answer never got old")


@pytest.mark.parametrize("row", ["DNS-19-each-face-has-its-own-cache"])
def test_dns_caches_of_the_faces_are_apart(start, origin, names, row):
    """What the forward face learnt of a name is nothing to the reverse face."""
    names.names["a.example"] = [["127.0.0.1"]]
    other = NameServer()
    other.names["a.example"] = [["127.0.0.1"]]
    config = forward(names.address, origin.port).replace("forward {", "forward { resolver %s;" % other.address)
    config += (f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://a.example:{origin.port}; }} }}")
    try:
        proxy = start(config)
        assert fetch(proxy, "a.example", origin.port).status == 200
        with proxy.connect(1) as c:
            eventually(lambda: c.ask(request("GET", "/", "b")).status == 200, "the upstream's name is never known")
        assert {name for name, _ in names.queries} == {"a.example"}
        assert {name for name, _ in other.queries} == {"a.example"}
    finally:
        other.close()


@pytest.mark.parametrize("row", ["DNS-22-an-upstream-name-that-does-not-resolve"])
def test_dns_upstream_is_502_until_its_name_is_known(start, origin, names, row):
    origin.answers(answer(b"there"))
    proxy = start(f"resolver {names.address}; resolver_timeout 1s;\n"
                  f"server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://late.example:{origin.port}; }} }}")

    def status():
        with proxy.connect() as c:
            return c.ask(request("GET", "/", "b")).status

    assert status() == 502
    assert "[warn]" in proxy.error_log.read_text()
    names.names["late.example"] = [["127.0.0.1"]]
    eventually(lambda: status() == 200, "it stays 502", 15)


@pytest.mark.parametrize("row", ["DNS-23-dead-servers-are-skipped"])
def test_dns_dead_servers_cost_one_timeout_each(start, origin, names, row):
    silent = NameServer()
    silent.silent = True
    names.names["a.example"] = [["127.0.0.1"]]
    gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gone.bind(("127.0.0.1", 0))
    refusing = f"127.0.0.1:{gone.getsockname()[1]}"
    gone.close()
    try:
        proxy = start(forward(f"{refusing} {silent.address} {names.address} ipv6=off", origin.port))
        assert fetch(proxy, "a.example", origin.port).status == 200
        assert len(silent.queries) == 1
    finally:
        silent.close()
