/* Connections as they come and while they are idle.
 *
 *     accept -> parked -> (bytes) served on a fiber -> parked ... -> closed
 *                                        |
 *                                        +-> taken by a tunnel
 *
 * A parked connection has no fiber and no buffer, only its record. A listening socket is known by
 * its id, which is the same in every order; a reload gives it another number of a listener. One
 * that is gone from the configuration is closed; its connections have no listener any more
 * (NO_LISTENER), and its record lives until the last of them is gone.
 *
 * Owns the worker's listening sockets and the records of its connections. */
#include "base/address.h"
#include "base/charged.h"
#include "base/errlog.h"
#include "base/link.h"
#include "conf/settings.h"
#include "exchange/core.h"
#include "exchange/decision.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/stat.h"
#include "net/conn.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/sock.h"
#include "serve/connection.h"
#include "serve/h1.h"
#include "serve/serve.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum { ACCEPT_BATCH = 16, GRACE_MS = 1000 };

static const struct listener *listener_of(const struct generation *g, uint32_t socket,
                                          const struct address *local)
{
    struct listener *const *all = g->listeners.items;
    const struct listener *own = NULL;

    for (uint32_t i = 0; i < g->listeners.len; i++) {
        if (all[i]->socket != socket)
            continue;
        if (all[i]->wildcard == NULL)
            own = all[i];
        else if (address_same(&all[i]->address, local)) /* shares the socket of `*:port` */
            return all[i];
    }
    return own;
}

const struct listener *connection_listener(const struct connection *c)
{
    if (c->acceptor->number == NO_LISTENER)
        return NULL;
    return listener_of(c->acceptor->worker->generation, c->acceptor->number, &c->conn.local);
}

static void acceptor_unuse(struct acceptor *a)
{
    struct acceptor **at = &a->worker->serve->acceptors;

    if (--a->users > 0)
        return;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    free(a);
}

void connection_gone(void *arg)
{
    struct connection *c = arg;
    struct acceptor *a = c->acceptor;
    struct worker *w = a->worker;

    link_remove(&c->link);
    charged_free(c, sizeof(*c), &w->budget);
    w->live_connections--;
    acceptor_unuse(a);
    stat_add(w, STAT_ACTIVE, -1);
    if (w->live_connections == 0 && w->serve->on_idle != NULL) {
        void (*on_idle)(struct worker *) = w->serve->on_idle;

        w->serve->on_idle = NULL;
        on_idle(w);
    }
}

static void on_closed(struct conn *conn)
{
    connection_gone(CONTAINER(conn, struct connection, conn));
}

void connection_close(struct connection *c, enum closing how)
{
    if (how == CLOSE_CLEAN && c->encrypted)
        conn_shut(&c->conn);
    conn_close(&c->conn, how == CLOSE_RESET, on_closed);
}

static void unpark(struct connection *c)
{
    c->parked = false;
    stat_add(c->acceptor->worker, STAT_WAITING, -1);
}

static void on_wake(struct sock *s, enum wake why)
{
    struct connection *c = CONTAINER(conn_of_sock(s), struct connection, conn);

    unpark(c);
    if (why != WAKE_DONE) {
        connection_close(c, CLOSE_CLEAN);
        return;
    }
    connection_serve(c);
}

void connection_park(struct connection *c, uint64_t timeout_ms)
{
    c->parked = true;
    stat_add(c->acceptor->worker, STAT_WAITING, 1);
    c->fiber = NULL;
    sock_park(&c->conn.sock, on_wake, loop_now(c->conn.sock.loop) + timeout_ms);
}

/* Asked before anything is read: a denied client costs a reset, no fiber and no handshake. */
bool serve_may_come(const struct generation *g, const struct listener *l,
                    const struct address *client)
{
    struct arrival arrival = { .client = *client, .listener = l };

    for (unsigned i = 0; i < g->index.hook_count[PHASE_ACCEPT]; i++) {
        const struct hook_entry *entry = &g->index.hooks[PHASE_ACCEPT][i];

        if (entry->hook->on_arrival(&arrival, settings_in(l->fallback, entry->module)) == REFUSE)
            return false;
    }
    return true;
}

/* worker_connections counts both sides, as NGINX does; it is said once a second. */
static bool is_full(struct worker *w)
{
    uint64_t now = loop_now(w->loop);

    if (w->most_connections == 0 ||
        w->live_connections + w->upstream_connections < w->most_connections)
        return false;
    if (now - w->serve->full >= 1000 || w->serve->full == 0)
        errlog_write(w->log, LEVEL_CRIT, 0, 0, "%u worker_connections are not enough",
                     w->most_connections);
    w->serve->full = now;
    return true;
}

