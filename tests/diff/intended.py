"""Differences from Debian's nginx 1.22 that are meant, by case. A text is the reason why the whole answer differs;
else each aspect has its reason. A reason is the first column of a line in doc/differences.md."""

from cases import PROXIED

FRAGMENT = "Fragment in a target"
HOST = "Host that is no name, address or port"
BLANKS = "Blanks in the request line"
FRAMING = "Upstream: ambiguous framing"
NO_HEAD = "Upstream: HTTP/0.9, no status line"
ORDER = {"order of fields": "Order of fields"}

PACKED = "`Cache-Control: no-transform`"
RANGES = {"field accept-ranges": "`Accept-Ranges` of a body that `sub_filter` changed"}
CHUNKS = {"access log": "`$body_bytes_sent` of chunks"}  # cut where each one's buffers end

BARE = "A rewritten path without `/` in front"
CHANGED = ("field content-length", "body", "seen by the origin", "access log")

INTENDED = {
    "gzip-answer-no-transform": {a: PACKED for a in ("field content-length", "field transfer-encoding", "field vary",
                                                     "field content-encoding", "access log")},
    **{f"gzip-{place}-{name}": ORDER for place in ("answer", *(f"proxied-{v}" for v in PROXIED))
       for name in ("modified", "validators")},
    **{f"sub-{case}": RANGES for case in ("answered-ranges", "any-type-ranges", "kept-ranges", "head-ranges", "1.0-ranges",
                                          "range-ranges")},
    **{f"sub-{case}": CHUNKS for case in ("two-all-text", "overlap-html", "overlap-no-length", "overlap-two-all-text",
                                          "variables-all-text", "lines-html", "lines-no-length", "lines-all-text")},
    "logged-json": {"access log": "`escape=json`"},
    "sub-kept-validators": ORDER,
    "names-bad-host-.a": HOST,
    "names-bad-host-[::1": HOST,
    "locations-target-/exact#y": FRAGMENT,
    "proxy-uri-/a/x#frag": FRAGMENT,
    "proxy-uri-/b/x#frag": FRAGMENT,
    "head-two-empty-lines-before": "Empty lines before a request",
    "head-empty-line-before": {"access log": "`$request_length`"},
    "range-empty-file": "Range of an empty file",
    "head-two-spaces": BLANKS,
    "head-space-at-end": BLANKS,
    "head-no-colon": "A field line without a colon",
    "head-lf-only": "Bare LF as a line end",
    "head-http-0.9": "HTTP/0.9",
    "head-expect-other": "`Expect` other than `100-continue`",
    "head-connect": "CONNECT to a server",
    "head-eof-in-body": {"answer": "Unread request body"},
    "head-long-line": {"access log": "`$request` of a line too long"},
    "head-value-with-tabs": {a: "Tabs around a field value" for a in ("field content-length", "body", "access log")},
    "head-repeated-field": {a: "Repeated fields in a variable" for a in ("field content-length", "body", "access log")},
    "return-msie": {a: "Padding for old browsers" for a in ("field content-length", "body", "access log")},
    "add-header-date": ORDER,
    "upstream-fields": ORDER,
    "range-empty-file": "Range of an empty file",
    "proxy-uri-/proxy_host/x": {"seen by the origin": "Order of fields"},
    "proxy-post-no-length": {"seen by the origin": "A POST without a body"},
    "proxy-chunked-up": {"access log": "`$content_length` of a chunked body"},
    "proxy-chunked-up-streamed": {"access log": "`$content_length` of a chunked body",
                                  "seen by the origin": "Streaming a chunked body"},
    "proxy-expect": {"access log": "`$body_bytes_sent`"},
    "proxy-proxy-connection": {"seen by the origin": "`Proxy-Connection`"},
    "upstream-hop": {"field x-a": "Fields named in `Connection`"},
    "upstream-garbage": NO_HEAD,
    "upstream-http-0.9": NO_HEAD,
    "upstream-status-3": NO_HEAD,
    "upstream-length-and-chunked": FRAMING,
    "rewrite-differs-/bare/x": BARE,
    "rewrite-differs-/bare/none/x": BARE,
    "rewrite-differs-/bare-proxied/x": BARE,
    "rewrite-differs-/percent/": {"field location": "A `%` that is no escape, in a redirect by `rewrite`"},
    "rewrite-differs-/space/": {a: "Space or control byte in args by `set $args` or `rewrite`" for a in CHANGED},
    "rewrite-differs-/same//x?a=1": {a: "`set $args` to what they were" for a in CHANGED},
    "rewrite-differs-long": "What `set` or `rewrite` makes, beyond 64 KiB",
    "rewrite-redirects-/none/": {"field location": "An empty Location"},
    "rewrite-redirects-/relative/": {"field location": "An empty Location"},
    "rewrite-conditions-/file?p=dir/../file.txt": {"body": "Path of a file test"},
}
