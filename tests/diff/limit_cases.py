"""Limits and the status page. A request that is passed on to the server itself is in progress while the second one comes.
What the page says of connections is in tests/e2e/test_stub_status.py: here nginx has one more, which waited for its start."""
from cases import add, get, setup
from support.wire import request as req

limits = setup("limits", """
limit_conn_zone $arg_k zone=k:1m;
limit_conn_zone $arg_other zone=other:1m;
limit_conn_status 504;
proxy_http_version 1.0;
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    limit_conn k 1;
    add_header X-Limit $limit_conn_status always;
    error_page 418 /page.html;
    location /one/ { proxy_pass http://@LISTEN@/; }
    location /status/ { limit_conn_status 429; proxy_pass http://@LISTEN@/dir/; }
    location /dir/ { limit_conn_status 429; }
    location /two { limit_conn k 2; proxy_pass http://@LISTEN@/two-inner; }
    location /two-inner { limit_conn k 2; return 200 inner; }
    location /other/ { limit_conn other 1; proxy_pass http://@LISTEN@/both/; }
    location /both/ { limit_conn k 1; limit_conn other 1; alias @ROOT@/; }
    location /dry/ { limit_conn_dry_run on; proxy_pass http://@LISTEN@/dry-inner/; }
    location /dry-inner/ { limit_conn_dry_run on; alias @ROOT@/; }
    location /page/ { error_page 404 /file.txt; }
    location /status-page { limit_conn other 1; stub_status; }
}
""")
for name, target in {
    "none": "/file.txt", "counted": "/file.txt?k=1", "empty": "/file.txt?k=", "error-page": "/page/none?k=1",
    "not-found": "/none?k=1",
}.items():
    get(limits, name, target)
for name, target in {
    "refused": "/one/file.txt?k=1", "not-counted-twice": "/one/file.txt", "own-status": "/status/x.txt?k=1",
    "two-of-two": "/two?k=1", "another-zone": "/other/file.txt?other=1", "second-of-two": "/other/file.txt?other=1&k=1",
    "dry": "/dry/file.txt?k=1",
}.items():
    add(limits, name, req("GET", target, "a"), "GET", lines=2)
add(limits, "head", req("HEAD", "/one/file.txt?k=1", "a"), "HEAD", lines=2)
get(limits, "status-head", "/status-page", method="HEAD")
get(limits, "status-post", "/status-page", method="POST", body=b"x=1")
get(limits, "status-put", "/status-page", method="PUT", body=b"x=1")

# limit_req: at one request a minute no pause of a test lets another one in

requests = setup("requests", """
limit_req_zone $arg_k zone=minute:1m rate=1r/m;
limit_req_zone $arg_k zone=fast:1m rate=100r/s;
limit_req_zone $arg_b zone=other:1m rate=1r/m;
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    add_header X-Limit $limit_req_status always;
    location / { limit_req zone=minute; }
    location /status/ { limit_req zone=minute; limit_req_status 429; alias @ROOT@/; }
    location /burst/ { limit_req zone=minute burst=2 nodelay; alias @ROOT@/; }
    location /delay/ { limit_req zone=minute burst=3 delay=3; alias @ROOT@/; }
    location /wait/ { limit_req zone=fast burst=5; alias @ROOT@/; }
    location /two/ { limit_req zone=minute burst=1 nodelay; limit_req zone=other; alias @ROOT@/; }
    location /dry/ { limit_req zone=minute; limit_req_dry_run on; alias @ROOT@/; }
    location /page/ { limit_req zone=minute; error_page 404 /file.txt; }
    location /both/ { limit_req zone=minute; limit_req zone=fast burst=5 nodelay; alias @ROOT@/; }
}
""")
for name, targets in {
    "plain": ("/file.txt?k=1", "/file.txt?k=1", "/file.txt?k=2", "/file.txt?k="),
    "own-status": ("/status/file.txt?k=3", "/status/file.txt?k=3"),
    "burst": ("/burst/file.txt?k=4",) * 5,
    "delay": ("/delay/file.txt?k=5",) * 5,
    "two": ("/two/file.txt?k=7&b=1", "/two/file.txt?k=7&b=1", "/two/file.txt?k=7&b=2", "/two/file.txt?k=7&b=3"),
    "dry": ("/dry/file.txt?k=8",) * 3,
    "error-page": ("/page/none?k=9", "/page/none?k=9"),
    "both": ("/both/file.txt?k=10", "/both/file.txt?k=10", "/both/file.txt?k=11"),
}.items():
    add(requests, name, b"".join(req("GET", target, "a") for target in targets), *["GET"] * len(targets))
