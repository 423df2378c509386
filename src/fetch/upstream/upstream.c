/* `upstream NAME { server ...; keepalive N; }`. Names of servers are resolved in the worker, after
 * the generation is built: until then, and if they do not resolve, requests get 502.
 *
 *     start_one        addresses are peers at once; names -> begin_asking
 *     begin_asking     a fiber: resolve_names -> replace_peers, if more peers are known than before
 *     upstream_ask_again   by a request, if a name was missing and 5 s have passed
 *
 * Peers lie in the generation arena and are never taken away: an exchange that holds one of an
 * older array goes on with it. What is counted of a peer lives in the pool, beyond generations. */
#include "fetch/upstream/upstream.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/errlog.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/worker.h"
#include "net/dns.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/loop.h"
#include "proto/uri.h"

#include <stdlib.h>

enum { MOST_PEERS = 1024, DEFAULT_PORT = 80, RESOLVE_MS = 30000, ASK_AGAIN_MS = 5000 };

struct upstream_settings {
    struct conf_list all; /* at the top: of struct upstream *: the blocks */
    struct conf_list unnamed;
    struct conf_list servers; /* in a block */
    uint64_t keepalive;
    uint64_t keepalive_requests;
    uint64_t keepalive_time;
    uint64_t keepalive_timeout;
};

/* --- rows ----------------------------------------------------------------------------------- */

static bool read_host(struct span text, struct upstream_server *ret)
{
    struct host host;

    if (!host_parse(text, &host) || (host.port == 0 && host.port_text.len > 0))
        return false;
    ret->host = host.name;
    ret->port = host.port ? host.port : DEFAULT_PORT;
    if (host.literal && !address_parse_ip(host.name, &ret->address))
        return false;
    ret->address.port = ret->port;
    return true;
}

/* `host`, `host:port`. A colon with nothing behind it is a port that was forgotten. */
static bool read_server(struct conf_call *call, unsigned word, struct span text,
                        struct upstream_server *ret)
{
    const char *fault = span_ends(text, ":")   ? "invalid port in"
                        : read_host(text, ret) ? NULL
                                               : "invalid host in";

    return fault == NULL ||
           conf_refuse(call, word, "%s upstream \"%s\"", fault, arena_cstr(conf_arena(call), text));
}

static bool read_number(struct conf_call *call, unsigned word, struct span value, uint64_t *ret)
{
    return conf_read_number(value, 1000000, ret) ||
           conf_refuse(call, word, "invalid parameter \"%s\"",
                       arena_cstr(conf_arena(call), conf_word(call, word)));
}

static bool refuse_parameter(struct conf_call *call, unsigned word)
{
    static const char *const names[] = {
        "weight=", "max_fails=", "fail_timeout=", "max_conns=", "backup", "down", NULL
    };

    conf_refuse(call, word, "invalid parameter \"%s\"",
                arena_cstr(conf_arena(call), conf_word(call, word)));
    return conf_suggest_one_of(call, word, names);
}

static bool read_parameter(struct conf_call *call, unsigned word, struct upstream_server *s)
{
    struct span text = conf_word(call, word);
    const char *shown = arena_cstr(conf_arena(call), text);

    if (span_is(text, "backup"))
        s->backup = true;
    else if (span_is(text, "down"))
        s->down = true;
    else if (span_starts(text, "weight="))
        return read_number(call, word, span_from(text, 7), &s->weight) &&
               (s->weight > 0 || conf_refuse(call, word, "invalid parameter \"%s\"", shown));
    else if (span_starts(text, "max_fails="))
        return read_number(call, word, span_from(text, 10), &s->max_fails);
    else if (span_starts(text, "max_conns="))
        return read_number(call, word, span_from(text, 10), &s->max_conns);
    else if (span_starts(text, "fail_timeout="))
        return conf_read_time(span_from(text, 13), &s->fail_timeout) ||
               conf_refuse(call, word, "invalid parameter \"%s\"", shown);
    else if (span_is(text, "resolve") || span_is(text, "drain") || span_starts(text, "service=") ||
             span_starts(text, "route=") || span_starts(text, "slow_start="))
        return conf_refuse(call, word, "\"%s\" is known, not supported yet", shown);
    else
        return refuse_parameter(call, word);
    return true;
}

