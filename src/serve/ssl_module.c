/* `ssl_*`: TLS towards clients, as a configuration says it. Certificates arrive as DER from the
 * bundle. */
#include "serve/ssl_module.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/load.h"
#include "conf/settings.h"
#include "conf/source.h"
#include "conf/types.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "serve/ssl_settings.h"
#include "tls/pem.h"
#include "tls/tls.h"

enum { SMALLEST_ZONE = 32768, BUILTIN_SESSIONS = 20480, MOST_SESSIONS = 1000000 };

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
    return conf_load(call, 1, file->path, kind, &file->data);
}

enum { SOON_SECONDS = 14 * 86400 };

/* Served all the same: a site with a warning in the browser beats none. */
static void warn_of_validity(struct conf_call *call, const struct ssl_file *file)
{
    int64_t begins, ends, now = clock_wall_ms() / 1000;
    char date[32];

    if (!tls_chain_validity(file->data, &begins, &ends))
        return;
    bool soon = conf_advises(call->conf) && ends - now < SOON_SECONDS;
    if (begins <= now && now < ends && !soon)
        return;
    http_date_print(begins > now ? begins : ends, date);
    conf_warn(call, 1, "the certificate \"%.*s\" %s %s", (int)file->path.len, file->path.at,
              begins > now  ? "is not valid before"
              : ends <= now ? "has expired on"
                            : "expires soon, on",
              date);
}

