#!/usr/bin/python3
"""What does a GiB through CONNECT cost? Ours beside squid.

    ./dev bench tunnel [--quick] [--rounds N] [--requests N] [--connections N]

Each request through a tunnel has an answer of 1 MiB; CPU time is told per GiB.
"""
from statistics import median

from contest import Origin, arguments, forwarding, main, ratio, rotate, squid, stop_all


def case():
    a = arguments("tunnel", __doc__, requests=4096, connections=8)
    origin, proxies = Origin(1 << 20), []
    through = ("-c", f"127.0.0.1:{origin.port}")
    try:
        proxies += [forwarding("bifrons", options=through), squid("squid", options=through)]
        for proxy in rotate(proxies, a.rounds):
            proxy.measure(a.connections, a.requests)
    finally:
        stop_all([*proxies, origin])
    print(f"{a.connections} tunnels, {a.requests} MiB a round, medians of {a.rounds} rounds")
    print(f"{'':10}{'CPU s/GiB':>10}{'of squid':>10}{'MiB/s':>8}")
    for proxy in proxies:
        cpu = median(seen["cpu_us"] for seen in proxy.rounds) * 1024 / 1e6
        print(f"{proxy.name:10}{cpu:>10.3f}{ratio(proxy, proxies[-1], 'cpu_us'):>10.2f}"
              f"{median(seen['rate'] for seen in proxy.rounds):>8.0f}")


main(case)
