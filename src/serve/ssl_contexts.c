/* From `ssl_*` settings to OpenSSL's objects: one context for each distinct set, an identity for
 * each certificate, a store of sessions for each zone. While a configuration is checked they are
 * made once, to hear what OpenSSL says; a worker keeps them until its generation ends. Stores and
 * the keys of tickets pass on to the next generation.
 *
 *     server A: ssl_* settings  --+--> context, with the store of its zone
 *     server B: the same          |
 *               certificate A, B -+--> an identity each; the handshake picks one by name
 */
#include "base/errlog.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/settings.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/worker.h"
#include "serve/ssl_module.h"
#include "serve/ssl_settings.h"
#include "tls/pem.h"
#include "tls/tls.h"

static struct tls_settings values_of(const struct ssl_settings *s)
{
    return (struct tls_settings){
        .protocols = s->protocols.versions,
        .ciphers = s->ciphers.text,
        .curves = span_is(s->curves.text, "auto") ? (struct span){ NULL, 0 } : s->curves.text,
        .dh_pem = s->dh.data,
        .prefer_server_ciphers = s->prefer.order,
        .record_most = s->buffer_size < UINT32_MAX ? (uint32_t)s->buffer_size : UINT32_MAX,
        .tickets = s->tickets,
        .offers_ids = s->cache.keeping != SSL_KEEP_OFF,
        .session_ms = s->session_timeout,
        .commands = s->commands.list.items,
        .command_count = s->commands.list.len,
    };
}

static bool same_commands(const struct conf_list *a, const struct conf_list *b)
{
    const struct tls_command *x = a->items, *y = b->items;
    bool same = a->len == b->len;

    for (uint32_t i = 0; same && x != y && i < a->len; i++)
        same = span_same(x[i].name, y[i].name) && span_same(x[i].value, y[i].value);
    return same;
}

/* Those that can share a context. */
static bool same_values(const struct ssl_settings *a, const struct ssl_settings *b)
{
    return a->protocols.versions == b->protocols.versions &&
           span_same(a->ciphers.text, b->ciphers.text) &&
           span_same(a->curves.text, b->curves.text) && span_same(a->dh.path, b->dh.path) &&
           a->prefer.order == b->prefer.order && a->buffer_size == b->buffer_size &&
           a->tickets == b->tickets && a->cache.keeping == b->cache.keeping &&
           a->cache.bytes == b->cache.bytes && span_same(a->cache.zone, b->cache.zone) &&
           a->session_timeout == b->session_timeout &&
           same_commands(&a->commands.list, &b->commands.list);
}

/* --- checks --------------------------------------------------------------------------------- */

struct checking {
    struct generation *generation;
    struct conf *conf;
    struct conf_list tried; /* of const struct ssl_settings *: contexts that were made */
    struct conf_list *zones;
};

static bool refuse_words(struct conf *conf, const char *name, const struct ssl_words *words,
                         const char *reason)
{
    return conf_complain(conf, words->place, "invalid value \"%.*s\" in \"%s\" directive: %s",
                         (int)words->text.len, words->text.at, name, reason);
}

static bool refuse_command(struct conf *conf, const struct ssl_commands *commands,
                           const struct tls_refusal *refusal)
{
    const struct tls_command *c = (struct tls_command *)commands->list.items + refusal->command;
    const struct place *place = (struct place *)commands->places.items + refusal->command;

    return conf_complain(conf, *place,
                         "invalid value \"%.*s\" of command \"%.*s\" in \"ssl_conf_command\" "
                         "directive: %s",
                         (int)c->value.len, c->value.at, (int)c->name.len, c->name.at,
                         refusal->reason);
}

static bool refuse(struct conf *conf, const struct conf_block *b, const struct ssl_settings *s,
                   const struct tls_refusal *refusal)
{
    switch (refusal->setting) {
    case TLS_SET_CIPHERS:
        return refuse_words(conf, "ssl_ciphers", &s->ciphers, refusal->reason);
    case TLS_SET_CURVES:
        return refuse_words(conf, "ssl_ecdh_curve", &s->curves, refusal->reason);
    case TLS_SET_DH:
        return conf_complain(conf, s->dh.place,
                             "no usable parameters in \"%.*s\" of \"ssl_dhparam\" directive: %s",
                             (int)s->dh.path.len, s->dh.path.at, refusal->reason);
    case TLS_SET_COMMAND:
        return refuse_command(conf, &s->commands, refusal);
    case TLS_SET_PROTOCOLS:
        return conf_complain(conf, s->protocols.place, "invalid \"ssl_protocols\": %s",
                             refusal->reason);
    case TLS_SET_NOTHING:
        break;
    }
    return conf_complain(conf, b->place, "no TLS context: %s", refusal->reason);
}

