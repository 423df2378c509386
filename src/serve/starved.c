/* Connections that something came on, and for which there is no stack: the cap on fibers, the
 * kernel's limit on mappings, or the memory budget.
 *
 *     woken --a stack--> served          in the order in which they were woken
 *       |
 *       +--none--> waits --a fiber has ended--> served
 *                    |
 *                    +--5 s--> 503, closed
 *
 * The refusal is one step on the loop's own stack: what does not fit into the socket is lost. */
#include "base/errlog.h"
#include "base/link.h"
#include "base/span.h"
#include "exchange/listener.h"
#include "exchange/worker.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/sock.h"
#include "net/timer.h"
#include "serve/connection.h"

enum { PATIENCE_MS = 5000, COMPLAIN_MS = 1000 };

static struct connection *first_of(struct serve_state *s)
{
    return CONTAINER(s->starved.next, struct connection, queue);
}

static void leave(struct connection *c)
{
    link_remove(&c->queue);
}

/* Plain HTTP can be told; under TLS only who has shaken hands. What was sent to us is read first: a
 * close with bytes unread would be a reset, and take the answer with it. */
static void refuse(struct connection *c)
{
    static const struct span answer = SPAN("HTTP/1.1 503 Service Temporarily Unavailable\r\n"
                                           "Content-Length: 0\r\nConnection: close\r\n\r\n");
    struct iovec iov = iov_of(answer);
    struct lease lease = { .id = -1 };
    size_t taken;
    const struct listener *l = connection_listener(c);

    leave(c);
    if (c->encrypted || (l != NULL && !l->ssl)) {
        if (conn_read_start(&c->conn, BLOCK_SIZE, &lease) == IO_OK)
            lease_done(&lease);
        conn_write_start(&c->conn, &iov, 1, &taken);
    }
    connection_close(c, CLOSE_CLEAN);
}

static void rearm(struct worker *w)
{
    struct serve_state *s = w->serve;

    if (link_alone(&s->starved)) {
        w->loop->fibers.on_room = NULL;
        timer_unset(&w->loop->wheel, &s->starved_timer);
    } else {
        timer_set(&w->loop->wheel, &s->starved_timer, first_of(s)->patience);
    }
}

static bool try_to_serve(struct connection *c)
{
    return fiber_spawn(&c->conn.sock.loop->fibers, NULL, session_run, c) == 0;
}

static void on_room(void *arg)
{
    struct worker *w = arg;

    while (!link_alone(&w->serve->starved) && try_to_serve(first_of(w->serve)))
        leave(first_of(w->serve));
    rearm(w);
}

static void on_time(struct timer *t)
{
    struct serve_state *s = CONTAINER(t, struct serve_state, starved_timer);
    struct worker *w = first_of(s)->acceptor->worker;

    while (!link_alone(&s->starved) && first_of(s)->patience <= loop_now(w->loop))
        refuse(first_of(s));
    rearm(w);
}

static void complain(struct connection *c)
{
    struct worker *w = c->acceptor->worker;
    uint64_t now = loop_now(w->loop);

    if (w->serve->complained == 0 || now - w->serve->complained >= COMPLAIN_MS) {
        w->serve->complained = now;
        errlog_write(w->log, LEVEL_CRIT, c->serial, 0,
                     "no stack for another fiber: connections wait for one");
    }
}

void connection_serve(struct connection *c)
{
    struct worker *w = c->acceptor->worker;
    struct fibers *fibers = &w->loop->fibers;

    if (link_alone(&w->serve->starved) && try_to_serve(c))
        return;
    complain(c);
    c->patience = loop_now(w->loop) + PATIENCE_MS;
    link_append(&w->serve->starved, &c->queue);
    fibers->on_room = on_room;
    fibers->room_arg = w;
    rearm(w);
}

void starved_init(struct worker *w)
{
    link_init(&w->serve->starved);
    w->serve->starved_timer.on_time = on_time;
}

void starved_close(struct worker *w)
{
    while (!link_alone(&w->serve->starved)) {
        struct connection *c = first_of(w->serve);

        leave(c);
        connection_close(c, CLOSE_RESET);
    }
    rearm(w);
}
