/* `ssl_*`: TLS towards clients. Certificates arrive as DER from the bundle; a worker makes one
 * context for each distinct set of settings, and an identity for each certificate. */
#include "serve/ssl.h"

#include "conf/types.h"
#include "exchange/core.h"
#include "serve/ssl_module.h"
#include "tls/pem.h"
#include "tls/tls.h"

struct ssl_file {
    struct span path; /* as written; empty: not given */
    struct span der;  /* generation arena or bundle */
    struct place place;
};

struct ssl_settings {
    struct ssl_file chain, key;
    unsigned protocols;
    struct span ciphers, curves;
    struct ssl_order {
        enum tls_order order;
    } prefer;
    bool tickets;
    uint64_t session_timeout;   /* ms */
    uint64_t handshake_timeout; /* ms; 0: client_header_timeout */
    struct tls_choice choice;   /* in a worker */
};

/* --- rows ----------------------------------------------------------------------------------- */

static bool load(struct conf_call *call, struct ssl_file *file, enum conf_kind kind)
{
    struct span word = conf_word(call, 1);

    if (span_find(word, '$') < word.len || span_starts(word, "data:") ||
        span_starts(word, "engine:"))
        return conf_refuse(
            call, 1, "\"%s\": certificates by variable and value are known, not supported yet",
            arena_cstr(conf_arena(call), word));
    file->place = conf_place(call, 1);
    file->path = conf_file_path(call, word);
    return conf_load(call, 1, file->path, kind, &file->der);
}

static bool set_certificate(struct conf_call *call, void *field)
{
    return load(call, field, CONF_CHAIN);
}

static bool set_key(struct conf_call *call, void *field)
{
    return load(call, field, CONF_KEY);
}

static const struct conf_name protocol_names[] = {
    { "TLSv1", TLS_1_0 },   { "TLSv1.1", TLS_1_1 }, { "TLSv1.2", TLS_1_2 },
    { "TLSv1.3", TLS_1_3 }, { "TLSv1.0", TLS_1_0 }, {},
};

static bool set_protocols(struct conf_call *call, void *field)
{
    for (unsigned i = 1; i < conf_count(call); i++)
        if (span_starts_caseless(conf_word(call, i), "SSLv"))
            return conf_refuse(call, i, "\"%s\" is broken and not supported",
                               arena_cstr(conf_arena(call), conf_word(call, i)));
    return conf_choices.set(call, field);
}

static bool set_prefer(struct conf_call *call, void *field)
{
    enum tls_order *order = field;

    if (!span_is(conf_word(call, 1), "on") && !span_is(conf_word(call, 1), "off"))
        return conf_refuse(
            call, 1,
            "invalid value \"%s\" in \"ssl_prefer_server_ciphers\" directive, it must be "
            "\"on\" or \"off\"",
            arena_cstr(conf_arena(call), conf_word(call, 1)));
    *order = span_is(conf_word(call, 1), "on") ? TLS_ORDER_SERVER : TLS_ORDER_CLIENT;
    return true;
}

static const struct conf_type chain_type = { .set = set_certificate,
                                             .size = sizeof(struct ssl_file) };
static const struct conf_type key_type = { .set = set_key, .size = sizeof(struct ssl_file) };
static const struct conf_type protocols_type = { .set = set_protocols,
                                                 .size = sizeof(unsigned),
                                                 .many = true };
static const struct conf_type prefer_type = { .set = set_prefer, .size = sizeof(struct ssl_order) };

#define FIELD(name) offsetof(struct ssl_settings, name)
enum { SERVERS = CTX_HTTP | CTX_SERVER | CTX_FORWARD };

static const struct directive directives[] = {
    { "ssl_certificate", SERVERS, 1, 1, &chain_type, FIELD(chain), NULL, WHOLE,
      "the server's certificate, with its chain", 0, NULL },
    { "ssl_certificate_key", SERVERS, 1, 1, &key_type, FIELD(key), NULL, WHOLE, "its private key",
      0, NULL },
    { "ssl_protocols", SERVERS, 1, ANY_ARGS, &protocols_type, FIELD(protocols), "TLSv1.2 TLSv1.3",
      WHOLE, "versions of TLS", 0, protocol_names },
    { "ssl_ciphers", SERVERS, 1, 1, &conf_text, FIELD(ciphers), "HIGH:!aNULL:!MD5", WHOLE,
      "ciphers for TLS up to 1.2, as OpenSSL writes them", 0, NULL },
    { "ssl_prefer_server_ciphers", SERVERS, 1, 1, &prefer_type, FIELD(prefer), NULL, WHOLE,
      "our order of ciphers, not the client's", 0, NULL },
    { "ssl_ecdh_curve", SERVERS, 1, 1, &conf_text, FIELD(curves), "auto", WHOLE,
      "groups of the key exchange", 0, NULL },
    { "ssl_session_tickets", SERVERS, 1, 1, &conf_flag, FIELD(tickets), "on", WHOLE,
      "resume sessions by ticket", 0, NULL },
    { "ssl_session_timeout", SERVERS, 1, 1, &conf_time, FIELD(session_timeout), "5m", WHOLE,
      "how long a session may be resumed", 0, NULL },
    { "ssl_handshake_timeout", SERVERS, 1, 1, &conf_time, FIELD(handshake_timeout), "0", WHOLE,
      "for the whole handshake; 0: client_header_timeout", 0, NULL },
    {},
};

