"""`proxy_pass` with variables, `proxy_redirect`, `proxy_set_header Connection`, `proxy_pass_header`, and small answers of
our own: what a location makes of its head."""
from cases import BAD, add, get, setup
from support.wire import request as req

# own answers

own = setup("own-answers", """
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    default_type text/x-own;
    error_page 405 =200 $uri;
    location /204/ { return 204; }
    location /204-text/ { return 204 "text"; }
    location /204-typed/ { default_type text/plain; add_header Content-Length 0; return 204; }
    location /cors/ {
        if ($request_method = OPTIONS) {
            add_header Access-Control-Allow-Origin *;
            add_header Content-Type "text/plain; charset=utf-8";
            add_header Content-Length 0;
            return 204;
        }
        return 200 "x";
    }
    location /304/ { return 304; }
    location /typed/ { add_header Content-Type text/mine; return 200 "x"; }
    location /no-type/ { default_type ""; return 204; }
}
""")
for path in ("204/", "204-text/", "204-typed/", "cors/", "304/", "typed/", "no-type/", "204/x.html"):
    get(own, path, "/" + path)
get(own, "preflight", "/cors/", "Origin: http://b", "Access-Control-Request-Method: PUT", method="OPTIONS")
get(own, "204-head", "/204/", method="HEAD")
get(own, "204-1.0", "/204/", version="1.0")
get(own, "trace", "/file.txt", method="TRACE")
get(own, "post-of-a-file", "/file.txt", method="POST", body=b"x")

# upstream fields

BAD.update({
    "/no-server": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/server": (b"HTTP/1.1 200 OK\r\nServer: theirs\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok",
                "keep"),
    "/typed-204": (b"HTTP/1.1 204 No Content\r\nContent-Type: text/x\r\n\r\n", "keep"),
})
passed = setup("pass-header", """
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    location / { proxy_pass http://@BAD@; }
    location /both/ { proxy_pass_header Server; proxy_pass_header Date; proxy_pass http://@BAD@/; }
    location /server/ { proxy_pass_header server; proxy_pass http://@BAD@/; }
}
""")
for place in ("/", "/both/", "/server/"):
    for target in ("no-server", "server", "typed-204"):
        get(passed, place + target, place + target)
get(passed, "head", "/both/no-server", method="HEAD")

# proxy_pass with variables

varied = setup("proxy-variables", r"""
proxy_http_version 1.1;
proxy_set_header Connection "";
resolver 127.0.0.1:9 ipv6=off;
resolver_timeout 300ms;
upstream group { server @ORIGIN@; }
server {
    listen @LISTEN@;
    server_name a;
    set $where @ORIGIN@;
    set $name group;
    set $prefix http;
    location /plain/ { proxy_pass http://$where; }
    location /slash/ { proxy_pass http://$where/; }
    location /fixed/ { proxy_pass http://$where/fix; }
    location /args/ { proxy_pass http://$where/fix$is_args$args; }
    location /only-args/ { proxy_pass http://$where?x=$arg_x; }
    location /uri/ { proxy_pass http://$where$request_uri; }
    location /group/ { proxy_pass http://$name; }
    location /group-uri/ { proxy_pass http://$name/new?$args; }
    location /GROUP/ { set $name GROUP; proxy_pass http://$name; }
    location /whole/ { set $all http://@ORIGIN@/whole; proxy_pass $all; }
    location /scheme/ { proxy_pass $scheme://$where; }
    location /upper/ { proxy_pass HTTP://$where; }
    location /no-scheme/ { proxy_pass $where; }
    location /empty/ { proxy_pass http://$arg_none; }
    location /unset/ { proxy_pass $arg_none; }
    location /no-port/ { proxy_pass http://$where:; }
    location /bad-port/ { proxy_pass http://127.0.0.1:$arg_port/; }
    location /bad-host/ { proxy_pass http://$arg_host/; }
    location /down/ { set $down @DOWN@; proxy_pass http://$down; }
    location /named/ { error_page 418 @named; return 418; }
    location @named { proxy_pass http://$where/from-name; }
    location = /exact { proxy_pass http://$where/e; }
    location ~ ^/re/(?<rest>.*)$ { proxy_pass http://$where/new/$rest; }
    location ~ ^/number/(.*)$ { proxy_pass http://$where/n/$1$is_args$args; }
    location /rewritten/ { rewrite ^/rewritten/(.*)$ /turned/$1 break; proxy_pass http://$where; }
    location /rewritten-uri/ { rewrite ^ /turned break; proxy_pass http://$where/zz; }
    location /hosts/ { proxy_set_header Connection ""; proxy_set_header X-H "$proxy_host|$proxy_port"; proxy_pass http://$where/; }
    location /group-hosts/ { proxy_set_header Connection ""; proxy_set_header X-H "$proxy_host|$proxy_port"; proxy_pass http://$name; }
    location /if/ { if ($arg_go) { proxy_pass http://$where/yes; } proxy_pass http://$where/no; }
    location /redirect/ { proxy_redirect http://@BAD@/ /mine/; set $bad @BAD@; proxy_pass http://$bad/location; }
    location /redirect-none/ { set $bad @BAD@; proxy_pass http://$bad/location; }
    location /silent/ { set $n nobody.example; proxy_pass http://$n; }
}
""")
for target in ("/plain/x%20y//z/../w?a=%41", "/slash/x?y=1", "/fixed/x?y=1", "/args/x?y=1", "/args/x", "/only-args/z?x=5",
               "/uri/x%20y?z=1", "/group/x?y", "/group-uri/x?y=1", "/GROUP/x", "/whole/y?z", "/scheme/x", "/upper/x",
               "/no-scheme/x", "/empty/x", "/unset/x", "/no-port/x", "/bad-port/x?port=0", "/bad-port/x?port=99999",
               "/bad-port/x?port=a", "/bad-host/x?host=a..b", "/bad-host/x?host=a@b",
               "/bad-host/x?host=127.0.0.1:", "/bad-host/x?host=", "/bad-host/x?host=[::1", "/bad-host/x?host=127.0.0.1:0", "/down/x", "/named/x", "/exact?q=1",
               "/re/a/b?x=1", "/number/a?x=1", "/rewritten/a%20b?x=1", "/rewritten-uri/x", "/hosts/x", "/group-hosts/x",
               "/if/x", "/if/x?go=1", "/redirect/x", "/redirect-none/x", "/silent/x", "/plain", "/slash?x"):
    get(varied, target, target)