static void on_accept(struct sock *s, int fd, const struct address *peer)
{
    struct acceptor *a = CONTAINER(s, struct acceptor, sock);
    struct worker *w = a->worker;

    if (fd < 0) { /* no descriptors: the listener rests for a while by itself */
        errlog_write(w->log, LEVEL_CRIT, 0, -fd, "accept4() failed");
        return;
    }
    stat_add(w, STAT_ACCEPTED, 1);
    bool full = is_full(w);
    struct connection *c = full ? NULL : charged_new(sizeof(*c), &w->budget);

    if (c == NULL) {
        if (!full)
            worker_say_spent(w, 0, "a connection is closed");
        close(fd);
        return;
    }
    c->acceptor = a;
    c->serial = ++w->connections;
    c->opened = loop_now(w->loop);
    if (conn_open(&c->conn, w->loop, fd, peer) < 0) {
        charged_free(c, sizeof(*c), &w->budget);
        return;
    }
    c->conn.peer = address_unmap(&c->conn.peer);
    w->live_connections++;
    a->users++;
    stat_add(w, STAT_HANDLED, 1);
    stat_add(w, STAT_ACTIVE, 1);
    link_append(&w->serve->connections, &c->link);

    const struct listener *l = connection_listener(c);
    if (!serve_may_come(w->generation, l, &c->conn.peer))
        connection_close(c, CLOSE_RESET);
    else
        connection_park(c, core_of(l->fallback)->client_header_timeout);
}

/* --- sockets -------------------------------------------------------------------------------- */

static int open_acceptor(struct worker *w, const struct serve_socket *socket)
{
    struct acceptor *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return -ENOMEM;
    a->worker = w;
    a->id = socket->id;
    a->number = socket->number;
    int failed = sock_listen(w->loop, &a->sock, socket->fd, ACCEPT_BATCH, on_accept);
    if (failed < 0) {
        free(a);
        return failed;
    }
    a->users = 1;
    a->next = w->serve->acceptors;
    w->serve->acceptors = a;
    return 0;
}

static void on_acceptor_closed(struct sock *s)
{
    acceptor_unuse(CONTAINER(s, struct acceptor, sock));
}

static void close_acceptor(struct acceptor *a)
{
    if (a->closed)
        return;
    a->closed = true;
    sock_close(&a->sock, false, on_acceptor_closed);
}

/* Idle: it ends; but one that has just come is about to ask, and what has come is served. */
static void end_parked(struct connection *c)
{
    uint64_t now = loop_now(c->acceptor->worker->loop);

    c->parked = false;
    if (!sock_unpark(&c->conn.sock))
        connection_serve(c);
    else if (c->requests == 0 && now - c->opened < GRACE_MS)
        connection_park(c, GRACE_MS - (now - c->opened));
    else
        connection_close(c, CLOSE_CLEAN);
}

/* All of them, or those whose listener is gone. */
static void end_all_parked(struct worker *w, bool all)
{
    for (struct link *l = w->serve->connections.next; l != &w->serve->connections;) {
        struct connection *c = CONTAINER(l, struct connection, link);

        l = l->next;
        if (c->parked && (all || c->acceptor->number == NO_LISTENER))
            end_parked(c);
    }
}

static const struct serve_socket *find_socket(const struct serve_socket *sockets, unsigned count,
                                              uint32_t id)
{
    for (unsigned i = 0; i < count; i++)
        if (sockets[i].id == id)
            return &sockets[i];
    return NULL;
}

static bool is_served(const struct worker *w, uint32_t id)
{
    const struct acceptor *a = w->serve->acceptors;

    while (a != NULL && (a->id != id || a->closed))
        a = a->next;
    return a != NULL;
}

int serve_listen(struct worker *w, const struct serve_socket *sockets, unsigned count)
{
    int failed = 0;

    for (struct acceptor *a = w->serve->acceptors; a != NULL; a = a->next) {
        const struct serve_socket *still = find_socket(sockets, count, a->id);

        if (a->closed)
            continue;
        if (still == NULL)
            close_acceptor(a);
        a->number = still != NULL ? still->number : NO_LISTENER;
    }
    end_all_parked(w, false);
    for (unsigned i = 0; i < count; i++) {
        if (is_served(w, sockets[i].id)) {
            close(sockets[i].fd);
            continue;
        }
        int error = open_acceptor(w, &sockets[i]);
        failed = failed == 0 ? error : failed;
    }
    return failed;
}

int serve_start(struct worker *w)
{
    w->serve = calloc(1, sizeof(*w->serve));
    if (w->serve == NULL)
        return -ENOMEM;
    link_init(&w->serve->connections);
    starved_init(w);
    return 0;
}

/* --- the end -------------------------------------------------------------------------------- */

void serve_drain(struct worker *w, void (*on_idle)(struct worker *w))
{
    w->draining = true;
    for (struct acceptor *a = w->serve->acceptors; a != NULL; a = a->next)
        close_acceptor(a);
    end_all_parked(w, true);
    if (w->live_connections == 0)
        on_idle(w);
    else
        w->serve->on_idle = on_idle;
}

/* Fibers are woken with a cancellation, and close their connections themselves. */
void serve_abort(struct worker *w)
{
    starved_close(w);
    for (struct link *l = w->serve->connections.next; l != &w->serve->connections; l = l->next) {
        struct connection *c = CONTAINER(l, struct connection, link);

        if (c->fiber != NULL)
            fiber_cancel(c->fiber);
    }
}

void serve_free(struct worker *w)
{
    if (w->serve == NULL)
        return;
    while (w->serve->acceptors != NULL) {
        struct acceptor *dead = w->serve->acceptors;

        w->serve->acceptors = dead->next;
        free(dead);
    }
    h1_pool_free(w);
    free(w->serve);
    w->serve = NULL;
}
