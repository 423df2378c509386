#ifndef EXCHANGE_PHASE_H
#define EXCHANGE_PHASE_H

/* The moments at which a hook may decide, in order. Three kinds, by what a hook is given: a
 * connection (ACCEPT, HELLO), a candidate address after resolution and before the connection
 * (DIAL), the exchange (all others). */
enum phase {
    PHASE_ACCEPT,         /* a connection came, nothing was read */
    PHASE_HELLO,          /* its ClientHello was read */
    PHASE_POST_READ,      /* the head was read: what was asked for, and of which server */
    PHASE_SERVER_REWRITE, /* the server's `rewrite`, `if`, `set`, `return` */
    PHASE_FIND,           /* the location */
    PHASE_REWRITE,        /* the location's */
    PHASE_PREACCESS,      /* limits */
    PHASE_ACCESS,         /* may it pass? the forward face's rules */
    PHASE_PRECONTENT,     /* what changes the request before it goes on */
    PHASE_CONTENT,        /* a source is set */
    PHASE_DIAL,           /* an address is about to be dialled */
    PHASE_PEEK,           /* the first bytes of a tunnel */
    PHASE_RESPONSE,       /* the answer's head is there */
    PHASE_LOG,
    PHASES
};

#endif
