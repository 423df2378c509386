/* One SSL_CTX for each distinct set of settings. It holds no certificate: that comes in the
 * handshake (on_certificate), from the identity that was chosen by name before OpenSSL saw the
 * hello.
 *
 * Owns the SSL_CTX and the BIO's method. */
#include "tls/context.h"

#include "base/clock.h"
#include "base/span.h"
#include "tls/client_hello.h"
#include "tls/identity.h"
#include "tls/layer.h"
#include "tls/sessions.h"
#include "tls/tickets.h"
#include "tls/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

enum { CERTIFICATES_MOST_SERVER = 16384, CERTIFICATES_MOST_CLIENT = 65536, REASON_SIZE = 200 };

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
    if (what[0] == '\0')
        snprintf(ret_text, size, "%s", text != NULL ? text : "not taken");
    else
        snprintf(ret_text, size, "%s%s%s", what, text != NULL ? ": " : "",
                 text != NULL ? text : "");
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
    struct ticket_ring *ring = &tls_of_ssl(ssl)->context->sessions->ring;
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

/* Key exchange by finite fields, for old clients. */
static bool set_dh(SSL_CTX *ctx, struct span pem)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
    EVP_PKEY *parameters = bio != NULL ? PEM_read_bio_Parameters(bio, NULL) : NULL;
    bool taken = parameters != NULL && SSL_CTX_set0_tmp_dh_pkey(ctx, parameters) == 1;

    if (!taken)
        EVP_PKEY_free(parameters);
    BIO_free(bio);
    return taken;
}

/* Nothing that names a file: those come by the bundle. */
static bool set_command(SSL_CTX *ctx, const struct tls_command *command)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    char *name = strndup(command->name.at, command->name.len);
    char *value = strndup(command->value.at, command->value.len);
    bool taken = false;

    if (conf != NULL && name != NULL && value != NULL) {
        SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_SERVER |
                                         SSL_CONF_FLAG_SHOW_ERRORS);
        SSL_CONF_CTX_set_ssl_ctx(conf, ctx);
        taken = SSL_CONF_cmd(conf, name, value) > 0 && SSL_CONF_CTX_finish(conf) == 1;
    }
    SSL_CONF_CTX_free(conf);
    free(name);
    free(value);
    return taken;
}

struct tls_binding tls_bind(const struct span *parts, unsigned count)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct tls_binding binding;
    bool made = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    for (unsigned i = 0; made && i < count; i++) /* with lengths: nothing moves between parts */
        made = EVP_DigestUpdate(md, &parts[i].len, sizeof(parts[i].len)) == 1 &&
               EVP_DigestUpdate(md, parts[i].at, parts[i].len) == 1;
    if (!made || EVP_DigestFinal_ex(md, binding.digest, NULL) != 1)
        abort(); /* memory */
    EVP_MD_CTX_free(md);
    return binding;
}

static bool set_sessions(struct tls_context *c, const struct tls_settings *s)
{
    c->sessions =
        s->sessions != NULL ? tls_sessions_ref(s->sessions) : tls_sessions_new(0, s->session_ms);
    if (c->sessions == NULL)
        return false;
    bool stored = c->sessions->store.head != NULL;
    SSL_CTX_set_session_cache_mode(c->ctx, stored || s->offers_ids
                                               ? SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL
                                               : SSL_SESS_CACHE_OFF /* tickets alone */);
    tls_sessions_serve(c->ctx, c->sessions);
    if (s->session_ms >= 1000)
        SSL_CTX_set_timeout(c->ctx, (long)(s->session_ms / 1000));
    if (!s->tickets)
        SSL_CTX_set_options(c->ctx, SSL_OP_NO_TICKET);
    return SSL_CTX_set_num_tickets(c->ctx, s->tickets || stored ? 1 : 0) == 1 &&
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

/* What OpenSSL settles by a call each; false: it did not take the setting that is noted. */
static bool set_words(SSL_CTX *ctx, const struct tls_settings *s, enum tls_setting *ret)
{
    *ret = TLS_SET_PROTOCOLS;
    if (!set_protocols(ctx, s->protocols) || SSL_CTX_set_ciphersuites(ctx, SUITES_1_3) != 1)
        return false;
    *ret = TLS_SET_CIPHERS;
    if (!set_list(ctx, SSL_CTX_set_cipher_list, s->ciphers, "HIGH:!aNULL:!MD5"))
        return false;
    *ret = TLS_SET_CURVES;
    if (!set_groups(ctx, s->curves))
        return false;
    *ret = TLS_SET_DH;
    return s->dh_pem.len == 0 || set_dh(ctx, s->dh_pem);
}

static bool set_server(struct tls_context *c, const struct tls_settings *s, struct tls_refusal *ret)
{
    set_order(c->ctx, s->prefer_server_ciphers);
    c->record_most =
        s->record_most > 0 && s->record_most < TLS_PLAIN_MOST ? s->record_most : TLS_PLAIN_MOST;
    if (!set_words(c->ctx, s, &ret->setting))
        return false;
    ret->setting = TLS_SET_NOTHING;
    if (!set_sessions(c, s))
        return false;
    ret->setting = TLS_SET_COMMAND;
    for (ret->command = 0; ret->command < s->command_count; ret->command++)
        if (!set_command(c->ctx, &s->commands[ret->command]))
            return false;
    return true;
}

/* After the commands: what keeps us safe is not theirs to change. */
static void set_server_bounds(SSL_CTX *ctx)
{
    set_common(ctx, CERTIFICATES_MOST_SERVER);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_cert_cb(ctx, on_certificate, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
}

/* A file's certificates become the trusted ones. */
static const char *set_client(struct tls_context *c, struct span ca_pem)
{
    set_common(c->ctx, CERTIFICATES_MOST_CLIENT);
    c->record_most = TLS_PLAIN_MOST;
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

struct tls_context *tls_server_context_new(const struct tls_settings *s,
                                           struct tls_refusal *ret_refusal)
{
    struct tls_context *c = make(TLS_server_method());

    *ret_refusal = (struct tls_refusal){ .setting = TLS_SET_NOTHING };
    if (c != NULL && set_server(c, s, ret_refusal)) {
        set_server_bounds(c->ctx);
        ERR_clear_error();
        return c;
    }
    tls_error_text("", sizeof(ret_refusal->reason), ret_refusal->reason);
    tls_context_unref(&c);
    return NULL;
}

struct tls_context *tls_client_context_new(struct span ca_pem, char ret_reason[256])
{
    struct tls_context *c = make(TLS_client_method());
    const char *refused = c != NULL ? set_client(c, ca_pem) : "no memory";

    if (refused == NULL) {
        ERR_clear_error();
        return c;
    }
    tls_error_text(refused, REASON_SIZE, ret_reason);
    tls_context_unref(&c);
    return NULL;
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
    tls_sessions_unref(&gone->sessions);
    free(gone);
}

void tls_process_init(void)
{
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
}
