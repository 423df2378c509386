/* A connection for the next attempt: an idle one if there is any, else a new one. Peers of a group
 * come from its balancer; on the forward face the client named the host, its addresses are resolved
 * and judged, and the connection goes to exactly an address that was allowed.
 *
 *     group:   pick -> idle connection of that peer? -> else dial it -> failed: the next peer
 *     direct:  resolve -> judge each address -> idle connection to one of them? -> else dial them
 *
 * An idle connection may turn out to be stale when it is written to; then the caller comes again,
 * and a new one is dialled. On the forward face the identity of a connection is its host name: that
 * two names share an address does not make them one origin. */
#include "base/buf.h"
#include "base/errlog.h"
#include "base/hash.h"
#include "exchange/destination.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/turn.h"
#include "fetch/attempts.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "fetch/resolver.h"
#include "fetch/upstream/pool.h"
#include "fetch/upstream/upstream.h"
#include "net/dial.h"
#include "net/dns.h"
#include "net/io.h"

#include <errno.h>
#include <stdio.h>

enum { DIRECT_DEADLINE_MS = 30000 };

static enum fault fault_of(enum io io, const struct dial_result *result)
{
    if (io == IO_TIMEOUT || result->error == ETIMEDOUT)
        return FAULT_CONNECTION_TIMEOUT;
    if (result->error == EADDRNOTAVAIL || result->error == EMFILE || result->error == ENFILE ||
        result->error == ENOBUFS)
        return FAULT_NO_SOCKET;
    if (result->error == ENETUNREACH || result->error == EHOSTUNREACH)
        return FAULT_DESTINATION_IP_UNROUTABLE;
    return FAULT_CONNECTION_REFUSED;
}

/* What is lacking here is lacking for all: it is said once a second. */
static void say_why(struct exchange *x, int error)
{
    struct upstream_pools *pools = x->worker->pools;

    if (x->fault == FAULT_CONNECTION_TIMEOUT) {
        exchange_log(x, LEVEL_ERROR, ETIMEDOUT, "upstream timed out while connecting to upstream");
        return;
    }
    if (x->fault != FAULT_NO_SOCKET) {
        exchange_log(x, LEVEL_ERROR, error, "connect() failed while connecting to upstream");
        return;
    }
    if (pools->complained != 0 && exchange_now(x) - pools->complained < 1000)
        return;
    pools->complained = exchange_now(x);
    exchange_log(x, LEVEL_CRIT, error, "no socket for an upstream while connecting to upstream");
}

/* Dials; the attempt has begun. */
/* The record is made first: a connection that no memory is left for is not dialled. */
static enum io dial_to(struct origin *o, const struct dial *d, uint64_t identity)
{
    struct exchange *x = o->source.x;
    struct dial_result result = { .error = 0 };
    struct upstream_conn *c = upstream_conn_new(o->pool, &d->candidates[0], identity);

    if (c == NULL) {
        x->fault = FAULT_PROXY_INTERNAL_ERROR;
        worker_say_spent(x->worker, x->connection, "no upstream connection");
        return IO_FAILED;
    }
    enum io io = dial(d, &c->conn, &result);
    if (io != IO_OK) {
        upstream_conn_free(c);
        if (io == IO_CANCELLED)
            return io;
        x->fault = fault_of(io, &result);
        say_why(x, result.error);
        return IO_FAILED;
    }
    c->address = result.address;
    c->opened = exchange_now(x);
    o->conn = c;
    o->attempt->connect_ms = exchange_now(x) - o->attempt->started;
    return IO_OK;
}

static bool take_idle(struct origin *o, const struct address *a, uint64_t identity)
{
    o->conn = pool_take(o->pool, a, identity);
    if (o->conn == NULL)
        return false;
    o->attempt->connect_ms = 0;
    o->marks.reused = true;
    return true;
}

static enum io connect_to_group(struct origin *o, bool *ret_next)
{
    struct exchange *x = o->source.x;
    struct upstream *group = o->pick.upstream;
    bool again = o->peer != NULL; /* the same peer, since its idle connection was stale */

