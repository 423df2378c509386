#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include "base/span.h"

#include <openssl/ssl.h>

struct cursor;
struct tls_identity;

/* The DER of tls/pem.h, read. */

/* The next certificate of a chain; NULL: none left (the cursor is at its end) or not readable. The
 * caller frees it. */
X509 *tls_next_certificate(struct cursor *chain);
/* NULL: not readable. The caller frees it. */
EVP_PKEY *tls_key_of_der(struct span key_der);

/* Parses it, the first time; afterwards the DER is not read again. False: not readable. */
bool tls_identity_ready(struct tls_identity *i);
/* Gives a session the certificate, chain and key, by reference. `i` is ready. */
bool tls_identity_install(const struct tls_identity *i, SSL *ssl);

#endif
