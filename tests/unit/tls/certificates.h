/* Throw-away certificates, made in memory. */
#ifndef TESTS_CERTIFICATES_H
#define TESTS_CERTIFICATES_H

#include "base/span.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct made {
    X509 *certificate;
    EVP_PKEY *key;
};

static inline void must(bool held)
{
    if (!held)
        abort();
}

static inline void add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

/* Signed by `issuer`, or by itself when that is NULL; then it may sign others. */
static inline struct made make_certificate(const char *name, EVP_PKEY *key,
                                           const struct made *issuer)
{
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    static long serial = 1;

    must(key != NULL && X509_set_version(x, 2) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    must(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, (unsigned char *)name,
                                    -1, -1, 0));
    must(X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer->certificate) : subject) ==
         1);
    must(X509_set_pubkey(x, key) == 1);
    if (issuer == NULL) {
        add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    } else {
        char names[300];
        snprintf(names, sizeof(names), "DNS:%s", name);
        add_extension(x, NID_subject_alt_name, names);
    }
    EVP_PKEY *signer = issuer ? issuer->key : key;
    must(X509_sign(x, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256()) > 0);
    return (struct made){ x, key };
}

static inline void made_done(struct made *m)
{
    X509_free(m->certificate);
    EVP_PKEY_free(m->key);
}

/* The caller frees the text. */
static inline char *text_of(BIO *bio)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)n);

    BIO_free(bio);
    return text;
}

static inline char *certificate_pem(const struct made *m)
{
    BIO *bio = BIO_new(BIO_s_mem());

    must(PEM_write_bio_X509(bio, m->certificate) == 1);
    return text_of(bio);
}

static inline char *key_pem(const struct made *m, const char *pass_phrase)
{
    BIO *bio = BIO_new(BIO_s_mem());

    must(PEM_write_bio_PrivateKey(bio, m->key, pass_phrase ? EVP_aes_128_cbc() : NULL,
                                  (const unsigned char *)pass_phrase,
                                  pass_phrase ? (int)strlen(pass_phrase) : 0, NULL, NULL) == 1);
    return text_of(bio);
}

#endif
