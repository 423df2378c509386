"""Both faces in one process and one file: curl -> forward face -> CONNECT -> reverse face (TLS) -> backend."""
import subprocess

from support.origin import free_port


def test_a_request_goes_out_by_one_face_and_in_by_the_other(start, room, authority, origin):
    certificate, key = authority.leaf("example.com")
    tls, plain = free_port("127.0.0.2"), free_port("127.0.0.2")
    proxy = start(f"""
log_format why '$status "$request" $decided_by';
access_log {room}/access.log why;

server {{
    listen 127.0.0.2:{tls} ssl;
    server_name example.com;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location /api/ {{
        proxy_pass http://{origin.address};
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
}}
server {{
    listen 127.0.0.2:{plain};
    server_name example.com;
    keepalive_timeout 0;
    return 301 https://$host$request_uri;
}}
forward {{
    listen 127.0.0.1:0;
    rule allow to=127.0.0.2:{tls} if client 127.0.0.0/8 and protocol connect and host example.com
        and port 443 {tls} and address 127.0.0.2;
    rule allow to=127.0.0.2:{plain} if client 127.0.0.0/8 and protocol http and host example.com
        and address 127.0.0.2;
}}
""", listeners=3)
    via = ["curl", "-sS", "--max-time", "10", "--noproxy", "", "-x", f"http://127.0.0.1:{proxy.port_of('127.0.0.1')}"]
    done = subprocess.run([*via, "--cacert", str(authority.certificate), "https://example.com/api/x?y=1", "-w",
                           " %{http_connect} %{ssl_verify_result} %{http_code}"], capture_output=True, text=True)
    assert done.stdout == "origin: GET /api/x?y=1\n 200 0 200", done
    seen = origin.requests[0]
    assert seen.get("Host") == "example.com" and seen.get("X-Forwarded-For").startswith("127.0.0.")

    done = subprocess.run([*via, "http://example.com/plain", "-w", "%{http_code} %{redirect_url}", "-o", "/dev/null"],
                          capture_output=True, text=True)
    assert done.stdout == "301 https://example.com/plain", done

    done = subprocess.run([*via, "http://other.example/", "-w", "%{http_code}", "-o", "/dev/null"], capture_output=True,
                          text=True)
    assert done.stdout == "403", done

    lines = proxy.wait_access(5)
    tunnel = next(l for l in lines if "CONNECT" in l)
    inner = next(l for l in lines if "GET /api/x" in l)
    assert f"bifrons.conf:{proxy.line_of('rule allow to=127.0.0.2:%d' % tls)}" in tunnel
    assert f"bifrons.conf:{proxy.line_of('location /api/')}" in inner


def test_the_body_of_a_megabyte_passes_both(start, room, authority, origin):
    certificate, key = authority.leaf("example.com")
    tls = free_port("127.0.0.2")
    proxy = start(f"""
server {{
    listen 127.0.0.2:{tls} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{ proxy_pass http://{origin.address}; }}
}}
forward {{
    listen 127.0.0.1:0;
    rule allow to=127.0.0.2:{tls} if client 127.0.0.1 and host example.com and port 443 {tls} and address 127.0.0.2;
}}
""", listeners=2)
    body = room / "body"
    body.write_bytes(bytes(range(256)) * 4000)
    done = subprocess.run(["curl", "-sS", "--max-time", "10", "--noproxy", "", "-x",
                           f"http://127.0.0.1:{proxy.port_of('127.0.0.1')}", "--cacert", str(authority.certificate),
                           "--data-binary", f"@{body}", "https://example.com/echo"], capture_output=True)
    assert done.stdout == body.read_bytes(), done.stderr
