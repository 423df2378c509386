/* PEM to DER, once, while the bundle is made. Owns nothing. */
#include "tls/pem.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "tls/context.h"
#include "tls/identity.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <time.h>

enum { REASON_SIZE = 256 };

static bool refuse(const char *what, char *ret_reason)
{
    tls_error_text(what, REASON_SIZE, ret_reason);
    return false;
}

static BIO *open_pem(struct span pem)
{
    ERR_clear_error();
    return pem.len > 0 && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
}

static bool add_certificate(X509 *x, struct buf *out)
{
    int size = i2d_X509(x, NULL);

    if (size <= 0 || !buf_reserve(out, (size_t)size + 4))
        return false;
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_byte(out, (char)(size >> shift & 0xff));
    unsigned char *at = (unsigned char *)out->data + out->len;
    i2d_X509(x, &at);
    out->len += (size_t)size;
    return true;
}

bool tls_chain_of_pem(struct span pem, struct buf *ret_der, char ret_reason[256])
{
    BIO *bio = open_pem(pem);
    unsigned count = 0;
    bool kept = true;
    X509 *x;

    if (bio == NULL)
        return refuse("no certificate in it", ret_reason);
    while (kept && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        kept = add_certificate(x, ret_der);
        X509_free(x);
        count++;
    }
    BIO_free(bio);
    if (!kept)
        return refuse("certificates too large", ret_reason);

    /* what ends a file well is that no further start line is found */
    bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (ended && count > 0) {
        ERR_clear_error();
        return true;
    }
    if (ended)
        ERR_clear_error();
    return refuse(ended ? "no certificate in it" : "certificate not readable", ret_reason);
}

/* No pass phrase: a service that starts alone has nobody to ask. */
static int on_pass_phrase(char *to, int size, int writing, void *arg)
{
    bool *asked = arg;

    (void)to, (void)size, (void)writing;
    *asked = true;
    return -1;
}

static int encode_pkcs8(const EVP_PKEY *key, unsigned char **ret_der)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int size = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, ret_der) : -1;

    PKCS8_PRIV_KEY_INFO_free(info);
    return size;
}

static bool add_key(const EVP_PKEY *key, struct buf *out)
{
    unsigned char *der = NULL;
    int size, type = EVP_PKEY_get_base_id(key);
    bool own_form = type == EVP_PKEY_EC || type == EVP_PKEY_RSA;

    if (own_form)
        size = i2d_PrivateKey(key, &der);
    else
        size = encode_pkcs8(key, &der);
    if (size <= 0)
        return false;
    buf_add_byte(out, (char)(!own_form ? 'O' : type == EVP_PKEY_EC ? 'E' : 'R'));
    buf_add(out, (struct span){ (const char *)der, (size_t)size });
    OPENSSL_clear_free(der, (size_t)size);
    return buf_ok(out);
}

bool tls_key_of_pem(struct span pem, struct buf *ret_der, char ret_reason[256])
{
    BIO *bio = open_pem(pem);
    bool asked = false;
    EVP_PKEY *key = NULL;

    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, on_pass_phrase, &asked);
    BIO_free(bio);
    if (key == NULL && asked) {
        ERR_clear_error();
        return refuse("the key is encrypted, and no pass phrase is asked for", ret_reason);
    }
    if (key == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        ERR_clear_error();
    if (key == NULL)
        return refuse("no private key in it", ret_reason);

    bool kept = add_key(key, ret_der);
    EVP_PKEY_free(key);
    return kept ? true : refuse("the key cannot be kept", ret_reason);
}

bool tls_pair_fits(struct span chain_der, struct span key_der, char ret_reason[256])
{
    struct cursor c = cursor_of(chain_der);

    ERR_clear_error();
    X509 *leaf = tls_next_certificate(&c);
    EVP_PKEY *key = tls_key_of_der(key_der);
    bool fits = leaf != NULL && key != NULL && X509_check_private_key(leaf, key) == 1;

    X509_free(leaf);
    EVP_PKEY_free(key);
    return fits ? true : refuse("certificate and key do not belong together", ret_reason);
}

bool tls_chain_validity(struct span chain_der, int64_t *ret_begins, int64_t *ret_ends)
{
    struct cursor c = cursor_of(chain_der);
    X509 *leaf = tls_next_certificate(&c);
    struct tm begin, end;
    bool known = leaf != NULL && ASN1_TIME_to_tm(X509_get0_notBefore(leaf), &begin) == 1 &&
                 ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &end) == 1;

    X509_free(leaf);
    ERR_clear_error();
    if (known) {
        *ret_begins = timegm(&begin);
        *ret_ends = timegm(&end);
    }
    return known;
}
