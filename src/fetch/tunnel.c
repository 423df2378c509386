/* Live tunnels: two connections and a pump. Fiber and exchange have ended, and its generation is
 * not held: a tunnel may live for days. What the log lines at its end need beyond their drafts it
 * keeps itself. */
#include "fetch/tunnel.h"

#include "base/buf.h"
#include "base/charged.h"
#include "base/errlog.h"
#include "base/link.h"
#include "exchange/client.h"
#include "exchange/core.h"
#include "exchange/draft.h"
#include "exchange/exchange.h"
#include "exchange/hold.h"
#include "exchange/log.h"
#include "exchange/nobody.h"
#include "exchange/stat.h"
#include "exchange/turn.h"
#include "fetch/attempts.h"
#include "fetch/upstream/pool.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/pump.h"
#include "net/sock.h"

/* What is logged at its end. */
struct lines {
    struct draft *draft;                /* owned */
    uint64_t started;                   /* of the exchange, ms */
    uint64_t received, sent, body_sent; /* by it */
    uint32_t attempt_count;
    struct attempt attempts[]; /* the last one is the tunnel's */
};

struct tunnel {
    struct worker *worker;
    struct conn upstream;
    struct pump *pump;
    struct lines *lines; /* owned; NULL: nothing is logged */
    struct link link;    /* among the worker's */
    struct hold *holds;  /* owned: what its exchange held */
    void (*on_client_closed)(void *arg);
    void *client_arg;
};

static const char tunnel_key; /* of a note: struct pump_result */

/* --- its lines -------------------------------------------------------------------------------- */

static size_t size_of(unsigned attempts)
{
    return sizeof(struct lines) + attempts * sizeof(struct attempt);
}

/* All of the exchange's own bytes are counted, and nothing of it has gone. */
static struct lines *lines_new(struct exchange *x)
{
    struct attempts *asked = attempts_of(x);

    asked->at[asked->count - 1].status = x->response.status;
    struct draft *draft = draft_new(x);
    if (draft == NULL)
        return NULL;
    struct lines *l = charged_new(size_of(asked->count), &x->worker->budget);
    if (l == NULL) {
        draft_free(&draft, x->worker);
        worker_say_spent(x->worker, x->connection, "a tunnel will not be logged");
        return NULL;
    }
    *l = (struct lines){ .draft = draft,
                         .started = x->started,
                         .received = x->request.received,
                         .sent = x->response.sent,
                         .body_sent = x->response.body_sent,
                         .attempt_count = asked->count };
    memcpy(l->attempts, asked->at, asked->count * sizeof(struct attempt));
    for (unsigned i = 0; i < l->attempt_count; i++)
        l->attempts[i].peer = ""; /* the generation's, or the exchange's */
    return l;
}

/* For the exchange once more, with what LATE variables read. */
static void lines_write(struct lines *l, struct worker *w, const struct pump_result *result)
{
    struct attempt *a = &l->attempts[l->attempt_count - 1];
    struct client nobody = { .ops = &nobody_ops };
    struct exchange last = { .worker = w, .client = &nobody, .started = l->started };

    a->sent += result->bytes[0];
    a->received += result->bytes[1];
    a->body = result->bytes[1];
    a->response_ms = exchange_now(&last) - a->started;
    last.request.received = l->received + result->bytes[0];
    last.response.sent = l->sent + result->bytes[1];
    last.response.body_sent = l->body_sent + result->bytes[1];
    arena_init(&last.arena, 1024, &w->budget);
    attempts_keep(&last, l->attempts, l->attempt_count);
    exchange_keep(&last, &tunnel_key, (void *)(uintptr_t)result);
    draft_write(l->draft, &last);
    arena_done(&last.arena);
}

static void lines_free(struct lines *l, struct worker *w)
{
    draft_free(&l->draft, w);
    charged_free(l, size_of(l->attempt_count), &w->budget);
}

/* --- its life --------------------------------------------------------------------------------- */

