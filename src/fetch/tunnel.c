/* Tunnels (RFC 9110 9.3.6, forward-semantics 3.2).
 *
 *     resolve -> judge -> dial -> answer 200 -> pump, and the fiber ends
 *
 * The dial comes before the answer, so that denial and failure are real statuses. While the pump
 * runs, the exchange waits for its end, to be logged with the bytes of both directions. */
#include "fetch/tunnel.h"

#include "conf/types.h"
#include "exchange/core.h"
#include "exchange/nobody.h"
#include "fetch/origin.h"
#include "net/pump.h"

#include <errno.h>

enum { SPLICE_AFTER = 256 * 1024 };

struct tunnel_settings {
    uint64_t timeout; /* ms of silence both ways */
    uint64_t linger;  /* ms after one side's FIN */
};

struct tunnel {
    struct source source;
    const struct tunnel_settings *own;
    const struct proxy_settings *proxy;
    struct upstream_conn *upstream; /* until the pump has it */
    struct attempt *attempt;
    struct pump *pump;
    struct link link; /* among the worker's */
    struct client nobody;
    void (*on_client_closed)(void *arg);
    void *client_arg;
    uint64_t bytes[2];
};

static const char tunnel_key;

static struct tunnel *tunnel_of(struct source *s)
{
    return CONTAINER(s, struct tunnel, source);
}

static enum io fail_dial(struct tunnel *t, enum io io, const struct dial_result *result)
{
    struct exchange *x = t->source.x;

    if (io == IO_CANCELLED) {
        x->fault = FAULT_CLIENT_GONE;
        return io;
    }
    x->fault = io == IO_TIMEOUT || result->error == ETIMEDOUT ? FAULT_CONNECTION_TIMEOUT
               : result->error == ECONNREFUSED                ? FAULT_CONNECTION_REFUSED
                                                              : FAULT_DESTINATION_IP_UNROUTABLE;
    t->attempt->status = fault_row(x->fault)->status;
    exchange_log(x, LEVEL_ERROR, result->error, "connect() failed while connecting to upstream");
    return IO_FAILED;
}

static struct pool *pool_of(struct exchange *x)
{
    struct buf key;

    buf_init(&key, 1024, NULL);
    proxy_forward_key(x->server, &key);
    struct pool *pool = pool_find(x->worker, buf_view(&key));
    buf_done(&key);
    return pool;
}

static enum io connect_goal(struct tunnel *t)
{
    struct exchange *x = t->source.x;
    struct resolve_result *found = arena_alloc(&x->arena, sizeof(*found));
    struct dial_result result = { .error = 0 };
    enum io io = origin_resolve(x, found);

    if (io != IO_OK || origin_allowed(x, found) == 0)
        return io == IO_CANCELLED ? io : IO_FAILED;
    t->attempt = attempt_begin(x, origin_text(x, &found->addresses[0]));
    t->upstream = upstream_conn_new(pool_of(x), &found->addresses[0], 0);
    if (t->upstream == NULL) {
        x->fault = FAULT_PROXY_INTERNAL_ERROR;
        return IO_FAILED;
    }
    struct dial d = origin_dial(x, found, proxy_connect_ms(t->proxy, true));
    io = dial(&d, &t->upstream->conn, &result);
    if (io != IO_OK) {
        upstream_conn_free(t->upstream);
        t->upstream = NULL;
        return fail_dial(t, io, &result);
    }
    t->attempt->peer = origin_text(x, &result.address);
    t->attempt->connect_ms = exchange_now(x) - t->attempt->started;
    return IO_OK;
}

static enum io tunnel_head(struct source *s)
{
    struct tunnel *t = tunnel_of(s);
    struct exchange *x = s->x;

    x->client->ops->watch(x->client, true);
    enum io io = connect_goal(t);
    x->client->ops->watch(x->client, false);
    if (io == IO_CANCELLED)
        x->fault = FAULT_CLIENT_GONE;
    if (io != IO_OK) {
        x->keep_alive = false; /* what follows may be the tunnel's bytes */
        return IO_FAILED;
    }
    x->response.status = 200;
    return IO_OK;
}

static enum io tunnel_read(struct source *s, struct part *ret)
{
    (void)s, (void)ret; /* it is taken over before anybody reads */
    return IO_EOF;
}

static void tunnel_close(struct source *s)
{
    struct tunnel *t = tunnel_of(s);

    if (t->upstream != NULL)
        upstream_conn_close(t->upstream, true);
    t->upstream = NULL;
}

static void keep_span(struct exchange *x, struct span *s)
{
    *s = arena_copy(&x->arena, *s);
}

/* The session's buffers go back to their pool; the log line still needs what stood in them. */
static void keep_request(struct exchange *x)
{
    struct request *r = &x->request;

    keep_span(x, &r->line);
    keep_span(x, &r->method);
    keep_span(x, &r->target);
    keep_span(x, &r->authority);
    keep_span(x, &r->host);
    for (unsigned i = 0; i < r->fields.count; i++) {
        keep_span(x, &r->fields.at[i].name);
        keep_span(x, &r->fields.at[i].value);
    }
}

