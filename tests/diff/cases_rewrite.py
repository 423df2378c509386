"""The rewrite directives: `rewrite`, `set`, `if`, `break`, `return`, one after the other and inside one another."""
from cases import get, setup

SHOWN = '"$uri|$args|$is_args|$1|$2"'


def all_of(s, targets, *fields, **options):
    for target in targets:
        get(s, target, target, *fields, **options)


server = setup("rewrite-server", """
server {
    listen @LISTEN@; server_name a; proxy_http_version 1.1; proxy_set_header Connection ""; root @ROOT@;
    rewrite ^/one/(.*)$ /two/$1;
    rewrite ^/two/(.*)$ /three/$1 last;
    rewrite ^/three/(.*)$ /four/$1;
    rewrite ^/stop/(.*)$ /kept/$1 break;
    rewrite ^/plain/(.*)$ /up/$1;
    if ($arg_broken) { rewrite ^/b/(.*)$ /up/$1; break; }
    rewrite ^/b/(.*)$ /never/$1;
    rewrite ^/moved$ /here permanent;
    rewrite ^/found$ /here redirect;
    rewrite ^/http/(.*)$ http://other/$1;
    rewrite ^/https/(.*)$ https://other/$1 last;
    rewrite ^/scheme/(.*)$ $scheme://other/$1 permanent;
    if ($arg_ret) { return 403; }
    set $late yes;
    location /two/ { return 200 "two $uri $late"; }
    location /three/ { return 200 "three $uri $late"; }
    location /four/ { return 200 "four $uri $late"; }
    location /kept/ { proxy_pass http://@ORIGIN@/part/; }
    location /up/ { proxy_pass http://@ORIGIN@/part/; }
    location /hidden/ { internal; return 200 hidden; }
    location /to-hidden/ { rewrite ^ /hidden/x last; }
    location /args-hidden/ { set $args x; return 200 "$args"; }
    location / { return 200 "rest $uri $late"; }
}
""")
all_of(server, ["/one/x", "/two/x", "/three/x", "/stop/x?q=1", "/plain/x?q=1", "/b/x", "/b/x?broken=1", "/moved",
                "/moved?a=1", "/found", "/http/x?a=1", "/https/x%20y", "/scheme/x", "/x?ret=1", "/moved?ret=1", "/x",
                "/hidden/x", "/to-hidden/", "/args-hidden/", "/one/", "/one/a%2Fb", "/stop/a%20b", "/plain/a%20b"])
get(server, "post-found", "/found", method="POST", body=b"x")
get(server, "head-moved", "/moved", method="HEAD")
get(server, "no-host", "/moved", host=None, version="1.0")

flags = setup("rewrite-flags", """
server {
    listen @LISTEN@; server_name a; root @ROOT@; default_type text/plain;
    location / { return 200 "root %s"; }
    location /next/ { rewrite ^/next/(.*)$ /end/$1; rewrite ^/end/x$ /end/y; return 200 %s; }
    location /last/ { rewrite ^/last/(.*)$ /end/$1 last; return 200 never; }
    location /break/ { rewrite ^/break/(.*)$ /dir/$1 break; return 200 never; }
    location /fall/ { rewrite ^/fall/(.*)$ /end/$1; }
    location /end/ { return 200 "end %s"; }
    location /loop/ { rewrite ^ /loop/x last; }
    location /ten0 { rewrite ^ /ten1 last; } location /ten1 { rewrite ^ /ten2 last; }
    location /ten2 { rewrite ^ /ten3 last; } location /ten3 { rewrite ^ /ten4 last; }
    location /ten4 { rewrite ^ /ten5 last; } location /ten5 { rewrite ^ /ten6 last; }
    location /ten6 { rewrite ^ /ten7 last; } location /ten7 { rewrite ^ /ten8 last; }
    location /ten8 { rewrite ^ /ten9 last; } location /ten9 { rewrite ^ /end/ten last; }
    location /eleven { rewrite ^ /ten0 last; }
    location /stay/ { rewrite ^/stay/(.*)$ /dir/$1; break; }
    location /same/ { rewrite ^(.*)$ $1; break; }
    location /nothing/ { break; return 200 never; }
    location /first/ { rewrite ^ /end/first last; rewrite ^ /end/second last; }
    location /case/ { rewrite /CASE/ /end/upper last; return 200 "lower"; }
    location /part/ { rewrite art /end/part last; }
    location /outer/ { rewrite ^ /end/outer last; location /outer/inner/ { return 200 inner; } }
    location ~ ^/re/(.*)$ { rewrite ^/re/(?<name>.*)$ /end/$1?n=$name last; }
    location = /exact { rewrite ^ /end/exact; }
    location /empty/ { rewrite ^ $arg_none; }
    location /html/ { rewrite ^ /page.html break; }
    location /folder/ { rewrite ^/folder/(.*)$ /dir break; }
    location /missing/ { rewrite ^ /none break; }
    location /listed-index/ { rewrite ^ /listed/ break; }
}
""".replace("%s", SHOWN).replace('"root ' + SHOWN + '"', '"root $uri|$args"').replace('"end ' + SHOWN + '"',
                                                                                      '"end $uri|$args|$1"'))
