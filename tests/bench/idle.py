#!/usr/bin/python3
"""What does a connection cost that does nothing? Bytes of user memory, ours beside nginx, haproxy and squid.

    ./dev bench idle [--connections N] [--tunnels N]

A keep-alive connection has had one answer, a tunnel was opened and carried nothing. Counted is the growth of anonymous
memory (RssAnon) of the proxy's biggest process, after a first batch has filled its pools.
"""
import argparse
import subprocess

from contest import BENCH, LOAD_CPU, Origin, forwarding, give_up, haproxy, main, proxying, squid, start

FIRST = 200


class Held:
    """So many connections that say nothing."""

    def __init__(self, port, count, *options):
        self.process = start([BENCH / "load", port, count, count, "-i", *options], LOAD_CPU, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"idle\n":
            give_up("connections were refused")

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def bytes_each(proxy, count, *options):
    first = Held(proxy.port, FIRST, *options)
    before = proxy.memory_kib("RssAnon")
    rest = Held(proxy.port, count, *options)
    after = proxy.memory_kib("RssAnon")
    first.stop()
    rest.stop()
    return (after - before) * 1024 / count


def row(make, *arguments, options=(), count, **more):
    proxy = make(*arguments, **more)
    try:
        print(f"{proxy.name:12}{bytes_each(proxy, count, *options):>8.0f}", flush=True)
    finally:
        proxy.stop()


def case():
    parser = argparse.ArgumentParser(prog="./dev bench idle", description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--tunnels", type=int, default=5000)
    a = parser.parse_args()
    origin = Origin()
    try:
        print(f"bytes per idle keep-alive connection, {a.connections} of them")
        row(proxying, "bifrons", origin, count=a.connections, worker_connections=15000)
        row(proxying, "nginx", origin, count=a.connections, worker_connections=15000)
        row(haproxy, "haproxy", origin, count=a.connections)
        print(f"\nbytes per idle tunnel, {a.tunnels} of them")
        through = ("-c", f"127.0.0.1:{origin.port}")
        row(forwarding, "bifrons CONNECT", count=a.tunnels, options=through)
        row(squid, "squid CONNECT", count=a.tunnels, options=through)
    finally:
        origin.stop()


main(case)
