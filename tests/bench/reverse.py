#!/usr/bin/python3
"""What does one proxied keep-alive request cost? Ours, nginx, haproxy, and a relay that parses nothing, in turn.

    ./dev bench reverse [--quick] [--rounds N] [--requests N] [--connections N]
    ./dev bench reverse --bodies        answers of 16 KiB and 1 MiB instead of 128 bytes
    ./dev bench reverse --strace        system calls per request of ours instead
"""
import shutil
import signal
import subprocess

from contest import (BENCH, ROOM, Origin, Proxy, arguments, family, free_port, give_up, haproxy, load, main, proxying,
                     rotate, show, start, stop_all)


def start_relay(origin):
    port = free_port()
    return Proxy("relay", [BENCH / "relay", port, origin.port], port, against="nginx")


def contest(proxies, a, requests):
    try:
        for proxy in rotate(proxies, a.rounds):
            proxy.measure(a.connections, requests)
    finally:
        stop_all(proxies)
    show(proxies, requests, a.connections)


def small(a):
    origin = Origin()
    try:
        contest([proxying("bifrons", origin, against="nginx,haproxy"), proxying("nginx", origin),
                 haproxy("haproxy", origin), start_relay(origin),
                 proxying("bifrons log", origin, log=True, against="nginx log"),
                 proxying("nginx log", origin, log=True)], a, a.requests)
    finally:
        origin.stop()


def bodies(a):
    for name, size, part in (("16k", 16 << 10, 3), ("1m", 1 << 20, 75)):
        origin = Origin(size)
        try:
            contest([proxying(f"bifrons {name}", origin, against=f"nginx {name},haproxy {name}"),
                     proxying(f"nginx {name}", origin), haproxy(f"haproxy {name}", origin)],
                    a, max(a.requests // part, a.connections))
        finally:
            origin.stop()


def count_calls(a, log):
    """Runs strace on our worker for the length of one load run, after a warm-up."""
    origin = Origin()
    proxy = proxying("bifrons log" if log else "bifrons", origin, log=log)
    summary = ROOM / "strace.txt"
    try:
        load(proxy.port, a.connections, a.connections * 20)
        pids = [word for pid in family(proxy.process.pid) for word in ("-p", pid)]
        tracer = start(["strace", "-c", "-f", "-o", summary, *pids], None, stderr=subprocess.PIPE, text=True)
        attached = tracer.stderr.readline()
        if "attached" not in attached:
            give_up(f"strace: {attached.strip()}")
        seen = load(proxy.port, a.connections, a.requests)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=10)
    finally:
        stop_all([proxy, origin])

    print(f"\naccess log {'on' if log else 'off'}, {a.connections} connections, {seen['requests']:.0f} requests")
    print(f"{'system call':20}{'per request':>12}{'errors':>10}")
    for line in summary.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[0][0].isdigit() and fields[-1] != "total":
            errors = fields[4] if len(fields) == 6 else "0"
            print(f"{fields[-1]:20}{int(fields[3]) / seen['requests']:>12.4f}{errors:>10}")


def case():
    a = arguments("reverse", __doc__, strace="count system calls per request of ours", bodies="larger answers")
    if a.strace:
        a.requests = min(a.requests, 20000)
        for log in (False, True):
            count_calls(a, log)
            shutil.rmtree(ROOM, ignore_errors=True)
            ROOM.mkdir()
    elif a.bodies:
        bodies(a)
    else:
        small(a)


main(case)