all_of(flags, ["/next/x", "/next/z?a=1", "/last/x", "/last/x?a=1&b", "/break/x.txt", "/break/none", "/fall/q", "/loop/",
               "/ten0", "/ten1", "/eleven", "/stay/x.txt", "/stay/none", "/same/x", "/nothing/", "/first/", "/case/",
               "/part/", "/outer/x", "/outer/inner/x", "/re/x", "/re/a%20b", "/re/a+b?c=d", "/exact", "/exact?a=1",
               "/empty/", "/html/x", "/folder/x", "/missing/", "/listed-index/", "/next/a%2e%2e", "/last/%25"])
get(flags, "head-break", "/break/x.txt", method="HEAD")
get(flags, "post-break", "/break/x.txt", method="POST", body=b"x")

args = setup("rewrite-args", """
server {
    listen @LISTEN@; server_name a; default_type text/plain;
    location /keep/ { rewrite ^/keep/(.*)$ /x/$1; return 200 %s; }
    location /drop/ { rewrite ^/drop/(.*)$ /x/$1?; return 200 %s; }
    location /new/ { rewrite ^/new/(.*)$ /x?p=$1; return 200 %s; }
    location /only/ { rewrite ^/only/(.*)$ /x?p=$1?; return 200 %s; }
    location /two/ { rewrite ^/two/(.*)$ /x?p=$1?q; return 200 %s; }
    location /marks/ { rewrite ^/marks/(.*)$ /x??; return 200 %s; }
    location /unset/ { rewrite ^/unset/(.*)$ /x?$arg_none; return 200 %s; }
    location /old/ { rewrite ^/old/(.*)$ /x?was=$args; return 200 %s; }
    location /old-only/ { rewrite ^/old-only/(.*)$ /x?was=$args?; return 200 %s; }
    location /named/ { rewrite ^/named/(?<n>.*)$ /x/$n?n=$n; return 200 "$uri|$args|$n"; }
    location /twice/ { rewrite ^/twice/(.*)$ /y?a=$1; rewrite ^/y$ /z?b=1; return 200 "$uri|$args"; }
    location /many/ { rewrite ^/many/(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)$ /$9$8$7$6$5$4$3$2$1?$10; return 200 "$uri|$args"; }
    location /set/ { set $args "s=1"; return 200 "$args|$is_args|$query_string|$arg_s|$arg_a|$request_uri"; }
    location /unset-args/ { set $args ""; return 200 "[$args$is_args$arg_a]"; }
    location /set-rewrite/ { set $args s; rewrite ^ /x?n; return 200 "$uri|$args"; }
    location /raw/ { rewrite ^/raw/(.*)$ /x?u=$uri; return 200 "$uri|$args"; }
    location /braces/ { rewrite ^/braces/(.*)$ /x${uri}y?${args}z?; return 200 "$uri|$args"; }
    location /dollar/ { rewrite "^/dollar/(a{1,2})$" "/x y/$1"; return 200 "$uri|$args"; }
}
""".replace("%s", SHOWN))
for place in ("keep", "drop", "new", "only", "two", "marks", "unset", "old", "old-only", "named", "twice"):
    all_of(args, [f"/{place}/v", f"/{place}/v?a=1&b=2", f"/{place}/a%20b%26c%3Fd%2541+e", f"/{place}/a&b=c;d"])
all_of(args, ["/many/abcdefghij", "/many/abcdefghi%20", "/set/?a=1", "/set/", "/unset-args/?a=1", "/set-rewrite/?a=1",
              "/raw/a%20b", "/raw/a%26b?x", "/braces/q?w", "/dollar/aa", "/dollar/aaa", "/new/%C3%A9", "/new/\u00e9".encode().decode("latin-1"),
              "/keep/v?", "/keep/v?a=%20%zz", "/drop/?x", "/new/?x"])