static bool check_values(struct checking *c, const struct conf_block *b,
                         const struct ssl_settings *s)
{
    const struct ssl_settings **tried = c->tried.items;
    struct tls_settings values = values_of(s);
    struct tls_refusal refusal;

    for (uint32_t i = 0; i < c->tried.len; i++)
        if (same_values(tried[i], s))
            return true;
    generation_list_add(c->generation, &c->tried, &s, sizeof(s));
    struct tls_context *context = tls_server_context_new(&values, &refusal);
    if (context == NULL)
        return refuse(c->conf, b, s, &refusal);
    tls_context_unref(&context);
    return true;
}

static bool check_certificate(struct conf *conf, const struct conf_block *b,
                              const struct ssl_settings *s)
{
    char reason[256];

    if (s->chain.data.len == 0)
        return conf_complain(
            conf, b->place,
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive");
    if (s->key.data.len == 0)
        return conf_complain(conf, s->chain.place,
                             "no \"ssl_certificate_key\" is defined for certificate \"%.*s\"",
                             (int)s->chain.path.len, s->chain.path.at);
    return tls_pair_fits(s->chain.data, s->key.data, reason) ||
           conf_complain(conf, s->key.place, "SSL_CTX_use_PrivateKey(\"%.*s\") failed: %s",
                         (int)s->key.path.len, s->key.path.at, reason);
}

static struct ssl_zone *zone_of(const struct conf_list *zones, const struct ssl_cache *cache)
{
    struct ssl_zone *all = zones->items;

    for (uint32_t i = 0; i < zones->len; i++)
        if (span_same(all[i].name, cache->zone) &&
            (cache->zone.len > 0 || all[i].bytes == cache->bytes))
            return &all[i];
    return NULL;
}

static bool note_zone(struct checking *c, const struct ssl_settings *s)
{
    struct ssl_zone *zone = zone_of(c->zones, &s->cache);

    if (zone == NULL) {
        struct ssl_zone new = { s->cache.zone, s->cache.bytes, s->session_timeout, NULL };

        generation_list_add(c->generation, c->zones, &new, sizeof(new));
        return true;
    }
    if (zone->session_ms < s->session_timeout)
        zone->session_ms = s->session_timeout;
    return zone->bytes == s->cache.bytes ||
           conf_complain(c->conf, s->cache.place,
                         "the size %llu of shared memory zone \"%.*s\" conflicts with already "
                         "declared size %llu",
                         (unsigned long long)s->cache.bytes, (int)s->cache.zone.len,
                         s->cache.zone.at, (unsigned long long)zone->bytes);
}

static bool check_server(struct checking *c, const struct conf_block *b)
{
    const struct ssl_settings *s = ssl_settings_of(c->generation, b);

    return s->reject ||
           (check_certificate(c->conf, b, s) && check_values(c, b, s) && note_zone(c, s));
}

bool ssl_init(struct generation *g, struct conf *conf, void *top)
{
    struct listener **all = g->listeners.items;
    struct checking c = { .generation = g, .conf = conf };
    bool good = true;

    c.zones = &((struct ssl_settings *)top)->zones;
    for (uint32_t i = 0; i < g->listeners.len; i++) {
        const struct conf_block *const *blocks = all[i]->blocks.items;

        for (uint32_t j = 0; all[i]->ssl && j < all[i]->blocks.len; j++)
            good = check_server(&c, blocks[j]) && good;
    }
    return good;
}

uint64_t ssl_sessions_most(const struct generation *g)
{
    const struct conf_list *zones = &ssl_settings_of(g, g->top)->zones;
    const struct ssl_zone *all = zones->items;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < zones->len; i++)
        bytes += all[i].bytes;
    return bytes;
}

/* --- in a worker ---------------------------------------------------------------------------- */

/* With keys of tickets that all workers have, and no other zone. */
static struct tls_sessions *new_sessions(const struct worker *w, const struct ssl_zone *zone)
{
    struct tls_sessions *s = tls_sessions_new(zone->bytes, zone->session_ms);
    struct span parts[] = { { (const char *)w->shared.secret, sizeof(w->shared.secret) },
                            zone->name,
                            { (const char *)&zone->bytes, sizeof(zone->bytes) } };
    struct tls_binding seed = tls_bind(parts, COUNT(parts));

