"""What is compared: for each setup one configuration and many requests, byte for byte the same for both.

In a configuration stand @LISTEN@ (address and port), @ROOT@ (a folder of files), @ORIGIN@ (a good origin),
@BAD@ (one that answers by its table below), @DOWN@ (nothing listens there)."""
from dataclasses import dataclass, field

from support.wire import request as req


@dataclass
class Setup:
    name: str
    config: str
    cases: list = field(default_factory=list)
    log: bool = True  # access log lines are compared too


@dataclass
class Case:
    name: str
    data: bytes
    methods: tuple = ("GET",)  # one answer is read for each; () for: no answer, the connection is closed
    finish: bool = False  # FIN after the bytes
    lines: int = -1  # of the access log; -1: one for each answer


SETUPS = []


def setup(name, config, **options):
    SETUPS.append(Setup(name, config, **options))
    return SETUPS[-1]


def add(s, name, data, *methods, **options):
    s.cases.append(Case(f"{s.name}-{name}", data, methods or (data.split(b" ")[0].decode("latin-1"),), **options))


def silent(s, name, data, finish=True, lines=1):
    s.cases.append(Case(f"{s.name}-{name}", data, (), finish, lines))


def get(s, name, target, *fields, method="GET", host="a", version="1.1", body=None):
    add(s, name, req(method, target, host, *fields, version=version, body=body), method)


# static files

static = setup("static", """
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    location /types/ { types { text/html html; image/png png; application/x-thing thing; } default_type text/x-other; }
    location /notype/ { default_type ""; }
    location /listed/ { index first.html index.htm index.html; }
    location /absent/ { root @ROOT@/absent; }
    location /relative/ { absolute_redirect off; root @ROOT@; }
}
""")
for name, target in {
    "a-file": "/file.txt", "query": "/file.txt?a=1", "html": "/page.html", "unknown-type": "/data.zzz",
    "empty-file": "/empty.txt", "missing": "/none.txt", "missing-folder": "/none/", "not-a-folder": "/file.txt/",
    "index": "/", "index-in-a-folder": "/listed/", "no-index": "/dir/", "folder-without-slash": "/dir",
    "folder-without-slash-query": "/dir?x=1&y=%20", "folder-relative": "/relative", "name-with-space": "/a%20b.txt",
    "folder-with-space": "/sp%20ace", "encoded": "/%66ile.txt", "dots": "/dir/../file.txt", "dot": "/./file.txt",
    "encoded-dots": "/dir/%2e%2e/file.txt", "slashes": "//file.txt", "many-slashes": "/dir///x.txt",
    "above-root": "/../file.txt", "above-root-deep": "/dir/../../file.txt", "nul": "/file.txt%00", "bad-percent": "/%zz",
    "short-percent": "/%1", "question-mark-in-name": "/q%3Fm.txt", "unreadable": "/secret.txt",
    "type-of-a-block": "/types/x.thing", "default-of-a-block": "/types/x.zzz", "no-type": "/notype/x.zzz",
    "absent-root": "/absent/x", "dotfile": "/.hidden", "utf-8": "/%C3%A9.txt",
    "symlink-inside": "/link.txt", "symlink-folder": "/linkdir/x.txt", "long-name": "/" + "n" * 300,
    "case": "/FILE.txt", "fifo": "/fifo", "upper-extension": "/UP.HTML", "two-extensions": "/x.tar.gz",
    "semicolon": "/file.txt;a=b", "plus": "/a+b.txt", "trailing-dot-segment": "/dir/.", "trailing-dotdot": "/dir/..",
}.items():
    get(static, name, target)
get(static, "head", "/file.txt", method="HEAD")
get(static, "head-missing", "/none", method="HEAD")
get(static, "head-folder", "/dir", method="HEAD")
get(static, "post", "/file.txt", method="POST", body=b"x=1")
get(static, "post-missing", "/none.txt", method="POST", body=b"x=1")
get(static, "put", "/file.txt", method="PUT", body=b"x=1")
get(static, "delete", "/file.txt", method="DELETE")
get(static, "options", "/file.txt", method="OPTIONS")
get(static, "unknown-method", "/file.txt", method="BREW")
get(static, "http-1.0", "/file.txt", version="1.0")
get(static, "http-1.0-without-host", "/file.txt", version="1.0", host=None)
get(static, "http-1.0-keep-alive", "/file.txt", "Connection: keep-alive", version="1.0")
get(static, "close", "/file.txt", "Connection: close")
get(static, "connection-list-with-close", "/file.txt", "Connection: x, Close")
get(static, "redirect-1.0-without-host", "/dir", version="1.0", host=None)
get(static, "redirect-host-with-port", "/dir", host="b.example:81")

ranges = setup("range", "server { listen @LISTEN@; root @ROOT@; }")
for name, value in {
    "first": "bytes=0-0", "middle": "bytes=3-7", "open": "bytes=5-", "suffix": "bytes=-4", "suffix-too-long": "bytes=-999",
    "past-the-end": "bytes=100-", "end-past-the-end": "bytes=5-999", "reversed": "bytes=5-2", "suffix-zero": "bytes=-0",
    "letters": "bytes=a-b", "only-dash": "bytes=-", "empty": "bytes=", "other-unit": "items=0-1",
    "no-equals": "bytes 0-1", "upper-case": "BYTES=0-1", "spaces": "bytes= 0 - 1 ", "wraps": "bytes=18446744073709551615-",
    "wraps-end": "bytes=0-18446744073709551616", "huge-suffix": "bytes=-9223372036854775808",
    "trailing-comma": "bytes=0-1,", "one-of-two-is-past-the-end": "bytes=0-1,100-", "all": "bytes=0-",
}.items():
    get(ranges, name, "/digits.txt", f"Range: {value}")
get(ranges, "head", "/digits.txt", "Range: bytes=1-2", method="HEAD")
get(ranges, "empty-file", "/empty.txt", "Range: bytes=0-0")
get(ranges, "if-range-other-etag", "/digits.txt", "Range: bytes=0-1", 'If-Range: "other"')
get(ranges, "if-range-weak-etag", "/digits.txt", "Range: bytes=0-1", 'If-Range: W/"@ETAG@"')
get(ranges, "if-range-etag", "/digits.txt", "Range: bytes=0-1", "If-Range: @ETAG:digits.txt@")
get(ranges, "if-range-date", "/digits.txt", "Range: bytes=0-1", "If-Range: @DATE@")
get(ranges, "if-range-other-date", "/digits.txt", "Range: bytes=0-1", "If-Range: Thu, 01 Jan 1970 00:00:00 GMT")
get(ranges, "if-range-malformed", "/digits.txt", "Range: bytes=0-1", "If-Range: soon")
get(ranges, "of-an-error", "/none.txt", "Range: bytes=0-1")

