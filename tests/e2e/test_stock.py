"""Debian's own files start as they are: only paths and ports are others. They are read from the installed packages
(nginx-common); certbot's is written down by its facts."""
import re
import subprocess
from pathlib import Path

import pytest

from support.origin import free_port
from support.proxy import run

NGINX = Path("/etc/nginx")
pytestmark = pytest.mark.skipif(not (NGINX / "nginx.conf").exists(), reason="nginx-common is not installed")

# What python3-certbot-nginx puts into /etc/letsencrypt/options-ssl-nginx.conf: the directives and values, not the file.
CERTBOT = """\
ssl_session_cache shared:le_nginx_SSL:10m;
ssl_session_timeout 1440m;
ssl_session_tickets off;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_prefer_server_ciphers off;
ssl_ciphers "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:\
DHE-RSA-AES256-GCM-SHA384";
"""


class Stock:
    """A copy of /etc/nginx and of what it names, below the test's folder."""

    def __init__(self, room, site=None):
        self.room, self.etc, self.port = room, room / "etc", free_port()
        self.www = room / "www"
        self.www.mkdir()
        self.www.chmod(0o755)
        for folder in ("conf.d", "modules-enabled", "sites-enabled", "snippets"):
            (self.etc / folder).mkdir(parents=True)
        for name in ("nginx.conf", "mime.types", "fastcgi_params", "fastcgi.conf", "proxy_params", "uwsgi_params",
                     "scgi_params"):
            self.write(self.etc / name, (NGINX / name).read_text())
        for module in (NGINX / "modules-enabled").glob("*.conf"):
            self.write(self.etc / "modules-enabled" / module.name, module.read_text())
        self.write(self.etc / "sites-enabled" / "default", site or (NGINX / "sites-available/default").read_text())

    def write(self, path, text):
        for old, new in (("/etc/nginx/", f"{self.etc}/"), ("/run/nginx.pid", f"{self.room}/nginx.pid"),
                         ("/var/log/nginx/", f"{self.room}/"), ("/var/www/html", str(self.www))):
            text = text.replace(old, new)
        text = re.sub(r"listen 80\b", f"listen 127.0.0.1:{self.port}", text)
        text = re.sub(r"listen \[::\]:80\b", f"listen [::1]:{self.port}", text)
        path.write_text(text)

    def start(self, start, listeners=2):
        return start(args=("-c", self.etc / "nginx.conf"), listeners=listeners)


def curl(*args):
    return subprocess.run(["curl", "-sS", "--noproxy", "*", "-i", "--max-time", "10", *map(str, args)],
                          capture_output=True, text=True, timeout=20)


def fetch(*args):
    """Status line, fields (lower case) and body of what curl got."""
    done = curl(*args)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition("\n\n") if "\r\n" not in done.stdout else done.stdout.partition("\r\n\r\n")
    lines = head.replace("\r", "").split("\n")
    return lines[0], {k.lower(): v for k, _, v in (l.partition(": ") for l in lines[1:])}, body


# try_files itself is tested elsewhere; this site is Debian's without it
WITHOUT_TRY_FILES = """server {
    listen 80 default_server;
    listen [::]:80 default_server;
    root /var/www/html;
    index index.html index.htm index.nginx-debian.html;
    server_name _;
    location / { }
}
"""