static bool set_server(struct conf_call *call, void *field)
{
    struct upstream_server s = {
        .weight = 1, .max_fails = 1, .fail_timeout = 10000, .place = conf_place(call, 1)
    };
    struct span text = conf_word(call, 1);

    if (span_starts(text, "unix:"))
        return conf_refuse(call, 1, "\"unix:\" is known, not supported yet");
    if (!read_server(call, 1, text, &s))
        return false;
    for (unsigned i = 2; i < conf_count(call); i++)
        if (!read_parameter(call, i, &s))
            return false;
    return conf_list_add(call, field, &s, sizeof(s));
}

/* All blocks `upstream` stand in one list: that of the top. */
static struct upstream_settings *top_settings(struct generation *g, struct conf_block *b)
{
    while (b->parent != NULL)
        b = b->parent;
    return settings_in(b, module_index(g, &upstream_module));
}

static struct upstream *find(const struct conf_list *list, struct span name)
{
    struct upstream *const *all = list->items;

    for (uint32_t i = 0; i < list->len; i++)
        if (span_same_caseless(all[i]->name, name))
            return all[i];
    return NULL;
}

static bool has_only_backups(const struct conf_list *servers)
{
    const struct upstream_server *all = servers->items;

    for (uint32_t i = 0; i < servers->len; i++)
        if (!all[i].backup)
            return false;
    return true;
}

static bool set_upstream(struct conf_call *call, void *field)
{
    struct generation *g = conf_user(call);
    struct upstream_settings *top = top_settings(g, call->block);
    struct upstream_settings *own = settings_in(call->inner, module_index(g, &upstream_module));
    struct upstream *u = arena_zalloc(conf_arena(call), sizeof(*u));

    (void)field;
    u->name = conf_word(call, 1);
    u->place = conf_place(call, 1);
    if (find(&top->all, u->name) != NULL)
        return conf_refuse(call, 1, "duplicate upstream \"%s\"",
                           arena_cstr(conf_arena(call), u->name));
    if (own->servers.len == 0 && conf_stands(call->conf, call->inner, "server"))
        return true; /* they are refused, each at its line */
    if (own->servers.len == 0)
        return conf_refuse(call, 0, "no servers are inside upstream");
    if (has_only_backups(&own->servers))
        return conf_refuse(call, 1, "no servers in upstream \"%s\"",
                           arena_cstr(conf_arena(call), u->name));
    u->named = true;
    u->servers = own->servers;
    u->limits = (struct pool_limits){ own->keepalive, own->keepalive_requests, own->keepalive_time,
                                      own->keepalive_timeout };
    return conf_list_add(call, &top->all, &u, sizeof(u));
}

static const struct conf_type server_line = { .set = set_server,
                                              .size = sizeof(struct conf_list),
                                              .many = true };
static const struct conf_type upstream_block = { .set = set_upstream, .many = true };

#define FIELD(name) offsetof(struct upstream_settings, name)

static const struct directive directives[] = {
    { "upstream", CTX_HTTP, 1, 1, &upstream_block, 0, NULL, NONE, "a group of servers",
      CTX_UPSTREAM, NULL },
    { "server", CTX_UPSTREAM, 1, ANY_ARGS, &server_line, FIELD(servers), NULL, NONE,
      "one of the group", 0, NULL },
    { "keepalive", CTX_UPSTREAM, 1, 1, &conf_number, FIELD(keepalive), "32", NONE,
      "idle connections kept for the group, in each worker", 0, NULL },
    { "keepalive_requests", CTX_UPSTREAM, 1, 1, &conf_number, FIELD(keepalive_requests), "1000",
      NONE, "requests on one connection", 0, NULL },
    { "keepalive_time", CTX_UPSTREAM, 1, 1, &conf_time, FIELD(keepalive_time), "1h", NONE,
      "age after which a connection is not kept", 0, NULL },
    { "keepalive_timeout", CTX_UPSTREAM, 1, 1, &conf_time, FIELD(keepalive_timeout), "60s", NONE,
      "how long an idle connection is kept", 0, NULL },
    {},
};

