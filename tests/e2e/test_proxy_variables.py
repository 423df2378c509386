"""`proxy_pass` with variables: names that come with a request, and what a hostile one makes of them."""
import pytest

from support.dns import NameServer
from support.explain import explain
from support.proxy import run
from support.waiting import eventually
from support.wire import request


def server_of(location, top=""):
    return f"access_log logs/a.log up; log_format up '$upstream_addr $upstream_status $proxy_host'; {top} " \
           f"server {{ listen 127.0.0.1:0; server_name a; {location} }}"


def get(proxy, target, *fields, host="a"):
    with proxy.connect() as c:
        c.send(request("GET", target, host, *fields))
        return c.response("GET")


def test_a_name_is_asked_for_by_the_request_that_brings_it(start, origins, names):
    origin = origins("a")[0]
    names.names["inner.example"] = [["127.0.0.1"]]
    port = origin.address.rpartition(":")[2]
    proxy = start(server_of(f"resolver {names.address} ipv6=off; location / {{ proxy_pass http://$arg_h:{port}; }}"))
    assert not names.queries
    assert get(proxy, "/x?h=inner.example").status == 200
    assert origin.requests[-1].get("Host") == f"inner.example:{port}"
    assert get(proxy, "/x?h=nobody.example").status == 502
    assert get(proxy, "/x?h=inner.example").status == 200
    log = proxy.room / "logs" / "a.log"
    eventually(lambda: log.read_text().splitlines() == [
        f"127.0.0.1:{port} 200 inner.example:{port}", f"nobody.example:{port} - nobody.example:{port}",
        f"127.0.0.1:{port} 200 inner.example:{port}"], log.read_text())


def test_each_location_asks_its_own_resolver(start, origins, names):
    origin, other = origins("a")[0], NameServer()
    port = origin.address.rpartition(":")[2]
    other.names["inner.example"] = [["127.0.0.1"]]
    proxy = start(server_of(f"resolver {names.address} ipv6=off; set $n inner.example:{port};"
                            f"location /outer/ {{ proxy_pass http://$n; }}"
                            f"location /own/ {{ resolver {other.address} ipv6=off; proxy_pass http://$n; }}"))
    assert get(proxy, "/outer/").status == 502 and get(proxy, "/own/").status == 200
    assert len(names.queries) == 1 and len(other.queries) == 1
    other.close()


def test_the_next_address_of_a_name_is_asked_when_one_refuses(start, origins, names):
    origin = origins("a")[0]
    names.names["two.example"] = [["127.0.0.2", "127.0.0.1"]]
    port = origin.address.rpartition(":")[2]
    proxy = start(server_of(f"resolver {names.address} ipv6=off; set $n two.example:{port};"
                            f"location / {{ proxy_pass http://$n; }}"))
    assert [get(proxy, "/").status for _ in range(2)] == [200, 200]


def test_the_resolver_has_its_time(start, names):
    names.silent = True
    proxy = start(server_of(f"resolver {names.address} ipv6=off; resolver_timeout 100ms; set $n slow.example;"
                            "location / { proxy_pass http://$n; }"))
    assert get(proxy, "/").status == 502


@pytest.mark.parametrize("target", ["/%0d%0aX-Evil:%201", "/a%20HTTP/1.1%0d%0aHost:%20b%0d%0a%0d%0aGET%20/evil", "/a%20b",
                                    "/a%09b"])
def test_a_path_never_splits_the_request(start, origin, target):
    """`$1` and `$uri` are decoded: what would end the request line is escaped again, or the path is refused."""
    proxy = start(server_of(f"location ~ ^/(.*)$ {{ proxy_pass http://{origin.address}$uri?$1; }}"))
    status = get(proxy, target).status
    assert status in (200, 400) and len(origin.requests) == (status == 200)
    assert all(len(r.line.split(" ")) == 3 and not r.all("X-Evil") for r in origin.requests)


