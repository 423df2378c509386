/* Session tickets: which key seals, which opens, and when a fresh one is due.
 *
 *     key n      |-- signs --|-- opens only --|
 *     key n+1                |-- signs --|-- opens only --|
 *
 * Owns the keys; they are wiped when their place is needed or the ring ends. */
#include "tls/tickets.h"

#include "base/random.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { SHORTEST_PERIOD = 3600 * 1000 };

bool ticket_ring_init(struct ticket_ring *r, uint64_t session_ms)
{
    uint64_t half = session_ms / 2;

    *r = (struct ticket_ring){ .period = half > SHORTEST_PERIOD ? half : SHORTEST_PERIOD };
    r->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    return r->cipher != NULL;
}

void ticket_ring_done(struct ticket_ring *r)
{
    for (size_t i = 0; i < TICKET_KEYS; i++)
        secret_done(&r->key[i].secret);
    secret_done(&r->seed);
    EVP_CIPHER_free(r->cipher);
    *r = (struct ticket_ring){ .cipher = NULL };
}

bool ticket_ring_seed(struct ticket_ring *r, struct span seed)
{
    return secret_init(&r->seed, seed);
}

/* 64 bytes that follow from the seed, what they are for, and the number of the period. */
static bool derive(const struct ticket_ring *r, char purpose, uint64_t number,
                   unsigned char ret[EVP_MAX_MD_SIZE])
{
    struct span seed = secret_reveal(&r->seed);
    unsigned char label[9] = { (unsigned char)purpose };
    unsigned len;

    for (unsigned i = 0; i < 8; i++)
        label[1 + i] = (unsigned char)(number >> (56 - 8 * i));
    return HMAC(EVP_sha512(), seed.at, (int)seed.len, label, sizeof(label), ret, &len) != NULL;
}

/* The key of a period, derived if it is not at hand. NULL: OpenSSL or memory failed. */
static struct ticket_key *key_of_period(struct ticket_ring *r, uint64_t number)
{
    struct ticket_key *k = &r->key[number % TICKET_KEYS];
    uint64_t signs_until = (number + 1) * r->period;
    unsigned char bytes[EVP_MAX_MD_SIZE], name[EVP_MAX_MD_SIZE];

    if (k->secret.pages != NULL && k->signs_until == signs_until)
        return k;
    secret_done(&k->secret);
    bool kept =
        derive(r, 'k', number, bytes) && derive(r, 'n', number, name) &&
        secret_init(&k->secret, (struct span){ (const char *)bytes, TICKET_MAC + TICKET_AES });
    explicit_bzero(bytes, sizeof(bytes));
    if (!kept)
        return NULL;
    memcpy(k->name, name, sizeof(k->name));
    k->signs_until = signs_until;
    k->opens_until = signs_until + r->period;
    return k;
}

static bool make_key(struct ticket_ring *r, uint64_t now)
{
    unsigned char bytes[TICKET_MAC + TICKET_AES];
    uint32_t place = (r->newest + 1) % TICKET_KEYS;
    struct ticket_key *k = &r->key[place];

    secret_done(&k->secret);
    random_bytes(bytes, sizeof(bytes));
    bool kept = secret_init(&k->secret, (struct span){ (const char *)bytes, sizeof(bytes) });
    explicit_bzero(bytes, sizeof(bytes));
    if (!kept)
        return false;
    random_bytes(k->name, sizeof(k->name));
    k->signs_until = now + r->period;
    k->opens_until = k->signs_until + r->period;
    r->newest = place;
    return true;
}

static bool key_lives(const struct ticket_key *k, uint64_t until, uint64_t now)
{
    return k->secret.pages != NULL && now < until;
}

static struct ticket_key *sealing_key(struct ticket_ring *r, uint64_t now)
{
    struct ticket_key *k = &r->key[r->newest];

    if (r->seed.pages != NULL)
        return key_of_period(r, now / r->period);
    if (key_lives(k, k->signs_until, now))
        return k;
    return make_key(r, now) ? &r->key[r->newest] : NULL;
}

static struct ticket_key *opening_key(struct ticket_ring *r, const unsigned char *name,
                                      uint64_t now)
{
    if (r->seed.pages != NULL && now >= r->period)
        key_of_period(r, now / r->period - 1); /* another process may have signed with it */
    for (size_t i = 0; i < TICKET_KEYS; i++) {
        struct ticket_key *k = &r->key[i];

        if (key_lives(k, k->opens_until, now) && memcmp(k->name, name, TICKET_NAME) == 0)
            return k;
    }
    return NULL;
}

static bool load(const struct ticket_ring *r, const struct ticket_key *k,
                 const struct ticket_parts *parts, bool seal)
{
    unsigned char *bytes = (unsigned char *)secret_reveal(&k->secret).at;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, bytes, TICKET_MAC),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_CipherInit_ex(parts->cipher, r->cipher, NULL, bytes + TICKET_MAC, parts->iv, seal) ==
               1 &&
           EVP_MAC_CTX_set_params(parts->mac, params) == 1;
}

int ticket_ring_seal(struct ticket_ring *r, uint64_t now, const struct ticket_parts *parts)
{
    const struct ticket_key *k = sealing_key(r, now);

    if (k == NULL)
        return 0;
    memcpy(parts->name, k->name, TICKET_NAME);
    random_bytes(parts->iv, TICKET_IV);
    return load(r, k, parts, true) ? 1 : -1;
}

/* In 1.3 clients use a ticket once, so each use earns a new one. In 1.2 a client that is promised a
 * new one drops the old: so only for an old key, which must be left. */
int ticket_ring_open(struct ticket_ring *r, uint64_t now, const struct ticket_parts *parts,
                     bool is_1_3)
{
    const struct ticket_key *newest = sealing_key(r, now);
    const struct ticket_key *k = opening_key(r, parts->name, now);

    if (k == NULL)
        return 0;
    if (!load(r, k, parts, false))
        return -1;
    return is_1_3 || k != newest ? 2 : 1;
}
