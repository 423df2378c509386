#ifndef FETCH_UPSTREAM_UPSTREAM_H
#define FETCH_UPSTREAM_UPSTREAM_H

#include "base/address.h"
#include "base/span.h"
#include "conf/settings.h"
#include "fetch/upstream/pool.h"

struct conf_call;
struct generation;

/* Groups of servers: `upstream NAME { }`, and the unnamed group of one address that stands directly
 * in proxy_pass. */

struct upstream_server {    /* a `server` line */
    struct span host;       /* a name or an address, as written */
    struct address address; /* if it is one; else family AF_UNSPEC */
    uint16_t port;
    uint64_t weight, max_fails, fail_timeout /* ms */, max_conns;
    struct place place;
    bool backup, down;
};

struct peer {
    const struct upstream_server *server;
    struct address address;
    char *name;               /* `192.0.2.1:80`, for logs */
    struct peer_state *state; /* in the pool */
};

struct upstream {
    struct span name;
    struct place place;
    struct conf_list servers; /* of struct upstream_server */
    struct pool_limits limits;
    bool named; /* an `upstream` block */
    /* In a worker: */
    struct pool *pool;
    struct peer *peers; /* generation arena; replaced when names resolve */
    uint32_t peer_count;
    uint32_t backups; /* of them */
    uint64_t asked;   /* ms: when names were last asked for; 0: there are none, or they are known */
};

extern const struct module upstream_module;

/* The group that proxy_pass means: a block of that name (if no port was given), or the address
 * itself. NULL: complained. */
struct upstream *upstream_for(struct conf_call *call, unsigned word, struct span host_port,
                              const struct pool_limits *limits);
/* The block of that name, once all are read; NULL: none. */
struct upstream *upstream_named(struct generation *g, struct span name);
/* Names that did not resolve are asked for again, at most every five seconds. */
void upstream_ask_again(struct worker *w, struct generation *g, struct upstream *u);
/* An unnamed group becomes part of the generation: it is started with the others. */
void upstream_register(struct generation *g, struct upstream *u);

/* --- choosing: smooth weighted round robin (nginx-semantics 7.7) ---------------------------- */

struct pick {
    struct upstream *upstream;
    struct exchange *x;
    uint64_t tried[16]; /* a bit for each of the first 1,024 peers */
    bool on_backups;
};

void pick_begin(struct pick *p, struct upstream *u, struct exchange *x);
/* NULL: no live peer that was not tried. */
struct peer *pick_next(struct pick *p);
enum peer_outcome { PEER_GOOD, PEER_FAILED, PEER_UNCOUNTED };
void pick_note(struct pick *p, struct peer *peer, enum peer_outcome outcome);
/* How many tries a request has (nginx-semantics 7.4). */
unsigned pick_tries(const struct upstream *u);

#endif
