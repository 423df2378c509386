"""Upstream groups: the order of peers, connections kept, the next peer."""
import pytest

from support.origin import answer, black_hole, free_port
from support.waiting import eventually
from support.wire import request


def group(servers, room, more="", location=""):
    return f"""
http {{
    log_format up '$status $upstream_addr $upstream_status';
    access_log {room}/access.log up;
    upstream group {{ {servers} {more} }}
    server {{ listen 127.0.0.1:0; location / {{ proxy_pass http://group; {location} }} }}
}}
"""


def test_smooth_weighted_round_robin_in_nginx_order(start, origins, room):
    a, b, c = origins("a", "b", "c")
    proxy = start(group(f"server {a.address}; server {b.address} weight=3; server {c.address} weight=2;", room))
    with proxy.connect() as client:
        order = "".join(client.get("/").body.decode()[0] for _ in range(12))
    assert order == "bcabcb" * 2


def test_three_equal_peers_take_turns(start, origins, room):
    three = origins("a", "b", "c")
    proxy = start(group("".join(f"server {o.address};" for o in three), room))
    with proxy.connect() as client:
        assert "".join(client.get("/").body.decode()[0] for _ in range(7)) == "abcabca"


def test_keepalive_keeps_connections(start, origins, room):
    a, b = origins("a", "b")
    proxy = start(group(f"server {a.address}; server {b.address};", room, "keepalive 4;"))
    with proxy.connect() as client:
        for _ in range(8):
            assert client.get("/").status == 200
    assert len(a.connections) == 1 and len(b.connections) == 1
    assert len(a.requests) == len(b.requests) == 4


def test_keepalive_keeps_no_more_than_it_says(start, origins, room):
    a, b, c = origins("a", "b", "c")
    proxy = start(group("".join(f"server {o.address};" for o in (a, b, c)), room, "keepalive 1;"))
    with proxy.connect() as client:
        for _ in range(3):
            client.get("/")
    live = lambda: sum(not x.ended.is_set() for o in (a, b, c) for x in o.connections)  # noqa: E731
    eventually(lambda: live() == 1, "more than one connection is kept")


def test_keepalive_requests_ends_a_connection(start, origins, room):
    (a,) = origins("a")
    proxy = start(group(f"server {a.address};", room, "keepalive 4; keepalive_requests 3;"))
    with proxy.connect() as client:
        for _ in range(7):
            assert client.get("/").status == 200
    assert [len(c.requests) for c in a.connections] == [3, 3, 1]


def test_the_next_peer_is_tried_when_one_is_down(start, origins, room):
    (b,) = origins("b")
    down = f"127.0.0.1:{free_port()}"
    proxy = start(group(f"server {down}; server {b.address};", room))
    with proxy.connect() as client:
        assert client.get("/").body == b"b: GET /\n"
        assert client.get("/").body == b"b: GET /\n"  # the one that failed rests now
    first, second = proxy.wait_access(2)
    assert first == f"200 {down}, {b.address} 502, 200"
    assert second == f"200 {b.address} 200"
    assert proxy.wait_error(r"\[error\].*" + down)


def test_all_peers_down_is_502(start, room):
    downs = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    proxy = start(group("".join(f"server {d};" for d in downs), room))
    with proxy.connect() as client:
        assert client.get("/").status == 502
        assert client.get("/").status == 502
    first, second = proxy.wait_access(2)
    assert first == f"502 {downs[0]}, {downs[1]} 502, 502"
    assert second == "502 group 502"
    assert proxy.wait_error("no live upstreams")


def test_a_post_is_tried_elsewhere_only_if_nothing_was_sent(start, origins, room):
    (b,) = origins("b")
    down = f"127.0.0.1:{free_port()}"
    proxy = start(group(f"server {down}; server {b.address};", room))
    with proxy.connect() as client:
        assert client.ask(request("POST", "/echo", body=b"hello")).body == b"hello"


def test_a_post_that_was_sent_is_not_sent_again(start, origins, room):
    a, b = origins("a", "b")
    a.script = lambda c: (c.read_request(), c.close())
    proxy = start(group(f"server {a.address}; server {b.address};", room))
    with proxy.connect() as client:
        assert client.ask(request("POST", "/echo", body=b"hello")).status == 502
        assert b.requests == []


def test_a_get_whose_peer_leaves_before_a_head_is_tried_elsewhere(start, origins, room):
    a, b = origins("a", "b")
    a.script = lambda c: (c.read_request(), c.close())
    proxy = start(group(f"server {a.address}; server {b.address};", room))
    with proxy.connect() as client:
        assert client.get("/x").body == b"b: GET /x\n"


def test_a_peer_that_does_not_answer_the_dial_is_passed_over(start, origins, room):
    (b,) = origins("b")
    held, port = black_hole()
    proxy = start(group(f"server 127.0.0.1:{port}; server {b.address};", room, location="proxy_connect_timeout 1s;"))
    with proxy.connect() as client:
        assert client.get("/").body == b"b: GET /\n"
    assert proxy.wait_access()[0] == f"200 127.0.0.1:{port}, {b.address} 504, 200"
    for s in held:
        s.close()


def test_no_peer_is_asked_twice_about_one_request(start, origins, room):
    a, b = origins("a", "b")
    for o in (a, b):
        o.script = lambda c: (c.read_request(), c.close())
    proxy = start(group(f"server {a.address}; server {b.address};", room))
    with proxy.connect() as client:
        assert client.get("/").status == 502
    assert len(a.requests) == len(b.requests) == 1


def test_a_lone_peer_is_always_tried_again(start, origins, room):
    (a,) = origins("a")
    a.answers(b"")
    a.script = lambda c: (c.read_request(), c.close())
    proxy = start(group(f"server {a.address};", room))
    with proxy.connect() as client:
        assert client.get("/").status == 502
        a.answers(answer(b"back"))
        assert client.get("/").body == b"back"


@pytest.mark.parametrize("parameters, taken", [("backup", "aaa"), ("down", "aaa")])
def test_a_peer_aside_takes_nothing_while_another_lives(start, origins, room, parameters, taken):
    a, b = origins("a", "b")
    proxy = start(group(f"server {a.address}; server {b.address} {parameters};", room))
    with proxy.connect() as client:
        assert "".join(client.get("/").body.decode()[0] for _ in range(3)) == taken


def test_the_group_name_is_the_host(start, origins, room):
    (a,) = origins("a")
    proxy = start(group(f"server {a.address};", room))
    with proxy.connect() as client:
        client.get("/", "client.example")
    assert a.requests[0].get("Host") == "group"
