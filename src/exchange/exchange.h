#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "base/errlog.h"
#include "conf/call.h"
#include "exchange/client.h"
#include "exchange/decision.h"
#include "exchange/fault.h"
#include "exchange/generation.h"
#include "exchange/worker.h"
#include "proto/h1.h"

/* One request and its answer: what every room works on. Its life is exchange_run, on one page. */

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

struct response {
    uint16_t status; /* 0: not yet known */
    uint16_t given;  /* error_page: what is sent in place of the source's own status; 0: that one */
    bool accept_ranges;
    bool own_location;  /* Location is a path of ours made absolute */
    struct span reason; /* empty: the standard one */
    struct fields fields;
    uint64_t length;       /* LENGTH_UNKNOWN: until the source ends */
    int64_t last_modified; /* seconds; -1: unknown */
    uint64_t head_sent;    /* bytes handed to the kernel */
    uint64_t body_sent;    /* chunk framing counts */
    uint64_t sent;         /* both */
};
#define LENGTH_UNKNOWN UINT64_MAX

/* Where the forward face is asked to go, and where it goes. */
struct destination {
    struct span host;       /* lower case, no brackets, no trailing dot */
    struct address literal; /* if the host is an address; else family AF_UNSPEC */
    uint16_t port;
};

/* `a.example:80`, `[::1]:80`; a port that goes without saying is left out. */
void destination_print(const struct destination *d, uint16_t port_left_out, struct buf *out);

/* What a module keeps for an exchange, found by the module's own key. */
struct note {
    struct note *next;
    const void *key;
    void *value;
};

/* Start the phases again. */
enum restart {
    RESTART_NOT,
    RESTART_SERVER,   /* with the server's rewrites */
    RESTART_LOCATION, /* with the search for a location */
    RESTART_NAMED     /* in a location that is known */
};

struct exchange {
    struct worker *worker;
    struct generation *generation; /* a reference */
    struct client *client;
    struct source *source;
    struct arena arena;
    const struct listener *listener;
    const struct conf_block *server;  /* the server or forward block */
    const struct conf_block *block;   /* in force: location, server or forward block */
    const struct core_settings *core; /* of `block` */
    struct request request;
    struct response response;
    struct destination *asked; /* forward face: what the client asked for */
    struct destination *goal;  /* forward face: what is dialled (`to=`) */
    struct address client_address;
    struct address local_address;
    uint64_t connection; /* its serial number */
    uint64_t requests;   /* on this connection, this one included */
    uint64_t started;    /* ms, loop's clock: first byte read */
    struct decisions decisions;
    struct note *notes;
    struct body *body; /* the request's, once spooled */
    enum fault fault;
    enum restart redirected;
    bool keep_alive;
};

/* A malformed head is IO_OK with `x->response.status` preset: the log sees it. Ends `x`. */
enum after exchange_run(struct exchange *x);
/* The same phases for `bifrons explain`, of an exchange with a trace: nothing is sent, nobody is
 * asked. Afterwards x->response is the answer, as far as it is known: status 0 is not. exchange_end
 * follows. */
void exchange_rehearse(struct exchange *x);
/* Called by exchange_run, but for a tunnel, whose lines are a draft. Runs the loggers, closes the
 * source. */
void exchange_end(struct exchange *x, enum io io);

/* Taken from the worker's pool, zeroed but for its arena; with a reference to the worker's
 * generation. NULL: over the budget. */
struct exchange *exchange_new(struct worker *w, struct client *client);
void exchange_pool_free(struct worker *w);

/* Key of a note whose value is a `struct span *`: one sentence that pages of ours show, escaped:
 * which rule decided. */
extern const char exchange_explanation_key;
/* Key of a note whose value is the peer being asked (a string), for the error log. */
extern const char exchange_peer_key;
/* Key of a note whose value is a struct exchange_target *: what the peer is asked for, for the
 * same; without one it is what the client asked for. */
