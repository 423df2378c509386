"""Out of descriptors, out of disk: what can be answered is answered, it is said once a second, and it passes by itself."""
import ctypes
import os
import socket
import sys

import pytest

from support.origin import answer
from support.proxy import run
from support.waiting import eventually
from support.wire import Client

ROOTED = os.geteuid() == 0
SMALL_DISK = ("unshare", "--mount", "--", "sh", "-c")


def served(proxy, target="/ok"):
    try:
        with proxy.connect() as c:
            return c.get(target).status == 200
    except (OSError, AssertionError):
        return False


def seconds_of(proxy, text):
    return [l[:19] for l in proxy.errors().splitlines() if text in l]


@pytest.mark.parametrize("row", ["PROC-17-few-descriptors"])
def test_few_descriptors_serve_few(start, room, row):
    proxy = start("server { listen 127.0.0.1:0; location /ok { return 200 ok; } }", wrap=("prlimit", "--nofile=64:64"))
    idle = [socket.create_connection(proxy.address, 10) for _ in range(100)]
    try:
        proxy.wait_error(r"\[crit\].* worker_connections are not enough|\[crit\].*accept4\(\) failed \(24")
    finally:
        for c in idle:
            c.close()
    eventually(lambda: served(proxy), "it does not recover", 10)
    for text in ("worker_connections are not enough", "accept4() failed"):
        told = seconds_of(proxy, text)
        assert len(told) == len(set(told)), told


def test_without_a_descriptor_for_an_upstream_others_are_served(start, room, origin):
    """All but a few are taken by idle clients: a proxied request gets an error, our own answer comes, and both recover."""
    proxy = start(f"server {{ listen 127.0.0.1:0; keepalive_timeout 60s; location / {{ proxy_pass http://{origin.address}; }} "
                  "location /ok { return 200 ok; } }", wrap=("prlimit", "--nofile=64:64"))
    kept = []
    try:
        while True:
            c = proxy.connect()
            kept.append(c)
            try:
                if c.get("/ok").status != 200:
                    break
            except (OSError, AssertionError):
                break
            assert len(kept) < 100, "there is no limit"
        assert len(kept) > 10
        assert kept[0].get("/").status in (500, 502)
        assert kept[0].get("/ok").status == 200
    finally:
        for c in kept:
            c.close()
    eventually(lambda: served(proxy, "/"), "it does not recover", 10)
