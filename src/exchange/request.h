#ifndef EXCHANGE_REQUEST_H
#define EXCHANGE_REQUEST_H

#include "base/span.h"
#include "proto/fields.h"
#include "proto/framing.h"

enum method {
    METHOD_OTHER,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_PATCH,
    METHOD_TRACE,
    METHOD_CONNECT,
    METHOD_LOCK
};

/* Whether the path begins with the name of the location, which `alias` and the URI part of
 * proxy_pass replace: not once `rewrite ... break` has made it. */
enum path_use { PATH_IN_LOCATION, PATH_ALONE };

struct request {
    struct span method;
    enum method method_id;
    struct span line;   /* as it came, for $request */
    struct span target; /* raw, for $request_uri; of an absolute-form the part from the path on */
    struct span uri;    /* $uri: decoded, normalised; changes with internal redirects */
    struct span args;   /* raw, without `?`; `at` is NULL: there never were any */
    struct span
        raw_path; /* the path as it came, while `uri` still is what was asked for; else empty */
    enum path_use path_use;
    struct span authority; /* the host as asked: absolute-form's, else Host, as sent with port */
    struct span host;      /* lower case, without port; empty: none */
    uint16_t port;         /* in Host or the target; 0: none */
    uint8_t minor;
    bool escaped;       /* the path held `%` or `+` */
    bool expects;       /* waits for 100 Continue */
    struct span scheme; /* of an absolute-form target; else empty */
    enum framing framing;
    uint64_t length;
    uint64_t received; /* bytes of line, head and body so far: $request_length */
    struct fields fields;
};

bool is_safe_to_retry(
    enum method method); /* idempotent (RFC 9110 9.2.2), without POST, PATCH, LOCK as NGINX */

#endif
