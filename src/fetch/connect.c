/* CONNECT (RFC 9110 9.3.6, forward-semantics 3.2).
 *
 *     resolve -> judge -> dial -> answer 200 -> tunnel, and the fiber ends
 *
 * The dial comes before the answer, so that denial and failure are real statuses. */
#include "fetch/connect.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "base/link.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/client.h"
#include "exchange/destination.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/source.h"
#include "exchange/trace.h"
#include "exchange/turn.h"
#include "fetch/attempts.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "fetch/tunnel.h"
#include "fetch/upstream/pool.h"
#include "net/dial.h"
#include "net/dns.h"
#include "net/io.h"
#include "net/pump.h"

#include <errno.h>

struct connect_settings {
    uint64_t timeout; /* ms of silence both ways */
    uint64_t linger;  /* ms after one side's FIN */
};

struct connect {
    struct source source;
    const struct connect_settings *own;
    const struct proxy_settings *proxy;
    struct upstream_conn *upstream; /* until the tunnel has it */
    struct attempt *attempt;
};

static struct connect *connect_of(struct source *s)
{
    return CONTAINER(s, struct connect, source);
}

static enum io fail_dial(struct connect *c, enum io io, const struct dial_result *result)
{
    struct exchange *x = c->source.x;

    if (io == IO_CANCELLED) {
        x->fault = FAULT_CLIENT_GONE;
        return io;
    }
    x->fault = io == IO_TIMEOUT || result->error == ETIMEDOUT ? FAULT_CONNECTION_TIMEOUT
               : result->error == ECONNREFUSED                ? FAULT_CONNECTION_REFUSED
                                                              : FAULT_DESTINATION_IP_UNROUTABLE;
    c->attempt->status = fault_row(x->fault)->status;
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

static enum io connect_goal(struct connect *c)
{
    struct exchange *x = c->source.x;
    struct resolve_result *found = arena_alloc(&x->arena, sizeof(*found));
    struct dial_result result = { .error = 0 };
    enum io io = origin_resolve(x, found);

    if (io != IO_OK || origin_allowed(x, found) == 0)
        return io == IO_CANCELLED ? io : IO_FAILED;
    c->attempt = attempt_begin(x, origin_text(x, &found->addresses[0]));
    c->upstream = upstream_conn_new(pool_of(x), &found->addresses[0], 0);
    if (c->upstream == NULL) {
        x->fault = FAULT_PROXY_INTERNAL_ERROR;
        return IO_FAILED;
    }
    struct dial d = origin_dial(x, found, proxy_connect_ms(c->proxy, true));
    io = dial(&d, &c->upstream->conn, &result);
    if (io != IO_OK) {
        upstream_conn_free(c->upstream);
        c->upstream = NULL;
        return fail_dial(c, io, &result);
    }
    c->attempt->peer = origin_text(x, &result.address);
    c->attempt->connect_ms = exchange_now(x) - c->attempt->started;
    return IO_OK;
}

static enum io connect_head(struct source *s)
{
    struct connect *c = connect_of(s);
    struct exchange *x = s->x;

    x->client->ops->watch(x->client, true);
    enum io io = connect_goal(c);
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

static enum io connect_read(struct source *s, struct part *ret)
{
    (void)s, (void)ret; /* it is taken over before anybody reads */
    return IO_EOF;
}

static void connect_close(struct source *s)
{
    struct connect *c = connect_of(s);

    if (c->upstream != NULL)
        upstream_conn_close(c->upstream, true);
    c->upstream = NULL;
}

static enum after connect_takeover(struct source *s)
{
    static const struct span answer = SPAN("HTTP/1.1 200 Connection established\r\n\r\n");
    struct connect *c = connect_of(s);
    struct pump_options options = { .idle_ms = c->own->timeout,
                                    .half_close_ms = c->own->linger,
                                    .splice_after = TUNNEL_SPLICE_AFTER };
    enum after after = tunnel_start(s->x, c->upstream, &options, answer);

    if (after == AFTER_TAKEN)
        c->upstream = NULL;
    else
        exchange_refuse(s->x, 499, NULL);
    return after;
}

static void connect_foretell(struct source *s)
{
    struct buf to;

    buf_init(&to, 1024, NULL);
    destination_print(s->x->goal, 0, &to);
    trace_say(s->x, DECIDED_SOURCE, ANSWER, (struct place){ 0 }, "tunnel to %.*s",
              (int)buf_view(&to).len, buf_view(&to).at);
    buf_done(&to);
    goal_foretell(s->x);
}

static const struct source_ops connect_ops = { .head = connect_head,
                                               .foretell = connect_foretell,
                                               .read = connect_read,
                                               .close = connect_close,
                                               .takeover = connect_takeover };

/* --- the module ----------------------------------------------------------------------------- */

static enum verdict begin(struct exchange *x, const void *settings)
{
    struct connect *c;

    if (x->request.method_id != METHOD_CONNECT || x->goal == NULL)
        return NEXT;
    c = arena_zalloc(&x->arena, sizeof(*c));
    c->source = (struct source){ .ops = &connect_ops, .x = x };
    c->own = settings;
    c->proxy = settings_in(x->block, module_index(x->generation, &proxy_module));
    exchange_source(x, &c->source);
    return ANSWER;
}

static const struct directive directives[] = {
    { "tunnel_timeout", CTX_FORWARD, 1, 1, &conf_time, offsetof(struct connect_settings, timeout),
      "30m", WHOLE, "silence both ways after which a tunnel ends", 0, NULL },
    { "tunnel_linger", CTX_FORWARD, 1, 1, &conf_time, offsetof(struct connect_settings, linger),
      "60s", WHOLE, "how long a tunnel lives after one side has ended", 0, NULL },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_CONTENT, .run = begin },
    {},
};

const struct module connect_module = {
    .name = "connect",
    .directives = directives,
    .variables = tunnel_variables,
    .hooks = hooks,
    .settings_size = sizeof(struct connect_settings),
};
