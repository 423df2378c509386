#ifndef EXCHANGE_EXCHANGE_H
#define EXCHANGE_EXCHANGE_H

#include "base/address.h"
#include "base/arena.h"
#include "base/span.h"
#include "exchange/decision.h"
#include "exchange/fault.h"
#include "exchange/request.h"
#include "exchange/response.h"

struct place;

/* One request and its answer: what every room works on. Its life is exchange_run, on one page. */

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

/* Key of a note whose value is a `struct span *`: one sentence that pages of ours show, escaped:
 * which rule decided. */
extern const char exchange_explanation_key;
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

void *exchange_note(const struct exchange *x, const void *key); /* NULL: none */
void exchange_keep(struct exchange *x, const void *key, void *value);

/* Asks the hooks of PHASE_DIAL; the `may` of dial(). */
bool exchange_may_dial(void *x, const struct address *candidate);

void decided(struct exchange *x, enum decided what, enum verdict verdict, struct place place,
             const char *detail);

/* A path of ours as an absolute URL: scheme, host and port as the client reached us
 * (nginx-semantics 3.4). */
struct span exchange_absolute(struct exchange *x, struct span path);
bool exchange_is_secure(const struct exchange *x); /* the client came over TLS */
bool exchange_is_forward(const struct exchange *x);
bool response_has_no_body(const struct exchange *x); /* HEAD, 1xx, 204, 304 */
struct field *response_add(struct exchange *x, const char *name,
                           struct span value); /* FROM_US; value must live as long as x */

#endif
