#ifndef SERVE_CONNECTION_H
#define SERVE_CONNECTION_H

#include "base/link.h"
#include "net/conn.h"
#include "net/sock.h"
#include "net/timer.h"

/* A client's connection from accept to close: the parked record. No fiber and no buffer while it is
 * idle. */
struct connection {
    struct conn conn;
    struct acceptor *acceptor;
    struct link link;    /* among all of the worker's */
    struct link queue;   /* among those that wait for a stack */
    uint64_t patience;   /* ms: until when */
    struct fiber *fiber; /* while it is served */
    uint64_t serial;
    uint64_t opened; /* ms */
    uint32_t requests;
    bool encrypted; /* the handshake is done */
    bool parked;
};

/* A listening socket of the worker; outlives generations, and itself as long as connections that
 * came by it live. */
enum { NO_LISTENER = UINT32_MAX };
struct acceptor {
    struct sock sock;
    struct worker *worker;
    struct acceptor *next;
    uint32_t id;
    uint32_t number; /* among the sockets: listener->socket; NO_LISTENER: no longer configured */
    uint32_t users;  /* its connections, and the open socket */
    bool closed;
};

/* What serve keeps for a worker. */
struct serve_state {
    struct acceptor *acceptors;        /* owned */
    struct link connections;           /* all of them */
    struct link starved;               /* those that wait for a stack, the first one first */
    struct timer starved_timer;        /* for the first of them */
    uint64_t complained;               /* of that, last */
    uint64_t full;                     /* ms: a full worker was said last */
    struct h1 *idle_h1;                /* pooled; owned */
    void (*on_idle)(struct worker *w); /* asked for by serve_drain: the last connection has gone */
};

/* Serves what has come on the connection, on a fiber of its own, until it is parked, closed or
 * taken. */
void session_run(void *connection);

/* Has the connection served: at once, or when there is a stack for it. After 5 s without one it is
 * refused (LIM-33). */
void connection_serve(struct connection *c);
void starved_init(struct worker *w);
void starved_close(struct worker *w); /* all of them, now */

/* Waits without a fiber for the next request (or, the first time, for the first byte). */
void connection_park(struct connection *c, uint64_t timeout_ms);
/* CLEAN: what was sent is whole (TLS says so by close_notify). CUT: it is not. RESET: nor may it
 * look so. */
enum closing { CLOSE_CLEAN, CLOSE_CUT, CLOSE_RESET };
void connection_close(struct connection *c, enum closing how);
/* The conn now belongs to a tunnel: `connection_gone` is to be called when it is closed. */
void connection_gone(void *connection);
/* The newest generation's listener for it; NULL: it has none any more. */
const struct listener *connection_listener(const struct connection *c);

#endif
