"""UP: upstreams that fail, and what must not follow from it."""
import socket

import pytest

from support.origin import BLOCK, answer, black_hole, free_port
from support.waiting import eventually
from support.wire import Closed, request


def config(room, peers, more="", location=""):
    servers = " ".join(f"server {p};" for p in peers)
    return f"""
http {{
    log_format up '$status $upstream_addr $upstream_status';
    access_log {room}/access.log up;
    proxy_connect_timeout 1s; proxy_read_timeout 1s; proxy_send_timeout 1s; client_max_body_size 0;
    upstream group {{ {servers} keepalive 8; {more} }}
    server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://group; {location} }}
        location /control {{ return 200 "x"; }} }}
}}
"""


def silent(c):
    c.read_request()
    c.wait_gone()


def leaves(c):
    c.read_request()
    c.close()


@pytest.mark.parametrize("kind, status", [
    pytest.param("refuses", 502, id="UP-01-refuses"), pytest.param("black hole", 504, id="UP-01-black-hole"),
    pytest.param("resets", 502, id="UP-01-reset-after-accept")])
def test_up_a_peer_that_is_not_there(start, room, origins, kind, status):
    held = []
    if kind == "refuses":
        peer = f"127.0.0.1:{free_port()}"
    elif kind == "black hole":
        held, port = black_hole()
        peer = f"127.0.0.1:{port}"
    else:
        (o,) = origins("r", script=lambda c: c.reset())
        peer = o.address
    proxy = start(config(room, [peer]))
    with proxy.connect(timeout=5) as c:
        assert c.get("/").status == status
        c.assert_kept("/control")
    for s in held:
        s.close()


@pytest.mark.parametrize("method, tries", [pytest.param("POST", 1, id="UP-02-post"), pytest.param("GET", 2, id="UP-02-get")])
def test_up_a_silent_peer_is_504(start, room, origins, method, tries):
    a, b = origins("a", "b", script=silent)
    proxy = start(config(room, [a.address, b.address]))
    with proxy.connect(timeout=8) as c:
        assert c.ask(request(method, "/", body=b"x" if method == "POST" else None)).status == 504
    assert len(a.requests) + len(b.requests) == tries


@pytest.mark.parametrize("row", ["UP-03-stalls-in-the-body"])
def test_up_a_stall_in_the_body_is_cut_and_never_retried(start, room, origins, row):
    a, b = origins("a", "b", script=lambda c: (c.read_request(), c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
                                               c.wait_gone()))
    proxy = start(config(room, [a.address, b.address]))
    with proxy.connect(timeout=5) as c, pytest.raises(Closed):
        c.get("/")
    assert len(a.requests) + len(b.requests) == 1


@pytest.mark.parametrize("row", ["UP-04-never-reads-the-body"])
def test_up_a_peer_that_takes_nothing_is_504(start, room, origins, row):
    (a,) = origins("a", script=lambda c: (c.read_head(), c.ended.wait(10)))
    proxy = start(config(room, [a.address]))
    with proxy.connect(timeout=8) as c:
        c.send(request("POST", "/", body=b"x" * (16 << 20)))
        assert c.response("POST").status == 504


@pytest.mark.parametrize("row", ["UP-05-fin-on-an-idle-connection"])
def test_up_a_connection_that_ends_while_idle_is_never_chosen(start, room, origins, row):
    (a,) = origins("a")
    proxy = start(config(room, [a.address]))
    with proxy.connect() as c:
        c.get("/1")
        at_work = proxy.descriptors()
        a.drop()
        eventually(lambda: proxy.descriptors()["socket"] == at_work["socket"] - 1, "it is kept after its FIN")
        assert c.ask(request("POST", "/echo", body=b"x")).body == b"x"


@pytest.mark.parametrize("method, again", [pytest.param(m, m not in ("POST", "PATCH"), id=f"UP-06-{m.lower()}")
                                           for m in ("GET", "HEAD", "PUT", "POST", "PATCH")])
