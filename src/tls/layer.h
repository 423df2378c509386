#ifndef TLS_LAYER_H
#define TLS_LAYER_H

#include "base/span.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/io.h"

#include <openssl/ssl.h>

/* The layer itself, for the files of this folder. */

enum { TLS_OUT_BLOCKS = 4, TLS_OUT = TLS_OUT_BLOCKS * BLOCK_SIZE, TLS_PLAIN_MOST = 16384 };
enum { TLS_NAME_MOST = 255 };

enum tls_state {
    TLS_HELLO, /* handshaking */
    TLS_OPEN,
    TLS_SHUT, /* our close_notify was made */
    TLS_CUT,  /* ended without close_notify */
    TLS_DEAD
};

struct tls {
    struct layer layer;
    SSL *ssl;                          /* owned */
    struct tls_context *context;       /* a reference */
    struct tls_identity *identity;     /* a reference; NULL: we are the client */
    struct block_pool *blocks;         /* its budget is ours, too */
    struct lease in;                   /* ciphertext that OpenSSL has not taken yet */
    struct block *out[TLS_OUT_BLOCKS]; /* records not yet taken below, as one run of bytes */
    uint32_t out_at, out_end;          /* the run; both 0: no block is held */
    uint32_t owed;                     /* in `out`, but not yet counted as taken */
    enum tls_state state;
    uint16_t quiet;      /* handshake messages since the last application data */
    bool eof;            /* of the layer below */
    unsigned long error; /* OpenSSL's, of the failure */
    struct span name;    /* as in conn_info; lies behind the struct */
};

/* Puts a new layer on the conn. NULL: memory, or OpenSSL's refusal. */
struct tls *tls_layer_push(struct conn *c, struct tls_context *context, struct span name);
/* A step of the handshake; AGAIN: see `layer.want`. Alerts are sent. */
enum io tls_layer_handshake(struct tls *t);
/* Why it failed, in words. */
void tls_layer_reason(const struct tls *t, enum io io, char ret_reason[200]);

/* OpenSSL's own memory BIO, ours: it takes from `in` and adds to `out`. The context owns its
 * method. */
BIO_METHOD *tls_bio_method_new(void);
/* The context's message callback: counts what costs us and carries nothing. */
void tls_on_message(int sent, int version, int type, const void *p, size_t n, SSL *ssl, void *arg);

static inline struct tls *tls_of_ssl(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

#endif
