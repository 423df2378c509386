/* Sessions that the server keeps: those of TLS 1.2 clients that take no tickets, and all where
 * tickets are off (in TLS 1.3 the ticket is then the session's id).
 *
 *     id (32 bytes, ours) -> SSL_SESSION as DER, in a shared table
 *
 * What a record holds is read anew each time; one that is damaged is no session. Whom a session
 * belongs to, and when it ends, is checked by OpenSSL: both stand in the DER. Owns the table and
 * the keys of tickets. */
#include "tls/sessions.h"

#include "base/shape.h"
#include "base/span.h"
#include "tls/tls.h"

#include <openssl/err.h>
#include <stdlib.h>

enum { ID_SIZE = SSL_MAX_SSL_SESSION_ID_LENGTH, SESSION_MOST = 512 };

static const struct table_shape shape = { .key_size = ID_SIZE, .value_most = SESSION_MOST };

struct tls_sessions *tls_sessions_new(size_t store, uint64_t session_ms)
{
    struct tls_sessions *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->refs = 1;
    if (!ticket_ring_init(&s->ring, session_ms) ||
        (store > 0 && !table_init(&s->store, &shape, store)))
        tls_sessions_unref(&s);
    return s;
}

bool tls_sessions_seed(struct tls_sessions *s, struct span seed)
{
    return ticket_ring_seed(&s->ring, seed);
}

struct tls_sessions *tls_sessions_ref(struct tls_sessions *s)
{
    s->refs++;
    return s;
}

void tls_sessions_unref(struct tls_sessions **s)
{
    struct tls_sessions *gone = *s;

    *s = NULL;
    if (gone == NULL || --gone->refs > 0)
        return;
    table_done(&gone->store);
    ticket_ring_done(&gone->ring);
    free(gone);
}

size_t tls_sessions_size(uint32_t count)
{
    return table_bytes(&shape, count);
}

/* --- OpenSSL's side ------------------------------------------------------------------------- */

static struct span id_of(const SSL_SESSION *session)
{
    unsigned len;
    const unsigned char *id = SSL_SESSION_get_id(session, &len);

    return (struct span){ (const char *)id, len };
}

/* 0: no reference to the session is kept. */
static int on_new(SSL *ssl, SSL_SESSION *session)
{
    struct tls_sessions *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    unsigned char der[SESSION_MOST], *at = der;

    if (SSL_version(ssl) >= TLS1_3_VERSION && !(SSL_get_options(ssl) & SSL_OP_NO_TICKET))
        return 0; /* its ticket holds all of it */
    int len = i2d_SSL_SESSION(session, NULL);
    if (len <= 0 || len > SESSION_MOST)
        return 0;
    i2d_SSL_SESSION(session, &at);
    table_put(&s->store, id_of(session), (struct span){ (const char *)der, (size_t)len });
    explicit_bzero(der, sizeof(der));
    return 0;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int id_len, int *ret_copy)
{
    struct tls_sessions *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    char der[SESSION_MOST];
    const unsigned char *at = (const unsigned char *)der;
    SSL_SESSION *session = NULL;
    size_t len;

    *ret_copy = 0; /* it is OpenSSL's alone */
    if (id_len != ID_SIZE ||
        !table_get(&s->store, (struct span){ (const char *)id, ID_SIZE }, der, &len))
        return NULL;
    session = d2i_SSL_SESSION(NULL, &at, (long)len);
    explicit_bzero(der, sizeof(der));
    if (session == NULL)
        ERR_clear_error();
    return session;
}

/* Too old, or its connection ended with a fatal alert. */
static void on_remove(SSL_CTX *ctx, SSL_SESSION *session)
{
    struct tls_sessions *s = SSL_CTX_get_app_data(ctx);

    table_remove(&s->store, id_of(session));
}

void tls_sessions_serve(SSL_CTX *ctx, struct tls_sessions *s)
{
    SSL_CTX_set_app_data(ctx, s);
    if (s->store.head == NULL)
        return;
    SSL_CTX_sess_set_new_cb(ctx, on_new);
    SSL_CTX_sess_set_get_cb(ctx, on_get);
    SSL_CTX_sess_set_remove_cb(ctx, on_remove);
}
