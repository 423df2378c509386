"""Differences from Debian's nginx 1.22 that are meant, by case. A text is the reason why the whole answer differs;
else each aspect has its reason. A reason is the first column of a line in doc/differences.md."""

from cases import PROXIED

FRAGMENT = "Fragment in a target"
HOST = "Host that is no name, address or port"
BLANKS = "Blanks in the request line"
FRAMING = "Upstream: ambiguous framing"
NO_HEAD = "Upstream: HTTP/0.9, no status line"
ORDER = {"order of fields": "Order of fields"}

ORDER_AT_ORIGIN = {"order of fields at the origin": "Order of fields"}
NOMINATED = "`proxy_set_header Connection` with other words"

PACKED = "`Cache-Control: no-transform`"
RANGES = {"field accept-ranges": "`Accept-Ranges` of a body that `sub_filter` changed"}
CHUNKS = {"access log": "`$body_bytes_sent` of chunks"}  # cut where each one's buffers end

BARE = "A rewritten path without `/` in front"
CHANGED = ("field content-length", "body", "seen by the origin", "access log")
GIVEN_UP = "Fields of an answer that was given up"
BODY_OF_PAGE = "Request body after `error_page`"
OUT = "Leaving a root"

INTENDED = {
    **{f"error-page-{source}-variable": {"access log": "`$args` that is empty"}
       for source in ("return", "return-redirect", "denied", "no-index", "folder", "precondition", "dead", "upstream", "head",
                      "post")},
    **{name: {"access log": "`$args` that is empty"}
       for name in ("try-files-/no-slash/x", "try-files-/loop")},
    **{f"accel-{name}": {"access log": "`$uri` that leads nowhere"} for name in ("url", "relative")},
    **{f"error-early-{name}": {"access log": "`$uri` that leads nowhere"}
       for name in ("own-status-bad-path", "own-status-long-field", "url-no-host", "url-bad-path", "url-coding",
                    "url-long-field")},
    "error-turns-/retried-path/x%20y?q=%41": {"access log": "`$args` that is empty"},
    **{f"error-page-{source}-named-missing": ORDER for source in ("return-redirect", "folder")},
    **{f"error-page-range-{form}": ORDER for form in ("url", "url-301", "url-not-a-redirect")},
    **{f"error-page-range-{form}": {"field etag": GIVEN_UP}
       for form in ("page", "args", "own-status-text", "204", "418", "named", "named-proxied", "proxied", "second-line",
                    "internal")},
    "error-page-range-variable": {"field etag": GIVEN_UP, "access log": "`$args` that is empty"},
    **{f"error-page-range-{form}": {"field etag": GIVEN_UP, "field content-range": GIVEN_UP} for form in ("own-status", "200")},
    "error-page-range-named-own": GIVEN_UP,
    "error-page-precondition-named-own": GIVEN_UP,
    "error-page-precondition-named-proxied": GIVEN_UP,
    "error-page-precondition-proxied": GIVEN_UP,
    "error-page-post-proxied": {"seen by the origin": BODY_OF_PAGE, "access log": BODY_OF_PAGE},
    "error-early-named-bad-path": "`error_page` for a head without a path",
    "try-files-/arg/?f=../../etc/passwd": OUT,
    "try-files-/arg/?f=dir/../file.txt": "Dot segments that a `rewrite` or `try_files` makes",
    "try-files-/bare/?f=/../../etc/passwd": OUT,
    "alias-/root/x?d=../..": OUT,
    "alias-/links-off/linkdir/x.txt": "`disable_symlinks` and a folder",
    "accel-ignored/file": ORDER,
    "accel-passed/file": ORDER,
    "accel-loop": {a: GIVEN_UP for a in ("field set-cookie", "field content-disposition", "field cache-control",
                                         "field expires", "access log")},
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
    "limits-not-counted-twice": ORDER,
    "limits-dry": ORDER,
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
    "proxy-uri-/proxy_host/x": ORDER_AT_ORIGIN,
    **{f"proxy-variables-/{place}/x": ORDER_AT_ORIGIN for place in ("hosts", "group-hosts")},
    **{f"proxy-connection-{case}": ORDER_AT_ORIGIN
       for case in ("http-keep-alive", "http-close", "arg-keep-alive", "arg-close", "old-http-keep-alive", "old-http-close",
                    *(f"{place}-{asked}" for place in ("keep", "close", "old")
                      for asked in ("none", "keep-alive", "close")))},
    "proxy-connection-http-nominates": {"seen by the origin": NOMINATED},
    "proxy-connection-arg-split": {"seen by the origin": NOMINATED},
    **{f"proxy-variables-/bad-host/x?host={host}": "`proxy_pass` with variables: what is no host"
       for host in ("a..b", "a@b")},
    **{f"own-answers-{case}": {"field content-length": "`Content-Length` of a 204 or 304 of ours"}
       for case in ("204-typed/", "304/", "preflight")},
    **{f"own-answers-{case}": {"access log": "`$args` that is empty"} for case in ("trace", "post-of-a-file")},
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
