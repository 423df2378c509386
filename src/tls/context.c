/* One SSL_CTX for each distinct set of settings. It holds no certificate: that comes in the
 * handshake (on_certificate), from the identity that was chosen by name before OpenSSL saw the
 * hello.
 *
 * Owns the SSL_CTX, the BIO's method and the keys of its tickets. */
#include "tls/context.h"

#include "base/clock.h"
#include "tls/client_hello.h"
#include "tls/identity.h"
#include "tls/layer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

enum { CERTIFICATES_MOST_SERVER = 16384, CERTIFICATES_MOST_CLIENT = 65536, REASON_SIZE = 256 };

/* The cheapest first: SHA-256 has instructions where SHA-384 has none, and so has all that hashes
 * with it. */
static const char SUITES_1_3[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char *const GROUPS[] = {
    /* the first that this OpenSSL knows */
    "X25519MLKEM768:X25519:P-256:P-384",
    "X25519:P-256:P-384",
};
static const unsigned char PROTOCOLS[] = "\10http/1.1\10http/1.0\10http/0.9";

void tls_error_text(const char *what, size_t size, char *ret_text)
{
    unsigned long error = ERR_peek_error();
    const char *text = error != 0 ? ERR_reason_error_string(error) : NULL;

    ERR_clear_error();
    snprintf(ret_text, size, "%s%s%s", what, text != NULL ? ": " : "", text != NULL ? text : "");
}

/* --- callbacks ------------------------------------------------------------------------------ */

/* OpenSSL must see the name that we chose by, in a second hello too (after a HelloRetryRequest). */
static int on_client_hello(SSL *ssl, int *ret_alert, void *arg)
{
    const struct tls *t = tls_of_ssl(ssl);
    const unsigned char *body;
    size_t len;
    struct span name = { NULL, 0 };

    (void)arg;
    bool same = true;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &body, &len) == 1)
        same = client_hello_name((struct span){ (const char *)body, len }, &name);
    span_chop(&name, '.');
    if (same && span_same_caseless(name, t->name))
        return SSL_CLIENT_HELLO_SUCCESS;
    *ret_alert = SSL_AD_ILLEGAL_PARAMETER;
    return SSL_CLIENT_HELLO_ERROR;
}

static int on_certificate(SSL *ssl, void *arg)
{
    const struct tls *t = tls_of_ssl(ssl);

    (void)arg;
    return t->identity == NULL || tls_identity_install(t->identity, ssl);
}

static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                   const unsigned char *offered, unsigned len, void *arg)
{
    unsigned char *chosen;

    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, ret_len, PROTOCOLS, sizeof(PROTOCOLS) - 1, offered, len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol */
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    struct ticket_ring *ring = &tls_of_ssl(ssl)->context->ring;
    struct ticket_parts parts = { name, iv, cipher, mac };
    uint64_t now = clock_monotonic_ms();

    return seal ? ticket_ring_seal(ring, now, &parts)
                : ticket_ring_open(ring, now, &parts, SSL_version(ssl) >= TLS1_3_VERSION);
}

/* --- settings ------------------------------------------------------------------------------- */

static bool set_protocols(SSL_CTX *ctx, unsigned protocols)
{
    static const struct {
        unsigned ours;
        int version;
        uint64_t without;
    } versions[] = {
        { TLS_1_0, TLS1_VERSION, SSL_OP_NO_TLSv1 },
        { TLS_1_1, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1 },
        { TLS_1_2, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2 },
        { TLS_1_3, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3 },
    };
    int lowest = 0, highest = 0;

    for (size_t i = 0; i < COUNT(versions); i++) {
        if (!(protocols & versions[i].ours)) {
            SSL_CTX_set_options(ctx, versions[i].without);
            continue;
        }
        lowest = lowest != 0 ? lowest : versions[i].version;
        highest = versions[i].version;
    }
    return highest != 0 && SSL_CTX_set_min_proto_version(ctx, lowest) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, highest) == 1;
}

/* A list that OpenSSL takes as a string. False: not taken. */
static bool set_list(SSL_CTX *ctx, int (*set)(SSL_CTX *, const char *), struct span list,
                     const char *fallback)
{
    char *text =
        strndup(list.len > 0 ? list.at : fallback, list.len > 0 ? list.len : strlen(fallback));
    bool taken = text != NULL && strlen(text) >= list.len && set(ctx, text) == 1;

    free(text);
    return taken;
}

static int set_groups_list(SSL_CTX *ctx, const char *list)
{
    return (int)SSL_CTX_set1_groups_list(ctx, list);
}

static bool set_groups(SSL_CTX *ctx, struct span list)
{
    if (list.len > 0)
        return set_list(ctx, set_groups_list, list, "");
    for (size_t i = 0; i < COUNT(GROUPS); i++) {
        if (set_groups_list(ctx, GROUPS[i]) == 1)
            return true;
        ERR_clear_error();
    }
    return false;
}

static void set_order(SSL_CTX *ctx, enum tls_order order)
{
    switch (order) {
    case TLS_ORDER_UNSET:
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
        break;
    case TLS_ORDER_SERVER:
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
        break;
    case TLS_ORDER_CLIENT:
        break;
    }
}