/* --- checks --------------------------------------------------------------------------------- */

static struct ssl_settings *settings_of(const struct generation *g, const struct conf_block *b)
{
    return settings_in(b, module_index(g, &ssl_module));
}

/* The same check that a worker would fail by: settings that OpenSSL accepts, a key that fits. */
static struct tls_settings values_of(const struct ssl_settings *s)
{
    struct tls_settings values = { .protocols = s->protocols,
                                   .ciphers = s->ciphers,
                                   .prefer_server_ciphers = s->prefer.order,
                                   .tickets = s->tickets,
                                   .session_ms = s->session_timeout };

    if (!span_is(s->curves, "auto"))
        values.curves = s->curves;
    values.id_context = s->chain.path;
    return values;
}

static bool check_server(struct generation *g, struct conf *conf, const struct listener *l,
                         const struct conf_block *b)
{
    struct ssl_settings *s = settings_of(g, b);
    char reason[256];

    if (s->chain.der.len == 0)
        return conf_complain(
            conf, b->place,
            "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in %.*s:%u",
            (int)conf_file_name(conf, l->place.file).len, conf_file_name(conf, l->place.file).at,
            l->place.line);
    if (s->key.der.len == 0)
        return conf_complain(conf, s->chain.place,
                             "no \"ssl_certificate_key\" is defined for certificate \"%.*s\"",
                             (int)s->chain.path.len, s->chain.path.at);
    if (!tls_pair_fits(s->chain.der, s->key.der, reason))
        return conf_complain(conf, s->key.place, "SSL_CTX_use_PrivateKey(\"%.*s\") failed: %s",
                             (int)s->key.path.len, s->key.path.at, reason);
    struct tls_settings values = values_of(s);
    struct tls_context *context = tls_server_context_new(&values, reason);
    if (context == NULL)
        return conf_complain(conf, b->place, "%s", reason);
    tls_context_unref(&context);
    return true;
}

static bool init(struct generation *g, struct conf *conf, void *settings)
{
    struct listener **all = g->listeners.items;
    bool good = true;

    (void)settings;
    for (uint32_t i = 0; i < g->listeners.len; i++) {
        const struct conf_block *const *blocks = all[i]->blocks.items;

        for (uint32_t j = 0; all[i]->ssl && j < all[i]->blocks.len; j++)
            good = check_server(g, conf, all[i], blocks[j]) && good;
    }
    return good;
}

/* --- in a worker ---------------------------------------------------------------------------- */

static bool same_values(const struct ssl_settings *a, const struct ssl_settings *b)
{
    return a->protocols == b->protocols && span_same(a->ciphers, b->ciphers) &&
           span_same(a->curves, b->curves) && a->prefer.order == b->prefer.order &&
           a->tickets == b->tickets && a->session_timeout == b->session_timeout &&
           span_same(a->chain.path, b->chain.path);
}

static struct tls_context *shared_context(struct generation *g, const struct ssl_settings *own)
{
    struct conf_block **blocks = g->servers.items;

    for (uint32_t i = 0; i < g->servers.len; i++) {
        struct ssl_settings *other = settings_of(g, blocks[i]);

        if (other->choice.context != NULL && same_values(own, other)) {
            tls_context_ref(other->choice.context);
            return other->choice.context;
        }
    }
    return NULL;
}

static void start(struct worker *w, struct generation *g, void *settings)
{
    struct conf_block **blocks = g->servers.items;
    char reason[256];

    (void)settings;
    for (uint32_t i = 0; i < g->servers.len; i++) {
        struct ssl_settings *s = settings_of(g, blocks[i]);
        struct tls_settings values = values_of(s);

        if (s->chain.der.len == 0 || s->key.der.len == 0 || s->choice.context != NULL)
            continue;
        s->choice.context = shared_context(g, s);
        if (s->choice.context == NULL)
            s->choice.context = tls_server_context_new(&values, reason);
        if (s->choice.context == NULL)
            errlog_write(w->log, LEVEL_EMERG, 0, 0, "no TLS context: %s", reason);
        else
            s->choice.identity = tls_identity_new(s->chain.der, s->key.der);
    }
}

