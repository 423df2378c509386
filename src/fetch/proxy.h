#ifndef FETCH_PROXY_H
#define FETCH_PROXY_H

#include "base/span.h"
#include "conf/settings.h"
#include "exchange/template.h"
#include "fetch/proxy_redirect.h"
#include "proto/fields.h"

/* `proxy_*`: how requests go on to an upstream. The forward face reads the same settings for the
 * origins that its clients name. */

enum next_upstream { /* proxy_next_upstream */
                     NEXT_ERROR = 1 << 0,
                     NEXT_TIMEOUT = 1 << 1,
                     NEXT_INVALID_HEADER = 1 << 2,
                     NEXT_500 = 1 << 3,
                     NEXT_502 = 1 << 4,
                     NEXT_503 = 1 << 5,
                     NEXT_504 = 1 << 6,
                     NEXT_403 = 1 << 7,
                     NEXT_404 = 1 << 8,
                     NEXT_429 = 1 << 9,
                     NEXT_NON_IDEMPOTENT = 1 << 10,
                     NEXT_OFF = 1 << 11 /* whatever stands beside it */
};

struct proxy_header { /* proxy_set_header NAME VALUE */
    struct span name;
    enum field_id id;
    struct template value;
};

struct proxy_target {          /* proxy_pass */
    struct span host;          /* $proxy_host: as written, default port left out */
    struct span uri;           /* the URI part; empty: none */
    struct upstream *upstream; /* NULL: the directive is not there, or it varies */
    struct span location;      /* what the URI part replaces */
    struct span written;       /* host and port as in the directive */
    struct template url;       /* with variables: what all of the above is made of, at run time */
    struct place place;
    bool exact, varies;
};

struct proxy_size {
    uint64_t bytes;
    struct place place; /* of its line */
};

struct proxy_settings {
    struct proxy_target target;
    struct conf_list set_headers;  /* of struct proxy_header */
    struct conf_list hide_headers; /* of struct span */
    struct conf_list pass_headers;
    struct proxy_connect_timeout {
        uint64_t ms;
        bool given; /* else 10 s an address on the forward face (forward-semantics 2.4) */
    } connect_timeout;
    uint64_t send_timeout, read_timeout; /* ms */
    uint64_t buffer_size;                /* of an answer's head */
    struct conf_buffers buffers;
    uint64_t busy_buffers_size; /* 0: two buffers */
    struct proxy_spill {        /* the file behind the buffers */
        struct placed_path folder;
        struct proxy_size most;  /* 0: no file */
        struct proxy_size piece; /* a write at most; 0: two buffers */
    } spill;
    unsigned next_upstream;
    uint64_t next_upstream_tries;
    uint64_t next_upstream_timeout; /* ms; 0: none */
    uint64_t keepalive;             /* proxy_keepalive; 0: off */
    unsigned http_version;          /* 0: HTTP/1.0, 1: HTTP/1.1 */
    struct proxy_switches {
        bool request_buffering, buffering;
    } switches;
    struct proxy_redirects redirects;
    struct proxy_aborts {
        bool ignore_client_abort;
    } aborts;
    struct proxy_answers {
        bool intercept; /* proxy_intercept_errors */
    } answers;
    unsigned ignore_headers; /* enum ignored_field */
};

/* What is kept of a connection to an address without an `upstream` block. */
enum { PROXY_REQUESTS = 1000, PROXY_AGE_MS = 3600000, PROXY_IDLE_MS = 60000 };

extern const struct module proxy_module;
extern const struct module attempts_module;

/* For one address, ms. */
uint64_t proxy_connect_ms(const struct proxy_settings *own, bool forward);
/* The key of the pool that a forward block's origins share. */
void proxy_forward_key(const struct conf_block *block, struct buf *out);

#endif
