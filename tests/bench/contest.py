"""What the cases of `./dev bench` share: contestants that run in turn, the load, the origin, the table of ratios.

    load (cpu 1) -> proxy (cpu 0) -> origin (cpu 1)

The proxy has a processor of its own. Shown are medians over the rounds: CPU time of the proxy (user and system, all its
processes) per request, that divided by a peer's in the same round, and what the load saw. Only the ratios travel from
one machine to another. Everything is bounded, and ends with this process.
"""
import argparse
import os
import re
import resource
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
PATH = os.environ.get("PATH", "") + ":/usr/sbin"
PROXY_CPU, LOAD_CPU = 0, 1
SECONDS = 60  # of one load run, at most
DESCRIPTORS = 40000  # of a proxy, at most


def give_up(message):
    sys.exit(f"bench: {message}")


def program(name):
    return shutil.which(name, path=PATH) or give_up(f"{name} is not installed")


def pin(cpu):
    cpus = sorted(os.sched_getaffinity(0))
    if cpu is not None and len(cpus) > cpu:
        os.sched_setaffinity(0, {cpus[cpu]})


def start(command, cpu, **options):
    """A child that lives on one cpu; whoever starts it stops it."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([str(word) for word in command], preexec_fn=lambda: pin(cpu), **options)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def rlimit():
    return min(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def family(pid):
    """The process and all below it."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            pids += family(int(child))
    return pids


def room_of(name):
    """A folder that whoever has dropped his rights may use."""
    room = ROOM / name.replace(" ", "-").replace("/", "-")
    room.mkdir(parents=True)
    room.chmod(0o777)
    return room


