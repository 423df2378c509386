"""Internal redirects, and where files come from: `error_page` in every form for every source of an error, `try_files`,
`alias`, `autoindex`, `X-Accel-Redirect`. The files are those of pair.py's `make_files`."""
from cases import BAD, add, get, setup
from support.wire import request as req

# error_page: each form with each source of an error

FORMS = {
    "page": "@CODE@ /err/page.txt",
    "args": "@CODE@ /err/echo?from=$uri",
    "own-status": "@CODE@ = /err/page.txt",
    "own-status-text": "@CODE@ = /err/created",
    "200": "@CODE@ =200 /err/page.txt",
    "204": "@CODE@ =204 /err/page.txt",
    "418": "@CODE@ =418 /err/echo",
    "named": "@CODE@ @fallback",
    "named-own": "@CODE@ = @fallback",
    "named-proxied": "@CODE@ =203 @proxied",
    "named-missing": "@CODE@ @nowhere",
    "url": "@CODE@ http://other.example$uri?x=$args",
    "url-301": "@CODE@ =301 https://other.example/",
    "url-not-a-redirect": "@CODE@ =404 https://other.example/",
    "fails-itself": "@CODE@ /err/none.txt",
    "variable": "@CODE@ /err/$host.txt",
    "redirects": "@CODE@ /err/redirect",
    "refused": "@CODE@ /err/refused",
    "proxied": "@CODE@ /err/up/x",
    "other-code": "417 418 /err/page.txt",
    "second-line": "410 /err/echo; error_page 410 @CODE@ /err/page.txt; error_page @CODE@ /err/echo",
    "folder": "@CODE@ /err/",
    "internal": "@CODE@ /err/internal",
}

SOURCES = {
    # name: (status, what stands in the location, what is asked there, how)
    "return": (404, "return 404;", "x", {}),
    "return-redirect": (302, "return 302 /somewhere;", "x?a=b", {}),
    "missing": (404, "root @ROOT@;", "none.txt", {}),
    "denied": (403, "deny all;", "x", {}),
    "no-index": (403, "alias @ROOT@/dir/;", "", {}),
    "method": (405, "alias @ROOT@/;", "file.txt", {"method": "DELETE"}),
    "folder": (301, "alias @ROOT@/;", "dir", {}),
    "range": (416, "alias @ROOT@/;", "file.txt", {"fields": ("Range: bytes=100-",)}),
    "precondition": (412, "alias @ROOT@/;", "file.txt", {"fields": ('If-Match: "x"',)}),
    "dead": (502, "proxy_pass http://@DOWN@;", "x", {}),
    "upstream": (500, "proxy_pass http://@BAD@/error; proxy_intercept_errors on;", "", {}),
    "head": (404, "return 404;", "x", {"method": "HEAD"}),
    "post": (404, "return 404;", "x", {"method": "POST", "body": b"abc"}),
    "unintercepted": (500, "proxy_pass http://@BAD@/error;", "", {}),
}

pages = setup("error-page", """
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    location @fallback { return 200 "fallback $request_method $uri\\n"; }
    location @proxied { proxy_pass http://@ORIGIN@; }
    location = /err/echo { return 200 "echo $request_method $uri $args\\n"; }
    location = /err/created { return 201 "made\\n"; }
    location = /err/redirect { return 307 /elsewhere; }
    location = /err/refused { deny all; }
    location = /err/internal { internal; return 200 "internal\\n"; }
    location /err/up/ { proxy_pass http://@ORIGIN@; }
    @LOCATIONS@
}
""".replace("@LOCATIONS@", "\n    ".join(
    f"location /{source}/{form}/ {{ {text} error_page {line.replace('@CODE@', str(code))}; }}"
    for source, (code, text, _, _) in SOURCES.items() for form, line in FORMS.items())))
for _source, (_, _, _path, _how) in SOURCES.items():
    for _form in FORMS:
        get(pages, f"{_source}-{_form}", f"/{_source}/{_form}/{_path}", *_how.get("fields", ()),
            method=_how.get("method", "GET"), body=_how.get("body"))

# a second turn, and none

