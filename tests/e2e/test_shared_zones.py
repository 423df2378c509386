"""Zones that several workers share: one count for all of them, and what the dead held is given back."""
import os
import re
import signal

import pytest

from support.waiting import eventually
from support.wire import request

WORKERS = 4
SITE = """worker_processes {workers};
http {{
    limit_conn_zone $server_name zone=all:1m;
    limit_req_zone $server_name zone=rate:1m rate=1r/m;
    server {{
        listen 127.0.0.1:0;
        server_name a;
        location /held {{ limit_conn all 5; limit_conn_status 429; proxy_pass http://{origin}; }}
        location /rare {{ limit_req zone=rate burst=9 nodelay; limit_req_status 429; stub_status; }}
        location /pid {{ return 200 $pid; }}
        location = /status {{ stub_status; }}
    }}
}}
"""


def begin(start, origin, workers=WORKERS):
    origin.script = lambda c: (c.read_request(), c.wait_gone())
    return start(SITE.format(workers=workers, origin=origin.address))


def connected(proxy):
    """A connection to each of the workers, by its pid."""
    found = {}

    def another():
        c = proxy.connect()
        pid = int(c.get("/pid").body)
        if pid in found:
            c.close()
        found.setdefault(pid, c)
        return len(found) == len(proxy.workers())

    eventually(another, "a worker gets no connection")
    return found


def hold(proxy, origin, count):
    """Requests that stay: as many as are let in."""
    held, before = [], len(origin.requests)
    for _ in range(count):
        c = proxy.connect()
        c.send(request("GET", "/held", "a"))
        held.append(c)
    origin.wait_request(before + count)
    return held


def refused(proxy):
    with proxy.connect() as c:
        return c.get("/held").status == 429


def active(proxy):
    with proxy.connect() as c:
        return int(re.search(rb"Active connections: (\d+)", c.get("/status").body)[1])


def test_all_workers_count_together(start, origin):
    proxy = begin(start, origin)
    held = hold(proxy, origin, 5)
    for c in connected(proxy).values():
        assert c.get("/held").status == 429
        c.close()
    for c in held:
        c.close()


@pytest.mark.parametrize("row", ["RATE-05-one-rate"])
def test_all_workers_have_one_rate(start, origin, row):
    proxy = begin(start, origin)
    clients = list(connected(proxy).values())
    answers = [c.get("/rare").status for _ in range(5) for c in clients]
    assert answers.count(200) == 10, "one, and a burst of nine"
    for c in clients:
        c.close()


@pytest.mark.parametrize("row", ["RATE-08-killed", "TUN-10-killed"])
def test_places_of_a_killed_worker_are_given_back(start, origin, row):
    proxy = begin(start, origin, workers=1)
    for _ in range(3):
        dead = proxy.worker
        held = hold(proxy, origin, 5)
        assert refused(proxy)
        os.kill(dead, signal.SIGKILL)
        eventually(lambda: proxy.worker not in (dead, proxy.process.pid), "no successor")
        for c in held:
            c.close()
        eventually(lambda: active(proxy) == 1, "the dead are still counted")
    held = hold(proxy, origin, 5)
    assert refused(proxy)
    for c in held:
        c.close()
    eventually(lambda: active(proxy) == 1, "still held")
    proxy.at_rest = proxy.descriptors()
    proxy.stop(clean=False)


def test_a_reload_counts_on(start, origin):
    proxy = begin(start, origin)
    held = hold(proxy, origin, 5)
    proxy.reload()
    assert refused(proxy)
    for c in held:
        c.close()


def test_the_status_is_that_of_all_workers(start, origin):
    proxy = begin(start, origin)
    clients = connected(proxy)
    eventually(lambda: active(proxy) == len(clients) + 1, "not all are counted")
    for c in clients.values():
        c.close()