class Proxy:
    """One contestant: a running program that listens on `port`. `against`: whose ratio it is shown with."""

    def __init__(self, name, command, port, against=None, options=()):
        self.name, self.port, self.against, self.options = name, port, against, options
        self.rounds = []
        self.output = open(ROOM / f"{name.replace(' ', '-').replace('/', '-')}.out", "wb")
        began = time.monotonic()
        self.process = start(command, PROXY_CPU, stdout=self.output, stderr=self.output)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > began + 30:
                    self.stop()
                    give_up(f"{name} did not start: {Path(self.output.name).read_text().strip()}")
                time.sleep(0.002)
        self.start_ms = (time.monotonic() - began) * 1000

    def cpu_ns(self):
        """User and system time of the whole family, as the scheduler counts it."""
        tasks = [task for pid in family(self.process.pid) for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def memory_kib(self, what):
        """Of its biggest process: the worker."""
        status = [Path(f"/proc/{pid}/status").read_text() for pid in family(self.process.pid)]
        return max(int(re.search(rf"{what}:\s+(\d+)", text)[1]) for text in status)

    def measure(self, connections, requests):
        load(self.port, connections, max(requests // 20, connections * 10), *self.options)  # pools, caches, pages
        before = self.cpu_ns()
        seen = load(self.port, connections, requests, *self.options)
        seen["cpu_us"] = (self.cpu_ns() - before) / 1000 / seen["requests"]
        seen["rss_kib"] = self.memory_kib("VmRSS")
        self.rounds.append(seen)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


def load(port, connections, requests, *options):
    run = start([BENCH / "load", port, connections, requests, "-t", SECONDS, *options], LOAD_CPU,
                stdout=subprocess.PIPE, text=True)
    words = run.communicate()[0].split()
    if run.returncode != 0:
        give_up(f"the load run failed: {' '.join(words)}")
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


class Origin:
    """An upstream that answers all with a body of this length."""

    def __init__(self, body=128):
        self.process = start([BENCH / "origin", 0, body], LOAD_CPU, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def stop(self):
        self.process.kill()
        self.process.wait()


# --- contestants -----------------------------------------------------------------------------------------------------

# Read by nginx and by us alike: the language is the same.
CONFIGURATION = """
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {room}/pid;
error_log {room}/error.log;
events {{ worker_connections {worker_connections}; }}
http {{
    access_log {log};
    client_body_temp_path {room}/client_body;
    proxy_temp_path {room}/proxy;
    {only_nginx}
    keepalive_requests 1000000000;
    keepalive_timeout 600;
    {http}
}}
"""

PROXIED = """
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
"""


def configured(name, http, log=False, nginx="", worker_connections=4096, **proxy):
    """nginx (if the name begins so) or ours, with `http` inside http { }; `nginx`: what only nginx is given there."""
    is_nginx = name.startswith("nginx")
    room, port = room_of(name), free_port()
    others = ("fastcgi", "uwsgi", "scgi")
    only_nginx = nginx + " ".join(f"{other}_temp_path {room}/{other};" for other in others) if is_nginx else ""
    (room / "conf").write_text(CONFIGURATION.format(
        room=room, descriptors=rlimit(), worker_connections=worker_connections, only_nginx=only_nginx,
        log=f"{room}/access.log" if log else "off", http=http.replace("{port}", str(port))))
    binary = program("nginx") if is_nginx else BIFRONS
    return Proxy(name, [binary, "-p", room, "-c", room / "conf", "-g", "daemon off;"], port, **proxy)


def proxying(name, origin, **more):
    return configured(name, PROXIED.format(origin=origin.port, port="{port}"), **more)


def haproxy(name, origin, **more):
    room, port = room_of(name), free_port()
    (room / "conf").write_text(f"""
global
    nbthread 1
    maxconn 15000
    no strict-limits
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 60s
    timeout http-keep-alive 600s
    option http-keep-alive
    http-reuse always
frontend all
    bind 127.0.0.1:{port}
    default_backend origin
backend origin
    server origin 127.0.0.1:{origin.port} pool-max-conn 256
""")
    return Proxy(name, [program("haproxy"), "-db", "-f", room / "conf"], port, **more)


def squid(name, **more):
    room, port = room_of(name), free_port()
    (room / "conf").write_text(f"""
http_port 127.0.0.1:{port}
acl all_ports port 1-65535
http_access allow localhost all_ports
http_access deny all
cache deny all
cache_mem 1 MB
access_log none
cache_log {room}/cache.log
pid_filename {room}/pid
coredump_dir {room}
max_filedescriptors {rlimit()}
shutdown_lifetime 1 seconds
pinger_enable off
""")
    return Proxy(name, [program("squid"), "-N", "-f", room / "conf"], port, **more)


def forwarding(name, **more):
    """Our forward face; loopback as a destination must be named."""
    room, port = room_of(name), free_port()
    (room / "conf").write_text(f"""
pid {room}/pid;
error_log {room}/error.log;
events {{ worker_connections 20000; }}
worker_rlimit_nofile {rlimit()};
forward {{
    listen 127.0.0.1:{port};
    access_log off;
    tunnel_peek off;
    ports connect 1-65535;
    rule allow if client 127.0.0.1 and address 127.0.0.1 and port 1-65535;
}}
""")
    return Proxy(name, [BIFRONS, "-p", room, "-c", room / "conf"], port, **more)


# --- the contest -----------------------------------------------------------------------------------------------------

def rotate(things, rounds):
    """All of them, in each round from another one on."""
    for number in range(rounds):
        at = number % len(things)
        yield from things[at:] + things[:at]
        print(f"round {number + 1} of {rounds}", file=sys.stderr)


def stop_all(things):
    for thing in things:
        thing.stop()


def ratio(proxy, other, key):
    return median(x[key] / y[key] for x, y in zip(proxy.rounds, other.rounds))


def show(proxies, requests, connections):
    """One line for each, with its CPU time as a part of that of `against`."""
    by_name = {proxy.name: proxy for proxy in proxies}
    print(f"{connections} connections, {requests} requests a round, medians of {len(proxies[0].rounds)} rounds")
    print(f"{'':26}{'CPU us/request':>15}{'ratio':>8} {'to':18}{'requests/s':>11}{'p50 us':>8}{'p99 us':>8}{'RSS KiB':>9}")
    for proxy in proxies:
        m = {key: median(seen[key] for seen in proxy.rounds) for key in proxy.rounds[0]}
        others = [other for other in (proxy.against or "").split(",") if other] or [None]
        for other in others:
            against = f"{ratio(proxy, by_name[other], 'cpu_us'):>8.2f} {other:18}" if other else f"{'':27}"
            print(f"{proxy.name:26}{m['cpu_us']:>15.2f}{against}{m['rate']:>11.0f}"
                  f"{m['p50_us']:>8.0f}{m['p99_us']:>8.0f}{m['rss_kib']:>9.0f}")


def arguments(case, description, rounds=5, requests=150000, connections=64, **more):
    """`more`: further options, each with its help."""
    parser = argparse.ArgumentParser(prog=f"./dev bench {case}", description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument("--rounds", type=int, help=f"default {rounds}")
    parser.add_argument("--requests", type=int, help=f"a round; default {requests}")
    parser.add_argument("--connections", type=int, default=connections)
    for option, text in more.items():
        parser.add_argument(f"--{option}", action="store_true", help=text)
    a = parser.parse_args()
    a.rounds = a.rounds or (2 if a.quick else rounds)
    a.requests = a.requests or (requests // 8 if a.quick else requests)
    return a


def main(case):
    """Runs `case()` in a clean room."""
    if len(os.sched_getaffinity(0)) < 2:
        print("bench: one cpu only: proxy and load share it", file=sys.stderr)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    shutil.rmtree(ROOM, ignore_errors=True)
    ROOM.mkdir(parents=True)
    try:
        case()
    except KeyboardInterrupt:
        give_up("interrupted")
