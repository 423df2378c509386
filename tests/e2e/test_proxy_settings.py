"""Directives of the reverse face that change one thing each: with it, and without it."""
import pytest

from support.origin import answer


@pytest.fixture
def site(start, origins):
    """site(lines, *scripts): one server before a group of origins, one for each script."""
    def begin(lines, *scripts, top=""):
        peers = [origins(f"peer{i}", script=script)[0] for i, script in enumerate(scripts)]
        servers = " ".join(f"server {p.address};" for p in peers)
        proxy = start(f"{top}\naccess_log off; upstream u {{ {servers} }}\n"
                      f"server {{ listen 127.0.0.1:0; location /x/ {{ {lines} proxy_pass http://u/y/; }} }}")
        return proxy, peers
    return begin


def says(*fields):
    def script(c):
        while True:
            c.read_request()
            c.send(answer(b"hello", "200 OK", *fields))
    return script


def silent(c):
    c.read_request()
    c.wait_gone()


def get(proxy, target="/x/"):
    with proxy.connect() as c:
        return c.get(target)


@pytest.mark.parametrize("lines, kept", [("", True), ("proxy_hide_header x-secret;", False),
                                         ("proxy_hide_header X-Other;", True)], ids=["plain", "hidden", "another"])
def test_a_field_is_hidden(site, lines, kept):
    r = get(site(lines, says("X-Secret: 1"))[0])
    assert (r.get("X-Secret") == "1") == kept and r.body == b"hello"


@pytest.mark.parametrize("lines, server", [("", "bifrons"), ("proxy_pass_header Server;", "upstream/1")],
                         ids=["plain", "passed"])
def test_a_field_that_is_hidden_by_itself_is_passed(site, lines, server):
    r = get(site(lines, says("Server: upstream/1"))[0])
    assert r.get("Server").startswith(server) and len(r.all("Server")) == 1


@pytest.mark.parametrize("lines, location", [
    ("", "/x/z"), ("proxy_redirect default;", "/x/z"), ("proxy_redirect off;", "http://u/y/z")],
    ids=["plain", "default", "off"])
def test_a_redirect_to_the_upstream_leads_back_to_us(site, lines, location):
    r = get(site(f"absolute_redirect off; {lines}", says("Location: http://u/y/z"))[0])
    assert r.get("Location") == location


@pytest.mark.parametrize("limit, status", [("50ms", 504), ("0", 200), ("20s", 200)])
def test_after_its_time_no_further_peer_is_asked(site, limit, status):
    proxy, peers = site(f"proxy_read_timeout 200ms; proxy_next_upstream_timeout {limit};", silent, says())
    assert get(proxy).status == status
    assert len(peers[1].requests) == (status == 200)


@pytest.mark.parametrize("size, status", [("", 200), ("proxy_buffer_size 1k;", 502)], ids=["4k", "1k"])
def test_a_head_larger_than_its_buffer_is_refused(site, size, status):
    proxy, _ = site(size, says("X-Long: " + "x" * 2000))
    assert get(proxy).status == status
    if status == 502:
        assert "upstream sent too big header" in proxy.error_log.read_text()
        proxy.log_mark = len(proxy.error_log.read_text())


@pytest.mark.parametrize("valid, asked", [("", 2), ("valid=1h", 1)], ids=["as-the-answer-says", "valid"])
def test_a_name_is_good_for_as_long_as_valid_says(start, names, origin, valid, asked):
    names.ttl = 0
    names.names["a.example"] = [["127.0.0.1"]]
    proxy = start(f"resolver {names.address} ipv6=off {valid}; access_log off;\n" +
                  f"forward {{ listen 127.0.0.1:0; rule allow if client 127.0.0.0/8 and address 127.0.0.1 "
                  f"and port {origin.port}; }}")
    for _ in range(2):
        with proxy.connect() as c:
            assert c.get(f"http://a.example:{origin.port}/", f"a.example:{origin.port}").status == 200
    assert len(names.queries) == asked


LISTEN = ["listen 127.0.0.1:0 reuseport;", "listen 127.0.0.1:0 backlog=5;", "listen 127.0.0.1:0 bind;",
          "listen 127.0.0.1:0 rcvbuf=64k sndbuf=64k;", "listen 127.0.0.1:0 default;", "listen 127.0.0.1:0 http2;",
          "listen [::1]:0 ipv6only=on;"]


@pytest.mark.parametrize("line", LISTEN)
def test_a_listener_with_a_parameter_serves(start, line):
    assert get(start(f'access_log off; server {{ {line} return 200 "x"; }}')).body == b"x"