/* --- groups without a name ------------------------------------------------------------------ */

struct upstream *upstream_named(struct generation *g, struct span name)
{
    struct upstream_settings *top = settings_in(g->top, module_index(g, &upstream_module));

    return find(&top->all, name);
}

struct upstream *upstream_for(struct conf_call *call, unsigned word, struct span host_port,
                              const struct pool_limits *limits)
{
    struct upstream *u = arena_zalloc(conf_arena(call), sizeof(*u));
    struct upstream_server s = {
        .weight = 1, .max_fails = 1, .fail_timeout = 10000, .place = conf_place(call, word)
    };

    if (!read_server(call, word, host_port, &s))
        return NULL;
    u->name = host_port;
    u->place = s.place;
    u->limits = *limits;
    return conf_list_add(call, &u->servers, &s, sizeof(s)) ? u : NULL;
}

/* --- in a worker ---------------------------------------------------------------------------- */

static char *print_name(struct generation *g, const struct address *a)
{
    struct buf text;

    buf_init(&text, 128, NULL);
    address_print(a, &text);
    char *name = arena_cstr(&g->arena, buf_view(&text));
    buf_done(&text);
    return name;
}

static void add_peer(struct generation *g, struct upstream *u, const struct upstream_server *s,
                     const struct address *a)
{
    if (u->peer_count >= MOST_PEERS)
        return;
    struct peer *peer = &u->peers[u->peer_count++];

    *peer = (struct peer){ .server = s, .address = *a };
    peer->address.port = s->port;
    peer->name = print_name(g, &peer->address);
    peer->state = pool_peer(u->pool, &peer->address);
    if (peer->state->effective_weight == 0)
        peer->state->effective_weight = (int64_t)s->weight;
    u->backups += s->backup;
}

/* One asking for the names of a group. Its room is given back: askings may be repeated for ever. */
struct resolving {
    struct worker *worker;
    struct generation *generation; /* a reference */
    struct upstream *upstream;
    struct resolve_result result;
    struct found_peer {
        const struct upstream_server *server;
        struct address address;
    } found[MOST_PEERS];
    uint32_t count;
    bool missing; /* some name did not resolve */
};

static void note_found(struct resolving *r, const struct upstream_server *s,
                       const struct address *a)
{
    if (r->count < MOST_PEERS)
        r->found[r->count++] = (struct found_peer){ s, *a };
}

static void ask_for(struct resolving *r, const struct upstream_server *s)
{
    struct generation *g = r->generation;
    struct worker *w = r->worker;
    uint64_t deadline = loop_now(w->loop) + RESOLVE_MS;
    enum io io = resolver_lookup(g->dns.resolver, s->host, deadline, &r->result);

    if (io == IO_OK && r->result.fault == RESOLVE_FOUND) {
        for (unsigned i = 0; i < r->result.count; i++)
            note_found(r, s, &r->result.addresses[i]);
        return;
    }
    r->missing = true;
    errlog_write(w->log, LEVEL_WARN, 0, 0, "host not found in upstream \"%.*s\" in %.*s:%u",
                 (int)s->host.len, s->host.at, (int)place_file(g, s->place).len,
                 place_file(g, s->place).at, s->place.line);
}

