#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/span.h"
#include "net/io.h"

struct conn;

/* TLS as one more layer of a conn. OpenSSL sees memory only; it never waits and never allocates
 * from a peer's number unbounded. One context for each distinct set of settings, no certificate in
 * it; the certificate is an identity, parsed at first use.
 *
 * The layer's own rules, beside those of net/conn.h:
 *
 * - A write step that said IO_AGAIN is repeated with the same bytes, less those taken; all are
 *   taken only when all have left.
 * - A session that just opened may hold its tickets (and, as a client, its Finished): they leave
 *   with the first write, or when a read finds nothing.
 * - conn_shut sends close_notify, then reading goes on. conn_close alone sends none: so a broken
 *   answer never looks whole.
 * - IO_EOF is their close_notify; a connection that ends without one is IO_FAILED. */

/* What a session is charged with, beside the layer itself. Measured: 14 KiB at rest; two buffers of
 * a record each come to it while it is read and written. */
enum { TLS_CHARGE = 48 * 1024 };

enum { TLS_1_0 = 1, TLS_1_1 = 2, TLS_1_2 = 4, TLS_1_3 = 8 };

/* Who chooses the cipher. Unset: we do, cheap ones first, and ChaCha20 for those who lack AES
 * (ssl_prefer_server_ciphers). */
enum tls_order { TLS_ORDER_UNSET, TLS_ORDER_SERVER, TLS_ORDER_CLIENT };

/* What sessions resume by: the keys of tickets and, of a `store` of so many bytes, the sessions
 * themselves (0: none). Shared by contexts, outlives them; counted. NULL: memory was refused, or
 * the store holds not one session. */
struct tls_sessions;
struct tls_sessions *tls_sessions_new(size_t store, uint64_t session_ms);
/* The keys of tickets follow from the seed: processes that share it open each other's tickets.
 * False: memory was refused. */
bool tls_sessions_seed(struct tls_sessions *s, struct span seed);
struct tls_sessions *tls_sessions_ref(struct tls_sessions *s);
void tls_sessions_unref(struct tls_sessions **s);
size_t tls_sessions_size(uint32_t count); /* a store for so many */

/* A command of OpenSSL's configuration files (SSL_CONF_cmd). */
struct tls_command {
    struct span name, value;
};

struct tls_settings {    /* plain values; equal values share a context */
    unsigned protocols;  /* TLS_1_2 | TLS_1_3 */
    struct span ciphers; /* OpenSSL's list, for up to 1.2; empty: HIGH:!aNULL:!MD5 */
    struct span curves;  /* empty: the default list */
    struct span dh_pem;  /* parameters of DHE; empty: no DHE */
    enum tls_order prefer_server_ciphers;
    uint32_t record_most; /* bytes of a record's plain text; 0: as many as there can be */
    bool tickets;
    bool offers_ids;               /* to TLS 1.2 clients without tickets, also if none is stored */
    uint64_t session_ms;           /* ssl_session_timeout */
    struct tls_sessions *sessions; /* NULL: tickets by keys of the context's own */
    const struct tls_command *commands;
    uint32_t command_count;
};

/* Which of them OpenSSL did not like, and why. */
struct tls_refusal {
    enum tls_setting {
        TLS_SET_NOTHING, /* of ours: it is memory */
        TLS_SET_PROTOCOLS,
        TLS_SET_CIPHERS,
        TLS_SET_CURVES,
        TLS_SET_DH,
        TLS_SET_COMMAND
    } setting;
    uint32_t command; /* which */
    char reason[200];
};

/* Counted. The settings' bytes are not needed afterwards. */
struct tls_context;
struct tls_context *tls_server_context_new(const struct tls_settings *s,
                                           struct tls_refusal *ret_refusal);
void tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context **c);

/* A certificate with its chain and key, from DER (tls/pem.h), which must live as long as the
 * caller's reference. Counted. */
struct tls_identity;
struct tls_identity *tls_identity_new(struct span chain_der, struct span key_der);
void tls_identity_ref(struct tls_identity *i);
void tls_identity_unref(struct tls_identity **i);

/* Sessions are bound to it: one that was made under another binding never resumes. */
struct tls_binding {
    unsigned char digest[32];
};

/* Of what makes a server block another one: its identity, and whom it lets in. */
struct tls_binding tls_bind(const struct span *parts, unsigned count);

struct tls_choice { /* borrowed: the session takes references of its own */
    struct tls_context *context;
    struct tls_identity *identity;
    struct tls_binding binding;
};

enum tls_fault {
    TLS_FINE,
    TLS_PLAIN,   /* not TLS: the bytes are unread again (497) */
    TLS_NO_NAME, /* the chooser refused: alert unrecognized_name was sent */
    TLS_BAD_HELLO,
    TLS_HANDSHAKE /* failed; see reason */
};

/* On a fiber: reads the ClientHello, asks `choose` for the name in it (lower case, no dot at its
 * end; empty: none; false: refuse), puts the layer on the conn and handshakes. Not IO_OK: close
 * the conn; `ret_fault` and `ret_reason` (200 bytes) say why. */
enum io tls_accept(struct conn *c,
                   bool (*choose)(void *arg, struct span name, struct tls_choice *ret), void *arg,
                   uint64_t deadline, enum tls_fault *ret_fault, char ret_reason[200]);

/* Client side, for tests and later for upstreams: without a CA file's PEM nothing is verified. */
struct tls_context *tls_client_context_new(struct span ca_pem, char ret_reason[256]);
enum io tls_connect(struct conn *c, struct tls_context *context, struct span name,
                    uint64_t deadline, char ret_reason[200]);

/* Once a process, before any other call: OpenSSL is made ready, and reads the system's
 * openssl.cnf. */
void tls_process_init(void);

#endif
