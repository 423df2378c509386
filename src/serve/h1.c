/* The pool of HTTP/1 sessions: buffers that a connection has only while it is served. */
#include "serve/h1.h"

#include "base/charged.h"
#include "base/link.h"
#include "exchange/worker.h"
#include "net/conn.h"
#include "net/fiber.h"
#include "net/sock.h"
#include "serve/connection.h"

#include <stdlib.h>

enum { LONGEST_ANSWER_HEAD = 128 * 1024, LONGEST_HEAD = 1024 * 1024, LARGEST_KEPT = 8192 };

static const struct conn *h1_conn(const struct client *c)
{
    return &CONTAINER(c, struct h1, client)->connection->conn;
}

static void on_hangup(struct sock *s)
{
    struct connection *c = CONTAINER(conn_of_sock(s), struct connection, conn);

    if (c->fiber != NULL)
        fiber_cancel(c->fiber);
}

static void h1_watch(struct client *c, bool on)
{
    struct h1 *h = CONTAINER(c, struct h1, client);

    sock_watch_hangup(&h->connection->conn.sock, on ? on_hangup : NULL);
}

/* A tunnel takes the connection: what was read and not yet used goes with it. */
static struct conn *h1_take(struct client *c, void (**ret_on_closed)(void *), void **ret_arg)
{
    struct h1 *h = CONTAINER(c, struct h1, client);

    conn_unread(&h->connection->conn, &h->in);
    *ret_on_closed = connection_gone;
    *ret_arg = h->connection;
    return &h->connection->conn;
}

static const struct client_ops h1_ops = {
    .read_head = h1_read_head,
    .read_body = h1_read_body,
    .send_head = h1_send_head,
    .drop_head = h1_drop_head,
    .flush = h1_flush,
    .send_part = h1_send_part,
    .send_end = h1_send_end,
    .send_interim = h1_send_interim,
    .watch = h1_watch,
    .take = h1_take,
    .conn = h1_conn,
};

struct h1 *h1_new(struct worker *w, struct connection *c)
{
    struct h1 *h = w->serve->idle_h1;

    if (h != NULL) {
        w->serve->idle_h1 = h->next_idle;
    } else {
        h = charged_new(sizeof(*h), &w->budget);
        if (h == NULL)
            return NULL;
        buf_init(&h->head, LONGEST_HEAD, &w->budget);
        buf_init(&h->out, LONGEST_ANSWER_HEAD, &w->budget);
    }
    h->client = (struct client){ .ops = &h1_ops };
    h->connection = c;
    h->worker = w;
    h1_reset(h);
    return h;
}

void h1_reset(struct h1 *h)
{
    block_unref(h->head_block);
    h->head_block = NULL;
    buf_clear(&h->head);
    buf_clear(&h->out);
    if (h->body.given > 0)
        lease_take(&h->in, h->body.given);
    if (h->in.size == 0)
        lease_done(&h->in);
    h->body = (struct h1_body){ .framing = BODY_NONE };
    h->answer = (struct h1_answer){ 0 };
    h->marks = (struct h1_marks){ .dead = false };
    h->client.on_blocked = NULL;
}

bool h1_has_more(const struct h1 *h)
{
    return h->in.size > 0;
}

bool h1_was_cut(const struct h1 *h)
{
    return h->answer.begun && !h->answer.ended;
}

/* A buffer that one request made large does not stay so. */
static void shrink(struct buf *b)
{
    size_t max = b->max;
    struct budget *budget = b->budget;

    if (b->room <= LARGEST_KEPT)
        return;
    buf_done(b);
    buf_init(b, max, budget);
}

void h1_free(struct h1 *h)
{
    h1_reset(h);
    shrink(&h->head);
    shrink(&h->out);
    lease_done(&h->in);
    h->next_idle = h->worker->serve->idle_h1;
    h->worker->serve->idle_h1 = h;
}

void h1_pool_free(struct worker *w)
{
    struct serve_state *s = w->serve;

    while (s->idle_h1 != NULL) {
        struct h1 *dead = s->idle_h1;

        s->idle_h1 = dead->next_idle;
        buf_done(&dead->head);
        buf_done(&dead->out);
        charged_free(dead, sizeof(*dead), &w->budget);
    }
}