static bool set_certificate(struct conf_call *call, void *field)
{
    if (!load(call, field, CONF_CHAIN))
        return false;
    warn_of_validity(call, field);
    return true;
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
    struct ssl_protocols *own = field;

    for (unsigned i = 1; i < conf_count(call); i++)
        if (span_starts_caseless(conf_word(call, i), "SSLv"))
            return conf_refuse(call, i, "\"%s\" is broken and not supported",
                               arena_cstr(conf_arena(call), conf_word(call, i)));
    own->place = conf_place(call, 0);
    return conf_choices.set(call, &own->versions);
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

static bool set_words(struct conf_call *call, void *field)
{
    struct ssl_words *own = field;

    *own = (struct ssl_words){ conf_word(call, 1), conf_place(call, 1) };
    return true;
}

static bool set_dh(struct conf_call *call, void *field)
{
    struct ssl_file *file = field;

    file->place = conf_place(call, 1);
    file->path = conf_file_path(call, conf_word(call, 1));
    return conf_load(call, 1, file->path, CONF_BYTES, &file->data);
}

static bool set_command(struct conf_call *call, void *field)
{
    struct ssl_commands *own = field;
    struct tls_command command = { conf_word(call, 1), conf_word(call, 2) };
    struct place place = conf_place(call, 2);

    return conf_list_add(call, &own->list, &command, sizeof(command)) &&
           conf_list_add(call, &own->places, &place, sizeof(place));
}

static bool set_early_data(struct conf_call *call, void *field)
{
    bool on;

    (void)field;
    return conf_flag.set(call, &on) &&
           (!on || conf_refuse(call, 1, "\"ssl_early_data on\" is known, not supported yet"));
}

static bool set_buffer_size(struct conf_call *call, void *field)
{
    uint64_t *bytes = field;

    return conf_size.set(call, field) &&
           (*bytes > 0 || conf_refuse(call, 1, "\"ssl_buffer_size\" must be greater than 0"));
}

/* `shared:NAME:SIZE` */
static bool read_shared(struct conf_call *call, unsigned i, struct ssl_cache *cache)
{
    struct span name = span_from(conf_word(call, i), strlen("shared:"));
    size_t colon = span_find(name, ':');

    if (colon == 0 || colon == name.len ||
        !conf_read_size(span_from(name, colon + 1), false, &cache->bytes))
        return conf_refuse(call, i, "invalid session cache \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, i)));
    cache->zone = (struct span){ name.at, colon };
    cache->keeping = SSL_KEEP_STORE;
    return cache->bytes >= SMALLEST_ZONE ||
           conf_refuse(call, i, "session cache \"%s\" is too small",
                       arena_cstr(conf_arena(call), cache->zone));
}

/* `builtin`, `builtin:SESSIONS`; a shared cache beside it holds the same sessions, and more. */
static bool read_builtin(struct conf_call *call, unsigned i, struct ssl_cache *cache)
{
    struct span count = span_from(conf_word(call, i), strlen("builtin"));
    uint64_t sessions = BUILTIN_SESSIONS;

    if (count.len > 0 &&
        (count.at[0] != ':' || !conf_read_number(span_from(count, 1), MOST_SESSIONS, &sessions) ||
         sessions == 0))
        return conf_refuse(call, i, "invalid session cache \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, i)));
    if (cache->zone.len == 0)
        cache->bytes = tls_sessions_size((uint32_t)sessions);
    cache->keeping = SSL_KEEP_STORE;
    return true;
}

static bool set_cache(struct conf_call *call, void *field)
{
    struct ssl_cache *cache = field;

    *cache = (struct ssl_cache){ .place = conf_place(call, 1) };
    for (unsigned i = 1; i < conf_count(call); i++) {
        struct span word = conf_word(call, i);

        if (span_is(word, "off") || span_is(word, "none"))
            cache->keeping = span_is(word, "off") ? SSL_KEEP_OFF : SSL_KEEP_NONE;
        else if (span_is(word, "builtin") || span_starts(word, "builtin:")) {
            if (!read_builtin(call, i, cache))
                return false;
        } else if (!span_starts(word, "shared:"))
            return conf_refuse(call, i, "invalid session cache \"%s\"",
                               arena_cstr(conf_arena(call), word));
        else if (!read_shared(call, i, cache))
            return false;
    }
    return true;
}

static const struct conf_type chain_type = { .set = set_certificate,
                                             .size = sizeof(struct ssl_file) };
static const struct conf_type key_type = { .set = set_key, .size = sizeof(struct ssl_file) };
static const struct conf_type protocols_type = { .set = set_protocols,
                                                 .size = sizeof(struct ssl_protocols),
                                                 .many = true };
static const struct conf_type prefer_type = { .set = set_prefer, .size = sizeof(struct ssl_order) };
static const struct conf_type words_type = { .set = set_words, .size = sizeof(struct ssl_words) };
static const struct conf_type dh_type = { .set = set_dh, .size = sizeof(struct ssl_file) };
static const struct conf_type cache_type = { .set = set_cache, .size = sizeof(struct ssl_cache) };
static const struct conf_type commands_type = { .set = set_command,
                                                .size = sizeof(struct ssl_commands),
                                                .many = true };
static const struct conf_type early_data_type = { .set = set_early_data };
static const struct conf_type buffer_type = { .set = set_buffer_size, .size = sizeof(uint64_t) };

#define FIELD(name) offsetof(struct ssl_settings, name)
enum { SERVERS = CTX_HTTP | CTX_SERVER | CTX_FORWARD };

static const struct directive directives[] = {
    { "ssl_certificate", SERVERS, 1, 1, &chain_type, FIELD(chain), NULL, WHOLE,
      "the server's certificate, with its chain", 0, NULL },
    { "ssl_certificate_key", SERVERS, 1, 1, &key_type, FIELD(key), NULL, WHOLE, "its private key",
      0, NULL },
    { "ssl_protocols", SERVERS, 1, ANY_ARGS, &protocols_type, FIELD(protocols), "TLSv1.2 TLSv1.3",
      WHOLE, "versions of TLS", 0, protocol_names },
    { "ssl_ciphers", SERVERS, 1, 1, &words_type, FIELD(ciphers), "HIGH:!aNULL:!MD5", WHOLE,
      "ciphers for TLS up to 1.2, as OpenSSL writes them", 0, NULL },
    { "ssl_prefer_server_ciphers", SERVERS, 1, 1, &prefer_type, FIELD(prefer), NULL, WHOLE,
      "our order of ciphers, not the client's", 0, NULL },
    { "ssl_ecdh_curve", SERVERS, 1, 1, &words_type, FIELD(curves), "auto", WHOLE,
      "groups of the key exchange", 0, NULL },
    { "ssl_dhparam", SERVERS, 1, 1, &dh_type, FIELD(dh), NULL, WHOLE,
      "parameters of DHE ciphers; without them there are none", 0, NULL },
    { "ssl_conf_command", SERVERS, 2, 2, &commands_type, FIELD(commands), NULL, WHOLE,
      "a command of OpenSSL's own configuration, but none that names a file", 0, NULL },
    { "ssl_buffer_size", SERVERS, 1, 1, &buffer_type, FIELD(buffer_size), "16k", WHOLE,
      "largest piece of an answer that is encrypted at once", 0, NULL },
    { "ssl_reject_handshake", CTX_HTTP | CTX_SERVER, 1, 1, &conf_flag, FIELD(reject), "off", WHOLE,
      "refuse clients that ask for this server's names; needs no certificate", 0, NULL },
    { "ssl_early_data", SERVERS, 1, 1, &early_data_type, 0, NULL, NONE,
      "only `off`: requests come after the handshake", 0, NULL },
    { "ssl_session_cache", SERVERS, 1, 2, &cache_type, FIELD(cache), "none", WHOLE,
      "keep sessions: `off`, `none`, `builtin[:SESSIONS]`, `shared:NAME:SIZE`", 0, NULL },
    { "ssl_session_tickets", SERVERS, 1, 1, &conf_flag, FIELD(tickets), "on", WHOLE,
      "resume sessions by ticket", 0, NULL },
    { "ssl_session_timeout", SERVERS, 1, 1, &conf_time, FIELD(session_timeout), "5m", WHOLE,
      "how long a session may be resumed", 0, NULL },
    { "ssl_handshake_timeout", SERVERS, 1, 1, &conf_time, FIELD(handshake_timeout), "0", WHOLE,
      "for the whole handshake; 0: client_header_timeout", 0, NULL },
    {},
};

struct ssl_settings *ssl_settings_of(const struct generation *g, const struct conf_block *b)
{
    return settings_in(b, module_index(g, &ssl_module));
}

const struct module ssl_module = {
    .name = "ssl",
    .directives = directives,
    .variables = ssl_variables,
    .settings_size = sizeof(struct ssl_settings),
    .init = ssl_init,
    .start = ssl_start,
    .stop = ssl_stop,
};
