#ifndef EXCHANGE_LISTENER_H
#define EXCHANGE_LISTENER_H

#include "base/address.h"
#include "base/span.h"
#include "conf/settings.h"
#include "net/listen.h"

struct exchange;
struct worker;

/* What clients connect to: one group of servers, or one forward block. */
struct listener {
    struct address address; /* as configured */
    struct span text;       /* as shown: `*:80`, `127.0.0.1:8080` */
    struct place place;
    const struct conf_block *fallback; /* the default server, or the forward block */
    /* The server for a host (lower case, no port). Set by whoever knows names; NULL: always the
     * fallback. `x`: keeps the groups of an expression that matches; NULL: there is no request yet.
     * The result is NULL if an expression came to its limit. */
    const struct conf_block *(*find)(const struct listener *l, struct span host, struct worker *w,
                                     struct exchange *x);
    const void *names;       /* find's */
    struct conf_list blocks; /* of const struct conf_block *: all on it, in the order of the file */
    struct listener *wildcard; /* shares this one's socket (`*:port`); NULL: a socket of its own */
    uint32_t socket;           /* its number among the sockets */
    bool ssl;
    bool forward;
    int backlog, rcvbuf, sndbuf;
    struct listen_tcp tcp;
    uint8_t ipv6only;      /* on unless said otherwise */
    uint8_t options_given; /* socket options were given at some place */
};

/* Whose settings a head is read by: of the server that a TLS client has named in its hello (empty:
 * none), else of the default one. What the head says chooses anew. */
const struct conf_block *listener_first_server(const struct listener *l, struct span named,
                                               struct worker *w);

/* A connection before anything was asked on it. */
struct arrival {
    struct address client;
    const struct listener *listener;
};

#endif
