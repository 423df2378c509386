#ifndef TLS_PEM_H
#define TLS_PEM_H

#include "base/span.h"

struct buf;

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
/* From when and until when the first certificate is valid: seconds since 1970. */
bool tls_chain_validity(struct span chain_der, int64_t *ret_begins, int64_t *ret_ends);

#endif
