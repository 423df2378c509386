#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/span.h"

/* SipHash-2-4 with a secret made at each start: for tables keyed by what a peer chooses, so that
 * nobody outside can make keys collide. */
struct hash_key {
    uint64_t k[2];
};

struct hash_key hash_key_new(void);
uint64_t hash_keyed(const struct hash_key *key, struct span bytes);

#endif
