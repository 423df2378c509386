#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "net/conn.h"

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

enum { TLS_1_0 = 1, TLS_1_1 = 2, TLS_1_2 = 4, TLS_1_3 = 8 };

/* Who chooses the cipher. Unset: we do, cheap ones first, and ChaCha20 for those who lack AES
 * (ssl_prefer_server_ciphers). */
enum tls_order { TLS_ORDER_UNSET, TLS_ORDER_SERVER, TLS_ORDER_CLIENT };

struct tls_settings {    /* plain values; equal values share a context */
    unsigned protocols;  /* TLS_1_2 | TLS_1_3 */
    struct span ciphers; /* OpenSSL's list, for up to 1.2; empty: HIGH:!aNULL:!MD5 */
    struct span curves;  /* empty: the default list */
    enum tls_order prefer_server_ciphers;
    bool tickets;
    uint64_t session_ms;    /* ssl_session_timeout */
    struct span id_context; /* of the server block and its verification; binds sessions */
};

/* Counted. `ret_reason`: what OpenSSL did not like, in words. The settings' bytes are not needed
 * afterwards. */
struct tls_context;
struct tls_context *tls_server_context_new(const struct tls_settings *s, char ret_reason[256]);
void tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context **c);

/* A certificate with its chain and key, from DER (tls/pem.h), which must live as long as the
 * caller's reference. Counted. */
struct tls_identity;
struct tls_identity *tls_identity_new(struct span chain_der, struct span key_der);
void tls_identity_ref(struct tls_identity *i);
void tls_identity_unref(struct tls_identity **i);

struct tls_choice { /* borrowed: the session takes references of its own */
    struct tls_context *context;
    struct tls_identity *identity;
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
