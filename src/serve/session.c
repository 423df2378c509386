/* A fiber's trip with one connection: handshake, requests one after the other, and how it ends.
 *
 *     bytes -> [TLS] -> exchange -> more bytes? -> exchange ... -> park | close | taken
 */
#include "base/errlog.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/run.h"
#include "exchange/source.h"
#include "exchange/worker.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/loop.h"
#include "proto/framing.h"
#include "serve/connection.h"
#include "serve/h1.h"
#include "serve/ssl.h"

enum { REQUESTS_A_TURN = 16, LINGER_READ = BLOCK_SIZE, REFUSAL_MS = 1000 };

/* Closing while the client still sends would reset what it has not yet read: end our side, then
 * read and drop (nginx-semantics 4.5). */
static void linger(struct connection *c, const struct core_settings *core)
{
    struct loop *l = c->conn.sock.loop;
    uint64_t end = loop_now(l) + core->lingering_time;
    uint64_t each = core->lingering_timeout; /* a reload may free the settings meanwhile */
    enum io io = conn_shut(&c->conn);

    while (io == IO_OK && loop_now(l) < end) {
        uint64_t next = loop_now(l) + each;
        struct lease lease;

        io = conn_read(&c->conn, LINGER_READ, &lease, next < end ? next : end);
        if (io == IO_OK)
            lease_done(&lease);
    }
}

static const struct core_settings *core_now(const struct connection *c)
{
    const struct listener *l = connection_listener(c);

    return core_of(l != NULL ? l->fallback : c->acceptor->worker->generation->top);
}

/* Over the budget new work is turned away before it costs anything (DESIGN 7.11). */
static enum after refuse_for_memory(struct h1 *h)
{
    static const char answer[] = "HTTP/1.1 503 Service Temporarily Unavailable\r\n"
                                 "Content-Length: 0\r\nConnection: close\r\n\r\n";
    struct iovec iov = { (void *)(uintptr_t)answer, sizeof(answer) - 1 };

    conn_write(&h->connection->conn, &iov, 1, REFUSAL_MS);
    return AFTER_CLOSE;
}

static const struct conf_block *first_server(const struct connection *c)
{
    const struct listener *l = connection_listener(c);
    struct conn_info info = { .encrypted = false };

    if (c->encrypted && l->blocks.len > 1)
        conn_info(&c->conn, &info);
    return listener_first_server(l, info.server_name, c->acceptor->worker);
}

/* One request. AFTER_KEEP: another may follow. */
static enum after serve_one(struct h1 *h)
{
    struct connection *c = h->connection;
    struct worker *w = h->worker;
    struct exchange *x = exchange_new(w, &h->client);

    if (x == NULL) {
        worker_say_spent(w, c->serial, "a request is refused");
        return refuse_for_memory(h);
    }
    c->requests++;
    x->connection = c->serial;
    x->requests = c->requests;
    x->client_address = c->conn.peer;
    x->local_address = c->conn.local;
    x->listener = connection_listener(c);
    x->server = first_server(c);
    exchange_enter(x, x->server);
    return exchange_run(x);
}

static void finish(struct h1 *h, enum after after)
{
    struct connection *c = h->connection;
    bool cut = after == AFTER_CLOSE && h1_was_cut(h);
    bool linger_first = !cut && after == AFTER_CLOSE && !h->marks.dead &&
                        ((!h->body.ended && h->body.framing != BODY_NONE) || h->in.size > 0 ||
                         conn_ready(&c->conn));

    /* A body that only the end of the connection ends must not end like a whole one. */
    enum closing closing = !cut                                                     ? CLOSE_CLEAN
                           : h->answer.left == LENGTH_UNKNOWN && !h->answer.chunked ? CLOSE_RESET
                                                                                    : CLOSE_CUT;

    h1_free(h);
    if (after == AFTER_TAKEN) {
        c->fiber = NULL; /* nobody is to cancel one that has ended */
        return;
    }
    if (linger_first)
        linger(c, core_now(c));
    connection_close(c, after == AFTER_RESET ? CLOSE_RESET : closing);
}

static void serve_h1(struct connection *c)
{
    struct worker *w = c->acceptor->worker;
    struct h1 *h = h1_new(w, c);
    unsigned served = 0;

    if (h == NULL) {
        worker_say_spent(w, c->serial, "a connection is closed");
        connection_close(c, CLOSE_RESET);
        return;
    }
    for (;;) {
        enum after after = connection_listener(c) != NULL ? serve_one(h) : AFTER_CLOSE;

        if (after != AFTER_KEEP) {
            finish(h, after);
            return;
        }
        h1_reset(h);
        if (!h1_has_more(h) && !conn_ready(&c->conn) && connection_listener(c) != NULL) {
            h1_free(h);
            connection_park(c, core_now(c)->keepalive_timeout);
            return;
        }
        if (++served % REQUESTS_A_TURN == 0)
            fiber_yield();
    }
}

void session_run(void *arg)
{
    struct connection *c = arg;
    const struct listener *l = connection_listener(c);

    c->fiber = fiber_self();
    if (l != NULL && l->ssl && !c->encrypted) {
        switch (ssl_accept(c, l)) {
        case SSL_ACCEPTED:
            c->encrypted = true; /* the next read sends the tickets, so it is not parked yet */
            break;
        case SSL_REFUSED:
            connection_close(c, CLOSE_CUT);
            return;
        case SSL_IS_PLAIN: /* the exchange answers 497 */
            break;
        }
    }
    serve_h1(c);
}
