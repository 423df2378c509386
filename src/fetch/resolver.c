/* Name servers: those of `resolver`, else those of the system's resolv.conf, which stands in the
 * bundle. */
#include "fetch/resolver.h"

#include "base/address.h"
#include "base/arena.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/worker.h"
#include "net/dns.h"

struct resolver_settings {
    struct resolver_line {
        struct resolver_options options; /* hosts is set in the worker */
        bool given;
    } line;
    uint64_t timeout;          /* ms */
    struct resolver *resolver; /* in a worker: owned; NULL: that of the generation */
};

struct block_resolver {
    const struct conf_block *block;
    struct resolver *resolver;
};

struct block_resolvers { /* found by the generation */
    struct block_resolver *at;
    unsigned count;
    struct conf_list
        own; /* of struct resolver_settings *: reverse blocks with a line of their own */
};

static bool set_option(struct conf_call *call, unsigned word, struct resolver_options *o)
{
    struct span text = conf_word(call, word);
    struct address server;

    if (span_starts(text, "valid="))
        return conf_read_time(span_from(text, 6), &o->valid_ms) ||
               conf_refuse(call, word, "invalid parameter: %s", arena_cstr(conf_arena(call), text));
    if (span_is(text, "ipv4=off") || span_is(text, "ipv6=off")) {
        *(span_is(text, "ipv4=off") ? &o->ipv4 : &o->ipv6) = false;
        return o->ipv4 || o->ipv6 ||
               conf_refuse(call, word, "\"ipv4\" and \"ipv6\" cannot both be \"off\"");
    }
    if (span_is(text, "ipv4=on") || span_is(text, "ipv6=on"))
        return true;
    if (!address_parse(text, 53, &server))
        return conf_refuse(call, word, "\"%s\": the address of a name server was expected",
                           arena_cstr(conf_arena(call), text));
    if (o->server_count == RESOLVER_MOST_SERVERS)
        return conf_refuse(call, word, "at most %d name servers", RESOLVER_MOST_SERVERS);
    o->servers[o->server_count++] = server;
    return true;
}

static bool set_resolver(struct conf_call *call, void *field)
{
    struct resolver_line *line = field;

    line->given = true;
    line->options = (struct resolver_options){ .ipv4 = true, .ipv6 = true };
    for (unsigned i = 1; i < conf_count(call); i++)
        if (!set_option(call, i, &line->options))
            return false;
    return line->options.server_count > 0 || conf_refuse(call, 0, "no name servers defined");
}

static const struct conf_type resolver_type = { .set = set_resolver,
                                                .size = sizeof(struct resolver_line) };

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_FORWARD };

static const struct directive directives[] = {
    { "resolver", ANYWHERE, 1, ANY_ARGS, &resolver_type, offsetof(struct resolver_settings, line),
      NULL, WHOLE, "name servers", 0, NULL },
    { "resolver_timeout", ANYWHERE, 1, 1, &conf_time, offsetof(struct resolver_settings, timeout),
      "30s", WHOLE, "for one name", 0, NULL },
    {},
};

/* `before`: that of the same role and block in the generation before, or NULL. With the same
 * settings it goes on, and what it knows outlives a reload. */
static struct resolver *make(struct worker *w, const struct generation *g,
                             const struct resolver_settings *own, struct resolver *before,
                             bool silent)
{
    struct resolver_options options = own->line.options;

    if (!own->line.given) {
        options = (struct resolver_options){ .ipv4 = true, .ipv6 = true };
        options.server_count = resolv_conf_servers(g->dns.resolv_conf, options.servers);
    }
    if (silent)
        options.server_count = 0;
    options.hosts = g->dns.hosts;
    options.timeout_ms = own->timeout;
    if (before != NULL && span_same(g->dns.hosts, w->generation->dns.hosts) &&
        resolver_has(before, &options))
        return resolver_share(before);
    return resolver_new(w->loop, &options);
}

/* Upstream names are resolved with what holds for the servers. */
static const struct conf_block *reverse_block(const struct generation *g)
{
    struct conf_block *const *blocks = g->servers.items;

    for (uint32_t i = 0; i < g->servers.len; i++)
        if (blocks[i]->context == CTX_SERVER)
            return blocks[i]->parent;
    return g->top;
}

static struct resolver *of_block(const struct generation *g, const struct conf_block *block)
{
    const struct block_resolvers *all = g != NULL ? g->dns.all : NULL;

    for (unsigned i = 0; all != NULL && i < all->count; i++)
        if (all->at[i].block->place.file == block->place.file &&
            all->at[i].block->place.line == block->place.line)
            return all->at[i].resolver;
    return NULL;
}

static bool is_forward(const struct conf_block *block)
{
    while (block != NULL && block->context != CTX_FORWARD)
        block = block->parent;
    return block != NULL;
}

static struct block_resolvers *resolvers_of(struct generation *g)
{
    if (g->dns.all == NULL)
        g->dns.all = arena_zalloc(&g->arena, sizeof(*g->dns.all));
    return g->dns.all;
}

/* A server or a location may name its own, for the names that its requests make. */
static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct resolver_settings *own = settings;
    struct generation *g = conf_user_of(conf);

    if (own->line.given && !is_forward(block))
        generation_list_add(g, &resolvers_of(g)->own, &own, sizeof(own));
    return true;
}

static void start(struct worker *w, struct generation *g, void *settings)
{
    struct resolver *before = w->generation != NULL ? w->generation->dns.resolver : NULL;
    struct conf_block *const *blocks = g->servers.items;
    unsigned module = module_index(g, &resolver_module);
    struct block_resolvers *all = resolvers_of(g);
    struct resolver_settings *const *own = all->own.items;

    (void)settings;
    g->dns.resolver =
        make(w, g, settings_in(reverse_block(g), module), before, g->dns.silent.servers);
    for (uint32_t i = 0; i < all->own.len; i++)
        own[i]->resolver = make(w, g, own[i], NULL, g->dns.silent.servers);
    all->at = arena_alloc(&g->arena, sizeof(*all->at) * (g->servers.len + 1));
    for (uint32_t i = 0; i < g->servers.len; i++)
        if (blocks[i]->context == CTX_FORWARD)
            all->at[all->count++] =
                (struct block_resolver){ blocks[i], make(w, g, settings_in(blocks[i], module),
                                                         of_block(w->generation, blocks[i]),
                                                         g->dns.silent.forward) };
}

static void stop(struct worker *w, struct generation *g, void *settings)
{
    struct block_resolvers *all = g->dns.all;
    struct resolver_settings *const *own = all->own.items;

    (void)w, (void)settings;
    resolver_free(&g->dns.resolver);
    for (uint32_t i = 0; i < all->own.len; i++)
        resolver_free(&own[i]->resolver);
    for (unsigned i = 0; i < all->count; i++)
        resolver_free(&all->at[i].resolver);
}

struct resolver *resolver_of(const struct exchange *x)
{
    const struct generation *g = x->generation;
    const struct block_resolvers *all = g->dns.all;

    for (unsigned i = 0; i < all->count; i++)
        if (all->at[i].block == x->server)
            return all->at[i].resolver;
    const struct resolver_settings *own = settings_in(x->block, module_index(g, &resolver_module));
    return own->resolver != NULL ? own->resolver : g->dns.resolver;
}

const struct module resolver_module = {
    .name = "resolver",
    .directives = directives,
    .settings_size = sizeof(struct resolver_settings),
    .check = check,
    .start = start,
    .stop = stop,
};