struct exchange_target {
    void (*add)(const struct exchange_target *t, struct buf *out);
};
extern const char exchange_target_key;

/* Sets the source and closes the one before it. */
void exchange_source(struct exchange *x, struct source *s);
/* Sets a page of our own as source: an error with its status. `why` goes to the error log (client
 * faults at info) if not NULL. */
enum verdict exchange_refuse(struct exchange *x, unsigned status, const char *why);
/* The same by x->fault. */
enum verdict exchange_fail(struct exchange *x);
/* A body of our own: `type` may be empty. */
enum verdict exchange_answer(struct exchange *x, unsigned status, struct span type,
                             struct span body);
/* 301 302 303 307 308 with this Location (a leading `/` becomes absolute). */
enum verdict exchange_redirect(struct exchange *x, unsigned status, struct span location);
/* Phases start again with this path (normalised) and args: index, try_files ... The method stays;
 * what a source had put into the response is gone. */
enum verdict exchange_restart(struct exchange *x, struct span uri, struct span args);
/* The path and args from now on, both of x's arena: by a rewrite. */
void exchange_rewrite(struct exchange *x, struct span uri, struct span args);
/* Phases start again with the search for a location. */
enum verdict exchange_search(struct exchange *x);
/* The same with `PATH[?ARGS]` as a configuration made it, perhaps of variables. False: it holds a
 * dot segment, which would pass by locations (nothing has changed). */
bool exchange_restart_at(struct exchange *x, struct span where);
/* The same, and the method becomes GET (HEAD stays), without the request's body. */
bool exchange_restart_as_get(struct exchange *x, struct span where);
/* The same in `location @name` of the server; method, path and args stay. False: there is none. */
bool exchange_restart_named(struct exchange *x, struct span name);
/* From now on the request has no body: what was read of it is dropped. */
void exchange_forget_body(struct exchange *x);
/* The same, and the method is GET; HEAD stays. */
void exchange_become_get(struct exchange *x);
/* The path is not what the client asked for: an internal redirect led here. */
static inline bool exchange_is_internal(const struct exchange *x)
{
    return x->request.raw_path.len == 0;
}
/* Puts a block in force. */
void exchange_enter(struct exchange *x, const struct conf_block *block);

/* So many ms pass. IO_OK; IO_CANCELLED: the client left meanwhile. */
enum io exchange_sleep(struct exchange *x, uint64_t ms);

void *exchange_note(const struct exchange *x, const void *key); /* NULL: none */
void exchange_keep(struct exchange *x, const void *key, void *value);

/* Asks the hooks of PHASE_DIAL; the `may` of dial(). */
bool exchange_may_dial(void *x, const struct address *candidate);

void decided(struct exchange *x, enum decided what, enum verdict verdict, struct place place,
             const char *detail);

/* A record in the error log with the exchange's context (client, server, request ...). */
void exchange_log(struct exchange *x, enum level level, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static inline uint64_t exchange_now(const struct exchange *x)
{
    return loop_now(x->worker->loop);
}
/* ms from now on the loop's clock. */
static inline uint64_t deadline_in(const struct exchange *x, uint64_t ms)
{
    return exchange_now(x) + ms;
}

/* A path of ours as an absolute URL: scheme, host and port as the client reached us
 * (nginx-semantics 3.4). */
struct span exchange_absolute(struct exchange *x, struct span path);
bool exchange_is_secure(const struct exchange *x); /* the client came over TLS */
bool exchange_is_forward(const struct exchange *x);
bool response_has_no_body(const struct exchange *x); /* HEAD, 1xx, 204, 304 */
const char *status_reason(unsigned status);          /* "Not Found"; unknown: "" */
struct field *response_add(struct exchange *x, const char *name,
                           struct span value); /* FROM_US; value must live as long as x */
bool is_safe_to_retry(
    enum method method); /* idempotent (RFC 9110 9.2.2), without POST, PATCH, LOCK as NGINX */

#endif