/* The group anew, in the order of the lines; those who hold a peer of the old one may go on. */
static void replace_peers(const struct resolving *r)
{
    struct upstream *u = r->upstream;
    struct upstream made = *u;

    made.peers = arena_alloc(&r->generation->arena, sizeof(struct peer) * (r->count + 1));
    made.peer_count = made.backups = 0;
    for (uint32_t i = 0; i < r->count; i++)
        add_peer(r->generation, &made, r->found[i].server, &r->found[i].address);
    *u = made;
}

static void resolve_names(void *arg)
{
    struct resolving *r = arg;
    struct upstream *u = r->upstream;
    const struct upstream_server *servers = u->servers.items;

    for (uint32_t i = 0; i < u->servers.len; i++) {
        if (servers[i].address.family != AF_UNSPEC)
            note_found(r, &servers[i], &servers[i].address);
        else
            ask_for(r, &servers[i]);
    }
    if (r->count > u->peer_count)
        replace_peers(r);
    u->asked = r->missing ? loop_now(r->worker->loop) : 0;
    r->generation->starting--;
    generation_unref(&r->generation);
    free(r);
}

/* The fiber holds a reference: a reload may take the generation away meanwhile. `starting` counts
 * such fibers: the worker waits a while for them before it says that it is ready. */
static void begin_asking(struct worker *w, struct generation *g, struct upstream *u)
{
    struct resolving *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return;
    r->worker = w;
    r->generation = generation_ref(g);
    r->upstream = u;
    u->asked = loop_now(w->loop);
    g->starting++;
    if (fiber_spawn(&w->loop->fibers, NULL, resolve_names, r) < 0) {
        g->starting--;
        generation_unref(&r->generation);
        free(r);
    }
}

void upstream_ask_again(struct worker *w, struct generation *g, struct upstream *u)
{
    if (u->asked != 0 && g->starting == 0 && loop_now(w->loop) - u->asked >= ASK_AGAIN_MS)
        begin_asking(w, g, u);
}

/* The pool's key has no serial number of a generation in it: after a reload the same group finds
 * its connections and counters again. */
static void start_one(struct worker *w, struct generation *g, struct upstream *u)
{
    const struct upstream_server *servers = u->servers.items;
    struct buf key;
    bool names = false;

    buf_init(&key, 1024, NULL);
    buf_adds(&key, u->named ? "r upstream " : "r address ");
    buf_add(&key, u->name);
    u->pool = pool_get(w, buf_view(&key), &u->limits);
    buf_done(&key);
    u->peers = arena_alloc(&g->arena, sizeof(struct peer) * (u->servers.len + 1));
    for (uint32_t i = 0; i < u->servers.len; i++) {
        if (servers[i].address.family != AF_UNSPEC)
            add_peer(g, u, &servers[i], &servers[i].address);
        else
            names = true;
    }
    if (names)
        begin_asking(w, g, u);
}

void upstream_register(struct generation *g, struct upstream *u)
{
    struct upstream_settings *top = settings_in(g->top, module_index(g, &upstream_module));

    generation_list_add(g, &top->unnamed, &u, sizeof(u));
}

static void for_all(struct upstream_settings *top,
                    void (*fn)(struct worker *, struct generation *, struct upstream *),
                    struct worker *w, struct generation *g)
{
    struct upstream **named = top->all.items, **unnamed = top->unnamed.items;

    for (uint32_t i = 0; i < top->all.len; i++)
        fn(w, g, named[i]);
    for (uint32_t i = 0; i < top->unnamed.len; i++)
        fn(w, g, unnamed[i]);
}

static void stop_one(struct worker *w, struct generation *g, struct upstream *u)
{
    (void)w, (void)g;
    pool_unuse(u->pool);
}

static void start(struct worker *w, struct generation *g, void *settings)
{
    for_all(settings, start_one, w, g);
}

static void stop(struct worker *w, struct generation *g, void *settings)
{
    for_all(settings, stop_one, w, g);
}

const struct module upstream_module = {
    .name = "upstream",
    .directives = directives,
    .settings_size = sizeof(struct upstream_settings),
    .start = start,
    .stop = stop,
};