def expect_a_working_site(stock, proxy):
    (stock.www / "index.nginx-debian.html").write_text("<p>It works.</p>\n")
    (stock.www / "style.css").write_text("p { }\n" * 100)
    (stock.www / "data.unheard-of").write_text("x")
    for host in ("127.0.0.1", "[::1]"):
        status, fields, body = fetch(f"http://{host}:{stock.port}/")
        assert (status, body) == ("HTTP/1.1 200 OK", "<p>It works.</p>\n")
        assert fields["content-type"] == "text/html"
    assert fetch(f"http://127.0.0.1:{stock.port}/style.css")[1]["content-type"] == "text/css"  # mime.types
    assert fetch(f"http://127.0.0.1:{stock.port}/data.unheard-of")[1]["content-type"] == "application/octet-stream"
    assert fetch(f"http://127.0.0.1:{stock.port}/none")[0] == "HTTP/1.1 404 Not Found"
    (stock.www / "long.html").write_text("long " * 1000)
    _, fields, body = fetch("--compressed", f"http://127.0.0.1:{stock.port}/long.html")
    assert fields["content-encoding"] == "gzip" and body == "long " * 1000
    proxy.wait_access(6)
    assert '"GET /style.css HTTP/1.1" 200' in "\n".join(proxy.access())


def test_debians_configuration_starts_with_a_site(room, start):
    stock = Stock(room, WITHOUT_TRY_FILES)
    proxy = stock.start(start)
    assert (room / "nginx.pid").read_text().strip() == str(proxy.process.pid)
    expect_a_working_site(stock, proxy)


def test_debians_configuration_starts_as_it_is(room, start):
    stock = Stock(room)
    expect_a_working_site(stock, stock.start(start))


def test_what_has_no_effect_is_said_once(room):
    stock = Stock(room, WITHOUT_TRY_FILES)
    (stock.etc / "modules-enabled/50-mod-x.conf").write_text("load_module modules/ngx_http_x_module.so;\n")
    done = run("-t", "-p", room, "-c", stock.etc / "nginx.conf", "-e", room / "error.log")
    assert done.returncode == 0, done.stderr
    for word in ("load_module", "tcp_nopush", "types_hash_max_size"):
        assert word in done.stderr
    assert 'what "modules/ngx_http_x_module.so" adds is built in, or refused where it stands' in done.stderr


def test_a_modules_directive_is_refused_at_its_line(room):
    stock = Stock(room, WITHOUT_TRY_FILES.replace("location / { }", "location / { echo hello; }"))
    done = run("-t", "-p", room, "-c", stock.etc / "nginx.conf", "-e", room / "error.log")
    assert done.returncode == 1
    assert f'unknown directive "echo" in {stock.etc}/sites-enabled/default:7' in done.stderr


@pytest.mark.parametrize("where", ["http", "server", "location"])
def test_parameters_of_applications_may_be_included_anywhere(room, start, where):
    lines = "".join(f"include {room}/etc/{name};" for name in ("fastcgi_params", "uwsgi_params", "scgi_params",
                                                               "fastcgi.conf"))
    site = WITHOUT_TRY_FILES
    if where == "http":
        site = lines + site
    elif where == "server":
        site = site.replace("server_name", lines + "server_name")
    else:
        site = site.replace("location / { }", f"location / {{ {lines} return 204; }}")
    stock = Stock(room, site)
    (stock.www / "x.html").write_text("x")
    stock.start(start)
    assert fetch(f"http://127.0.0.1:{stock.port}/x.html")[0] == ("HTTP/1.1 204 No Content" if where == "location" else
                                                                 "HTTP/1.1 200 OK")


@pytest.mark.parametrize("line, text", [
    ("fastcgi_pass 127.0.0.1:9000;", '"fastcgi_pass" directive is known, not supported yet'),
    ("fastcgi_param A b when_full;", 'invalid parameter "when_full"'),
    ("fastcgi_param A;", 'invalid number of arguments in "fastcgi_param" directive'),
])
def test_what_would_need_an_application_is_refused(room, line, text):
    stock = Stock(room, WITHOUT_TRY_FILES.replace("location / { }", f"location / {{ {line} }}"))
    done = run("-t", "-p", room, "-c", stock.etc / "nginx.conf", "-e", room / "error.log")
    assert done.returncode == 1 and text in done.stderr, done.stderr