redirects = setup("rewrite-redirects", """
server {
    listen @LISTEN@; server_name a; default_type text/plain;
    location /keep/ { rewrite ^/keep/(.*)$ /x/$1 redirect; }
    location /drop/ { rewrite ^/drop/(.*)$ /x/$1? redirect; }
    location /new/ { rewrite ^/new/(.*)$ /x/$1?p=$1 permanent; }
    location /only/ { rewrite ^/only/(.*)$ /x/$1?p=$1? permanent; }
    location /host/ { rewrite ^/host/(.*)$ https://$host/$1 permanent; }
    location /named/ { rewrite ^/named/(?<n>.*)$ /x/$n?n=$n redirect; }
    location /var/ { rewrite ^ http://other/$arg_l? redirect; }
    location /uri/ { rewrite ^ http://other$uri redirect; }
    location /request/ { rewrite ^ http://other$request_uri? permanent; }
    location /none/ { rewrite ^ $arg_none redirect; }
    location /relative/ { rewrite ^/relative/(.*)$ $1 redirect; }
    location /flag-last/ { rewrite ^/flag-last/(.*)$ http://other/$1 last; }
    location /flag-break/ { rewrite ^/flag-break/(.*)$ http://other/$1 break; }
    location /after/ { rewrite ^/after/(.*)$ /mid/$1; rewrite ^/mid/(.*)$ /x/$1 redirect; }
    location /off/ { absolute_redirect off; rewrite ^/off/(.*)$ /x/$1 redirect; }
    location /schemed/ { rewrite ^/schemed/(.*)$ $scheme://$http_host/$1 permanent; }
    location /ret301/ { return 301 /x$1; }
    location ~ ^/ret302/(.*)$ { return 302 http://other/$1?$args; }
    location /ret-scheme/ { return $scheme://other$request_uri; }
    location /ret-late/ { rewrite ^ /y?b; return 301 http://other$uri?$args; }
}
""")
for place in ("keep", "drop", "new", "only", "host", "named", "after", "off"):
    all_of(redirects, [f"/{place}/v", f"/{place}/v?a=1&b=2", f"/{place}/a%20b%26c%3Fd%2541+e", f"/{place}/a&b=c;d"])
all_of(redirects, ["/var/?l=plain", "/var/?l=%41%26%20%7e%7f", "/var/?l=a?b%41", "/uri/a%20b?x=1", "/request/a%20b?x=1",
                   "/none/", "/none/?a", "/relative/x", "/relative/", "/flag-last/x", "/flag-break/x?y", "/schemed/x",
                   "/ret301/", "/ret302/a%20b?q", "/ret-scheme/a%20b", "/ret-late/?a", "/keep/%C3%A9", "/keep/%22%3C",
                   '/keep/"<>', "/keep/%7E", "/keep/a%3Fb%26c?d", "/keep/%2525"])

