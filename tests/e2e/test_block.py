"""The server block that the program exists for, as a user owns it: only paths, ports and addresses are the test's."""
import subprocess

import pytest

from support.wire import Client, request

BLOCK = """\
server {{
    listen 127.0.0.1:0 ssl;
    server_name example.com;
    # SSL termination
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    # Route API requests to backend
    location /api/ {{
        proxy_pass http://{api};
        proxy_set_header Host $host;
    }}
    # Serve static files directly
    location /static/ {{
        root {www};
    }}
    # Route everything else to web app
    location / {{
        proxy_pass http://{web};
    }}
}}
"""

AROUND = """\
user nobody;
worker_processes 1;
worker_rlimit_nofile 1024;
daemon off;
pid {room}/bifrons.pid;
error_log {room}/error.log info;
events {{
    worker_connections 512;
}}
http {{
    include {room}/conf.d/*.conf;
    include {room}/types;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 65;
    keepalive_requests 100;
    server_tokens off;
    client_max_body_size 8m;
    client_body_buffer_size 16k;
    client_header_timeout 10s;
    client_body_timeout 10s;
    send_timeout 10s;
    proxy_connect_timeout 5s;
    proxy_send_timeout 10s;
    proxy_read_timeout 10s;
    client_body_temp_path {room}/temp/body;
    proxy_temp_path {room}/temp/proxy;
    proxy_buffering on;
    proxy_buffers 8 8k;
    proxy_buffer_size 8k;
    proxy_busy_buffers_size 16k;
    proxy_max_temp_file_size 0;
    log_format short '$remote_addr "$request" $status';
    access_log {room}/access.log short;
    {block}
}}
"""


@pytest.fixture(params=["as a whole file", "inside http"])
def site(request, room, authority, origins, start):
    api, web = origins("api", "web")
    certificate, key = authority.leaf("example.com")
    www = room / "www"
    (www / "static").mkdir(parents=True)
    (www / "static" / "app.css").write_text("body {}\n")
    block = BLOCK.format(certificate=certificate, key=key, api=api.address, web=web.address, www=www)
    if request.param == "as a whole file":
        proxy = start(block, log=False)
    else:
        (room / "conf.d").mkdir()
        (room / "conf.d" / "extra.conf").write_text(
            "server { listen 127.0.0.2:0; return 301 https://$host$request_uri; }\n")
        (room / "types").write_text("types { text/css css; text/html html; }\n")
        proxy = start(AROUND.format(room=room, block=block), log=False, listeners=2)
    port = proxy.addresses[-1][1]
    return proxy, ("127.0.0.1", port), api, web


def curl(*args):
    done = subprocess.run(["curl", "-sS", "--max-time", "10", "--noproxy", "*", *map(str, args)], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl_gets_each_part_of_the_site(site, authority):
    _, (_, port), api, web = site
    tls = ["--cacert", authority.certificate, "--resolve", f"example.com:{port}:127.0.0.1"]
    base = f"https://example.com:{port}"
    assert curl(*tls, f"{base}/api/users?id=1") == "api: GET /api/users?id=1\n"
    assert curl(*tls, f"{base}/static/app.css") == "body {}\n"
    assert curl(*tls, f"{base}/anything") == "web: GET /anything\n"
    assert curl(*tls, "-d", "a=b", f"{base}/echo") == "a=b"
    assert api.requests[0].get("Host") == "example.com"
    assert web.requests[0].get("Host") == web.address
    assert curl(*tls, "-o", "/dev/null", "-w", "%{content_type} %{http_code}", f"{base}/static/app.css") == "text/css 200"
    assert curl(*tls, "-o", "/dev/null", "-w", "%{http_code}", f"{base}/static/none") == "404"


def test_openssl_verifies_the_chain_and_the_name(site, authority):
    _, (_, port), _, _ = site
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "example.com", "-CAfile",
         str(authority.certificate), "-verify_return_error", "-verify_hostname", "example.com", "-ign_eof", "-quiet"],
        input=b"GET /static/app.css HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n",
        capture_output=True, timeout=10)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"HTTP/1.1 200 OK\r\n") and done.stdout.endswith(b"\r\n\r\nbody {}\n"), done.stdout


def test_a_tls_connection_is_kept(site, authority):
    _, address, _, _ = site
    with Client(address, authority.client(), "example.com") as c:
        for n in range(3):
            assert c.get(f"/api/{n}", "example.com").body == f"api: GET /api/{n}\n".encode()
        assert c.get("/static/app.css", "example.com").body == b"body {}\n"
        assert c.ask(request("POST", "/echo", "example.com", body=b"x" * 100000)).body == b"x" * 100000


def test_an_include_and_a_redirect_stand_beside_it(room, authority, origins, start):
    api, web = origins("api", "web")
    certificate, key = authority.leaf("example.com")
    (room / "conf.d").mkdir()
    (room / "conf.d" / "redirect.conf").write_text(
        "server { listen 127.0.0.1:0; server_name example.com; return 301 https://$host$request_uri; }\n")
    (room / "types").write_text("types { text/css css; }\n")
    block = BLOCK.format(certificate=certificate, key=key, api=api.address, web=web.address, www=room)
    proxy = start(AROUND.format(room=room, block=block.replace("127.0.0.1:0", "127.0.0.2:0")), log=False, listeners=2)
    with proxy.connect() as c:
        r = c.get("/a%20b?c=d", "example.com:80")
        assert (r.status, r.get("Location")) == (301, "https://example.com/a%20b?c=d")
        assert r.get("Server") in ("bifrons", None)
        assert proxy.wait_access()[0] == '127.0.0.1 "GET /a%20b?c=d HTTP/1.1" 301'