static void stop(struct worker *w, struct generation *g, void *settings)
{
    struct conf_block **blocks = g->servers.items;

    (void)w, (void)settings;
    for (uint32_t i = 0; i < g->servers.len; i++) {
        struct ssl_settings *s = settings_of(g, blocks[i]);

        if (s->choice.context != NULL)
            tls_context_unref(&s->choice.context);
        if (s->choice.identity != NULL)
            tls_identity_unref(&s->choice.identity);
    }
}

struct choosing {
    const struct generation *generation;
    const struct listener *listener;
    struct worker *worker;
};

/* The server that the client names, else the default one. No choice: no handshake. */
static bool choose(void *arg, struct span name, struct tls_choice *ret)
{
    const struct choosing *c = arg;
    const struct conf_block *b = c->listener->find
                                     ? c->listener->find(c->listener, name, c->worker, NULL)
                                     : c->listener->fallback;

    if (b == NULL)
        return false;
    *ret = settings_of(c->generation, b)->choice;
    return ret->context != NULL && ret->identity != NULL;
}

enum ssl_verdict ssl_accept(struct connection *c, const struct listener *l)
{
    struct worker *w = c->acceptor->worker;
    struct generation *g =
        generation_ref(w->generation); /* the choice must outlive the handshake's waits */
    struct choosing choosing = { g, l, w };
    const struct ssl_settings *own = settings_of(g, l->fallback);
    uint64_t limit = own->handshake_timeout ? own->handshake_timeout
                                            : core_of(l->fallback)->client_header_timeout;
    enum tls_fault fault = TLS_FINE;
    char reason[200] = "";
    enum ssl_verdict verdict = SSL_REFUSED;
    enum io io = tls_accept(&c->conn, choose, &choosing, loop_now(w->loop) + limit, &fault, reason);

    if (io == IO_OK) {
        verdict = SSL_ACCEPTED;
    } else if (fault == TLS_PLAIN) {
        verdict = SSL_IS_PLAIN;
    } else if (io != IO_EOF) {
        struct buf client;

        buf_init(&client, 64, NULL);
        address_print_ip(&c->conn.peer, &client);
        struct span text = buf_view(&client);
        errlog_write(block_log(w, g, l->fallback), LEVEL_INFO, c->serial, 0,
                     "SSL handshake failed (%s), client: %.*s",
                     io == IO_TIMEOUT ? "timed out" : reason, (int)text.len, text.at);
        buf_done(&client);
    }
    generation_unref(&g);
    return verdict;
}

/* --- variables ------------------------------------------------------------------------------ */

static bool info_of(struct exchange *x, struct conn_info *ret)
{
    const struct conn *c = x->client->ops->conn(x->client);

    *ret = (struct conn_info){ 0 };
    if (c != NULL)
        conn_info(c, ret);
    return ret->encrypted;
}

static bool get_protocol(struct exchange *x, struct span arg, struct span *ret)
{
    struct conn_info info;

    (void)arg;
    if (!info_of(x, &info))
        return false;
    *ret = info.protocol;
    return true;
}

static bool get_cipher(struct exchange *x, struct span arg, struct span *ret)
{
    struct conn_info info;

    (void)arg;
    if (!info_of(x, &info))
        return false;
    *ret = info.cipher;
    return true;
}

static bool get_server_name(struct exchange *x, struct span arg, struct span *ret)
{
    struct conn_info info;

    (void)arg;
    if (!info_of(x, &info))
        return false;
    *ret = info.server_name;
    return info.server_name.len > 0;
}

static bool get_reused(struct exchange *x, struct span arg, struct span *ret)
{
    struct conn_info info;

    (void)arg;
    if (!info_of(x, &info))
        return false;
    *ret = span_of(info.resumed ? "r" : ".");
    return true;
}

static const struct variable variables[] = {
    { "ssl_protocol", NO_FAMILY, get_protocol, "version of TLS" },
    { "ssl_cipher", NO_FAMILY, get_cipher, "cipher of the connection" },
    { "ssl_server_name", NO_FAMILY, get_server_name,
      "the name that the client asked for in its hello" },
    { "ssl_session_reused", NO_FAMILY, get_reused, "`r` if the session was resumed, else `.`" },
    {},
};

const struct module ssl_module = {
    .name = "ssl",
    .directives = directives,
    .variables = variables,
    .settings_size = sizeof(struct ssl_settings),
    .init = init,
    .start = start,
    .stop = stop,
};