conditions = setup("rewrite-conditions", """
server {
    listen @LISTEN@; server_name a; root @ROOT@; default_type text/plain;
    location /true { set $r no; if ($arg_a) { set $r yes; } return 200 $r; }
    location /eq { set $r ""; if ($arg_a = x) { set $r "${r}1"; } if ($arg_a = "") { set $r "${r}2"; }
        if ($arg_a = $arg_b) { set $r "${r}3"; } if ($arg_a != x) { set $r "${r}4"; }
        if ($arg_a != "$arg_b!") { set $r "${r}5"; } return 200 "[$r]"; }
    location /re { set $r ""; if ($arg_a ~ ^x) { set $r "${r}1"; } if ($arg_a ~* ^x) { set $r "${r}2"; }
        if ($arg_a !~ ^x) { set $r "${r}3"; } if ($arg_a !~* ^x) { set $r "${r}4"; }
        if ($arg_a ~ "^(x|y) ?$") { set $r "${r}5$1"; } return 200 "[$r|$1]"; }
    location /spaced { if ( $arg_a = "a b" ) { return 200 yes; } if ( $arg_a ) { return 200 true; } return 200 no; }
    location /method { if ($request_method = POST) { return 405; } if ($request_method ~ ^(GET|HEAD)$) { return 200 $1; } return 200 other; }
    location /agent { if ($http_user_agent ~* (bot|crawler)) { return 403 "no $1"; } return 200 ok; }
    location /cookie { if ($http_cookie ~* "id=([^;]+)(?:;|$)") { set $id $1; } return 200 "id $id"; }
    location /host { if ($host = a) { return 301 https://$host$request_uri; } return 200 $host; }
    location /nested { if ($arg_a) { return 200 a; } if ($arg_b) { return 201 b; } return 202 c; }
    location /order { set $v 1; if ($v = 1) { set $v 2; } if ($v = 2) { set $v 3; } return 200 $v; }
    location /break { if ($arg_a) { set $v 1; break; } set $v 2; add_header X-V $v; return 200 $v; }
    location /rewrite { if ($arg_a) { rewrite ^ /order last; } return 200 stayed; }
    location /zero { set $v $arg_a; if ($v) { return 200 true; } return 200 false; }
    location /file { set $r ""; if (-f $document_root/$arg_p) { set $r "${r}f"; } if (-d $document_root/$arg_p) { set $r "${r}d"; }
        if (-e $document_root/$arg_p) { set $r "${r}e"; } if (-x $document_root/$arg_p) { set $r "${r}x"; }
        if (!-f $document_root/$arg_p) { set $r "${r}F"; } if (!-d $document_root/$arg_p) { set $r "${r}D"; }
        if (!-e $document_root/$arg_p) { set $r "${r}E"; } if (!-x $document_root/$arg_p) { set $r "${r}X"; } return 200 "[$r]"; }
    location / { if (!-e $request_filename) { rewrite ^(.*)$ /order?q=$1 last; } }
    location /literal { if (-f @ROOT@/file.txt) { return 200 there; } return 200 absent; }
    location /captured/ { if ($uri ~ ^/captured/(.*)$) { set $x x; } if (-f $document_root/$1) { return 200 file; } return 200 none; }
    location /compared/ { if ($uri ~ ^/compared/(.*)$) { set $x x; } if ($arg_a = $1) { return 200 same; } return 200 "other $1"; }
}
""")
for place in ("true", "zero"):
    all_of(conditions, [f"/{place}", *(f"/{place}?a={v}" for v in ("", "0", "00", "1", "off", "%30"))])
all_of(conditions, ["/eq", "/eq?a=x", "/eq?a=x&b=x", "/eq?a=X", "/eq?a=1&b=1", "/re", "/re?a=x", "/re?a=X", "/re?a=y", "/re?a=xx",
                    "/re?a=y%20", "/spaced?a=a%20b", "/spaced?a=1", "/spaced", "/nested", "/nested?a=1", "/nested?b=1",
                    "/nested?a=1&b=1", "/order", "/break", "/break?a=1", "/rewrite", "/rewrite?a=1", "/file.txt", "/none.txt",
                    "/dir", "/dir/x.txt", "/a%20b.txt", "/no%20such?x=1", "/host", "/literal"])
all_of(conditions, [f"/file?p={p}" for p in ("file.txt", "dir", "none", "link.txt", "linkdir", "fifo", "run.sh", "file.txt/x",
                                             "", "secret.txt", "dir/../file.txt", "n" * 300)])
all_of(conditions, ["/captured/file.txt", "/captured/a%20b.txt", "/captured/a+b.txt", "/compared/x?a=x", "/compared/a%20b?a=a%20b",
                    "/compared/a+b?a=a+b", "/compared/a+b?a=a%2Bb"])
get(conditions, "method-get", "/method")
get(conditions, "method-post", "/method", method="POST", body=b"x")
get(conditions, "method-put", "/method", method="PUT", body=b"x")
get(conditions, "method-head", "/method", method="HEAD")
get(conditions, "agent-bot", "/agent", "User-Agent: GoogleBot/1")
get(conditions, "agent-none", "/agent")
get(conditions, "agent-other", "/agent", "User-Agent: x")
get(conditions, "cookie", "/cookie", "Cookie: a=b; id=77; c=d")
get(conditions, "cookie-none", "/cookie", "Cookie: a=b")
get(conditions, "host-other", "/host", host="other")