/* A ticket is opened before anything of the server block is known to OpenSSL, so the binding goes
 * by this context alone: identity of the block, verification, protocols. */
static bool set_session_binding(SSL_CTX *ctx, const struct tls_settings *s)
{
    unsigned char digest[32];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool made = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(md, &s->protocols, sizeof(s->protocols)) == 1 &&
                EVP_DigestUpdate(md, s->id_context.at, s->id_context.len) == 1 &&
                EVP_DigestFinal_ex(md, digest, NULL) == 1;

    EVP_MD_CTX_free(md);
    return made && SSL_CTX_set_session_id_context(ctx, digest, sizeof(digest)) == 1;
}

static bool set_sessions(struct tls_context *c, const struct tls_settings *s)
{
    if (!ticket_ring_init(&c->ring, s->session_ms) || !set_session_binding(c->ctx, s))
        return false;
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF); /* tickets only */
    if (s->session_ms >= 1000)
        SSL_CTX_set_timeout(c->ctx, (long)(s->session_ms / 1000));
    if (!s->tickets)
        SSL_CTX_set_options(c->ctx, SSL_OP_NO_TICKET);
    return SSL_CTX_set_num_tickets(c->ctx, s->tickets ? 1 : 0) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ctx, on_ticket) == 1;
}

static void set_common(SSL_CTX *ctx, long certificates_most)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(ctx, certificates_most);
    SSL_CTX_set_msg_callback(ctx, tls_on_message);
}

/* What OpenSSL would not take; NULL: all is set. */
static const char *set_server(struct tls_context *c, const struct tls_settings *s)
{
    set_common(c->ctx, CERTIFICATES_MOST_SERVER);
    set_order(c->ctx, s->prefer_server_ciphers);
    SSL_CTX_set_client_hello_cb(c->ctx, on_client_hello, NULL);
    SSL_CTX_set_cert_cb(c->ctx, on_certificate, NULL);
    SSL_CTX_set_alpn_select_cb(c->ctx, on_alpn, NULL);
    if (!set_protocols(c->ctx, s->protocols))
        return "protocols";
    if (!set_list(c->ctx, SSL_CTX_set_cipher_list, s->ciphers, "HIGH:!aNULL:!MD5"))
        return "cipher list";
    if (SSL_CTX_set_ciphersuites(c->ctx, SUITES_1_3) != 1)
        return "TLS 1.3 suites";
    if (!set_groups(c->ctx, s->curves))
        return "curves";
    return set_sessions(c, s) ? NULL : "sessions";
}

/* A file's certificates become the trusted ones. */
static const char *set_client(struct tls_context *c, struct span ca_pem)
{
    set_common(c->ctx, CERTIFICATES_MOST_CLIENT);
    if (!set_protocols(c->ctx, TLS_1_2 | TLS_1_3) || !set_groups(c->ctx, (struct span){ NULL, 0 }))
        return "protocols";
    if (ca_pem.len == 0)
        return NULL;

    BIO *bio = ca_pem.len <= INT_MAX ? BIO_new_mem_buf(ca_pem.at, (int)ca_pem.len) : NULL;
    X509 *one;
    unsigned count = 0;

    while (bio != NULL && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count += X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ctx), one) == 1;
        X509_free(one);
    }
    BIO_free(bio);
    ERR_clear_error(); /* "no start line": how such a file ends */
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    c->verifies = true;
    return count > 0 ? NULL : "no CA certificate";
}

/* --- life ----------------------------------------------------------------------------------- */

static struct tls_context *make(const SSL_METHOD *method)
{
    struct tls_context *c = calloc(1, sizeof(*c));

    ERR_clear_error();
    if (c == NULL)
        return NULL;
    c->refs = 1;
    c->ctx = SSL_CTX_new(method);
    c->bio_method = tls_bio_method_new();
    if (c->ctx == NULL || c->bio_method == NULL)
        tls_context_unref(&c);
    return c;
}

static struct tls_context *finish(struct tls_context *c, const char *refused, char *ret_reason)
{
    if (c != NULL && refused == NULL) {
        ERR_clear_error();
        return c;
    }
    tls_error_text(refused != NULL ? refused : "no memory", REASON_SIZE, ret_reason);
    tls_context_unref(&c);
    return NULL;
}

struct tls_context *tls_server_context_new(const struct tls_settings *s, char ret_reason[256])
{
    struct tls_context *c = make(TLS_server_method());

    return finish(c, c != NULL ? set_server(c, s) : NULL, ret_reason);
}

struct tls_context *tls_client_context_new(struct span ca_pem, char ret_reason[256])
{
    struct tls_context *c = make(TLS_client_method());

    return finish(c, c != NULL ? set_client(c, ca_pem) : NULL, ret_reason);
}

void tls_context_ref(struct tls_context *c)
{
    c->refs++;
}

void tls_context_unref(struct tls_context **c)
{
    struct tls_context *gone = *c;

    *c = NULL;
    if (gone == NULL || --gone->refs > 0)
        return;
    SSL_CTX_free(gone->ctx);
    BIO_meth_free(gone->bio_method);
    ticket_ring_done(&gone->ring);
    free(gone);
}

void tls_process_init(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
}
