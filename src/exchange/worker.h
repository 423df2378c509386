#ifndef EXCHANGE_WORKER_H
#define EXCHANGE_WORKER_H

#include "base/budget.h"
#include "base/hash.h"
#include "base/link.h"

/* One worker: a loop and all that lives as long as it. Passed, never global. */
struct worker {
    struct loop *loop;
    struct budget budget;          /* every byte whose number peers choose */
    uint64_t spooled;              /* those in temporary files */
    const struct errlog *log;      /* of the process */
    struct generation *generation; /* the newest: what new exchanges begin with */
    struct hash_key hash_key;
    struct worker_shared {        /* what the workers of the service have together */
        unsigned char secret[32]; /* the same in all, known to nobody else */
        char token[9];            /* the same in all, 8 hex: our pseudonym in Via */
        uint32_t slot;            /* which of them this one is; no other that lives has the same */
        uint64_t *stats;          /* exchange/stat.h: its own counters; in a zone. NULL: nobody
                                     counts */
    } shared;
    struct pattern_room *pattern_room; /* made by the first match; owned */
    struct exchange *idle_exchanges;   /* pooled; owned */
    struct upstream_pools *pools;      /* fetch/upstream: connections and peer state; owned */
    struct link tunnels;               /* fetch/tunnel: the live ones */
    struct log_sinks *sinks;           /* log: open files and their lines of this turn; owned.
                                          NULL: nothing is logged */
    struct serve_state *serve;         /* serve: listening sockets, records of connections; owned */
    struct worker_addresses {
        struct address *at; /* owned */
        unsigned count;
    } own;                /* of this machine's interfaces */
    uint64_t connections; /* serial numbers */
    uint64_t exchanges;   /* ever */
    uint32_t live_exchanges;
    uint32_t live_connections;     /* clients */
    uint32_t pooled_connections;   /* upstream, idle */
    uint32_t upstream_connections; /* in use and idle */
    uint32_t most_connections;     /* worker_connections: clients and upstreams; 0: no limit but
                                      descriptors */
    uint32_t live_tunnels;
    uint64_t short_of_memory; /* ms: said last */
    bool draining;            /* keep-alive connections close, listeners are shut */
};

/* The budget is spent, and what comes of it; said once a second. */
void worker_say_spent(struct worker *w, uint64_t connection, const char *so);

#endif
