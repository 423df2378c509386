#!/usr/bin/python3
"""What do many servers and locations cost? CPU per request and time of the start, ours beside nginx.

    ./dev bench many [--quick] [--rounds N] [--requests N] [--connections N]

1, 100 and 10,000 servers with a name each, and as many locations in one server; requests ask all of them in turn, and
are answered by `return`. The start is the time from exec to the first connection that is taken.
"""
from statistics import median

from contest import arguments, configured, main, rotate, show, stop_all

SIZES = (1, 100, 10000)
HASHES = "server_names_hash_max_size 65536; server_names_hash_bucket_size 128; "


def servers(count):
    return "\n".join(f"server {{ listen 127.0.0.1:{{port}}; server_name s{i}.example; location / {{ return 200 ok; }} }}"
                     for i in range(count))


def locations(count):
    inner = "\n".join(f"location /l{i}/ {{ return 200 ok; }}" for i in range(count))
    return f"server {{ listen 127.0.0.1:{{port}};\n{inner}\n}}"


def contestants():
    for what, text, ask in (("servers", servers, ("-H", "s%.example")), ("locations", locations, ("-p", "/l%/x"))):
        for size in SIZES:
            options = (*ask, "-n", size)
            yield f"bifrons {size} {what}", text(size), {"against": f"nginx {size} {what}", "options": options}
            yield f"nginx {size} {what}", text(size), {"nginx": HASHES, "options": options}


def start_times(a):
    """Started again for each round, in turn."""
    took = {"bifrons": [], "nginx": []}
    for number in range(a.rounds):
        for name in took:
            proxy = configured(f"{name} start {number}", servers(SIZES[-1]), nginx=HASHES)
            took[name].append(proxy.start_ms)
            proxy.stop()
    print(f"\nstart with {SIZES[-1]} servers: bifrons {median(took['bifrons']):.0f} ms, nginx {median(took['nginx']):.0f} ms,"
          f" ratio {median(x / y for x, y in zip(took['bifrons'], took['nginx'])):.2f}")


def case():
    a = arguments("many", __doc__, requests=100000)
    proxies = []
    try:
        for name, text, more in contestants():
            proxies.append(configured(name, text, **more))
        for proxy in rotate(proxies, a.rounds):
            proxy.measure(a.connections, a.requests)
    finally:
        stop_all(proxies)
    show(proxies, a.requests, a.connections)
    start_times(a)


main(case)
