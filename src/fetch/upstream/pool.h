#ifndef FETCH_UPSTREAM_POOL_H
#define FETCH_UPSTREAM_POOL_H

#include "base/address.h"
#include "base/buf.h"
#include "base/link.h"
#include "base/span.h"
#include "net/conn.h"

/* Connections to upstreams, and those that are idle. Pools outlive generations: they are found
 * again by their key (role, block, address), so a reload keeps them warm. A connection comes back
 * only after a fully sent request, a fully read and unambiguous answer, and not one surplus byte
 * (DESIGN 7.4). */

struct pool_limits {
    uint64_t most;     /* idle ones; 0: none are kept */
    uint64_t requests; /* on one connection */
    uint64_t age_ms;
    uint64_t timeout_ms; /* idle */
};

/* What a balancer remembers of a peer across generations (nginx-semantics 7.7). */
struct peer_state {
    struct peer_state *next;
    struct address address;
    int64_t current_weight;
    int64_t effective_weight; /* 0: not yet used */
    uint64_t fails;
    uint64_t accessed, checked; /* ms of the loop's clock */
    uint64_t connections;       /* in use */
};

struct pool {
    struct pool *next;
    struct link idle; /* newest first */
    uint32_t count;
    uint32_t users; /* generations */
    struct pool_limits limits;
    struct worker *worker;
    struct peer_state *peers; /* owned */
    uint32_t key_length;
    char key[]; /* "r upstream NAME", "f BLOCK" ... */
};

/* A connection to a peer; while it is idle it stands in its pool. */
struct upstream_conn {
    struct conn conn;
    struct link link;
    struct pool *pool;
    struct address address;
    uint64_t identity; /* what else must be equal to use it again: a digest; 0: nothing */
    uint64_t opened;
    uint64_t requests;
    struct buf out; /* the request's head; memory kept */
};

struct upstream_pools {
    struct pool *first;
    uint64_t complained; /* ms: that sockets are lacking is said once a second; 0: never yet */
};

/* Finds or makes it, and counts a user. */
struct pool *pool_get(struct worker *w, struct span key, const struct pool_limits *limits);
/* Only finds it; NULL: there is none. */
struct pool *pool_find(struct worker *w, struct span key);
void pool_unuse(struct pool *p);
struct peer_state *pool_peer(struct pool *p, const struct address *a);

/* A new, closed one; NULL: no memory. */
struct upstream_conn *upstream_conn_new(struct pool *p, const struct address *a, uint64_t identity);
/* An idle connection to the address; NULL: none. */
struct upstream_conn *pool_take(struct pool *p, const struct address *a, uint64_t identity);
/* Gives it back, or closes it if the limits say so. */
void pool_give(struct upstream_conn *c);
void upstream_conn_close(struct upstream_conn *c, bool reset);
/* A record whose connection has moved on (conn_move): that one still counts among the worker's,
 * until it is gone. */
void upstream_conn_left(struct upstream_conn *c);
void upstream_conn_gone(struct worker *w);
/* An unopened one. */
void upstream_conn_free(struct upstream_conn *c);

void pools_start(struct worker *w);
/* Closes every idle connection; in a worker that ends. */
void pools_drain(struct worker *w);
void pools_free(struct worker *w); /* when no upstream connection is left */

#endif
