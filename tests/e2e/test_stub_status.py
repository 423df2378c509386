"""What `stub_status` says of connections, in NGINX's words: tools read it."""
import re
import socket

from support.waiting import eventually
from support.wire import request

PAGE = re.compile(r"Active connections: (\d+) \nserver accepts handled requests\n (\d+) (\d+) (\d+) \n"
                  r"Reading: (\d+) Writing: (\d+) Waiting: (\d+) \n")


def numbers(client):
    response = client.get("/status")
    assert response.status == 200 and response.get("Content-Type") == "text/plain"
    found = PAGE.fullmatch(response.body.decode())
    assert found, response.body
    now = dict(zip(("active", "accepts", "handled", "requests", "reading", "writing", "waiting"), map(int, found.groups())))
    shown = response.get("X-Numbers")
    assert shown in (None, "-".join(str(now[what]) for what in ("active", "reading", "writing", "waiting")))
    return now


def site(origin):
    return f"""
server {{
    listen 127.0.0.1:0;
    location /status {{
        add_header X-Numbers $connections_active-$connections_reading-$connections_writing-$connections_waiting;
        stub_status;
    }}
    location / {{ proxy_pass http://{origin.address}; }}
}}
"""


def test_the_page_counts_what_is_and_what_was(start, origin):
    proxy = start(site(origin))
    with proxy.connect() as c:
        assert numbers(c) == {"active": 1, "accepts": 1, "handled": 1, "requests": 1, "reading": 0, "writing": 1, "waiting": 0}
        with proxy.connect() as silent, proxy.connect() as half:  # noqa: F841  one says nothing, one half a head
            half.send(b"GET / HT")
            eventually(lambda: numbers(c)["reading"] == 1, "the half head is read")
            now = numbers(c)
            assert (now["active"], now["accepts"], now["handled"]) == (3, 3, 3)
            assert (now["writing"], now["waiting"]) == (1, 1)
            before = now["requests"]
            assert numbers(c)["requests"] == before + 1
        eventually(lambda: numbers(c)["active"] == 1, "those that left are not counted")
        now = numbers(c)
        assert (now["reading"], now["writing"], now["waiting"], now["accepts"]) == (0, 1, 0, 3)


def test_a_connection_that_is_kept_waits(start, origin):
    proxy = start(site(origin))
    with proxy.connect() as c, proxy.connect() as kept:
        assert kept.get("/").status == 200
        eventually(lambda: numbers(c)["waiting"] == 1, "it waits")


def test_a_tunnel_is_written_to_until_its_end(start):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    address = f"127.0.0.1:{port}"
    proxy = start(f"""
server {{ listen 127.0.0.1:0; location /status {{ stub_status; }} }}
forward {{
    listen 127.0.0.2:0;
    tunnel_peek off;
    ports connect {port};
    rule allow if client 127.0.0.0/8 and address 127.0.0.1 and port {port};
}}
""")
    with proxy.connect() as c, proxy.connect(1) as tunnel:
        tunnel.send(request("CONNECT", address, address))
        assert tunnel.head().status == 200
        eventually(lambda: numbers(c)["writing"] == 2, "the tunnel counts")
        tunnel.socket.close()
        server.accept()[0].close()
        eventually(lambda: numbers(c)["writing"] == 1, "its end counts")
    server.close()
