/* Idle connections to upstreams, least recently used last, and what balancers remember. Owns
 * both. */
#include "fetch/upstream/pool.h"

#include "base/charged.h"
#include "exchange/worker.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/sock.h"

#include <stdlib.h>

enum { LONGEST_HEAD = 512 * 1024 };

void pools_start(struct worker *w)
{
    w->pools = calloc(1, sizeof(*w->pools));
    if (w->pools == NULL)
        abort();
}

struct pool *pool_find(struct worker *w, struct span key)
{
    struct pool *p = w->pools->first;

    while (p != NULL && !span_same((struct span){ p->key, p->key_length }, key))
        p = p->next;
    return p;
}

struct pool *pool_get(struct worker *w, struct span key, const struct pool_limits *limits)
{
    struct pool *p = pool_find(w, key);

    if (p == NULL) {
        p = calloc(1, sizeof(*p) + key.len);
        if (p == NULL)
            abort();
        memcpy(p->key, key.at, key.len);
        p->key_length = (uint32_t)key.len;
        p->worker = w;
        link_init(&p->idle);
        p->next = w->pools->first;
        w->pools->first = p;
    }
    p->users++;
    p->limits = *limits;
    return p;
}

static void close_idle(struct pool *p, uint64_t keep)
{
    while (p->count > keep) {
        struct upstream_conn *oldest = CONTAINER(p->idle.prev, struct upstream_conn, link);

        link_remove(&oldest->link);
        p->count--;
        p->worker->pooled_connections--;
        upstream_conn_close(oldest, false);
    }
}

void pool_unuse(struct pool *p)
{
    if (--p->users == 0)
        close_idle(p, 0);
}

struct peer_state *pool_peer(struct pool *p, const struct address *a)
{
    struct peer_state *s = p->peers;

    while (s != NULL && !address_same(&s->address, a))
        s = s->next;
    if (s == NULL) {
        s = calloc(1, sizeof(*s));
        if (s == NULL)
            abort();
        s->address = *a;
        s->next = p->peers;
        p->peers = s;
    }
    return s;
}

struct upstream_conn *upstream_conn_new(struct pool *p, const struct address *a, uint64_t identity)
{
    struct upstream_conn *c = charged_new(sizeof(*c), &p->worker->budget);

    if (c == NULL)
        return NULL;
    c->pool = p;
    c->address = *a;
    c->identity = identity;
    buf_init(&c->out, LONGEST_HEAD, &p->worker->budget);
    p->worker->upstream_connections++;
    return c;
}

void upstream_conn_left(struct upstream_conn *c)
{
    buf_done(&c->out);
    charged_free(c, sizeof(*c), &c->pool->worker->budget);
}

void upstream_conn_gone(struct worker *w)
{
    w->upstream_connections--;
}

void upstream_conn_free(struct upstream_conn *c)
{
    upstream_conn_gone(c->pool->worker);
    upstream_conn_left(c);
}

static void on_closed(struct conn *conn)
{
    upstream_conn_free(CONTAINER(conn, struct upstream_conn, conn));
}

void upstream_conn_close(struct upstream_conn *c, bool reset)
{
    conn_close(&c->conn, reset, on_closed);
}

/* Something came on an idle connection, a FIN or surplus bytes, or its time is over: never used
 * again. */
static void on_wake(struct sock *s, enum wake why)
{
    struct upstream_conn *c = CONTAINER(conn_of_sock(s), struct upstream_conn, conn);

    (void)why;
    link_remove(&c->link);
    c->pool->count--;
    c->pool->worker->pooled_connections--;
    upstream_conn_close(c, false);
}

struct upstream_conn *pool_take(struct pool *p, const struct address *a, uint64_t identity)
{
    for (struct link *l = p->idle.next; l != &p->idle;) {
        struct upstream_conn *c = CONTAINER(l, struct upstream_conn, link);

        l = l->next;
        if (!address_same(&c->address, a) || c->identity != identity)
            continue;
        link_remove(&c->link);
        p->count--;
        p->worker->pooled_connections--;
        if (sock_unpark(&c->conn.sock))
            return c;
        upstream_conn_close(c, false);
    }
    return NULL;
}

void pool_give(struct upstream_conn *c)
{
    struct pool *p = c->pool;
    uint64_t now = loop_now(p->worker->loop);

    if (p->limits.most == 0 || p->users == 0 || c->requests >= p->limits.requests ||
        now - c->opened >= p->limits.age_ms || p->worker->draining || conn_ready(&c->conn) ||
        !conn_parkable(&c->conn)) {
        upstream_conn_close(c, false);
        return;
    }
    close_idle(p, p->limits.most - 1);
    link_insert(&p->idle, &c->link);
    p->count++;
    p->worker->pooled_connections++;
    sock_park(&c->conn.sock, on_wake, now + p->limits.timeout_ms);
}

void pools_drain(struct worker *w)
{
    for (struct pool *p = w->pools->first; p != NULL; p = p->next)
        close_idle(p, 0);
}

void pools_free(struct worker *w)
{
    while (w->pools != NULL && w->pools->first != NULL) {
        struct pool *dead = w->pools->first;

        w->pools->first = dead->next;
        while (dead->peers != NULL) {
            struct peer_state *s = dead->peers;

            dead->peers = s->next;
            free(s);
        }
        free(dead);
    }
    free(w->pools);
    w->pools = NULL;
}