conditional = setup("conditional", "server { listen @LISTEN@; root @ROOT@; add_header X-A always; }")
for name, fields in {
    "since-equal": ("If-Modified-Since: @DATE@",), "since-later": ("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",),
    "since-earlier": ("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",), "since-nonsense": ("If-Modified-Since: x",),
    "since-empty": ("If-Modified-Since: ",), "since-rfc850": ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT",),
    "none-match": ("If-None-Match: @ETAG:digits.txt@",), "none-match-weak": ("If-None-Match: W/@ETAG:digits.txt@",),
    "none-match-other": ('If-None-Match: "other"',), "none-match-list": ('If-None-Match: "a", @ETAG:digits.txt@, "b"',),
    "none-match-star": ("If-None-Match: *",), "none-match-open-quote": ('If-None-Match: "open',),
    "none-match-only-w": ("If-None-Match: W/",),
    "both-hold": ("If-None-Match: @ETAG:digits.txt@", "If-Modified-Since: @DATE@"),
    "only-etag-holds": ("If-None-Match: @ETAG:digits.txt@", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"),
    "only-date-holds": ('If-None-Match: "other"', "If-Modified-Since: @DATE@"),
    "match": ("If-Match: @ETAG:digits.txt@",), "match-other": ('If-Match: "other"',), "match-star": ("If-Match: *",),
    "match-weak": ("If-Match: W/@ETAG:digits.txt@",), "unmodified-equal": ("If-Unmodified-Since: @DATE@",),
    "unmodified-earlier": ("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",),
    "unmodified-nonsense": ("If-Unmodified-Since: x",), "with-range": ("If-None-Match: @ETAG:digits.txt@", "Range: bytes=0-1"),
    "since-with-range": ("If-Modified-Since: @DATE@", "Range: bytes=0-1"),
}.items():
    get(conditional, name, "/digits.txt", *fields)
get(conditional, "head", "/digits.txt", "If-None-Match: @ETAG:digits.txt@", method="HEAD")

# return, add_header, server names, locations

answers = setup("return", """
default_type text/plain;
server {
    listen @LISTEN@;
    server_name a;
    location = /text { return 200 "hello $request_method $uri\\n"; }
    location = /empty { return 200; }
    location = /typed.html { types { text/html html; } return 200 "<p>"; }
    location = /own-type { default_type application/json; return 200 "{}"; }
    location = /204 { return 204; }
    location = /301 { return 301 https://$host$request_uri; }
    location = /302 { return 302 /else?x=1; }
    location = /303 { return 303 /else; }
    location = /307 { return 307 http://other.example/; }
    location = /308 { return 308 /else; }
    location = /url { return http://other.example/x; }
    location = /302-uri { return 302 /x$uri; }
    location = /400 { return 400; }
    location = /401 { return 401; }
    location = /403 { return 403; }
    location = /404 { return 404; }
    location = /404-text { return 404 "nothing here\\n"; }
    location = /405 { return 405; }
    location = /410 { return 410; }
    location = /418 { return 418; }
    location = /429 { return 429; }
    location = /444 { return 444; }
    location = /500 { return 500; }
    location = /502 { return 502; }
    location = /503 { return 503; }
    location = /504 { return 504; }
    location /tokens/ { server_tokens off; return 404; }
    location /relative/ { absolute_redirect off; return 301 /x; }
    location /noport/ { port_in_redirect off; return 301 /x; }
    location /named/ { server_name_in_redirect on; return 301 /x; }
}
""")
for path in ("text", "empty", "typed.html", "own-type", "204", "301", "302", "303", "307", "308", "url", "302-uri", "400",
             "401", "403", "404", "404-text", "405", "410", "418", "429", "500", "502", "503", "504"):
    get(answers, path, f"/{path}")
get(answers, "text-query", "/text?a=b")
get(answers, "text-head", "/text", method="HEAD")
get(answers, "text-post", "/text", method="POST", body=b"abc")
get(answers, "404-head", "/404", method="HEAD")
get(answers, "301-query", "/301?a=1&b=%20x")
get(answers, "301-head", "/301", method="HEAD")
get(answers, "text-1.0", "/text", version="1.0")
get(answers, "text-close", "/text", "Connection: close")
silent(answers, "444", req("GET", "/444", "a"), finish=False)
get(answers, "no-version-in-page", "/tokens/x")
get(answers, "relative", "/relative/x")
get(answers, "without-port", "/noport/x")
get(answers, "server-name", "/named/x", host="zzz")
get(answers, "host-with-port", "/302", host="b.example:8123")
get(answers, "msie", "/404", "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)")

headers = setup("add-header", """
add_header X-Outer outer;
server {
    listen @LISTEN@;
    location /inherit { return 200 "x"; }
    location /own { add_header X-Own "$request_method $uri"; add_header X-Two b; return 200 "x"; }
    location /missing { add_header X-Own own; return 404; }
    location /always { add_header X-Own own always; return 404; }
    location /204 { add_header X-Own own; return 204; }
    location /301 { add_header X-Own own; return 301 /x; }
    location /307 { add_header X-Own own; return 307 /x; }
    location /400 { add_header X-Own own; return 400; }
    location /empty { add_header X-Own ""; return 200 "x"; }
    location /unset { add_header X-Own $arg_x; return 200 "x"; }
    location /date { add_header Last-Modified "Thu, 01 Jan 1970 00:00:00 GMT"; add_header ETag '"mine"'; return 200 "x"; }
    location /file { add_header Cache-Control "max-age=5"; add_header Cache-Control public; root @ROOT@; try_none on; }
}
""".replace("try_none on; ", ""))
for path in ("inherit", "own?x=1", "missing", "always", "204", "301", "307", "400", "empty", "unset?x=1", "unset", "date",
             "file.txt"):
    get(headers, path.replace("?", "-"), "/" + path)
get(headers, "not-modified", "/file.txt", "If-Modified-Since: @DATE@")
get(headers, "partial", "/file.txt", "Range: bytes=0-0")

names = setup("names", """
server { listen @LISTEN@; server_name first.example; return 200 "first $server_name $host\\n"; }
server { listen @LISTEN@ default_server; server_name second.example also.example; return 200 "default $server_name $host\\n"; }
server { listen @LISTEN@; server_name ""; return 200 "none $server_name $host\\n"; }
server { listen @LISTEN@; server_name exact.wild.example; return 200 "exact $server_name $host\\n"; }
""")
for host in ("first.example", "FIRST.Example", "first.example:80", "first.example.", "second.example", "also.example",
             "nobody.example", "a.wild.example", "a.b.wild.example", "wild.example", "both.example", "x.both.example",
             "mail.example", "mail.com", "exact.wild.example", "127.0.0.1", "[::1]", "[::1]:80", "a_b.example"):
    get(names, f"host-{host}", "/", host=host)
for host in ("a..b", ".a", "a/b", "[::1", ""):
    get(names, f"bad-host-{host or 'empty'}", "/", host=host)
get(names, "no-host-1.1", "/", host=None)
get(names, "no-host-1.0", "/", host=None, version="1.0")
get(names, "two-hosts", "/", "Host: first.example", host="second.example")
get(names, "absolute", "http://first.example/x?y", host="second.example")
get(names, "absolute-no-path", "http://first.example", host="second.example")
get(names, "absolute-query-only", "http://first.example?x=1", host="second.example")
get(names, "absolute-port", "http://first.example:81/", host="second.example")
get(names, "absolute-no-host-1.1", "http://first.example/", host=None)

locations = setup("locations", """
server {
    listen @LISTEN@;
    location / { return 200 "/ $uri\\n"; }
    location = / { return 200 "= / $uri\\n"; }
    location = /exact { return 200 "= /exact $uri\\n"; }
    location /exact { return 200 "/exact $uri\\n"; }
    location /prefix/ { return 200 "/prefix/ $uri\\n"; }
    location /prefix/longer { return 200 "/prefix/longer $uri\\n"; }
    location ^~ /caret/ { return 200 "^~ /caret/ $uri\\n"; }
    location /proxied/ { proxy_pass http://@ORIGIN@; }
}
""")
for target in ("/", "/x", "/exact", "/exact/", "/exactly", "/Exact", "/prefix/", "/prefix", "/prefix/longer", "/prefix/longest",
               "/prefix//longer", "/prefix/./x", "/prefix/x/../longer", "/%70refix/x", "/prefix%2Flonger", "/caret/x", "/caret",
               "/proxied", "/proxied?x=1","/..%2f", "/a/..", "/a/../", "/a/b/../..", "/exact?x", "/exact#y", "/?", "/??x", "/x%20y", "/x+y", "/%41%2e",
               "/a%2fb", "/%3Fx", "/%23x", "/%25x", "/a//b", "/./", "/...", "/a/..b", "/.a", "/a%5cb", "/a\\b", "/a;b/../c",
               "/caf\u00e9"):
    get(locations, f"target-{target}", target)

# every form of a server's name

forms = setup("name-forms", r"""
server { listen @LISTEN@ default_server; server_name *.first.example; return 200 "A $server_name $host $who|$1|$2\n"; }
server { listen @LISTEN@; server_name www.first.example; return 200 "B $server_name\n"; }
server { listen @LISTEN@; server_name *.deep.first.example; return 200 "C $server_name\n"; }
server { listen @LISTEN@; server_name .dot.example; return 200 "D $server_name\n"; }
server { listen @LISTEN@; server_name mail.* *.both.org; return 200 "E $server_name\n"; }
server { listen @LISTEN@; server_name mail.dot.*; return 200 "F $server_name\n"; }
server { listen @LISTEN@; server_name ~^(?<who>[a-z]+)\.user\.example$; return 200 "G $server_name $who $1 $2\n"; }
server { listen @LISTEN@; server_name ~^(www\.)?(?<name>.+)\.regex\.example$; return 200 "H $1|$2|$name|$3\n"; }
server { listen @LISTEN@; server_name "~^[a-z]{3}\.user\.example$" ~regex; return 200 "I $server_name|$1\n"; }
server { listen @LISTEN@; server_name ~^UPPER\.example$; return 200 "J $server_name\n"; }
server { listen @LISTEN@; server_name named.example ~^also\.(.*)$; return 200 "K $server_name $1\n"; }
server { listen @LISTEN@; server_name "" nameless.example; return 200 "L [$server_name]\n"; }
server { listen @LISTEN@; server_name $hostname host.example; return 200 "M $server_name $hostname\n"; }
server { listen @LISTEN@; server_name .double.example *.double.example x; server_name_in_redirect on; return 301 /x; }
""")
for host in ("first.example", "www.first.example", "x.first.example", "x.y.first.example", "deep.first.example",
             "x.deep.first.example", "X.Deep.FIRST.example:80", "x.first.example.", "xfirst.example", "dot.example",
             "x.dot.example", "x.y.dot.example", "xdot.example", "mail.example", "mail.a.b.c", "mail.dot.example",
             "mail.dot.org", "mail", "xmail.org", "x.both.org", "mail.both.org", "mail.first.example", "ann.user.example",
             "bob.user.example", "ann7.user.example", "x.regex.example", "www.x.regex.example", "www.regex.example",
             "regex", "upper.example", "UPPER.example", "named.example", "also.x.y", "nameless.example", "host.example",
             "double.example", "x.double.example", "user.example", "example", "127.0.0.1", "[::1]", "a-b.first.example",
             "a_b.first.example", "*.first.example", "x..first.example"):
    get(forms, f"host-{host}", "/", host=host)
get(forms, "no-host-1.0", "/", host=None, version="1.0")
get(forms, "absolute", "http://ann.user.example/x", host="x.deep.first.example")

single = setup("one-name", r"""
server { listen @LISTEN@; server_name "~^(?<part>[a-z]+)\.(.*)$"; return 200 "$server_name|$part|$1|$2|$10|\n"; }
""")
for host in ("a.b", "a.b.c", "7.b", "A.B"):
    get(single, f"host-{host}", "/", host=host)
get(single, "no-host-1.0", "/", host=None, version="1.0")

# locations by expression, nested, internal

expressions = setup("expressions", r"""
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    server_name ~^(?<host_part>[a-z]+);
    location / { return 200 "/ $1|$host_part\n"; }
    location = /exact.php { return 200 "= /exact.php $1\n"; }
    location ^~ /caret/ { return 200 "^~ /caret/\n"; }
    location /plain/ { return 200 "/plain/\n"; }
    location /plain/long/ { return 200 "/plain/long/\n"; }
    location ~ \.php$ { return 200 "php $uri [$1]\n"; }
    location ~* \.(jpg|png)$ { return 200 "image $1\n"; }
    location ~\.tight$ { return 200 "tight\n"; }
    location ~*\.loose$ { return 200 "loose\n"; }
    location ~ ^/user/(?<id>\d+)(/(?<rest>.*))?$ { return 200 "user $id rest [$rest] $1 [$2] [$3] [$4] $host_part\n"; }
    location ~ "^/quant/a{2,3}$" { return 200 "quantified\n"; }
    location ~ ^/ten(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)$ { return 200 "$1$2$3$4$5$6$7$8$9 $10\n"; }
    location ~ ^/opt(x)?y { return 200 "[$1]\n"; }
    location ~ ^/pass/ { proxy_pass http://@ORIGIN@; }
    location ~ ^/header/(.+)$ { add_header X-Group "$1"; return 204; }
    location ~ ^/go/(.+)$ { return 302 /to/$1?from=$uri; }
    location ~ middle { return 200 "middle\n"; }
    location ~ ^/dir/ { root @ROOT@; }
    location ~ ^/folder/$ { proxy_pass http://@ORIGIN@; }
    location @name { return 200 "named\n"; }
}
""")
for target in ("/", "/x", "/exact.php", "/other.php", "/x.PHP", "/caret/x.php", "/plain/x", "/plain/x.php", "/plain/long/x",
               "/plain/long/x.php", "/a.jpg", "/a.JPG", "/a.pNg", "/a.php.jpg", "/a.jpg.php", "/a.tight", "/a.Tight", "/a.LOOSE",
               "/user/7", "/user/77/a/b", "/user/7/", "/user/x", "/quant/aa", "/quant/a", "/tenabcdefghij", "/optxy", "/opty",
               "/pass/a%20b?x=%41", "/pass/a/../b", "/header/v", "/go/there", "/go/a%20b", "/a/middle/b", "/dir/x.txt",
               "/dir/none", "/folder", "/folder/", "/@name", "/a.php?x=.jpg", "/a?x=.php", "/%61.%70hp", "/a%2Ephp",
               "/user//7", "/x/../user/9", "/caf%C3%A9.php", "/a.php/", "/.php"):
    get(expressions, f"target-{target}", target, host="abc")
get(expressions, "host-without-group", "/", host="7")

nested = setup("nested", r"""
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    add_header X-Level server;
    location ~ \.out$ { return 200 "out\n"; }
    location ~ outer { add_header X-Level outer; location ~ inner { return 200 "outer inner\n"; } return 200 "outer\n"; }
    location /a {
        add_header X-Level a;
        location /a/b {
            location /a/b/c { add_header X-Level c; return 200 "c\n"; }
            location ~ \.deep$ { return 200 "deep\n"; }
            return 200 "b\n";
        }
        location = /a/eq { return 200 "eq\n"; }
        location ~ \.in$ { return 200 "in\n"; }
        location /a/p/ { proxy_pass http://@ORIGIN@; }
        location /a/q/ { proxy_pass http://@ORIGIN@/new/; }
        location /a { return 200 "a again\n"; }
        return 200 "a\n";
    }
    location ^~ /c {
        location /c/d { return 200 "d\n"; }
        location ~ ^/c/.*in$ { return 200 "c in\n"; }
        return 200 "c\n";
    }
    location /e/ { location ^~ /e/f/ { return 200 "f\n"; } location ~ x$ { return 200 "x\n"; } return 200 "e\n"; }
    location /files/ { root @ROOT@; location ~ \.txt$ { default_type text/x-nested; } }
    location /pass/ { proxy_pass http://@ORIGIN@; location /pass/inner/ { } }
}
""")
for target in ("/", "/a", "/a/", "/a/x", "/a/b", "/a/b/x", "/a/b/c", "/a/b/c/d", "/a/eq", "/a/eqx", "/a/x.in", "/a/b/x.in",
               "/a/x.out", "/a/b/x.out", "/a/b/x.deep", "/a/b/c.deep", "/a/x.deep", "/a/p", "/a/p?x", "/a/p/", "/a/p/x", "/a/q/x%20y",
               "/a/q/x.in", "/c", "/c/x.out", "/c/d/x.out", "/c/d/in", "/c/x.in", "/x.out", "/y.outer", "/inner.outer",
               "/outer.out", "/inner", "/e/f/x", "/e/f/x.out", "/e/x", "/e/y", "/files/none.txt", "/pass/x", "/pass/inner/x"):
    get(nested, f"target-{target}", target)

hidden = setup("internal", r"""
server {
    listen @LISTEN@;
    root @ROOT@;
    index first.html index.html;
    location /in/ { internal; return 200 "in\n"; location /in/deeper/ { return 200 "deeper\n"; } }
    location = /index.html { internal; }
    location ~ \.secret$ { internal; return 200 "secret\n"; }
    location /slash/ { internal; proxy_pass http://@ORIGIN@; }
    location /size/ { internal; client_max_body_size 1; }
    location /led/ { index /in/x; }
}
""")
for target in ("/in/x", "/in/", "/in", "/in/deeper/x", "/", "/index.html", "/x.secret", "http://a/in/x", "/slash", "/slash/x",
               "/%69n/x", "/y/../in/x", "/led/", "/dir/../in/"):
    get(hidden, f"target-{target}", target)
get(hidden, "head", "/in/x", method="HEAD")
get(hidden, "post", "/size/x", method="POST", body=b"abc")

# proxying: what the client gets, and what the origin sees

proxied = setup("proxy", """
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    server_name a;
    location / { proxy_pass http://@ORIGIN@; }
    location /a/ { proxy_pass http://@ORIGIN@; }
    location /b/ { proxy_pass http://@ORIGIN@/; }
    location /c/ { proxy_pass http://@ORIGIN@/up; }
    location /d { proxy_pass http://@ORIGIN@/up/; }
    location = /e { proxy_pass http://@ORIGIN@/only; }
    location /f/ { proxy_pass http://@ORIGIN@/x?k=v; }
    location ^~ /g/ { proxy_pass http://@ORIGIN@/new/; }
    location /set/ {
        proxy_set_header Host $host;
        proxy_set_header Connection "";
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Mixed "$request_method-$args-$server_port";
        proxy_set_header X-Gone "";
        proxy_set_header User-Agent ours;
        proxy_pass http://@ORIGIN@;
    }
    location /http_host/ { proxy_set_header Host $http_host; proxy_set_header Connection ""; proxy_pass http://@ORIGIN@; }
    location /proxy_host/ { proxy_set_header X-H "$proxy_host $proxy_port"; proxy_set_header Connection ""; proxy_pass http://@ORIGIN@; }
    location /nobody/ { client_max_body_size 10; proxy_pass http://@ORIGIN@; }
    location /stream/ { proxy_request_buffering off; proxy_pass http://@ORIGIN@; }
    location /unbuffered/ { proxy_buffering off; proxy_pass http://@ORIGIN@; }
    location /up/ { proxy_pass http://group; }
    location /up-uri/ { proxy_pass http://group/x/; }
    location /http10/ { proxy_http_version 1.0; proxy_pass http://@ORIGIN@; }
}
upstream group { server @ORIGIN@; }
""")
for target in ("/a/x%20y//z/../w", "/b/x%20y//z", "/b/", "/b", "/c/x", "/d/x", "/dx", "/d", "/e?a=1", "/e", "/f/y?z=1", "/f/y",
               "/g/a%20b?x", "/g/%41%2F%3F%23%25", "/b/%c3%a9", "/b/a+b&c=d;e", "/b/a%26b", "/b/..%2fx", "/b/%2e/x", "/b/x?%zz",
               "/a/b?c=%20d", "/a/%2e%2e/q", "/b/%22%3c%3e%5e%60%7b%7c%7d%5c", "/b/~!$'()*,:@=", "/up/x", "/up-uri/y?q",
               "/proxy_host/x", "/unbuffered/x", "/chunked", "/stream/chunked", "/http10/x", "/b/x#frag", "/a/x#frag"):
    get(proxied, f"uri-{target}", target)
get(proxied, "head", "/a/x", method="HEAD")
get(proxied, "head-chunked", "/chunked", method="HEAD")
get(proxied, "http-1.0", "/a/x", version="1.0")
get(proxied, "http-1.0-chunked", "/chunked", version="1.0")
get(proxied, "http-1.0-no-host", "/a/x", version="1.0", host=None)
get(proxied, "post", "/a/echo", "Content-Type: text/x", method="POST", body=b"hello body")
get(proxied, "post-empty", "/a/echo", method="POST", body=b"")
get(proxied, "post-no-length", "/a/echo", method="POST")
get(proxied, "put", "/a/echo", method="PUT", body=b"x" * 20000)
get(proxied, "get-with-body", "/a/echo", method="GET", body=b"body of a get")
get(proxied, "delete", "/a/x", method="DELETE")
get(proxied, "options", "/a/x", method="OPTIONS")
get(proxied, "unknown-method", "/a/x", method="BREW")
add(proxied, "chunked-up", req("POST", "/a/echo", "a", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n")
add(proxied, "chunked-up-streamed", req("POST", "/stream/echo", "a", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n")
add(proxied, "post-streamed", req("POST", "/stream/echo", "a", body=b"hello body"), "POST")
get(proxied, "too-large", "/nobody/echo", method="POST", body=b"x" * 11)
get(proxied, "not-too-large", "/nobody/echo", method="POST", body=b"x" * 10)
add(proxied, "expect", req("POST", "/a/echo", "a", "Expect: 100-continue", body=b"hello"))
get(proxied, "set-header", "/set/x?q=1", "X-Gone: 1", "X-Kept: 2", "User-Agent: theirs")
get(proxied, "set-header-xff", "/set/x", "X-Forwarded-For: 1.2.3.4")
get(proxied, "set-header-xff-twice", "/set/x", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 5.6.7.8")
get(proxied, "http-host", "/http_host/x", host="B.Example:8080")
get(proxied, "fields-in-order", "/a/x", "B: 2", "A: 1", "c: 3", "B: 4", "X-Empty:", "X-Spaces:   a  b  ")
get(proxied, "dropped-fields", "/a/x", "Connection: keep-alive", "Keep-Alive: 5", "TE: trailers", "Upgrade: h2c",
    "Accept-Encoding: gzip")
get(proxied, "proxy-connection", "/a/x", "Proxy-Connection: keep-alive")
get(proxied, "cookies", "/a/x", "Cookie: a=1", "Cookie: b=2")
get(proxied, "underscore", "/a/x", "X_Y: 1", "X-Z: 2")
get(proxied, "odd-name", "/a/x", "X.Y: 1", "X-Z: 2")
get(proxied, "range", "/a/x", "Range: bytes=0-1", "If-None-Match: x")
get(proxied, "authorization", "/a/x", "Authorization: Basic eDp5")
get(proxied, "close", "/a/x", "Connection: close")

# an upstream that is down, slow, resets or answers garbage

BAD = {
    # target: (bytes, end): "keep", "close", "reset"
    "/empty": (b"", "close"),
    "/reset": (b"", "reset"),
    "/garbage": (b"\x00\x01\x02 garbage\r\n\r\n", "close"),
    "/half-head": (b"HTTP/1.1 200 OK\r\nX-A: ", "close"),
    "/ok": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/no-length": (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "close"),
    "/no-length-1.0": (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", "close"),
    "/reason": (b"HTTP/1.1 299 Some Reason\r\nContent-Length: 0\r\n\r\n", "keep"),
    "/no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", "keep"),
    "/not-modified": (b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "keep"),
    "/error": (b"HTTP/1.1 500 Oops\r\nContent-Type: text/x\r\nContent-Length: 4\r\n\r\noops", "keep"),
    "/fields": (b"HTTP/1.1 200 OK\r\nServer: theirs\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Pad: x\r\nSet-Cookie: a=1\r\n"
                b"Set-Cookie: b=2\r\nx-lower: 1\r\nX-Empty:\r\nVary: *\r\nETag: \"e\"\r\nLast-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                b"Accept-Ranges: bytes\r\nContent-Type: text/x; charset=y\r\nCache-Control: no-cache\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/x-accel": (b"HTTP/1.1 200 OK\r\nX-Accel-Expires: 5\r\nX-Accel-Charset: utf-8\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/location": (b"HTTP/1.1 302 Found\r\nLocation: http://@BAD@/elsewhere?x=1\r\nContent-Length: 0\r\n\r\n", "keep"),
    "/location-other": (b"HTTP/1.1 302 Found\r\nLocation: http://other.example/elsewhere\r\nContent-Length: 0\r\n\r\n", "keep"),
    "/location-relative": (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "keep"),
    "/chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "keep"),
    "/chunked-trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", "keep"),
    "/space-in-name": (b"HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/big-head": (b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70000 + b"\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", "close"),
    "/length-and-chunked": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "keep"),
    "/http-0.9": (b"just text", "close"),
    "/status-3": (b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n", "keep"),
    "/surplus": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", "close"),
    "/407": (b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n", "keep"),
    "/hop": (b"HTTP/1.1 200 OK\r\nConnection: X-A\r\nX-A: 1\r\nKeep-Alive: 5\r\nContent-Length: 2\r\n\r\nok", "keep"),
    "/never": (b"", "hold"),
}
bad = setup("upstream", """
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_read_timeout 1s;
server {
    listen @LISTEN@;
    location / { proxy_pass http://@BAD@/; }
    location /mapped/ { proxy_pass http://@BAD@/; }
    location /down { proxy_pass http://@DOWN@; }
    location /two { proxy_pass http://two; }
    location /two-bad { proxy_pass http://two-bad; }
}
upstream two { server @DOWN@; server @ORIGIN@; }
upstream two-bad { server @DOWN@; server @DOWN2@; }
""")
for target in BAD:
    get(bad, target[1:], target)
for target in ("/ok", "/no-length", "/chunked", "/reason", "/no-content"):
    get(bad, f"1.0-{target[1:]}", target, version="1.0")
    get(bad, f"head-{target[1:]}", target, method="HEAD")
for target in ("/location", "/location-other", "/location-relative"):
    get(bad, f"mapped-{target[1:]}", "/mapped" + target)
get(bad, "down", "/down")
get(bad, "down-head", "/down", method="HEAD")
get(bad, "down-post", "/down", method="POST", body=b"x")
get(bad, "next-peer", "/two")
get(bad, "no-peer", "/two-bad")

# heads that are odd or bad

heads = setup("head", """
server { listen @LISTEN@; server_name a; location / { return 200 "$request_method|$uri|$args|$host|$http_x_a\\n"; } }
""")
for name, data in {
    "plain": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "empty-line-before": b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "two-empty-lines-before": b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "lower-case-method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "method-with-digit": b"G3T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "two-spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "space-at-end": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "tab": b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "version-1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "version-1.9": b"GET / HTTP/1.9\r\nHost: a\r\n\r\n",
    "version-2.0": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "version-3.0": b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
    "version-lower-case": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "version-short": b"GET / HTTP/1\r\nHost: a\r\n\r\n",
    "version-01.1": b"GET / HTTP/01.1\r\nHost: a\r\n\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "no-slash": b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "trace": b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "control-in-target": b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "high-byte-in-target": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n 2\r\n\r\n",
    "no-colon": b"GET / HTTP/1.1\r\nHost: a\r\nX-A\r\n\r\n",
    "space-before-colon": b"GET / HTTP/1.1\r\nHost: a\r\nX-A : 1\r\n\r\n",
    "empty-name": b"GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
    "value-with-tabs": b"GET / HTTP/1.1\r\nHost: a\r\nX-A:\t a\tb \t\r\n\r\n",
    "value-high-bytes": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: \xe9\r\n\r\n",
    "value-nul": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: a\0b\r\n\r\n",
    "repeated-field": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
    "lf-only": b"GET / HTTP/1.1\nHost: a\n\n",
    "length-twice": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "length-bad": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\nx",
    "length-and-chunked": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding-unknown": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "expect-other": b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n",
    "long-line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "long-field": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n",
    "many-fields": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(40)) + b"\r\n",
    "rubbish": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}.items():
    add(heads, name, data, "GET")
add(heads, "http-0.9", b"GET /\r\n", "GET")
add(heads, "pipelined", b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n"
    b"POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET", "GET", "HEAD", "POST", "GET")
add(heads, "good-then-bad", b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nNONSENSE\r\n\r\n", "GET", "GET")
silent(heads, "eof-in-head", b"GET / HTTP/1.1\r\nHost: a\r\n")
silent(heads, "eof-in-body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
silent(heads, "nothing", b"", lines=0)

# what variables hold, as logs and answers show them

variables = setup("variables", """
server {
    listen @LISTEN@;
    server_name a b;
    root @ROOT@;
    location / { return 200 "$args|$query_string|$is_args|$arg_x|$arg_y|$content_length|$content_type|$cookie_c|$document_uri|$host|$http_user_agent|$http_x_a|$https|$remote_addr|$remote_user|$request|$request_method|$request_uri|$scheme|$server_addr|$server_name|$server_port|$server_protocol|$uri|${uri}x|$status\\n"; }
    location /proxied/ {
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        add_header X-Up "$upstream_status $upstream_http_x_origin $sent_http_content_type";
        proxy_pass http://@ORIGIN@;
    }
}
""")
get(variables, "many", "/p%61th/x?x=1&Y=2&x=3", "X-A: v", "Cookie: b=1; c=2; d=3", "User-Agent: ua", host="A:80")
get(variables, "unset", "/")
get(variables, "post", "/", "Content-Type: text/x", method="POST", body=b"abc")
get(variables, "user", "/", "Authorization: Basic dXNlcjpwYXNz")
get(variables, "user-broken", "/", "Authorization: Basic !!!")
get(variables, "empty-args", "/?")
get(variables, "odd-args", "/?x&y=&=z&x=1=2&%20")
get(variables, "second-name", "/", host="b")
get(variables, "quotes-in-the-log", '/?"\\x', 'User-Agent: "a" \\ \u00e9\t|')
get(variables, "upstream", "/proxied/x")

# gzip: the decision, field by field; bodies are compared unpacked


def _body(*fields, status="200 OK", body=b"x" * 500, length=True):
    lines = [f"HTTP/1.1 {status}", *fields, *([f"Content-Length: {len(body)}"] if length else [])]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body, "keep" if length else "close"


HTML = "Content-Type: text/html"
GZIP_ANSWERS = {
    "html": _body(HTML), "charset": _body(HTML + "; charset=utf-8"), "charset-blanks": _body(HTML + ";   charset=x"),
    "other-parameter": _body(HTML + "; q=1"), "upper": _body("Content-Type: TEXT/HTML"), "plain": _body("Content-Type: text/plain"),
    "css": _body("Content-Type: text/css"), "png": _body("Content-Type: image/png"), "no-type": _body(),
    "no-length": _body(HTML, length=False), "empty-no-length": _body(HTML, body=b"", length=False),
    "empty": _body(HTML, body=b""), "19": _body(HTML, body=b"x" * 19), "20": _body(HTML, body=b"x" * 20),
    "201": _body(HTML, status="201 Created"), "403": _body(HTML, status="403 Forbidden"),
    "404": _body(HTML, status="404 Not Found"), "500": _body(HTML, status="500 Internal Server Error"),
    "206": _body(HTML, "Content-Range: bytes 0-499/1000", status="206 Partial Content"),
    "coded": _body(HTML, "Content-Encoding: br"), "coded-identity": _body(HTML, "Content-Encoding: identity"),
    "etag": _body(HTML, 'ETag: "a"'), "etag-weak": _body(HTML, 'ETag: W/"a"'), "etag-odd": _body(HTML, "ETag: a"),
    "ranges": _body(HTML, "Accept-Ranges: bytes"), "vary": _body(HTML, "Vary: Cookie"),
    "modified": _body(HTML, "Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT"),
    "expired": _body(HTML, "Expires: Sun, 13 Sep 2020 12:26:40 GMT"), "fresh": _body(HTML, "Expires: Fri, 13 Sep 2090 12:26:40 GMT"),
    "expires-odd": _body(HTML, "Expires: -1"),
    "expired-no-cache": _body(HTML, "Expires: Fri, 13 Sep 2090 12:26:40 GMT", "Cache-Control: no-cache"),
    "no-cache": _body(HTML, "Cache-Control: max-age=0, no-cache"), "no-store": _body(HTML, "Cache-Control: no-store"),
    "private": _body(HTML, "Cache-Control: private, max-age=1"), "public": _body(HTML, "Cache-Control: public"),
    "no-transform": _body(HTML, "Cache-Control: no-transform"), "validators": _body(
        HTML, "Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT", 'ETag: "a"'),
}
BAD.update({f"/gzip-{name}": answer for name, answer in GZIP_ANSWERS.items()})
PROXIED = ("off", "any", "expired", "no-cache", "no-store", "private", "no_last_modified", "no_etag", "auth",
           "expired no-cache no-store private auth", "no_last_modified no_etag", "off any")

packed = setup("gzip", """
proxy_http_version 1.1;
proxy_set_header Connection "";
gzip on;
gzip_vary on;
gzip_types text/css Application/JSON;
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    location /up/ { proxy_pass http://@BAD@/gzip-; }
    location = /twenty.html { gzip_proxied no_last_modified; }
    location = /long.html { gzip_proxied no_etag; }
    location /off/ { gzip off; proxy_pass http://@BAD@/gzip-; }
    location /no-vary/ { gzip_vary off; proxy_pass http://@BAD@/gzip-; }
    location /all/ { gzip_types *; proxy_pass http://@BAD@/gzip-; }
    location /none/ { gzip_types text/plain; proxy_pass http://@BAD@/gzip-; }
    location /long/ { gzip_min_length 1k; proxy_pass http://@BAD@/gzip-; }
    location /any-length/ { gzip_min_length 0; proxy_pass http://@BAD@/gzip-; }
    location /hard/ { gzip_comp_level 9; gzip_buffers 4 8k; proxy_pass http://@BAD@/gzip-; }
    location /1.0/ { gzip_http_version 1.0; proxy_pass http://@BAD@/gzip-; }
    location /disable/ { gzip_disable "msie [1-6]\\." ^x; proxy_pass http://@BAD@/gzip-; }
    location /msie6/ { gzip_disable msie6; proxy_pass http://@BAD@/gzip-; }
    location /returned { default_type text/html; return 200 "a text that is long enough to be compressed"; }
    location /short { default_type text/html; return 200 "a text"; }
    location /redirect { return 301 /x; }
    location /forbidden { return 403; }
    location /headed { add_header ETag '"own"'; add_header X-Enc $sent_http_content_encoding; proxy_pass http://@BAD@/gzip-html; }
    PROXIED
}
""".replace("    PROXIED\n", "".join(
    f"    location /p{i}/ {{ gzip_proxied {v}; proxy_pass http://@BAD@/gzip-; }}\n" for i, v in enumerate(PROXIED))))
GZIP = "Accept-Encoding: gzip"
for name in GZIP_ANSWERS:
    get(packed, f"answer-{name}", f"/up/{name}", GZIP)
for name in ("html", "png", "coded", "201", "empty", "etag", "ranges"):
    get(packed, f"unasked-{name}", f"/up/{name}")
    get(packed, f"unasked-quietly-{name}", f"/no-vary/{name}")
for name in ("no-type", "png", "html", "plain", "empty"):
    get(packed, f"all-types-{name}", f"/all/{name}", GZIP)
    get(packed, f"other-types-{name}", f"/none/{name}", GZIP)
for place, name in (("off", "html"), ("no-vary", "html"), ("long", "html"), ("long", "no-length"), ("any-length", "empty"),
                    ("any-length", "19"), ("hard", "html"), ("1.0", "html")):
    get(packed, f"{place}-{name}", f"/{place}/{name}", GZIP)
for accepted in ("gzip, deflate, br", "deflate, gzip", "deflate,gzip;q=0.5", "GZIP", "gzip;q=0", "gzip;q=0.0", "gzip;q=0.000", "gzip;q=1",
                 "gzip;q=1.000", "gzip;q=1.001", "gzip;q=1.0001", "gzip;q=0.001", "gzip; q=0.5", "gzip ; q=0.5", "gzip;q=.5", "gzip;q=2",
                 "gzip;q=", "gzip;", "gzip;x=1", "gzip;Q=0.1", "*", "*;q=0", "x-gzip", "gzipx", "identity", "identity;q=0", ";;;,", "br;q=1, gzip;q=0, *",
                 "x-gzip, gzip", "gzip,", ",gzip", "gzip;q=1.", "gzip;q=a", "gzip;q=0,", "gzip;q=0.,x", "gzip;q=0.5 , br"):
    get(packed, f"accept-{accepted}", "/up/html", f"Accept-Encoding: {accepted}")
get(packed, "accept-long-list", "/up/html", "Accept-Encoding: " + "br, " * 1500 + "gzip")
for i, value in enumerate(PROXIED):
    for name in ("html", "etag", "modified", "validators", "expired", "fresh", "expires-odd", "expired-no-cache", "no-cache", "no-store", "private", "public"):
        get(packed, f"proxied-{value}-{name}", f"/p{i}/{name}", GZIP, "Via: 1.1 x")
    get(packed, f"proxied-{value}-authorized", f"/p{i}/public", GZIP, "Via: 1.1 x", "Authorization: Basic eA==")
    get(packed, f"proxied-{value}-not", f"/p{i}/public", GZIP)
for agent in ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)",
              "Mozilla/4.0 (compatible; MSIE 5.5)", "Mozilla/4.0 (compatible; MSIE 7.0)", "MSIE 4.0", "MSIE 4.", "curl"):
    get(packed, f"agent-{agent}", "/msie6/html", GZIP, f"User-Agent: {agent}")
    get(packed, f"disabled-{agent}", "/disable/html", GZIP, f"User-Agent: {agent}")
for name, target in {"file": "/long.html", "file-of-another-type": "/long.txt", "page": "/absent", "twenty": "/twenty.html",
                     "nineteen": "/nineteen.html", "forbidden": "/forbidden", "redirect": "/redirect", "return": "/returned",
                     "short-return": "/short", "empty-file": "/empty.txt", "headed": "/headed"}.items():
    get(packed, name, target, GZIP)
    get(packed, f"head-{name}", target, GZIP, method="HEAD")
    get(packed, f"old-{name}", target, GZIP, version="1.0")
for name in ("twenty", "long"):
    get(packed, f"proxied-file-{name}", f"/{name}.html", GZIP, "Via: 1.1 x")
get(packed, "old-allowed", "/1.0/html", GZIP, version="1.0")
get(packed, "range", "/long.html", GZIP, "Range: bytes=0-9")
get(packed, "range-plain", "/long.html", "Range: bytes=0-9")
get(packed, "unchanged", "/long.html", GZIP, "If-Modified-Since: @DATE@")

# the access log: other formats and conditions, what the columns hold in odd cases

logged = setup("logged", """
log_format odd '$status $body_bytes_sent "$request" len=$request_length done=$request_completion'
               ' up=$upstream_addr/$upstream_status/$upstream_bytes_received type=$sent_http_content_type'
               ' uri=$uri args=$args';
log_format json escape=json '$status $body_bytes_sent {"ua":"$http_user_agent","none":"$http_none","up":"$upstream_status"}';
log_format raw escape=none '$status $body_bytes_sent $http_user_agent|$http_none|';
log_format times '$status $body_bytes_sent $upstream_addr $upstream_status';
upstream several { server @DOWN@; server @DOWN2@ backup; }
upstream second { server @DOWN@; server @ORIGIN@ backup; }
server {
    listen @LISTEN@;
    root @ROOT@;
    access_log @LOG@ odd;
    location /json { access_log @LOG@ json; return 200 x; }
    location /raw { access_log @LOG@ raw; return 200 x; }
    location /off { access_log off; return 200 x; }
    location /twice { access_log @LOG@ raw; access_log @LOG@ json; return 200 x; }
    location /if { access_log @LOG@ raw if=$arg_log; return 200 x; }
    location /up/ { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://@ORIGIN@; }
    location /down/ { access_log @LOG@ times; proxy_pass http://@DOWN@; }
    location /several/ { access_log @LOG@ times; proxy_pass http://several; }
    location /second/ { access_log @LOG@ times; proxy_pass http://second; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /listed/ { access_log @LOG@ odd; }
}
""")
get(logged, "file", "/file.txt")
get(logged, "file-head", "/file.txt", method="HEAD")
get(logged, "missing-head", "/none", method="HEAD")
get(logged, "index", "/listed/")
get(logged, "index-with-args", "/?a=b")
get(logged, "not-modified", "/file.txt", "If-Modified-Since: @DATE@")
get(logged, "range", "/digits.txt", "Range: bytes=2-4")
get(logged, "range-none", "/digits.txt", "Range: bytes=50-")
get(logged, "post", "/file.txt", method="POST", body=b"abc")
get(logged, "json", "/json", 'User-Agent: "a" \\ \u00e9\t/')
get(logged, "json-empty", "/json", "User-Agent:")
get(logged, "raw", "/raw", 'User-Agent: "a" \\ \u00e9')
add(logged, "two-logs", req("GET", "/twice", "a"), "GET", lines=2)
for query in ("log=1", "log=0", "log=", "log=00", "log", "x"):
    add(logged, f"if-{query}", req("GET", f"/if?{query}", "a", "User-Agent: u"), "GET",
        lines=int(query in ("log=1", "log=00")))
add(logged, "off", req("GET", "/off", "a"), "GET", lines=0)
get(logged, "upstream-head", "/up/x", method="HEAD")
get(logged, "upstream-refused", "/down/x")
get(logged, "upstream-several", "/several/x")
get(logged, "upstream-second", "/second/x")
add(logged, "bad-request", b"GET / HTTP/1.1\r\n\r\n", "GET")
add(logged, "bad-line", b"NONSENSE\r\n\r\n", "GET")
silent(logged, "nothing", b"", lines=0)

# sub_filter: texts replaced, and what becomes of the head

SUB_BODY = b"<p>One two ONE three one</p>\n<b>abcabcabd ABABAC aaa</b>\n" * 3
SUB_ANSWERS = {
    "html": _body(HTML, body=SUB_BODY), "no-length": _body(HTML, body=SUB_BODY, length=False),
    "plain": _body("Content-Type: text/plain", body=SUB_BODY), "upper": _body("Content-Type: TEXT/HTML", body=SUB_BODY),
    "charset": _body(HTML + "; charset=utf-8", body=SUB_BODY), "no-type": _body(body=SUB_BODY), "empty": _body(HTML, body=b""),
    "404": _body(HTML, status="404 Not Found", body=SUB_BODY), "500": _body(HTML, status="500 Oh", body=SUB_BODY),
    "validators": _body(HTML, "Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT", 'ETag: "a"', body=SUB_BODY),
    "etag-weak": _body(HTML, 'ETag: W/"a"', body=SUB_BODY), "ranges": _body(HTML, "Accept-Ranges: bytes", body=SUB_BODY),
    "one-text": _body(HTML, body=b"one"), "all-text": _body(HTML, body=b"oneOneONE" * 50),
}
BAD.update({f"/sub-{name}": answer for name, answer in SUB_ANSWERS.items()})
SUB_LINES = {
    "once": "sub_filter one 1;", "all": "sub_filter one 1; sub_filter_once off;", "nothing": "sub_filter one ''; sub_filter_once off;",
    "two": "sub_filter one 1; sub_filter two 2;", "order": "sub_filter o X; sub_filter one Y; sub_filter_once off;",
    "overlap": "sub_filter abcabd X; sub_filter_once off;", "overlap-two": "sub_filter abab X; sub_filter ababac Y; sub_filter abac Z; sub_filter_once off;",
    "prefixes": "sub_filter a 1; sub_filter aa 2; sub_filter aaa 3;", "longer-first": "sub_filter aaa 3; sub_filter aa 2; sub_filter a 1;",
    "longer-first-all": "sub_filter aaa 3; sub_filter aa 2; sub_filter a 1; sub_filter_once off;",
    "variables": "sub_filter one '$request_method $arg_x'; sub_filter $arg_x found;", "unset": "sub_filter $arg_none x;",
    "twice": "sub_filter one 1; sub_filter one 2;", "case": "sub_filter ONE 1; sub_filter_once off;", "missing": "sub_filter zzz 1;",
    "types": "sub_filter one 1; sub_filter_types text/plain;", "all-types": "sub_filter one 1; sub_filter_types *;",
    "keep": "sub_filter one 1; sub_filter_last_modified on;", "gzip": "gzip on; sub_filter one 1; sub_filter_once off;",
    "lines": "sub_filter '</p>\n<b>' '|'; sub_filter_once off;",
}
replaced = setup("sub", """
proxy_http_version 1.1;
proxy_set_header Connection "";
server {
    listen @LISTEN@;
    server_name a;
    root @ROOT@;
    LINES
    location / { sub_filter one 1; sub_filter <html> '<html lang="x">'; sub_filter_types *; }
    location /redirect { sub_filter href HREF; return 301 /x; }
}
""".replace("    LINES\n", "".join(
    f"    location /{name}/ {{ {lines} proxy_pass http://@BAD@/sub-; }}\n" for name, lines in SUB_LINES.items())))
for name in SUB_LINES:
    for body in ("html", "no-length", "one-text", "all-text"):
        get(replaced, f"{name}-{body}", f"/{name}/{body}?x=two")
for name in SUB_ANSWERS:
    get(replaced, f"answered-{name}", f"/once/{name}")
    get(replaced, f"any-type-{name}", f"/all-types/{name}")
    get(replaced, f"kept-{name}", f"/keep/{name}")
for name in ("html", "plain", "ranges", "validators"):
    get(replaced, f"head-{name}", f"/once/{name}", method="HEAD")
    get(replaced, f"1.0-{name}", f"/once/{name}", version="1.0")
    get(replaced, f"range-{name}", f"/once/{name}", "Range: bytes=0-9")
    get(replaced, f"packed-{name}", f"/gzip/{name}", GZIP)
get(replaced, "file", "/index.html")
get(replaced, "file-unchanged", "/index.html", "If-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT")
get(replaced, "redirect", "/redirect")

import redirect_cases  # noqa: E402,F401  it adds its own
import limit_cases  # noqa: E402,F401
import proxying_cases  # noqa: E402,F401