    if (s != NULL &&
        !tls_sessions_seed(s, (struct span){ (const char *)seed.digest, sizeof(seed.digest) }))
        tls_sessions_unref(&s);
    explicit_bzero(&seed, sizeof(seed));
    return s;
}

/* The last generation's, of the same name and size: sessions outlive a reload. */
static struct tls_sessions *sessions_for(const struct worker *w, const struct ssl_zone *zone)
{
    struct ssl_cache cache = { .zone = zone->name, .bytes = zone->bytes };
    const struct ssl_zone *before =
        w->generation != NULL
            ? zone_of(&ssl_settings_of(w->generation, w->generation->top)->zones, &cache)
            : NULL;

    if (before != NULL && before->bytes == zone->bytes && before->sessions != NULL)
        return tls_sessions_ref(before->sessions);
    return new_sessions(w, zone);
}

static struct tls_context *shared_context(struct generation *g, const struct ssl_settings *own)
{
    struct conf_block **blocks = g->servers.items;

    for (uint32_t i = 0; i < g->servers.len; i++) {
        struct ssl_settings *other = ssl_settings_of(g, blocks[i]);

        if (other->choice.context != NULL && same_values(own, other)) {
            tls_context_ref(other->choice.context);
            return other->choice.context;
        }
    }
    return NULL;
}

static struct tls_context *context_for(struct worker *w, struct generation *g,
                                       const struct ssl_settings *s, const struct conf_list *zones)
{
    struct tls_settings values = values_of(s);
    struct tls_context *context = shared_context(g, s);
    const struct ssl_zone *zone = zone_of(zones, &s->cache);
    struct tls_refusal refusal;

    if (context != NULL || zone == NULL || zone->sessions == NULL)
        return context;
    values.sessions = zone->sessions;
    context = tls_server_context_new(&values, &refusal);
    if (context == NULL)
        errlog_write(w->log, LEVEL_EMERG, 0, 0, "no TLS context: %s", refusal.reason);
    return context;
}

static void add_part(struct conf_list *parts, struct generation *g, struct span part)
{
    generation_list_add(g, parts, &part, sizeof(part));
}

/* A session stays with the settings that it was made under, also over a reload: its cipher was
 * chosen by them, and OpenSSL asks nobody again. Whom they let in by certificate will be a part of
 * this. */
struct tls_binding ssl_binding(struct generation *g, const struct ssl_settings *s)
{
    const struct tls_command *commands = s->commands.list.items;
    struct conf_list parts = {};

    add_part(&parts, g, s->chain.data);
    add_part(&parts, g,
             (struct span){ (const char *)&s->protocols.versions, sizeof(s->protocols.versions) });
    add_part(&parts, g, s->ciphers.text);
    for (uint32_t i = 0; i < s->commands.list.len; i++) {
        add_part(&parts, g, commands[i].name);
        add_part(&parts, g, commands[i].value);
    }
    return tls_bind(parts.items, parts.len);
}

void ssl_start(struct worker *w, struct generation *g, void *top)
{
    struct conf_block **blocks = g->servers.items;
    const struct conf_list *zones = &((struct ssl_settings *)top)->zones;
    struct ssl_zone *zone = zones->items;

    for (uint32_t i = 0; i < zones->len; i++) {
        zone[i].sessions = sessions_for(w, &zone[i]);
        if (zone[i].sessions == NULL)
            errlog_write(w->log, LEVEL_EMERG, 0, 0, "no memory for session cache \"%.*s\"",
                         (int)zone[i].name.len, zone[i].name.len > 0 ? zone[i].name.at : "");
    }
    for (uint32_t i = 0; i < g->servers.len; i++) {
        struct ssl_settings *s = ssl_settings_of(g, blocks[i]);

        if (s->reject || s->chain.data.len == 0 || s->key.data.len == 0 ||
            s->choice.context != NULL)
            continue;
        s->choice.context = context_for(w, g, s, zones);
        s->choice.identity = tls_identity_new(s->chain.data, s->key.data);
        s->choice.binding = ssl_binding(g, s);
    }
}

void ssl_stop(struct worker *w, struct generation *g, void *top)
{
    struct conf_block **blocks = g->servers.items;
    const struct conf_list *zones = &((struct ssl_settings *)top)->zones;
    struct ssl_zone *zone = zones->items;

    (void)w;
    for (uint32_t i = 0; i < g->servers.len; i++) {
        struct ssl_settings *s = ssl_settings_of(g, blocks[i]);

        tls_context_unref(&s->choice.context);
        tls_identity_unref(&s->choice.identity);
    }
    for (uint32_t i = 0; i < zones->len; i++)
        tls_sessions_unref(&zone[i].sessions);
}