@pytest.mark.parametrize("value, status", [
    ("a%0d%0ab", 500), ("", 500), (":1", 500), ("[::1", 500), ("127.0.0.1:65536", 500), ("a/b", 502), ("user@127.0.0.1", 500),
    ("unix:/tmp/x", 500), ("*", 502), ("-", 502), pytest.param("x" * 300, 500, id="long"), ("127.1", 502), ("0x7f000001", 502), ("a,b", 500)])
def test_what_is_no_host_gets_an_answer_and_no_connection(start, origin, value, status):
    proxy = start(server_of("resolver 127.0.0.1:9 ipv6=off; resolver_timeout 100ms;"
                            "location / { proxy_connect_timeout 1s; proxy_pass http://$arg_h; }"))
    assert get(proxy, f"/x?h={value}").status == status
    assert not origin.connections and proxy.process.poll() is None


def test_a_thousand_addresses_keep_no_more_connections_than_the_one_pool_holds(start, origins):
    """Whatever requests name: one pool, 128 idle connections."""
    origin = origins("a")[0]
    port = origin.address.rpartition(":")[2]
    proxy = start(server_of(f"location / {{ proxy_pass http://127.0.$arg_b.$arg_c:{port}; }}"))
    with proxy.connect() as c:
        for i in range(200):
            assert c.get(f"/x?b={i // 100}&c={i % 100 + 1}").status in (200, 502)
    origin_side = lambda: sum(not c.ended.is_set() for c in origin.connections)
    eventually(lambda: origin_side() <= 128, "connections stay open")


def test_connections_to_a_name_are_used_again_unless_keepalive_is_off(start, origins):
    for line, count in (("", 1), ("proxy_keepalive off;", 3), ("proxy_set_header Connection close;", 3)):
        origin = origins(f"a{count}{len(line)}")[0]
        proxy = start(server_of(f"set $o {origin.address}; location / {{ {line} proxy_pass http://$o; }}"))
        for _ in range(3):
            assert get(proxy, "/").status == 200
        assert len(origin.connections) == count, line


def test_explain_says_what_the_url_became_and_asks_nobody(room, names):
    file = room / "x.conf"
    file.write_text(server_of(f"resolver {names.address};"
                              "location / { proxy_pass http://$arg_h/new?$args; }",
                              "upstream group { server 127.0.0.1:3001; }"))
    def peer(host):
        (found,) = explain(file, f"http://a/x?h={host}").all("peer")
        return found["subject"], found["how"]
    assert peer("group") == ("127.0.0.1:3001", "asked first")
    assert peer("10.0.0.1:81") == ("10.0.0.1:81", "asked first")
    assert explain(file, "http://a/x?h=b:81")["source"]["subject"] == "http://b:81/new?h=b:81"
    assert peer("inner.example") == ("inner.example:80", "a name: its addresses are asked for by each request")
    assert not names.queries


def test_redirects_of_a_varied_upstream_are_nobodys_by_default(room):
    file = room / "x.conf"
    file.write_text(server_of("location / {\nproxy_redirect default;\nproxy_pass http://$arg_h; }"))
    out = run("-t", "-c", file, "-p", room)
    assert out.returncode == 1 and f'"proxy_redirect default" cannot be used with "proxy_pass" directive with variables in {file}:2' in out.stderr


@pytest.mark.parametrize("lines, fault", [
    ("proxy_redirect off off2 x;", "invalid number of arguments"), ("proxy_redirect on;", 'invalid parameter "on"'),
    ("proxy_redirect ~( /x;", "pcre2_compile() failed"), ("proxy_redirect off; proxy_redirect a b;", "is duplicate"),
    ("proxy_redirect a b; proxy_redirect off;", "is duplicate"), ("proxy_redirect $nosuch b;", 'unknown "nosuch" variable'),
    ("proxy_pass http://$nosuch;", 'unknown "nosuch" variable'), ("proxy_pass https://a;", "not supported yet")])
def test_a_fault_is_said_at_its_line(room, lines, fault):
    file = room / "x.conf"
    file.write_text(server_of("location / {\n" + lines + "}"))
    out = run("-t", "-c", file, "-p", room)
    assert out.returncode == 1 and fault in out.stderr and f"{file}:2" in out.stderr