blocks = setup("rewrite-blocks", """
server {
    listen @LISTEN@; server_name a; proxy_http_version 1.1; proxy_set_header Connection ""; root @ROOT@; default_type text/plain;
    gzip_min_length 1; gzip_types text/plain;
    location = /headers { add_header X-L l; if ($arg_a) { add_header X-A a; } if ($arg_b) { add_header X-B b; }
        if ($arg_c) { set $c 1; } return 200 "headers"; }
    location = /set-later { set $v 1; if ($arg_a) { add_header X-V $v; } set $v 2; return 200 "$v"; }
    location /proxied/ { proxy_pass http://@ORIGIN@/part/; proxy_set_header Host $proxy_host; proxy_set_header X-S s; proxy_set_header Connection ""; if ($arg_a) { set $z 1; }
        if ($arg_b) { proxy_pass http://@ORIGIN@; } if ($arg_c) { add_header X-C c; } if ($arg_d) { return 201 d; } }
    location /if-proxied/ { if ($arg_a) { proxy_pass http://@ORIGIN@; } }
    location /slash/ { if ($arg_a) { proxy_pass http://@ORIGIN@; } return 200 slash; }
    location /rooted/ { if ($arg_a) { root @ROOT@/dir; } rewrite ^/rooted/(.*)$ /$1 break; }
    location /rooted-after/ { rewrite ^/rooted-after/(.*)$ /$1 break; if ($arg_a) { root @ROOT@/dir; } }
    location /rooted-mid/ { rewrite ^/rooted-mid/(.*)$ /rooted-mid/$1; if ($arg_a) { root @ROOT@/dir; } rewrite ^/rooted-mid/(.*)$ /$1 break; }
    location = /long.txt { gzip off; if ($arg_a) { gzip on; } if ($arg_b) { gzip off; } }
    location = /unlogged { access_log off; if ($arg_a) { access_log @LOG@ diff; } return 200 x; }
    location = /logged { if ($arg_a) { access_log off; } return 200 x; }
    location = /denied { deny all; if ($arg_a) { add_header X-A a; } }
    location = /denied-return { deny all; if ($arg_a) { return 200 passed; } }
    location = /if-break { if ($arg_a) { add_header X-A a; break; } add_header X-L l; return 200 x; }
    location = /file.txt { add_header X-L l; if ($arg_a) { add_header X-A a; } }
    location /search/ { if ($arg_a) { add_header X-A a; rewrite ^ /file.txt last; } }
    location /outer/ { add_header X-O o; if ($arg_a) { add_header X-A a; } location /outer/inner/ { return 200 inner; } return 200 outer; }
    location = /sent { if ($arg_a) { sendfile on; } rewrite ^ /file.txt break; }
    location = /big { client_max_body_size 2; if ($arg_a) { set $x 1; } proxy_pass http://@ORIGIN@; }
    location ~ ^/re/(.*)$ { if ($arg_a) { proxy_pass http://@ORIGIN@; } return 200 "re $1"; }
    if ($arg_s = 1) { return 202 "server if"; }
    if ($arg_s = 2) { rewrite ^ /file.txt; set $s 2; }
    if ($arg_s = 3) { break; }
    if ($arg_s ~ ^[34]$) { set $s later; }
    location = /server-if { return 200 "$s|$uri"; }
}
""")
for place in ("headers", "set-later", "if-break", "file.txt", "unlogged", "logged"):
    lines = {"unlogged": (0, 1), "logged": (1, 0)}.get(place, (1, 1))
    for query, count in zip(("", "?a=1"), lines):
        get(blocks, f"{place}{query}", f"/{place}{query}")
        blocks.cases[-1].lines = count
all_of(blocks, ["/headers?b=1", "/headers?a=1&b=1", "/headers?c=1", "/headers?a=1&c=1", "/proxied/x", "/proxied/x?a=1",
                "/proxied/x?b=1", "/proxied/x%20y?b=1", "/proxied/x?c=1", "/proxied/x?a=1&b=1", "/proxied/x?b=1&c=1",
                "/proxied/x?d=1", "/if-proxied/x?a=1", "/if-proxied/x", "/if-proxied?a=1", "/slash?a=1", "/slash/?a=1", "/slash/",
                "/rooted/x.txt", "/rooted/x.txt?a=1", "/rooted-after/x.txt?a=1", "/rooted-after/file.txt?a=1",
                "/rooted-mid/x.txt?a=1", "/denied", "/denied?a=1", "/denied-return", "/denied-return?a=1", "/search/",
                "/search/?a=1", "/outer/", "/outer/?a=1", "/outer/inner/?a=1", "/sent", "/sent?a=1", "/re/x", "/re/x?a=1",
                "/server-if", "/server-if?s=1", "/server-if?s=2", "/server-if?s=3", "/server-if?s=4", "/none?s=1"])
