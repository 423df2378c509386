/* Live tunnels: two connections and a pump; the fiber has ended. The exchange waits for the end, to
 * be logged with the bytes of both directions. Each lies in its exchange's arena. */
#include "fetch/tunnel.h"

#include "exchange/core.h"
#include "exchange/nobody.h"

struct tunnel {
    struct exchange *x;
    struct upstream_conn *upstream;
    struct attempt *attempt;
    struct pump *pump;
    struct link link; /* among the worker's */
    struct client nobody;
    void (*on_client_closed)(void *arg);
    void *client_arg;
    uint64_t bytes[2];
};

static const char tunnel_key;

static void on_end(void *arg, const struct pump_result *result)
{
    struct tunnel *t = arg;
    struct exchange *x = t->x;
    void (*on_closed)(void *) = t->on_client_closed;
    void *client = t->client_arg;

    t->bytes[0] = result->bytes[0];
    t->bytes[1] = result->bytes[1];
    t->attempt->sent += result->bytes[0];
    t->attempt->received += result->bytes[1];
    t->attempt->body = result->bytes[1];
    t->attempt->status = x->response.status;
    t->attempt->response_ms = exchange_now(x) - t->attempt->started;
    x->request.received += result->bytes[0];
    x->response.sent += result->bytes[1];
    x->response.body_sent += result->bytes[1];
    link_remove(&t->link);
    x->worker->live_tunnels--;
    upstream_conn_free(t->upstream);
    exchange_end(x, IO_OK); /* `t` is gone with it */
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

enum after tunnel_start(struct exchange *x, struct upstream_conn *upstream, struct attempt *attempt,
                        const struct pump_options *options, struct span answer)
{
    struct tunnel *t = arena_zalloc(&x->arena, sizeof(*t));
    struct conn *conn;

    t->x = x;
    t->upstream = upstream;
    t->attempt = attempt;
    conn = x->client->ops->take(x->client, &t->on_client_closed, &t->client_arg);
    if (conn == NULL || !answer_first(x, conn, answer)) {
        x->fault = FAULT_CLIENT_GONE;
        return AFTER_CLOSE;
    }
    request_keep(x); /* the session's buffers go back to their pool */
    if (pump_start(conn, &upstream->conn, options, on_end, t, &t->pump) < 0) {
        x->fault = FAULT_PROXY_INTERNAL_ERROR;
        return AFTER_CLOSE;
    }
    exchange_keep(x, &tunnel_key, t);
    t->nobody = (struct client){ .ops = &nobody_ops, .x = x };
    x->client = &t->nobody;
    link_append(&x->worker->tunnels, &t->link);
    x->worker->live_tunnels++;
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

static bool get_bytes(struct exchange *x, unsigned way, struct span *ret)
{
    const struct tunnel *t = exchange_note(x, &tunnel_key);
    struct buf text;

    buf_init(&text, 64, NULL);
    uint64_t bytes = way == 0 ? x->request.received : x->response.body_sent;
    if (t != NULL)
        bytes = t->bytes[way];
    else if (x->request.method_id == METHOD_CONNECT) /* it came to no tunnel: no payload */
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
    { "forward_bytes_up", NO_FAMILY, get_bytes_up, "payload from the client to the origin" },
    { "forward_bytes_down", NO_FAMILY, get_bytes_down, "payload from the origin to the client" },
    {},
};