BAD.update({
    "/e401": (b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nX-A: b\r\nContent-Length: 2\r\n\r\nno", "keep"),
    "/e404": (b"HTTP/1.1 404 No\r\nX-A: b\r\nContent-Length: 2\r\n\r\nno", "keep"),
    "/e302": (b"HTTP/1.1 302 F\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", "keep"),
    "/e503": (b"HTTP/1.1 503 No\r\nRetry-After: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "keep"),
})
turns = setup("error-turns", """
proxy_http_version 1.1;
proxy_set_header Connection "";
error_page 403 /outer;
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    error_page 404 /of-the-server;
    location = /outer { return 200 "outer\\n"; }
    location = /of-the-server { return 200 "server $request_uri\\n"; }
    location /inherits/ { return 404; }
    location /replaced/ { error_page 500 /x; return 404; }
    location /replaced-403/ { error_page 500 /x; return 403; }
    location /once/ { error_page 404 /again; return 404; }
    location = /again { error_page 404 /of-the-server; return 404; }
    location /recursive/ { recursive_error_pages on; error_page 404 /again-recursive; return 404; }
    location = /again-recursive { recursive_error_pages on; error_page 404 = /of-the-server; return 404; }
    location /loop { recursive_error_pages on; error_page 404 /loop; return 404; }
    location /named-loop { error_page 404 @loop; recursive_error_pages on; return 404; }
    location @loop { recursive_error_pages on; error_page 500 @loop; return 500; }
    location /intercepted/ { proxy_intercept_errors on; proxy_pass http://@BAD@/; error_page 401 404 503 /of-the-server;
        error_page 302 = @follow; }
    location @follow { return 200 "$upstream_http_location $upstream_status\\n"; }
    location /not-intercepted/ { proxy_pass http://@BAD@/; error_page 401 404 503 /of-the-server; }
    location /page-fails/ { proxy_intercept_errors on; error_page 404 /intercepted-page; return 404; }
    location = /intercepted-page { proxy_intercept_errors on; proxy_pass http://@BAD@/error; error_page 500 /of-the-server; }
    location /too-large/ { client_max_body_size 2; error_page 413 /of-the-server; proxy_pass http://@ORIGIN@; }
    location /too-large-named/ { client_max_body_size 2; error_page 413 = @large; proxy_pass http://@ORIGIN@; }
    location @large { return 200 "too large\\n"; }
    location /retried/ { error_page 502 = @retry; proxy_pass http://@DOWN@; }
    location @retry { proxy_pass http://@ORIGIN@; }
    location /retried-path/ { error_page 502 = /retry/$uri; proxy_pass http://@DOWN@; }
    location /retry/ { proxy_pass http://@ORIGIN@/base/; }
    location /headers/ { add_header X-Own own; add_header X-Always always always; error_page 404 /headers-page; return 404; }
    location = /headers-page { add_header X-Page page; add_header X-Page-Always always always; return 200 "h\\n"; }
    location /no-match/ { error_page 405 /x; return 404; }
    location /text/ { error_page 404 /of-the-server; return 404 "text\\n"; }
    location /status/ { error_page 404 =503 /status-page; return 404; }
    location = /status-page { return 200 "status $status\\n"; }
}
""")
for target in ("/inherits/x", "/replaced/x", "/replaced-403/x", "/once/x", "/recursive/x", "/loop", "/named-loop",
               "/intercepted/e401", "/intercepted/e404", "/intercepted/e302", "/intercepted/e503", "/intercepted/ok",
               "/not-intercepted/e401", "/not-intercepted/e404", "/page-fails/x", "/headers/x", "/no-match/x", "/text/x",
               "/status/x", "/retried/x%20y?q=%41", "/retried-path/x%20y?q=%41", "/again", "/outer", "/none"):
    get(turns, target, target)
get(turns, "too-large", "/too-large/x", method="POST", body=b"abc")
get(turns, "too-large-named", "/too-large-named/x", method="POST", body=b"abc")
get(turns, "retried-post", "/retried/x", method="POST", body=b"abc")
get(turns, "head-intercepted", "/intercepted/e404", method="HEAD")
add(turns, "kept", req("GET", "/once/x", "a") + req("GET", "/status/x", "a") + req("GET", "/outer", "a"), "GET", "GET", "GET")

# what is refused before there is a location

for _name, _form in {"page": "/err/page.txt", "own-status": "= /err/page.txt", "named": "@fallback",
                     "text": "/err/echo", "url": "http://other.example/"}.items():
    early = setup(f"error-early-{_name}", """
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    error_page 400 414 494 501 @FORM@;
    location @fallback { return 200 "fallback\\n"; }
    location = /err/echo { return 200 "echo $request_method $uri\\n"; }
}
""".replace("@FORM@", _form))
    add(early, "no-host", b"GET / HTTP/1.1\r\n\r\n", "GET")
    add(early, "bad-path", req("GET", "/%zz", "a"), "GET")
    add(early, "coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", "POST")
    add(early, "long-field", req("GET", "/", "a", "X: " + "x" * 9000), "GET")

# try_files

tried = setup("try-files", """
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    location / { try_files $uri $uri/ /fallback?from=$uri&$args; }
    location = /fallback { return 200 "fallback $request_method $uri $args\\n"; }
    location /404/ { try_files $uri =404; }
    location /204/ { try_files $uri =204; }
    location /403/ { error_page 403 /fallback; try_files $uri =403; }
    location /named/ { try_files $uri @named; }
    location @named { return 200 "named $uri $args\\n"; }
    location /up/ { try_files $uri @up; }
    location @up { proxy_pass http://@ORIGIN@; }
    location /nowhere/ { try_files $uri @nowhere; }
    location /literal/ { try_files /file.txt /none.txt =404; }
    location /folder/ { try_files /dir/ =404; }
    location /folder-index/ { try_files /listed/ =404; }
    location /file-as-folder/ { try_files /file.txt/ =404; }
    location /folder-as-file/ { try_files /dir =404; }
    location /html { try_files $uri.html $uri =404; }
    location /arg/ { try_files /$arg_f =404; }
    location /bare/ { try_files $arg_f =404; }
    location /no-slash/ { try_files $uri file.txt; }
    location /loop { try_files /nothing /loop; }
    location /passed/ { try_files $uri /file.txt =404; proxy_pass http://@ORIGIN@; }
    location /alias/ { alias @ROOT@/dir/; try_files $uri /x.txt =404; }
    location /alias-literal/ { alias @ROOT@/dir/; try_files x.txt =404; }
    location ~ ^/regex/(.*)$ { alias @ROOT@/dir/; try_files $1 x.txt =404; }
    location /outer/ { try_files /file.txt =404; location /outer/inner/ { } }
    location ~ \\.php$ { try_files $uri =404; return 405; }
    location /fifo { try_files $uri =404; }
    location /secret { try_files $uri.txt =404; }
    location /link { try_files $uri.txt =404; }
    location /types/ { types { application/x-x txt; } try_files /file.txt =404; }
}
server {
    listen @LISTEN@;
    server_name plain;
    root @ROOT@;
    try_files /file.txt =404;
    location /own/ { }
    location /x/ { try_files $uri =404; }
}
""")
for target in ("/file.txt", "/dir", "/dir/", "/listed/", "/none", "/none?a=b", "/a%20b.txt", "/q%3Fm.txt", "/404/x", "/204/x",
               "/403/x", "/named/x?y", "/up/x%20y?z", "/nowhere/x", "/literal/x", "/folder/x", "/folder-index/x",
               "/file-as-folder/x", "/folder-as-file/x", "/html", "/html/page", "/arg/?f=file.txt", "/arg/?f=none",
               "/arg/?f=../../etc/passwd", "/arg/?f=dir/../file.txt", "/bare/?f=/file.txt", "/bare/?f=/../../etc/passwd",
               "/bare/?f=", "/no-slash/x", "/loop", "/passed/x", "/alias/x.txt", "/alias/none", "/alias-literal/q",
               "/regex/x.txt", "/regex/none", "/outer/inner/x", "/outer/x", "/x.php", "/file.txt/", "/secret", "/link",
               "/types/x", "/dir/%2e%2e/file.txt", "/linkdir", "/linkdir/x.txt"):
    get(tried, target, target)
for method in ("HEAD", "POST", "DELETE"):
    get(tried, f"{method}-file", "/file.txt", method=method)
    get(tried, f"{method}-none", "/none", method=method)
for target in ("/", "/anything", "/own/x", "/x/none"):
    get(tried, f"plain-{target}", target, host="plain")

# alias, root, their variables

aliased = setup("alias", """
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    index index.html;
    location /a/ { alias @ROOT@/dir/; }
    location /b { alias @ROOT@/dir; }
    location /c/ { alias @ROOT@/; }
    location = /one { alias @ROOT@/file.txt; default_type text/one; }
    location /i/ { alias @ROOT@/listed/; }
    location ~ ^/r/(.*)$ { alias @ROOT@/dir/$1; }
    location ~ ^/rn/(?<name>[a-z]+)$ { alias @ROOT@/$name.txt; }
    location ~ ^/fixed { alias @ROOT@/file.txt; }
    location /v/ { alias @ROOT@/$arg_d/; }
    location /root/ { root @ROOT@/$arg_d; }
    location /etag/ { alias @ROOT@/; etag off; }
    location /ranges/ { alias @ROOT@/; max_ranges 0; }
    location /one-range/ { alias @ROOT@/; max_ranges 1; }
    location /since-off/ { alias @ROOT@/; if_modified_since off; }
    location /since-before/ { alias @ROOT@/; if_modified_since before; }
    location /links-off/ { alias @ROOT@/; disable_symlinks on from=@ROOT@; }
    location /links-owner/ { alias @ROOT@/; disable_symlinks if_not_owner from=@ROOT@; }
    location /links-none/ { alias @ROOT@/; disable_symlinks off; }
    location /index-slash/ { alias @ROOT@/dir/; index none.html /file.txt; }
    location /index-var/ { alias @ROOT@/; index $arg_i.txt none $arg_j; }
    location /outer/ { alias @ROOT@/dir/; location /outer/inner/ { } }
    location /vars/a/ { alias @ROOT@/dir/; return 200 "$document_root $realpath_root $request_filename\\n"; }
    location /vars/b { return 200 "$document_root $realpath_root $request_filename\\n"; }
    location ~ ^/vars-r/(.*) { alias @ROOT@/x/$1; return 200 "$document_root $request_filename\\n"; }
    location /vars-links/ { root @ROOT@/linkdir; return 200 "$document_root $realpath_root $request_filename\\n"; }
    location /vars-none/ { root @ROOT@/nothing/; return 200 "$document_root $realpath_root.\\n"; }
}
""")
for target in ("/a/x.txt", "/a/", "/a", "/a/none", "/b/x.txt", "/b/", "/b", "/bx", "/c/file.txt", "/c/dir", "/c/listed/",
               "/one", "/i/", "/r/x.txt", "/r/none", "/r/", "/rn/file", "/fixed", "/fixed/more", "/v/x.txt?d=dir",
               "/v/x.txt", "/v/x?d=../../etc", "/root/x?d=../..", "/etag/file.txt", "/ranges/digits.txt",
               "/links-off/link.txt", "/links-off/file.txt", "/links-off/linkdir/x.txt", "/links-owner/link.txt",
               "/links-owner/linkdir/x.txt", "/links-none/link.txt", "/index-slash/", "/index-var/?i=file",
               "/index-var/?j=digits.txt", "/index-var/", "/outer/inner/x.txt", "/vars/a/x.txt", "/vars/b/c/d%20e",
               "/vars-r/q", "/vars-links/x", "/vars-none/x"):
    get(aliased, target, target)
get(aliased, "no-ranges", "/ranges/digits.txt", "Range: bytes=2-4")
get(aliased, "one-range", "/one-range/digits.txt", "Range: bytes=2-4")
get(aliased, "two-ranges-of-one", "/one-range/digits.txt", "Range: bytes=2-4,6-7")
get(aliased, "etag-off-match", "/etag/digits.txt", "If-None-Match: @ETAG:digits.txt@")
for _rule in ("off", "before"):
    get(aliased, f"since-{_rule}-equal", f"/since-{_rule}/digits.txt", "If-Modified-Since: @DATE@")
    get(aliased, f"since-{_rule}-later", f"/since-{_rule}/digits.txt", "If-Modified-Since: Sun, 13 Sep 2026 12:26:40 GMT")
    get(aliased, f"since-{_rule}-earlier", f"/since-{_rule}/digits.txt", "If-Modified-Since: Sun, 13 Sep 2015 12:26:40 GMT")

# autoindex

lists = setup("autoindex", """
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@/names;
    autoindex on;
    location /off/ { alias @ROOT@/names/; autoindex off; }
    location /short/ { alias @ROOT@/names/; autoindex_exact_size off; }
    location /local/ { alias @ROOT@/names/; autoindex_localtime on; }
    location /xml/ { alias @ROOT@/names/; autoindex_format xml; }
    location /json/ { alias @ROOT@/names/; autoindex_format json; }
    location /jsonp/ { alias @ROOT@/names/; autoindex_format jsonp; }
    location /json-empty/ { alias @ROOT@/names/none/; autoindex_format json; }
    location /jsonp-empty/ { alias @ROOT@/names/none/; autoindex_format jsonp; }
    location /xml-empty/ { alias @ROOT@/names/none/; autoindex_format xml; }
    location /missing/ { alias @ROOT@/names/missing/; }
    location /with-index/ { alias @ROOT@/listed/; }
}
""")
for target in ("/", "/none/", "/none", "/off/", "/short/", "/local/", "/xml/", "/json/", "/jsonp/", "/jsonp/?callback=f",
               "/jsonp/?callback=a.b_1", "/jsonp/?callback=a(b", "/jsonp/?callback=", "/jsonp/?callback=%41",
               "/jsonp/?callback=" + "c" * 129, "/json-empty/", "/jsonp-empty/?callback=f", "/xml-empty/", "/missing/",
               "/with-index/", "/folder%20of%20names/"):
    get(lists, target[:40], target)
get(lists, "head", "/", method="HEAD")
get(lists, "post", "/", method="POST", body=b"x")
get(lists, "http-1.0", "/", version="1.0")

# X-Accel-Redirect

KEPT = (b"Content-Type: text/kept\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Disposition: attachment\r\nCache-Control: "
        b"no-store\r\nExpires: Thu, 01 Jan 1970 00:00:01 GMT\r\nX-Other: other\r\nLast-Modified: Thu, 01 Jan 1970 00:00:01 GMT\r\n")
TO = {"file": "/files/file.txt", "args": "/echo?x=1&y=%41", "named": "@named", "proxied": "/up/x%20y", "missing": "/files/none",
      "encoded": "/files/a%20b.txt", "up": "/files/../secret.txt", "encoded-up": "/files/%2e%2e/secret.txt", "nul": "/x%00",
      "url": "http://evil/", "relative": "files/file.txt", "nowhere": "@nowhere", "internal": "/internal", "loop": "/accel/loop",
      "folder": "/files/dir/", "error": "/teapot", "twice-decoded": "/files/%2566ile.txt", "empty-args": "/echo?"}
for _name, _to in TO.items():
    BAD[f"/accel-{_name}"] = (b"HTTP/1.1 201 Made\r\n" + KEPT + b"X-Accel-Redirect: " + _to.encode() +
                              b"\r\nContent-Length: 2\r\n\r\nok", "keep")
BAD["/accel-plain"] = (b"HTTP/1.1 404 No\r\nX-Accel-Redirect: /echo\r\nContent-Length: 2\r\n\r\nok", "keep")
accel = setup("accel", """
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    location /accel/ { proxy_pass http://@BAD@/accel-; }
    location /ignored/ { proxy_pass http://@BAD@/accel-; proxy_ignore_headers X-Accel-Redirect; }
    location /passed/ { proxy_pass http://@BAD@/accel-; proxy_ignore_headers X-Accel-Redirect;
        proxy_pass_header X-Accel-Redirect; }
    location /intercepted/ { proxy_pass http://@BAD@/accel-; proxy_intercept_errors on; error_page 404 /teapot; }
    location /files/ { internal; alias @ROOT@/; }
    location = /echo { return 200 "echo $request_method $uri $args $upstream_http_x_other\\n"; }
    location = /internal { internal; return 200 "internal\\n"; }
    location @named { return 200 "named $request_method $uri $args\\n"; }
    location /up/ { proxy_pass http://@ORIGIN@; }
    location = /teapot { return 418 "teapot\\n"; }
}
""")
for _name in TO:
    get(accel, _name, f"/accel/{_name}")
for _name in ("file", "named", "args"):
    get(accel, f"head-{_name}", f"/accel/{_name}", method="HEAD")
    get(accel, f"post-{_name}", f"/accel/{_name}", method="POST", body=b"abc")
for _name in ("ignored/file", "passed/file", "accel/plain", "intercepted/plain"):
    get(accel, _name, f"/{_name}")
get(accel, "range", "/accel/file", "Range: bytes=1-3")
get(accel, "direct", "/files/file.txt")