for query in ("", "?a=1", "?b=1", "?a=1&b=1"):
    get(blocks, f"gzip{query}", f"/long.txt{query}", "Accept-Encoding: gzip")
get(blocks, "big", "/big", method="POST", body=b"xyz")
get(blocks, "big-if", "/big?a=1", method="POST", body=b"xyz")
get(blocks, "small-if", "/big?a=1", method="POST", body=b"xy")

groups = setup("rewrite-groups", """
server {
    listen @LISTEN@; server_name a ~^(?<sub>.)\\.(.*)$; default_type text/plain;
    location /plain/ { return 200 "[$1|$2]"; }
    location ~ ^/loc/(.*)$ { return 200 "[$1]"; }
    location ~ ^/cleared/(.*)$ { rewrite zz /y; return 200 "[$1]"; }
    location ~ ^/again/(.*)$ { if ($uri ~ again/(.)) { set $x 1; } return 200 "[$1]"; }
    location ~ ^/noneg/(.*)$ { if ($uri !~ zzz(.)) { set $x 1; } return 200 "[$1]"; }
    location ~ ^/neg/(.*)$ { if ($uri !~ neg/(.)) { set $x 1; } return 200 "[$1]"; }
    location ~ ^/nogroup/(.*)$ { if ($uri ~ nogroup) { set $x 1; } return 200 "[$1]"; }
    location ~ ^/names/(?<first>[^/]*)/(?<second>.*)$ { if ($uri ~ zzz) { } return 200 "[$first|$second|$1]"; }
    location ~ ^/named-again/(?<first>[^/]*)$ { if ($arg_a ~ (?<first>x.*)) { } return 200 "[$first]"; }
    location ~ ^/optional/(a)?(b)?$ { return 200 "[$1|$2]"; }
    location /saved/ { if ($uri ~ ^/saved/(.*)$) { set $s $1; } if ($uri ~ zzz) { } return 200 "[$s|$1]"; }
    location /quoted/ { if ($uri ~ ^/quoted/(.*)$) { set $s "<$1>"; } rewrite ^/quoted/(.*)$ /q/$1; set $t "<$1>"; return 200 "[$s|$t|$1]"; }
    location /inner/ { if ($uri ~ ^/inner/(.)(.*)$) { set $s $2$1; return 200 "[$s|$1]"; } }
    location /sub/ { return 200 "[$sub|$1|$2]"; }
    location /case/ { if ($uri ~* ^/CASE/(.*)$) { return 200 "[$1]"; } return 200 none; }
}
""")
all_of(groups, ["/plain/x", "/loc/x%20y", "/cleared/x", "/again/xyz", "/noneg/x", "/neg/x", "/nogroup/x", "/names/a/b",
                "/named-again/q", "/named-again/q?a=xy", "/optional/a", "/optional/b", "/optional/ab", "/optional/", "/saved/x",
                "/saved/a%20b", "/saved/a+b", "/saved/a&b", "/saved/%C3%A9", "/saved/a%26b%3Bc", "/quoted/x", "/quoted/a%20b",
                "/quoted/a+b", "/inner/abc", "/inner/a%20c", "/case/x"])
get(groups, "sub", "/sub/x", host="q.example")
get(groups, "sub-plain", "/plain/x", host="q.example")

sets = setup("rewrite-set", """
log_format vars '$status $body_bytes_sent $server|$both|$never|$Mixed';
server {
    listen @LISTEN@; server_name a; default_type text/plain;
    set $server "s-$arg_a"; set $both 1;
    if ($arg_never) { set $never 1; }
    access_log @LOG@ vars;
    location /s { return 200 "[$server|$both|$never]"; }
    location /l { set $both "$both-2"; set $both "${both}x"; return 200 "[$both]"; }
    location /mixed { set $Mixed MiXed; return 200 "[$mixed|$MIXED]"; }
    location /swap { set $a 1; set $b 2; set $c $a; set $a $b; set $b $c; return 200 "$a$b"; }
    location /self { set $v "$v+"; set $v "$v+"; return 200 "[$v]"; }
    location /kept { set $v kept; rewrite ^ /show last; }
    location /show { return 200 "[$v]"; }
    location /header { set $v "x"; add_header X-V $v; add_header X-N "$never"; return 200 ""; }
    location /dollar { set $v "a b;c{d}"; return 200 "$v"; }
    location /empty { set $v ""; return 200 "[$v]"; }
    location /status { set $v $status; return 200 "[$v]"; }
    location /after { set $v $uri; rewrite ^ /other; return 200 "$v $uri"; }
    location /index/ { set $v before; root @ROOT@; rewrite ^ /listed/ break; }
    location = /listed/index.html { return 200 "index $v"; }
    location /unset-if { if ($never) { return 200 yes; } if ($never = "") { return 200 empty; } return 200 no; }
    location /over { set $v "$http_x_long$http_x_long$http_x_long$http_x_long"; set $v "$v$v$v$v"; return 200 "long"; }
    location /long { set $v $http_x_long$http_x_long; return 200 $v; }
}
""")
all_of(sets, ["/s?a=1", "/s", "/l", "/mixed", "/swap", "/self", "/kept", "/show", "/header", "/dollar", "/empty", "/status",
              "/after", "/index/", "/unset-if"])