static void on_end(void *arg, const struct pump_result *result)
{
    struct tunnel *t = arg;
    struct worker *w = t->worker;
    void (*on_closed)(void *) = t->on_client_closed;
    void *client = t->client_arg;

    if (t->lines != NULL) {
        lines_write(t->lines, w, result);
        lines_free(t->lines, w);
    }
    holds_release(&t->holds, w);
    link_remove(&t->link);
    w->live_tunnels--;
    stat_add(w, STAT_WRITING, -1);
    upstream_conn_gone(w);
    charged_free(t, sizeof(*t), &w->budget);
    on_closed(client);
}

/* Says what is to be said first. */
static bool answer_first(struct exchange *x, struct conn *conn, struct span answer)
{
    struct iovec iov = iov_of(answer);

    if (answer.len == 0)
        return true;
    x->response.head_sent += answer.len;
    x->response.sent += answer.len;
    return conn_write(conn, &iov, 1, x->core->send_timeout) == IO_OK;
}

/* The connection is not the client's any more. */
static void part_from_client(struct exchange *x)
{
    struct client *nobody = arena_alloc(&x->arena, sizeof(*nobody));

    *nobody = (struct client){ .ops = &nobody_ops, .x = x };
    x->client = nobody;
}

static enum after give_up(struct tunnel *t, struct exchange *x, enum fault fault)
{
    charged_free(t, sizeof(*t), &x->worker->budget);
    x->fault = fault;
    return AFTER_CLOSE;
}

enum after tunnel_start(struct exchange *x, struct upstream_conn *upstream,
                        const struct pump_options *options, struct span answer)
{
    struct tunnel *t = charged_new(sizeof(*t), &x->worker->budget);
    struct conn *conn;

    if (t == NULL)
        return give_up(t, x, FAULT_PROXY_INTERNAL_ERROR);
    conn = x->client->ops->take(x->client, &t->on_client_closed, &t->client_arg);
    if (conn == NULL || !answer_first(x, conn, answer))
        return give_up(t, x, FAULT_CLIENT_GONE);
    conn_move(&upstream->conn, &t->upstream); /* the pool's record would be larger by half */
    if (pump_start(conn, &t->upstream, options, on_end, t, &t->pump) < 0) {
        conn_move(&t->upstream, &upstream->conn);
        return give_up(t, x, FAULT_PROXY_INTERNAL_ERROR);
    }
    upstream_conn_left(upstream);
    t->worker = x->worker;
    t->lines = lines_new(x);
    t->holds = exchange_take_holds(x);
    part_from_client(x);
    link_append(&x->worker->tunnels, &t->link);
    x->worker->live_tunnels++;
    stat_add(x->worker, STAT_WRITING, 1);
    return AFTER_TAKEN;
}

void tunnels_stop(struct worker *w)
{
    for (struct link *l = w->tunnels.next; l != &w->tunnels;) {
        struct tunnel *t = CONTAINER(l, struct tunnel, link);

        l = l->next;
        pump_stop(t->pump);
    }
}

/* --- variables ------------------------------------------------------------------------------ */

/* Payload: without the heads. Of an exchange that came to no tunnel that is its bodies, of CONNECT
 * nothing. */
static bool get_bytes(struct exchange *x, unsigned way, struct span *ret)
{
    const struct pump_result *result = exchange_note(x, &tunnel_key);
    struct buf text;

    buf_init(&text, 64, NULL);
    uint64_t bytes = way == 0 ? x->request.received : x->response.body_sent;
    if (result != NULL)
        bytes = result->bytes[way];
    else if (x->request.method_id == METHOD_CONNECT)
        bytes = 0;
    buf_add_decimal(&text, bytes);
    *ret = arena_copy(&x->arena, buf_view(&text));
    buf_done(&text);
    return true;
}

static bool get_bytes_up(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    return get_bytes(x, 0, ret);
}

static bool get_bytes_down(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    return get_bytes(x, 1, ret);
}

const struct variable tunnel_variables[] = {
    { "forward_bytes_up", LATE, get_bytes_up, "payload from the client to the origin" },
    { "forward_bytes_down", LATE, get_bytes_down, "payload from the origin to the client" },
    {},
};
