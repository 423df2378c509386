#!/usr/bin/python3
"""What does one proxied keep-alive request cost? Ours, nginx, and a relay that parses nothing, in turn in one run.

    ./dev bench reverse [--quick] [--rounds N] [--requests N] [--connections N]
    ./dev bench reverse --strace        system calls per request of ours instead

    load (cpu 1) -> proxy (cpu 0) -> origin (cpu 1)        128-byte body, one worker, keep-alive on both sides

Shown are medians over the rounds: CPU time of the proxy (user and system, all its processes) per request, that
divided by nginx's with the same log setting in the same round, and what the load saw. Only the ratios travel from
one machine to another. Everything is bounded, and ends with this process.
"""
import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent.parent
ROOM = ROOT / "build/bench"
BENCH = ROOT / "build/release/bench"
BIFRONS = ROOT / "build/release/bifrons"
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
PROXY_CPU, LOAD_CPU = 0, 1
SECONDS = 60  # of one load run, at most

# Read by nginx and by us alike: the language is the same.
CONFIGURATION = """
worker_processes 1;
pid {room}/pid;
error_log {room}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log {log};
    client_body_temp_path {room}/client_body;
    proxy_temp_path {room}/proxy;
    {only_nginx}
    keepalive_requests 1000000000;
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


def give_up(message):
    sys.exit(f"bench: {message}")


def start(command, cpu, **options):
    """A child that lives on one cpu, and dies with us at the latest."""

    def pin():
        if cpu is not None and len(os.sched_getaffinity(0)) > cpu:
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[cpu]})

    return subprocess.Popen([str(word) for word in command], preexec_fn=pin, stdin=subprocess.DEVNULL, **options)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def family(pid):
    """The process and all below it."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


class Proxy:
    """One contestant: a running program that listens on `port`."""

    def __init__(self, name, command, port, log):
        self.name, self.port, self.log = name, port, log
        self.rounds = []
        self.output = open(ROOM / f"{name.replace(' ', '-')}.out", "wb")
        self.process = start(command, PROXY_CPU, stdout=self.output, stderr=self.output)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    give_up(f"{name} did not start: {Path(self.output.name).read_text().strip()}")
                time.sleep(0.02)

    def cpu_ns(self):
        """User and system time of the whole family, as the scheduler counts it."""
        tasks = [task for pid in family(self.process.pid) for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def rss_kib(self):
        """Of its biggest process: the worker."""
        status = [Path(f"/proc/{pid}/status").read_text() for pid in family(self.process.pid)]
        return max(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in status)

    def measure(self, connections, requests):
        load(self.port, connections, max(requests // 20, connections * 10))  # warm up: pools, caches, pages
        before = self.cpu_ns()
        seen = load(self.port, connections, requests)
        seen["cpu_us"] = (self.cpu_ns() - before) / 1000 / seen["requests"]
        seen["rss_kib"] = self.rss_kib()
        self.rounds.append(seen)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


def load(port, connections, requests):
    run = start([BENCH / "load", port, connections, requests, SECONDS], LOAD_CPU, stdout=subprocess.PIPE, text=True)
    words = run.communicate()[0].split()
    if run.returncode != 0:
        give_up(f"the load run failed: {' '.join(words)}")
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def start_origin():
    origin = start([BENCH / "origin", 0], LOAD_CPU, stdout=subprocess.PIPE, text=True)
    return origin, int(origin.stdout.readline().rpartition(":")[2])


def start_configured(name, program, origin, log):
    """nginx or ours, with a folder of its own."""
    room = ROOM / name.replace(" ", "-")
    room.mkdir(parents=True)
    room.chmod(0o777)  # the worker has dropped its rights
    port = free_port()
    others = ("fastcgi", "uwsgi", "scgi")
    only_nginx = " ".join(f"{other}_temp_path {room}/{other};" for other in others) if program == NGINX else ""
    (room / "conf").write_text(
        CONFIGURATION.format(
            room=room, port=port, origin=origin, only_nginx=only_nginx, log=f"{room}/access.log" if log else "off"
        )
    )
    return Proxy(name, [program, "-p", room, "-c", room / "conf", "-g", "daemon off;"], port, log)


def start_relay(origin):
    port = free_port()
    return Proxy("relay", [BENCH / "relay", port, origin], port, False)


def compare(a, origin):
    proxies = []
    try:
        for log in (False, True):
            proxies.append(start_configured("bifrons log" if log else "bifrons", BIFRONS, origin, log))
            proxies.append(start_configured("nginx log" if log else "nginx", NGINX, origin, log))
        proxies.append(start_relay(origin))
        for number in range(a.rounds):
            for proxy in proxies[number % len(proxies) :] + proxies[: number % len(proxies)]:
                proxy.measure(a.connections, a.requests)
            print(f"round {number + 1} of {a.rounds}", file=sys.stderr)
    finally:
        for proxy in proxies:
            proxy.stop()
    return proxies


def show(proxies, a):
    nginx = {proxy.log: proxy for proxy in proxies if proxy.name.startswith("nginx")}
    print(f"{a.connections} connections, 128-byte body, {a.requests} requests a round, medians of {a.rounds} rounds")
    print(f"{'':14}{'CPU us/request':>15}{'of nginx':>10}{'requests/s':>12}{'p50 us':>9}{'p99 us':>9}{'RSS KiB':>9}")
    for proxy in sorted(proxies, key=lambda p: p.log):
        ratio = median(x["cpu_us"] / y["cpu_us"] for x, y in zip(proxy.rounds, nginx[proxy.log].rounds))
        m = {key: median(seen[key] for seen in proxy.rounds) for key in proxy.rounds[0]}
        print(
            f"{proxy.name:14}{m['cpu_us']:>15.2f}{ratio:>10.2f}{m['rate']:>12.0f}"
            f"{m['p50_us']:>9.0f}{m['p99_us']:>9.0f}{m['rss_kib']:>9.0f}"
        )


def count_calls(a, origin, log):
    """Runs strace on our worker for the length of one load run, after a warm-up."""
    proxy = start_configured("bifrons log" if log else "bifrons", BIFRONS, origin, log)
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
        proxy.stop()

    print(f"\naccess log {'on' if log else 'off'}, {a.connections} connections, {seen['requests']:.0f} requests")
    print(f"{'system call':20}{'per request':>12}{'errors':>10}")
    for line in summary.read_text().splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[0][0].isdigit() and fields[-1] != "total":
            errors = fields[4] if len(fields) == 6 else "0"
            print(f"{fields[-1]:20}{int(fields[3]) / seen['requests']:>12.4f}{errors:>10}")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench reverse", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument("--strace", action="store_true", help="count system calls per request of ours")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--requests", type=int, help="a round; default 150000")
    parser.add_argument("--connections", type=int, default=64)
    a = parser.parse_args()
    a.rounds = a.rounds or (2 if a.quick else 5)
    a.requests = a.requests or (20000 if a.quick or a.strace else 150000)
    if not NGINX:
        give_up("nginx is not installed")
    if len(os.sched_getaffinity(0)) < 2:
        print("bench: one cpu only: proxy and load share it", file=sys.stderr)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    shutil.rmtree(ROOM, ignore_errors=True)
    ROOM.mkdir(parents=True)
    origin, origin_port = start_origin()
    try:
        if a.strace:
            count_calls(a, origin_port, False)
            shutil.rmtree(ROOM / "bifrons")
            count_calls(a, origin_port, True)
        else:
            show(compare(a, origin_port), a)
    except KeyboardInterrupt:
        give_up("interrupted")
    finally:
        origin.kill()
        origin.wait()


main()