get(sets, "long", "/long", "X-Long: " + "y" * 3000)

proxied = setup("rewrite-proxied", """
server {
    listen @LISTEN@; server_name a; proxy_http_version 1.1; proxy_set_header Connection "";
    location /part/ { rewrite ^/part/(.*)$ /new/$1 break; proxy_pass http://@ORIGIN@/up/; }
    location /whole/ { rewrite ^/whole/(.*)$ /new/$1 break; proxy_pass http://@ORIGIN@; }
    location /args/ { rewrite ^/args/(.*)$ /new?p=$1 break; proxy_pass http://@ORIGIN@; }
    location /dropped/ { rewrite ^/dropped/(.*)$ /new/$1? break; proxy_pass http://@ORIGIN@; }
    location /broken/ { break; proxy_pass http://@ORIGIN@/up/; }
    location /changed/ { rewrite ^/changed/(.*)$ /new/$1; break; proxy_pass http://@ORIGIN@/up/; }
    location /set/ { set $args "n=1"; proxy_pass http://@ORIGIN@; }
    location /set-part/ { set $args "n=1"; proxy_pass http://@ORIGIN@/up/; }
    location /unset/ { set $args ""; proxy_pass http://@ORIGIN@; }
    location /same/ { set $args $args; proxy_pass http://@ORIGIN@; }
    location /last/ { rewrite ^/last/(.*)$ /target/$1 last; }
    location /target/ { proxy_pass http://@ORIGIN@/up/; }
    location /query/ { rewrite ^/query/(.*)$ /new?q=$arg_q? break; proxy_pass http://@ORIGIN@; }
    location /head/ { if ($arg_a) { set $h 1; } proxy_set_header Host $proxy_host; proxy_set_header X-H "$h"; proxy_set_header Connection ""; proxy_pass http://@ORIGIN@; }
    location ~ ^/re/(.*)$ { rewrite ^/re/(.*)$ /new/$1 break; proxy_pass http://@ORIGIN@; }
}
""")
for place in ("part", "whole", "args", "dropped", "broken", "changed", "set", "set-part", "unset", "same", "last", "re"):
    all_of(proxied, [f"/{place}/x?a=1", f"/{place}//a%20b%3Fc%25/%41?", f'/{place}/a"b+c'])
all_of(proxied, ["/query/?q=%20a%26", "/head/", "/head/?a=1", "/whole/"])
get(proxied, "post", "/whole/x", method="POST", body=b"body")

other = setup("rewrite-differs", """
server {
    listen @LISTEN@; server_name a; proxy_http_version 1.1; proxy_set_header Connection "";
    location /bare/ { rewrite ^/bare/(.*)$ $1 last; }
    location /bare-proxied/ { rewrite ^/bare-proxied/(.*)$ $1 break; proxy_pass http://@ORIGIN@; }
    location /percent/ { rewrite ^ /50%off/100% redirect; }
    location /space/ { set $args "a b"; proxy_pass http://@ORIGIN@; }
    location /same/ { set $args $args; proxy_pass http://@ORIGIN@; }
    location /long/ { set $v "$http_x$http_x$http_x$http_x$http_x$http_x$http_x$http_x"; set $v "$v$v$v$v"; return 200 x; }
}
""")
all_of(other, ["/bare/x", "/bare/none/x", "/bare-proxied/x", "/percent/", "/space/", "/same//x?a=1"])
get(other, "long", "/long/", "X: " + "y" * 4000)
