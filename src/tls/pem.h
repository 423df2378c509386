#ifndef TLS_PEM_H
#define TLS_PEM_H

#include "base/buf.h"

/* Certificates and keys of the bundle: PEM is read once, while the bundle is made; workers parse
 * DER. */

/* Each certificate of the file, in order: four bytes of length (network order), then DER. False:
 * `ret_reason`. */
bool tls_chain_of_pem(struct span pem, struct buf *ret_der, char ret_reason[256]);
/* A type byte ('E' EC, 'R' RSA, 'O' other), then DER of that type. No pass phrase is asked for.
 * The bytes are secret: the caller wipes the buffer. */
bool tls_key_of_pem(struct span pem, struct buf *ret_der, char ret_reason[256]);
/* The key belongs to the first certificate. */
bool tls_pair_fits(struct span chain_der, struct span key_der, char ret_reason[256]);
/* Seconds since 1970 at which the first certificate ends. */
bool tls_chain_expires(struct span chain_der, int64_t *ret_second);

#endif
