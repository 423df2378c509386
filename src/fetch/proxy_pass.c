/* `proxy_pass`: a URL, and what it means (nginx-semantics 7.1).
 *
 *     http://a:81/uri        known while the configuration is read: a group of the generation
 *     http://$where$path     made for each request: the name of an `upstream` block, an address, or
 *                            a name that the resolver is asked for; its group lives as long as the
 *                            exchange
 *
 * Whatever a request puts into the URL is judged again: a host is a host, and what would end the
 * request line is escaped where it is written. Owns nothing. */
#include "fetch/proxy_pass.h"

#include "base/errlog.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "exchange/exchange.h"
#include "exchange/location_line.h"
#include "exchange/log.h"
#include "exchange/template.h"
#include "fetch/attempts.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "fetch/resolver.h"
#include "fetch/upstream/pool.h"
#include "fetch/upstream/upstream.h"
#include "net/dns.h"
#include "net/timer.h"
#include "proto/fields.h"
#include "proto/uri.h"

#include <string.h>

enum { DEFAULT_PORT = 80 };

const struct span proxy_pass_pool = { "r proxy_pass", sizeof("r proxy_pass") - 1 };

static const char target_key; /* of a note: struct proxy_target */

/* --- a URL ---------------------------------------------------------------------------------- */

/* `?args` alone is `/?args`. */
static struct span with_slash(struct arena *a, struct span uri)
{
    char *made = arena_alloc(a, uri.len + 1);

    made[0] = '/';
    memcpy(made + 1, uri.at, uri.len);
    return (struct span){ made, uri.len + 1 };
}

/* Its parts; what is wrong with it, or NULL. */
static const char *split_url(struct arena *a, struct span url, struct proxy_target *t)
{
    if (span_starts_caseless(url, "https://"))
        return "\"https://\" in proxy_pass is known, not supported yet";
    if (!span_starts_caseless(url, "http://"))
        return "invalid URL prefix";
    struct span rest = span_from(url, strlen("http://"));
    size_t slash = span_find(rest, '/'), mark = span_find(rest, '?');

    t->written = span_first(rest, slash < mark ? slash : mark);
    t->uri = span_from(rest, t->written.len);
    if (span_starts_caseless(t->written, "unix:"))
        return "\"unix:\" is known, not supported yet";
    if (t->uri.len > 0 && t->uri.at[0] == '?')
        t->uri = with_slash(a, t->uri);
    t->host = t->written;
    if (span_ends(t->host, ":80"))
        t->host.len -= strlen(":80");
    return NULL;
}

/* --- the row -------------------------------------------------------------------------------- */

/* The URI part replaces the path of the location; where that is no path, there can be none. */
static bool note_location(struct conf_call *call, struct proxy_target *t)
{
    bool in_if = call->block->context == CTX_IF;
    struct location_line line = {};

    if (!in_if)
        location_line_read(call->block->node, &line); /* what is wrong there is said there */
    call->block->slash_redirect = span_ends(line.path, "/");
    if (t->varies)
        return true;
    if (in_if || line.kind == LOCATION_EXPRESSION || line.kind == LOCATION_NAMED)
        return t->uri.len == 0 ||
               conf_refuse(call, 1,
                           "\"proxy_pass\" cannot have URI part in location given by regular "
                           "expression, or inside named location, or inside \"if\" statement, or "
                           "inside \"limit_except\" block");
    t->exact = line.kind == LOCATION_EXACT;
    t->location = arena_copy(conf_arena(call), line.path);
    return true;
}

static bool set_known(struct conf_call *call, struct span url, struct proxy_target *t)
{
    static const struct pool_limits limits = { 0, PROXY_REQUESTS, PROXY_AGE_MS, PROXY_IDLE_MS };
    const char *fault = split_url(conf_arena(call), url, t);

    if (fault != NULL)
        return conf_refuse(call, 1, "%s", fault);
    if (t->written.len == 0)
        return conf_refuse(call, 1, "no host in upstream \"%s\"",
                           arena_cstr(conf_arena(call), span_from(url, strlen("http://"))));
    if (!is_field_value(t->uri) || span_find(t->uri, ' ') < t->uri.len)
        return conf_refuse(call, 1, "the URI of proxy_pass holds a control byte or a space");
    t->upstream = upstream_for(call, 1, t->written, &limits);
    return t->upstream != NULL;
}

static bool set_pass(struct conf_call *call, void *field)
{
    struct proxy_target *t = field;
    struct span url = conf_word(call, 1);

    t->place = conf_place(call, 0);
    t->varies = span_find(url, '$') < url.len;
    bool good = t->varies ? template_compile(call, 1, &t->url) : set_known(call, url, t);
    return good && note_location(call, t);
}