    o->pool = group->pool;
    if (!again)
        o->peer = pick_next(&o->pick);
    if (o->peer == NULL) {
        o->attempt = attempt_begin(x, arena_cstr(&x->arena, group->name));
        x->fault = FAULT_DESTINATION_NOT_FOUND;
        upstream_ask_again(x->worker, x->generation, group);
        exchange_log(x, LEVEL_ERROR, 0, "no live upstreams while connecting to upstream");
        return IO_FAILED;
    }
    decided(x, DECIDED_PEER, NEXT, o->peer->server->place, o->peer->name);
    o->attempt = attempt_begin(x, o->peer->name);
    if (!again && take_idle(o, &o->peer->address, 0))
        return IO_OK;
    o->marks.reused = false;
    struct dial d = { .loop = x->worker->loop,
                      .candidates = &o->peer->address,
                      .count = 1,
                      .each_ms = o->conf->connect_timeout.ms,
                      .deadline = deadline_in(x, o->conf->connect_timeout.ms) };
    enum io io = dial_to(o, &d, 0);
    *ret_next = io == IO_FAILED && x->fault != FAULT_PROXY_INTERNAL_ERROR;
    return io;
}

/* --- the forward face ----------------------------------------------------------------------- */

enum io origin_resolve(struct exchange *x, struct resolve_result *ret)
{
    const struct destination *goal = x->goal;

    if (goal->literal.family != AF_UNSPEC) {
        *ret = (struct resolve_result){ .count = 1, .fault = RESOLVE_FOUND };
        ret->addresses[0] = goal->literal;
    } else {
        enum io io =
            resolver_lookup(resolver_of(x), goal->host, deadline_in(x, DIRECT_DEADLINE_MS), ret);

        if (io == IO_CANCELLED)
            return io;
        if (io != IO_OK)
            ret->fault = RESOLVE_SILENT;
    }
    if (ret->fault != RESOLVE_FOUND) {
        x->fault = ret->fault == RESOLVE_SILENT ? FAULT_DNS_TIMEOUT : FAULT_DNS_ERROR;
        exchange_log(x, LEVEL_ERROR, 0, "%.*s could not be resolved", (int)goal->host.len,
                     goal->host.at);
        return IO_FAILED;
    }
    for (unsigned i = 0; i < ret->count; i++)
        ret->addresses[i].port = goal->port;
    return IO_OK;
}

unsigned origin_allowed(struct exchange *x, struct resolve_result *r)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < r->count; i++)
        if (exchange_may_dial(x, &r->addresses[i]))
            r->addresses[kept++] = r->addresses[i];
    r->count = kept;
    if (kept == 0 && x->fault == FAULT_NONE)
        x->fault = FAULT_DESTINATION_IP_PROHIBITED;
    return kept;
}

struct dial origin_dial(struct exchange *x, const struct resolve_result *r, uint64_t each_ms)
{
    return (struct dial){ .loop = x->worker->loop,
                          .candidates = r->addresses,
                          .count = r->count,
                          .each_ms = each_ms,
                          .head_start_ms = DIAL_HEAD_START_MS,
                          .deadline = deadline_in(x, DIRECT_DEADLINE_MS) };
}

const char *origin_text(struct exchange *x, const struct address *a)
{
    struct buf text;

    buf_init(&text, 128, NULL);
    address_print(a, &text);
    const char *name = arena_cstr(&x->arena, buf_view(&text));
    buf_done(&text);
    return name;
}

static enum io connect_direct(struct origin *o)
{
    struct exchange *x = o->source.x;
    struct resolve_result *found = arena_alloc(&x->arena, sizeof(*found));
    uint64_t identity = hash_keyed(&x->worker->hash_key, x->goal->host);
    bool again = o->attempt != NULL; /* the idle connection was stale */
    struct buf key;
    enum io io = origin_resolve(x, found);

    if (io != IO_OK)
        return io;
    if (origin_allowed(x, found) == 0)
        return IO_FAILED;
    buf_init(&key, 1024, NULL);
    proxy_forward_key(x->server, &key);
    o->pool = pool_find(x->worker, buf_view(&key));
    buf_done(&key);
    o->attempt = attempt_begin(x, origin_text(x, &found->addresses[0]));
    for (unsigned i = 0; i < found->count && !again; i++)
        if (take_idle(o, &found->addresses[i], identity)) {
            o->attempt->peer = origin_text(x, &found->addresses[i]);
            return IO_OK;
        }
    o->marks.reused = false;
    struct dial d = origin_dial(x, found, proxy_connect_ms(o->conf, true));
    io = dial_to(o, &d, identity);
    if (io == IO_OK)
        o->attempt->peer = origin_text(x, &o->conn->address);
    return io;
}

enum io origin_connect(struct origin *o, bool *ret_next)
{
    *ret_next = false;
    return o->pick.upstream != NULL ? connect_to_group(o, ret_next) : connect_direct(o);
}
