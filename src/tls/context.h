#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Inside of a context, for the files of this folder. */
struct tls_context {
    uint32_t refs;
    SSL_CTX *ctx;                  /* owned */
    BIO_METHOD *bio_method;        /* owned */
    bool verifies;                 /* client side: the peer's name is checked */
    uint32_t record_most;          /* bytes of plain text in a record */
    struct tls_sessions *sessions; /* a reference; NULL: client side */
};

/* The oldest error of the queue in words; the queue is empty afterwards. */
void tls_error_text(const char *what, size_t size, char *ret_text);

#endif
