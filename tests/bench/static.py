#!/usr/bin/python3
"""What does a small file cost? Ours and nginx, each with open_file_cache and without it.

    ./dev bench static [--quick] [--rounds N] [--requests N] [--connections N]
"""
from contest import arguments, configured, main, room_of, rotate, show, stop_all

SERVER = """
    server {{
        listen 127.0.0.1:{port};
        root {root};
        sendfile on;
        tcp_nopush on;
        location / {{ }}
    }}
"""
CACHE = "open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s; "


def case():
    a = arguments("static", __doc__)
    root = room_of("files")
    (root / "bench").write_bytes(b"0123456789abcdef" * 64)
    server = SERVER.format(root=root, port="{port}")
    proxies = []
    try:
        proxies += [configured("bifrons cached", CACHE + server, against="nginx cached"),
                    configured("nginx cached", CACHE + server),
                    configured("bifrons", server, against="nginx,nginx cached"), configured("nginx", server)]
        for proxy in rotate(proxies, a.rounds):
            proxy.measure(a.connections, a.requests)
    finally:
        stop_all(proxies)
    print("a file of 1,024 bytes")
    show(proxies, a.requests, a.connections)


main(case)
