#ifndef EXCHANGE_CLIENT_H
#define EXCHANGE_CLIENT_H

#include "net/io.h"

#include <stdbool.h>

struct fields;
struct part;

/* Who asks: an HTTP/1 connection, later an HTTP/2 stream, SOCKS, a subrequest, nobody. */
struct client {
    const struct client_ops *ops;
    struct exchange *x;
    /* Set by the buffering filter: called on the fiber when a send is about to wait. */
    void (*on_blocked)(void *arg);
    void *on_blocked_arg;
};

struct client_ops {
    /* Fills x->request. IO_OK also for a malformed head: then x->response.status is preset. IO_EOF:
     * nothing was asked. */
    enum io (*read_head)(struct client *c);
    /* The request's body, piece by piece; IO_EOF at its end. Sends 100 Continue if that is waited
     * for. IO_FAILED: malformed or cut; x->fault says which. */
    enum io (*read_body)(struct client *c, struct part *ret);
    enum io (*send_head)(struct client *c); /* held back: leaves with the first part, or at flush */
    /* Forgets a head that is still held back; another one may be sent. False: it has left, or
     * nobody is there. */
    bool (*drop_head)(struct client *c);
    enum io (*flush)(struct client *c);
    enum io (*send_part)(struct client *c,
                         const struct part *p); /* p->last: the end leaves with it */
    enum io (*send_end)(struct client *c);
    enum io (*send_interim)(struct client *c, unsigned status,
                            const struct fields *fields); /* 103; 100: once, if waited for */
    /* Cancels the running fiber when the client hangs up; off again by `on` false. */
    void (*watch)(struct client *c, bool on);
    /* Gives the connection up to a tunnel, with what was already read (unread) in it. NULL: it
     * cannot. */
    struct conn *(*take)(struct client *c, void (**ret_on_closed)(void *arg), void **ret_arg);
    /* The connection under it, for facts (addresses, TLS) only; NULL: none. */
    const struct conn *(*conn)(const struct client *c);
};

#endif
