#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include "base/secret.h"
#include "base/span.h"

#include <openssl/ssl.h>

/* The keys that seal session tickets: the newest signs, all open. A key signs for one period and
 * opens for one more; a new one is made when a ticket is wanted and the newest is over. With a seed
 * keys are derived from it and the number of the period since the clock began, so that processes
 * with one seed and one clock open each other's tickets. */
enum { TICKET_KEYS = 3, TICKET_NAME = 16, TICKET_IV = 16, TICKET_MAC = 32, TICKET_AES = 32 };

struct ticket_key {
    unsigned char name[TICKET_NAME];
    struct secret secret;              /* MAC key, then AES key; without pages: no key */
    uint64_t signs_until, opens_until; /* ms, monotonic */
};

struct ticket_ring {
    EVP_CIPHER *cipher; /* owned; fetched once, it costs */
    uint64_t period;    /* ms */
    struct secret seed; /* without pages: keys are random */
    uint32_t newest;
    struct ticket_key key[TICKET_KEYS];
};

/* Half the session's life, but at least an hour. False: OpenSSL lacks the cipher. */
bool ticket_ring_init(struct ticket_ring *r, uint64_t session_ms);
/* From now on keys are derived. False: memory was refused. */
bool ticket_ring_seed(struct ticket_ring *r, struct span seed);
void ticket_ring_done(struct ticket_ring *r);

/* What OpenSSL hands over for one ticket, see SSL_CTX_set_tlsext_ticket_key_evp_cb. */
struct ticket_parts {
    unsigned char *name; /* TICKET_NAME bytes */
    unsigned char *iv;   /* TICKET_IV bytes */
    EVP_CIPHER_CTX *cipher;
    EVP_MAC_CTX *mac;
};

/* `now`: ms, monotonic. The results are what OpenSSL expects of its callback: -1 failure; 0 no
 * ticket; 1 good; 2 good, and to be renewed (`is_1_3`: a session of TLS 1.3). */
int ticket_ring_seal(struct ticket_ring *r, uint64_t now, const struct ticket_parts *parts);
int ticket_ring_open(struct ticket_ring *r, uint64_t now, const struct ticket_parts *parts,
                     bool is_1_3);

#endif
