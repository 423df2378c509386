/* A certificate with its chain and key: from DER to OpenSSL's objects, once, when the first client
 * asks for it (200 us; a bundle may hold 10,000). Owns those objects; the DER is somebody else's.
 */
#include "tls/identity.h"

#include "base/cursor.h"
#include "tls/tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>

enum readiness { UNREAD, READY, UNREADABLE };

struct tls_identity {
    uint32_t refs;
    enum readiness readiness;
    struct span chain_der, key_der; /* not read again once READY or UNREADABLE */
    X509 *leaf;                     /* owned, as all below */
    STACK_OF(X509) * chain;         /* without the leaf */
    EVP_PKEY *key;
};

X509 *tls_next_certificate(struct cursor *chain)
{
    uint32_t size;
    struct span der;

    if (!cursor_u32(chain, &size) || !cursor_take(chain, size, &der) || der.len > INT_MAX)
        return NULL;
    const unsigned char *at = (const unsigned char *)der.at;
    return d2i_X509(NULL, &at, (long)der.len);
}

EVP_PKEY *tls_key_of_der(struct span key_der)
{
    struct span body = span_from(key_der, 1);
    const unsigned char *at = (const unsigned char *)body.at;
    long len = (long)body.len;

    if (body.len == 0 || body.len > INT_MAX)
        return NULL;
    switch (key_der.at[0]) { /* the type spares OpenSSL a search through its decoders */
    case 'E':
        return d2i_PrivateKey(EVP_PKEY_EC, NULL, &at, len);
    case 'R':
        return d2i_PrivateKey(EVP_PKEY_RSA, NULL, &at, len);
    default:
        return d2i_AutoPrivateKey(NULL, &at, len);
    }
}

struct tls_identity *tls_identity_new(struct span chain_der, struct span key_der)
{
    struct tls_identity *i = calloc(1, sizeof(*i));

    if (i != NULL) {
        i->refs = 1;
        i->chain_der = chain_der;
        i->key_der = key_der;
    }
    return i;
}

void tls_identity_ref(struct tls_identity *i)
{
    i->refs++;
}

void tls_identity_unref(struct tls_identity **i)
{
    struct tls_identity *gone = *i;

    *i = NULL;
    if (gone == NULL || --gone->refs > 0)
        return;
    X509_free(gone->leaf);
    sk_X509_pop_free(gone->chain, X509_free);
    EVP_PKEY_free(gone->key);
    free(gone);
}

static bool parse(struct tls_identity *i)
{
    struct cursor c = cursor_of(i->chain_der);

    i->leaf = tls_next_certificate(&c);
    i->key = tls_key_of_der(i->key_der);
    i->chain = sk_X509_new_null();
    if (i->leaf == NULL || i->key == NULL || i->chain == NULL)
        return false;
    while (cursor_left(&c) > 0) {
        X509 *next = tls_next_certificate(&c);

        if (next == NULL)
            return false;
        if (sk_X509_push(i->chain, next) == 0) {
            X509_free(next);
            return false;
        }
    }
    return true;
}

bool tls_identity_ready(struct tls_identity *i)
{
    if (i->readiness == UNREAD) {
        i->readiness = parse(i) ? READY : UNREADABLE;
        ERR_clear_error();
    }
    return i->readiness == READY;
}

bool tls_identity_install(const struct tls_identity *i, SSL *ssl)
{
    return SSL_use_cert_and_key(ssl, i->leaf, i->key, i->chain, 1) == 1;
}