static void on_end(void *arg, const struct pump_result *result)
{
    struct tunnel *t = arg;
    struct exchange *x = t->source.x;
    void (*on_closed)(void *) = t->on_client_closed;
    void *client = t->client_arg;

    t->bytes[0] = result->bytes[0];
    t->bytes[1] = result->bytes[1];
    t->attempt->sent = result->bytes[0];
    t->attempt->received = t->attempt->body = result->bytes[1];
    t->attempt->status = 200;
    t->attempt->response_ms = exchange_now(x) - t->attempt->started;
    x->request.received += result->bytes[0];
    x->response.sent += result->bytes[1];
    x->response.body_sent += result->bytes[1];
    link_remove(&t->link);
    x->worker->live_tunnels--;
    upstream_conn_free(t->upstream);
    t->upstream = NULL;
    exchange_end(x, IO_OK); /* `t` is gone with it */
    on_closed(client);
}

static enum after tunnel_takeover(struct source *s)
{
    static const char answer[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    struct tunnel *t = tunnel_of(s);
    struct exchange *x = s->x;
    struct iovec iov = { (void *)(uintptr_t)answer, sizeof(answer) - 1 };
    struct pump_options options = { .idle_ms = t->own->timeout,
                                    .half_close_ms = t->own->linger,
                                    .splice_after = SPLICE_AFTER };
    struct conn *conn = x->client->ops->take(x->client, &t->on_client_closed, &t->client_arg);

    if (conn == NULL || conn_write(conn, &iov, 1, x->core->send_timeout) != IO_OK) {
        x->fault = FAULT_CLIENT_GONE;
        exchange_refuse(x, 499, NULL);
        return AFTER_CLOSE;
    }
    x->response.sent = x->response.head_sent = sizeof(answer) - 1;
    keep_request(x);
    if (pump_start(conn, &t->upstream->conn, &options, on_end, t, &t->pump) < 0) {
        exchange_refuse(x, 499, NULL);
        return AFTER_CLOSE;
    }
    t->nobody = (struct client){ .ops = &nobody_ops, .x = x };
    x->client = &t->nobody;
    link_append(&x->worker->tunnels, &t->link);
    x->worker->live_tunnels++;
    return AFTER_TAKEN;
}

static const struct source_ops tunnel_ops = {
    .head = tunnel_head, .read = tunnel_read, .close = tunnel_close, .takeover = tunnel_takeover
};

void tunnels_stop(struct worker *w)
{
    for (struct link *l = w->tunnels.next; l != &w->tunnels;) {
        struct tunnel *t = CONTAINER(l, struct tunnel, link);

        l = l->next;
        pump_stop(t->pump);
    }
}

/* --- the module ----------------------------------------------------------------------------- */

static enum verdict begin(struct exchange *x, const void *settings)
{
    struct tunnel *t;

    if (x->request.method_id != METHOD_CONNECT || x->goal == NULL)
        return NEXT;
    t = arena_zalloc(&x->arena, sizeof(*t));
    t->source = (struct source){ &tunnel_ops, x };
    t->own = settings;
    t->proxy = settings_in(x->block, module_index(x->generation, &proxy_module));
    exchange_keep(x, &tunnel_key, t);
    exchange_source(x, &t->source);
    return ANSWER;
}

static bool get_bytes(struct exchange *x, unsigned way, struct span *ret)
{
    const struct tunnel *t = exchange_note(x, &tunnel_key);
    struct buf text;

    buf_init(&text, 64, NULL);
    if (t != NULL)
        buf_add_decimal(&text, t->bytes[way]);
    else
        buf_add_decimal(&text, way == 0 ? x->request.received : x->response.body_sent);
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

static const struct variable variables[] = {
    { "forward_bytes_up", false, get_bytes_up, "payload from the client to the origin" },
    { "forward_bytes_down", false, get_bytes_down, "payload from the origin to the client" },
    {},
};

static const struct directive directives[] = {
    { "tunnel_timeout", CTX_FORWARD, 1, 1, &conf_time, offsetof(struct tunnel_settings, timeout),
      "30m", WHOLE, "silence both ways after which a tunnel ends", 0, NULL },
    { "tunnel_linger", CTX_FORWARD, 1, 1, &conf_time, offsetof(struct tunnel_settings, linger),
      "60s", WHOLE, "how long a tunnel lives after one side has ended", 0, NULL },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_CONTENT, .run = begin },
    {},
};

const struct module tunnel_module = {
    .name = "tunnel",
    .directives = directives,
    .variables = variables,
    .hooks = hooks,
    .settings_size = sizeof(struct tunnel_settings),
};
