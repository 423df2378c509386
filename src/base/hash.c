/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012). */
#include "base/hash.h"

#include "base/random.h"

struct hash_key hash_key_new(void)
{
    struct hash_key key;

    random_bytes(&key, sizeof(key));
    return key;
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void stir(uint64_t v[4], unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

uint64_t hash_keyed(const struct hash_key *key, struct span bytes)
{
    uint64_t v[4] = { key->k[0] ^ 0x736f6d6570736575, key->k[1] ^ 0x646f72616e646f6d,
                      key->k[0] ^ 0x6c7967656e657261, key->k[1] ^ 0x7465646279746573 };
    uint64_t word = 0;
    size_t whole = bytes.len & ~(size_t)7;

    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, bytes.at + i, 8);
        v[3] ^= word;
        stir(v, 2);
        v[0] ^= word;
    }
    word = (uint64_t)bytes.len << 56;
    for (size_t i = whole; i < bytes.len; i++)
        word |= (uint64_t)(unsigned char)bytes.at[i] << 8 * (i & 7);
    v[3] ^= word;
    stir(v, 2);
    v[0] ^= word;
    v[2] ^= 0xff;
    stir(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
