"""RATE: limits, with real clients. Most rows are replayed in virtual time: tests/replay/test_limits.c, test_limit_req.c."""
import pytest

from support.wire import Client


def row(*names):
    return pytest.mark.parametrize("row", names)


@row("RATE-01-mapped-addresses")
def test_an_address_is_one_key_however_it_comes(start, row):
    proxy = start("""
limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;
server { listen [::]:0 ipv6only=off; listen 127.0.0.2:0; limit_req zone=z; location /x { root /nonexistent; } }
""")
    ports = [port for _, port in proxy.addresses]
    asked = []
    for host, port in (("127.0.0.1", ports[0]), ("127.0.0.2", ports[1])):
        with Client((host, port)) as c:
            asked.append((c.socket.getsockname()[0], c.get("/x").status))
    assert asked == [("127.0.0.1", 404), ("127.0.0.1", 503)]


@row("RATE-04-key-of-8k", "RATE-04-empty-key", "RATE-04-no-key")
def test_a_key_of_any_length_is_counted_and_an_empty_one_is_not(start, row):
    proxy = start("""
limit_req_zone $http_x_forwarded_for zone=z:32k rate=1r/m;
server { listen 127.0.0.1:0; limit_req zone=z; large_client_header_buffers 4 16k; location /x { root /nonexistent; } }
""")
    field = {"RATE-04-key-of-8k": ["X-Forwarded-For: " + "9" * 8000], "RATE-04-empty-key": ["X-Forwarded-For:"]}.get(row, [])
    with proxy.connect() as c:
        statuses = [c.get("/x", "a", *field).status for _ in range(3)]
    assert statuses == ([404, 503, 503] if "8k" in row else [404] * 3)


@row("RATE-02-addresses-of-a-64")
def test_many_keys_leave_the_zone_as_large_as_it_is(start, row):
    """Ten thousand keys into a zone that holds some hundred: all are served, memory stays."""
    proxy = start("""
limit_req_zone $arg_k zone=z:32k rate=1r/m;
server { listen 127.0.0.1:0; keepalive_requests 100000; limit_req zone=z; location /x { root /nonexistent; } access_log off; }
""")
    with proxy.connect() as c:
        before = proxy.memory()
        for i in range(10000):
            assert c.get(f"/x?k=2001:db8::{i:x}").status == 404
        assert proxy.memory() < before + (4 << 20)