def test_proxy_params_send_what_they_say(room, start, origin):
    site = WITHOUT_TRY_FILES.replace("location / { }", f"location / {{ proxy_pass http://{origin.address}; "
                                                       "include /etc/nginx/proxy_params; }")
    stock = Stock(room, site)
    stock.start(start)
    fetch("-H", "Host: site.example", "-H", "X-Forwarded-For: 192.0.2.7", f"http://127.0.0.1:{stock.port}/a")
    seen = origin.requests[-1]
    assert [seen.get(n) for n in ("Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto")] == [
        "site.example", "127.0.0.1", "192.0.2.7, 127.0.0.1", "http"]


# --- certbot ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dh_file(tmp_path_factory):
    """ffdhe2048 of RFC 7919, as certbot ships it: named, so nothing is searched for."""
    path = tmp_path_factory.mktemp("dh") / "ssl-dhparams.pem"
    done = subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out",
                           str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path


def test_a_site_as_certbot_leaves_it_is_served(room, start, authority, dh_file):
    certificate, key = authority.leaf("site.example")
    port = free_port()
    (room / "options-ssl-nginx.conf").write_text(CERTBOT)
    site = f"""server {{
    server_name site.example;
    root /var/www/html;
    location / {{ index index.html; }}

    listen [::1]:{port} ssl ipv6only=on; # managed by Certbot
    listen 127.0.0.1:{port} ssl http2; # managed by Certbot
    ssl_certificate {certificate}; # managed by Certbot
    ssl_certificate_key {key}; # managed by Certbot
    include {room}/options-ssl-nginx.conf; # managed by Certbot
    ssl_dhparam {dh_file}; # managed by Certbot
}}
server {{
    listen 80;
    server_name site.example;
    return 301 https://$host$request_uri;
}}
"""
    stock = Stock(room, site)
    (stock.www / "index.html").write_text("secure\n")
    proxy = stock.start(start, listeners=3)
    assert "http2" in proxy.stderr.text()
    to = ["--cacert", authority.certificate, "--resolve", f"site.example:{port}:127.0.0.1"]
    for version in (("--tls-max", "1.2"), ("--tlsv1.3",)):
        status, _, body = fetch(*to, *version, f"https://site.example:{port}/")
        assert (status, body) == ("HTTP/1.1 200 OK", "secure\n")
    status, fields, _ = fetch("-H", "Host: site.example", f"http://127.0.0.1:{stock.port}/x?y")
    assert (status, fields["location"]) == ("HTTP/1.1 301 Moved Permanently", "https://site.example/x?y")


@pytest.mark.parametrize("line", ["http2 on;", ""])
def test_http2_is_warned_of_and_http_1_1_served(room, start, authority, line):
    certificate, key = authority.leaf("site.example")
    port = free_port()
    parameter = "" if line else " http2"
    proxy = start(f"server {{ listen 127.0.0.1:{port} ssl{parameter}; {line} ssl_certificate {certificate}; "
                  f"ssl_certificate_key {key}; return 200 $server_protocol; }}", listeners=1)
    assert "HTTP/2" in proxy.stderr.text() or "http2" in proxy.stderr.text()
    status, _, body = fetch("--http2", "--cacert", authority.certificate, "--resolve", f"site.example:{port}:127.0.0.1",
                            f"https://site.example:{port}/")
    assert (status, body) == ("HTTP/1.1 200 OK", "HTTP/1.1")


@pytest.mark.parametrize("name", ["fastcgi_param", "uwsgi_param", "scgi_param"])
@pytest.mark.parametrize("rest, said", [("A", "invalid number of arguments"), ("A b maybe", 'invalid parameter "maybe"')])
def test_a_parameter_that_is_malformed_is_refused(room, name, rest, said):
    (room / "c.conf").write_text(f"server {{ listen 127.0.0.1:0; {name} {rest}; }}\n")
    done = run("-t", "-c", room / "c.conf", "-p", room)
    assert done.returncode == 1 and said in done.stderr, done.stderr