const struct conf_type proxy_pass_type = { .set = set_pass, .size = sizeof(struct proxy_target) };

bool proxy_pass_is_set(const struct proxy_target *t)
{
    return t->upstream != NULL || t->varies;
}

void proxy_pass_settle(struct generation *g, struct proxy_settings *own)
{
    struct proxy_target *t = &own->target;

    if (t->varies || t->upstream->named)
        return;
    struct upstream *named = upstream_named(g, t->written);
    if (named != NULL) {
        t->upstream = named;
        return;
    }
    t->upstream->limits.most = own->keepalive;
    upstream_register(g, t->upstream);
}

/* --- for one request ------------------------------------------------------------------------ */

static void add_peer(struct exchange *x, struct upstream *u, const struct address *a)
{
    const struct upstream_server *server = u->servers.items;
    struct peer *peer = &u->peers[u->peer_count++];

    *peer = (struct peer){ .server = server, .address = *a };
    peer->address.port = server->port;
    peer->name = arena_cstr(&x->arena, span_of(origin_text(x, &peer->address)));
    peer->state = arena_zalloc(&x->arena, sizeof(*peer->state));
    peer->state->address = peer->address;
    peer->state->effective_weight = (int64_t)server->weight;
}

/* A group of one server, whose peers are known now if it is an address. NULL: no host. */
static struct upstream *make_group(struct exchange *x, const struct proxy_target *t)
{
    struct upstream *u = arena_zalloc(&x->arena, sizeof(*u));
    struct upstream_server *s = arena_zalloc(&x->arena, sizeof(*s));
    struct host host;

    if (span_ends(t->written, ":") || !host_parse(t->written, &host) ||
        (host.port == 0 && host.port_text.len > 0) ||
        (host.literal && !address_parse_ip(host.name, &s->address)))
        return NULL;
    *s = (struct upstream_server){ .host = host.name,
                                   .address = s->address,
                                   .port = host.port ? host.port : DEFAULT_PORT,
                                   .weight = 1,
                                   .max_fails = 1,
                                   .fail_timeout = 10000,
                                   .place = t->place };
    u->name = t->written;
    u->place = t->place;
    u->servers = (struct conf_list){ .items = s, .len = 1, .room = 1, .size = sizeof(*s) };
    u->pool = pool_find(x->worker, proxy_pass_pool);
    u->peers = arena_alloc(&x->arena, sizeof(*u->peers) * (host.literal ? 1 : RESOLVE_MOST));
    if (host.literal)
        add_peer(x, u, &s->address);
    return u;
}

static const char *make_target(struct exchange *x, struct span url, struct proxy_target *t)
{
    const char *fault = split_url(&x->arena, url, t);

    if (fault != NULL)
        return fault;
    t->upstream = upstream_named(x->generation, t->written);
    if (t->upstream == NULL)
        t->upstream = make_group(x, t);
    return t->upstream != NULL ? NULL : "invalid host in upstream";
}

const struct proxy_target *proxy_pass_target(struct exchange *x, const struct proxy_settings *own)
{
    if (!own->target.varies)
        return &own->target;
    struct span url = template_value(x, &own->target.url);
    struct proxy_target *made = arena_alloc(&x->arena, sizeof(*made));

    *made = own->target;
    const char *fault = make_target(x, url, made);
    if (fault != NULL) {
        exchange_log(x, LEVEL_ERROR, 0, "%s \"%.*s\"", fault, (int)url.len, url.at);
        return NULL;
    }
    exchange_keep(x, &target_key, made);
    return made;
}

const struct proxy_target *proxy_pass_target_of(const struct exchange *x)
{
    return exchange_note(x, &target_key);
}

enum io proxy_pass_resolve(struct exchange *x, const struct proxy_target *t)
{
    struct upstream *u = t->upstream;

    if (!t->varies || u->named || u->peer_count > 0)
        return IO_OK;
    const struct upstream_server *server = u->servers.items;
    struct resolve_result *found = arena_alloc(&x->arena, sizeof(*found));
    enum io io = resolver_lookup(resolver_of(x), server->host, TIMER_NEVER, found);

    if (io == IO_CANCELLED) {
        x->fault = FAULT_CLIENT_GONE;
        return io;
    }
    if (io != IO_OK || found->fault != RESOLVE_FOUND) {
        attempt_begin(x, arena_cstr(&x->arena, u->name));
        x->fault = FAULT_DNS_ERROR;
        exchange_log(x, LEVEL_ERROR, 0, "%.*s could not be resolved", (int)server->host.len,
                     server->host.at);
        return IO_FAILED;
    }
    for (unsigned i = 0; i < found->count; i++)
        add_peer(x, u, &found->addresses[i]);
    return IO_OK;
}
