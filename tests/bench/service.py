#!/usr/bin/python3
"""What do a death, a reload and ten thousand servers cost those who are being served? Ours beside nginx, in turn.

    ./dev bench service [--quick] [--rounds N] [--connections N]

Under the load of keep-alive connections: kill -9 of the only worker (milliseconds until a new connection is answered,
requests that failed), twenty reloads (requests that failed, the slowest of a thousand with and without), 200 reloads
(growth of memory). With 10,000 servers: from exec to the first answer, a reload as the slowest of requests that are
asked one after the other, memory for each server block. Idle, two workers: private memory of all processes.
"""
import os
import re
import signal
import subprocess
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from contest import BENCH, LOAD_CPU, arguments, configured, family, main, start

RELOADS, MANY_RELOADS, SERVERS = 20, 200, 10000
HASHES = "server_names_hash_max_size 65536; server_names_hash_bucket_size 128; "
ONE = 'server { listen 127.0.0.1:{port}; location / { return 200 ok; } }'
NAMES = ("bifrons", "nginx")


def many(count):
    return "\n".join(f"server {{ listen 127.0.0.1:{{port}}; server_name s{i}.example; location / {{ return 200 ok; }} }}"
                     for i in range(count))


def answer_ms(port):
    """Until a new connection has had an answer."""
    began = time.monotonic()
    while True:
        try:
            c = HTTPConnection("127.0.0.1", port, timeout=5)
            c.request("GET", "/")
            if c.getresponse().status == 200:
                return (time.monotonic() - began) * 1000
        except OSError:
            time.sleep(0.001)
        finally:
            c.close()


class Load:
    """Runs beside what is measured, for a number of seconds."""

    def __init__(self, port, connections, seconds):
        self.process = start([BENCH / "load", port, connections, 50_000_000, "-t", seconds], LOAD_CPU,
                             stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)

    def seen(self):
        words = self.process.communicate()[0].split()
        return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def workers(proxy):
    return set(family(proxy.process.pid)[1:])


def kib(proxy, what, file="smaps_rollup"):
    """Of all its processes together."""
    texts = [Path(f"/proc/{pid}/{file}").read_text() for pid in family(proxy.process.pid)]
    return sum(int(number) for text in texts for number in re.findall(rf"^{what}:\s+(\d+)", text, re.M))


def reload_once(proxy):
    before = workers(proxy)
    proxy.process.send_signal(signal.SIGHUP)
    return before


def with_proxy(name, text, measure, more=""):
    proxy = configured(name, text, nginx=HASHES + more)
    try:
        answer_ms(proxy.port)  # its socket takes connections before a worker is ready
        return measure(proxy)
    finally:
        proxy.stop()


def kill(a):
    def measure(proxy):
        load = Load(proxy.port, a.connections, 3)
        os.kill(int(sorted(workers(proxy))[-1]), signal.SIGKILL)
        return answer_ms(proxy.port), load.seen()["errors"]
    return measure


def calm(a):
    return lambda proxy: Load(proxy.port, a.connections, 4).seen()["p999_us"]


def reloads(a):
    def measure(proxy):
        load = Load(proxy.port, a.connections, 4)
        for _ in range(RELOADS):
            reload_once(proxy)
            time.sleep(0.12)
        seen = load.seen()
        return seen["errors"], seen["p999_us"]
    return measure


def growth(proxy):
    for _ in range(20):
        reload_once(proxy)
        time.sleep(0.05)
    time.sleep(0.5)
    before = kib(proxy, "Private_Dirty")
    for _ in range(MANY_RELOADS):
        reload_once(proxy)
        time.sleep(0.05)
    time.sleep(0.5)
    return kib(proxy, "Private_Dirty") - before


def stall(proxy):
    """The slowest answer, in ms, while the configuration of many servers is read anew."""
    slowest, running = [0.0], [True]

    def ask():
        c = HTTPConnection("127.0.0.1", proxy.port, timeout=5)
        while running[0]:
            began = time.monotonic()
            c.request("GET", "/", headers={"Host": "s7.example"})
            answer = c.getresponse()
            answer.read()
            if answer.will_close:  # an old worker of nginx's
                c.close()
            slowest.append((time.monotonic() - began) * 1000)
            time.sleep(0.0005)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    reload_once(proxy)
    time.sleep(1.5)
    running[0] = False
    thread.join()
    return max(slowest)


def worker_anon(proxy):
    return proxy.memory_kib("RssAnon")


def first_answer(name, number):
    began = time.monotonic()
    proxy = configured(f"{name} first {number}", many(SERVERS), nginx=HASHES)
    try:
        answer_ms(proxy.port)
        return (time.monotonic() - began) * 1000
    finally:
        proxy.stop()


def row(what, ours, theirs):
    print(f"{what:58}{ours:>18}{theirs:>18}", flush=True)


def compare(what, rounds, text, measure, show=lambda values: f"{median(values):.1f}"):
    found = {name: [] for name in NAMES}
    for number in range(rounds):
        for name in NAMES:
            found[name].append(with_proxy(f"{name} {what[:12]} {number}", text, measure))
    row(what, *(show(found[name]) for name in NAMES))


def pairs(values):
    return f"{median(v[0] for v in values):.1f} / {median(v[1] for v in values):.0f}"


def case():
    a = arguments("service", __doc__, rounds=5)
    row("", "bifrons", "nginx")
    compare("kill -9: ms until an answer / failed", a.rounds, ONE, kill(a), pairs)
    compare("no reload: slowest of a thousand, us", a.rounds, ONE, calm(a))
    compare(f"{RELOADS} reloads: failed / slowest of a thousand, us", a.rounds, ONE, reloads(a), pairs)
    compare(f"{MANY_RELOADS} reloads: growth of private memory, KiB", 1, ONE, growth)
    compare(f"reload of {SERVERS} servers: slowest answer, ms", a.rounds, many(SERVERS), stall)
    single = {name: with_proxy(f"{name} single", ONE, worker_anon) for name in NAMES}
    each = {name: with_proxy(f"{name} servers", many(SERVERS), worker_anon) for name in NAMES}
    row("memory of a server block in a worker, bytes",
        *(f"{(each[name] - single[name]) * 1024 / SERVERS:.0f}" for name in NAMES))
    firsts = {name: [first_answer(name, number) for number in range(a.rounds)] for name in NAMES}
    row(f"{SERVERS} servers: ms from exec to the first answer", *(f"{median(firsts[name]):.0f}" for name in NAMES))
    idle = {name: with_proxy(f"{name} idle", ONE, lambda p: kib(p, "Private_Dirty") + kib(p, "Private_Clean"))
            for name in NAMES}
    row("idle, one worker: private memory of all processes, KiB", *(f"{idle[name]}" for name in NAMES))


main(case)
