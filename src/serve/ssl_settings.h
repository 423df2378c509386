#ifndef SERVE_SSL_SETTINGS_H
#define SERVE_SSL_SETTINGS_H

#include "base/span.h"
#include "conf/settings.h"
#include "exchange/variable.h"
#include "tls/tls.h"

struct conf;
struct generation;
struct worker;

/* What the `ssl_*` lines of a block say, for the files ssl*.c. */

struct ssl_file {
    struct span path; /* as written; empty: not given */
    struct span data; /* of certificate and key: DER; generation arena or bundle */
    struct place place;
};

struct ssl_words {
    struct span text;
    struct place place; /* line 0: the default */
};

struct ssl_protocols {
    unsigned versions;
    struct place place;
};

struct ssl_order {
    enum tls_order order;
};

enum ssl_keeping { SSL_KEEP_OFF, SSL_KEEP_NONE, SSL_KEEP_STORE };

struct ssl_cache {
    enum ssl_keeping keeping;
    struct span zone; /* of a shared one; empty: builtin, or none */
    uint64_t bytes;   /* of the store; 0: none */
    struct place place;
};

struct ssl_commands {
    struct conf_list list;   /* of struct tls_command */
    struct conf_list places; /* of struct place */
};

/* A store with the keys of its tickets; the one without bytes is for all that keep no sessions. */
struct ssl_zone {
    struct span name;
    uint64_t bytes;
    uint64_t session_ms;           /* the longest of those that use it */
    struct tls_sessions *sessions; /* in a worker: a reference */
};

struct ssl_settings {
    struct ssl_file chain, key, dh;
    struct ssl_protocols protocols;
    struct ssl_words ciphers, curves;
    struct ssl_order prefer;
    struct ssl_cache cache;
    struct ssl_commands commands;
    bool tickets, reject;
    uint64_t buffer_size;
    uint64_t session_timeout;   /* ms */
    uint64_t handshake_timeout; /* ms; 0: client_header_timeout */
    struct tls_choice choice;   /* in a worker; without context: no handshake. Its binding is the
                                   settings'; a server adds its name */
    struct conf_list zones;     /* of struct ssl_zone: all of the generation, in the top block's */
};

extern const struct variable ssl_variables[];

struct ssl_settings *ssl_settings_of(const struct generation *g, const struct conf_block *b);

/* What sessions stay with: certificate, versions, ciphers, commands. */
struct tls_binding ssl_binding(struct generation *g, const struct ssl_settings *s);
/* The module's: checks all servers on TLS listeners, by what a worker would fail by; makes and
 * drops what a worker needs. */
bool ssl_init(struct generation *g, struct conf *conf, void *top);
void ssl_start(struct worker *w, struct generation *g, void *top);
void ssl_stop(struct worker *w, struct generation *g, void *top);

#endif