def test_up_a_race_with_the_end_of_a_kept_connection(start, room, origins, method, again):
    def script(c):
        c.read_request()
        c.send(answer(b"first"))
        if len(a.connections) == 1:
            c.read_request()
            return c.reset()
        c.read_request()
        c.send(answer(b"") if method != "HEAD" else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def script2(c):
        if len(a.connections) == 1:
            return script(c)
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    (a,) = origins("a", script=script2)
    proxy = start(config(room, [a.address]))
    with proxy.connect() as c:
        assert c.get("/1").body == b"first"
        r = c.ask(request(method, "/2", body=b"x" if method in ("PUT", "POST", "PATCH") else None))
    assert r.status == (200 if again else 502)
    assert len([q for q in a.requests if q.target == "/2"]) == (2 if again else 1)


@pytest.mark.parametrize("row", ["UP-07-post-and-a-refused-connect"])
def test_up_a_post_that_never_left_goes_to_the_next(start, room, origins, row):
    (b,) = origins("b")
    proxy = start(config(room, [f"127.0.0.1:{free_port()}", b.address]))
    with proxy.connect() as c:
        assert c.ask(request("POST", "/echo", body=b"x")).body == b"x"


@pytest.mark.parametrize("row", ["UP-08-an-unbuffered-body-is-not-sent-twice"])
def test_up_an_unbuffered_body_is_sent_once(start, room, origins, row):
    a, b = origins("a", "b", script=leaves)
    proxy = start(config(room, [a.address, b.address], location="proxy_request_buffering off;"))
    with proxy.connect() as c:
        assert c.ask(request("PUT", "/", body=b"x")).status == 502
    assert len(a.requests) + len(b.requests) == 1


@pytest.mark.parametrize("row", ["UP-10-all-peers-down"])
def test_up_no_live_upstreams(start, room, row):
    proxy = start(config(room, [f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"]))
    with proxy.connect() as c:
        assert [c.get("/").status for _ in range(3)] == [502, 502, 502]
    assert proxy.wait_error("no live upstreams")


@pytest.mark.parametrize("row", ["UP-16-endless-body-and-a-slow-client"])
def test_up_an_endless_body_is_held_by_flow_control(start, room, origins, row):
    sent = {"bytes": 0}

    def script(c):
        c.read_request()
        c.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            c.send(BLOCK)
            sent["bytes"] += len(BLOCK)

    (a,) = origins("a", script=script)
    proxy = start(config(room, [a.address], location="proxy_max_temp_file_size 0;"))
    before = proxy.memory()
    with proxy.connect() as c:
        c.send(request("GET", "/"))
        assert c.head().status == 200
        last = [-1]

        def stalled():
            was, last[0] = last[0], sent["bytes"]
            return was == last[0] > 0 and not a.connections[0].ended.wait(0.1)

        eventually(stalled, "it never stalls", 10)
        assert proxy.memory() - before < 4 << 20
    assert a.connections[0].ended.wait(5), "UP-17: the upstream goes on without a client"


@pytest.mark.parametrize("row", ["UP-19-proxying-to-a-server-of-our-own"])
def test_up_a_legal_chain_of_our_own_servers_works(start, room, origins, row):
    (a,) = origins("a")
    port = free_port()
    proxy = start(f"""
server {{ listen 127.0.0.1:0; proxy_keepalive off; location / {{ proxy_pass http://127.0.0.2:{port}; }} }}
server {{ listen 127.0.0.2:{port}; location / {{ proxy_pass http://{a.address}; }} }}
""", listeners=2)
    with proxy.connect() as c:
        assert c.get("/x").body == b"a: GET /x\n"
    assert not a.requests[0].all("Bifrons-Hop")


@pytest.mark.parametrize("row", ["UP-25-the-502-page"])
def test_up_the_page_names_nothing_inside(start, room, row):
    peer = f"127.0.0.1:{free_port()}"
    proxy = start(config(room, [peer]))
    with proxy.connect() as c:
        r = c.get("/")
        assert r.status == 502 and peer.encode() not in r.head + r.body and str(room).encode() not in r.body


@pytest.mark.parametrize("row", ["UP-26-a-length-of-2-to-63"])
def test_up_a_huge_length_reserves_nothing(start, room, origins, row):
    (a,) = origins("a", script=lambda c: (c.read_request(), c.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nabc"), c.wait_gone()))
    proxy = start(config(room, [a.address]))
    before = proxy.memory()
    with proxy.connect(timeout=5) as c:
        c.send(request("GET", "/"))
        assert c.head().get("Content-Length") == "9223372036854775807"
        assert c.take_all() == b"abc"
    assert proxy.memory() - before < 4 << 20


@pytest.mark.parametrize("value", [pytest.param(v, id=f"UP-20-{n}") for n, v in {
    "unix-socket": "unix:/run/x.sock", "unix-socket-upper-case": "UNIX:/run/x.sock", "port": "a:99999", "no-port": "127.0.0.1:",
    "empty": "", "user": "a@127.0.0.1", "zero": "127.0.0.1%00", "line-feed": "127.0.0.1%0d%0a", "bracket": "[::1",
    "fragment": "127.0.0.1%23", "port-0": "127.0.0.1:0"}.items()])
def test_up_what_a_client_names_must_be_a_host(start, room, value):
    """And a socket that is there stays untouched."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(room / "x.sock"))
        listener.listen()
        listener.setblocking(False)
        proxy = start("server { listen 127.0.0.1:0; location / { proxy_pass http://$arg_h; }"
                      " location /control { return 200 x; } }")
        with proxy.connect() as c:
            assert c.get("/?h=" + value.replace("/run", str(room))).status == 500
        with proxy.connect() as c:
            c.assert_kept("/control")
        with pytest.raises(BlockingIOError):
            listener.accept()
