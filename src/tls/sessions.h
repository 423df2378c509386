#ifndef TLS_SESSIONS_H
#define TLS_SESSIONS_H

#include "base/table.h"
#include "tls/tickets.h"

/* What sessions resume by, for the files of this folder: keys of tickets, and perhaps a store. */
struct tls_sessions {
    uint32_t refs;
    struct ticket_ring ring;
    struct table store; /* without memory: tickets alone */
};

/* Makes OpenSSL ask the store of the context's sessions (SSL_CTX_set_app_data names them). */
void tls_sessions_serve(SSL_CTX *ctx, struct tls_sessions *sessions);

#endif