get(varied, "post", "/plain/x", method="POST", body=b"abc")
get(varied, "head", "/plain/x", method="HEAD")

# proxy_redirect

BAD.update({
    "/refresh": (b"HTTP/1.1 200 OK\r\nRefresh: 5; url=http://@BAD@/r?x\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/refresh-plain": (b"HTTP/1.1 200 OK\r\nRefresh: 5\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/refresh-upper": (b"HTTP/1.1 200 OK\r\nRefresh: 0;URL=http://@BAD@/r\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/created": (b"HTTP/1.1 201 Created\r\nLocation: http://inner.example:8080/new/7\r\nContent-Length: 0\r\n\r\n", "keep"),
})
redirects = setup("proxy-redirect", r"""
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    server_name a;
    location /default/ { proxy_pass http://@BAD@/; proxy_redirect default; }
    location /off/ { proxy_redirect off; proxy_pass http://@BAD@/; }
    location /url/ { proxy_redirect http://@BAD@/ https://outer.example/; proxy_pass http://@BAD@/; }
    location /path/ { proxy_redirect http://@BAD@/ /; proxy_pass http://@BAD@/; }
    location /root/ { proxy_redirect / /root/; proxy_pass http://@BAD@/; }
    location /empty/ { proxy_redirect http://@BAD@/ ""; proxy_pass http://@BAD@/; }
    location /all/ { proxy_redirect "" http://all.example/; proxy_pass http://@BAD@/; }
    location /variables/ { proxy_redirect http://$proxy_host/ $scheme://$host:$server_port/v/; proxy_pass http://@BAD@/; }
    location /several/ {
        proxy_redirect http://none.example/ /none/;
        proxy_redirect http://inner.example:8080/ http://outer.example/;
        proxy_pass http://@BAD@/;
        proxy_redirect default;
        proxy_redirect http://@BAD@/ /too-late/;
    }
    location /re/ { proxy_redirect ~^http://[^/]+/(.*)$ /re-$1; proxy_pass http://@BAD@/; }
    location /re-caseless/ { proxy_redirect ~*ELSE(?<w>.*)$ http://w.example/$w; proxy_pass http://@BAD@/; }
    location /re-none/ { proxy_redirect ~nothing /x; proxy_pass http://@BAD@/; }
    location /relative/ { absolute_redirect off; proxy_redirect http://@BAD@/ /rel/; proxy_pass http://@BAD@/; }
    location /uri/ { proxy_pass http://@BAD@/loc; }
    location /inherited/ { proxy_redirect http://@BAD@/ /outer/; location /inherited/in/ { proxy_pass http://@BAD@/; } }
}
""")
for place in ("default", "off", "url", "path", "root", "empty", "all", "variables", "several", "re", "re-caseless", "re-none",
              "relative"):
    for target in ("location", "location-other", "location-relative", "refresh", "refresh-plain", "refresh-upper", "created"):
        get(redirects, f"{place}-{target}", f"/{place}/{target}")
get(redirects, "uri", "/uri/ation")
get(redirects, "inherited", "/inherited/in/location")

# Connection

told = setup("proxy-connection", """
proxy_http_version 1.1;
server {
    listen @LISTEN@;
    location /http/ { proxy_set_header Connection $http_connection; proxy_pass http://@ORIGIN@; }
    location /keep/ { proxy_set_header Connection keep-alive; proxy_pass http://@ORIGIN@; }
    location /close/ { proxy_set_header Connection close; proxy_pass http://@ORIGIN@; }
    location /empty/ { proxy_set_header Connection ""; proxy_pass http://@ORIGIN@; }
    location /arg/ { proxy_set_header Connection $arg_c; proxy_pass http://@ORIGIN@; }
    location /old/ { proxy_http_version 1.0; proxy_set_header Connection keep-alive; proxy_pass http://@ORIGIN@; }
    location /old-http/ { proxy_http_version 1.0; proxy_set_header Connection $http_connection; proxy_pass http://@ORIGIN@; }
}
""")
for place in ("http", "keep", "close", "empty", "arg", "old", "old-http"):
    get(told, f"{place}-none", f"/{place}/x")
    get(told, f"{place}-keep-alive", f"/{place}/x?c=keep-alive", "Connection: keep-alive")
    get(told, f"{place}-close", f"/{place}/x?c=close", "Connection: close")
get(told, "http-nominates", "/http/x", "Connection: keep-alive, X-Real-IP", "X-Real-IP: 1")
get(told, "arg-split", "/arg/x?c=close%0d%0aX-Evil:1")
