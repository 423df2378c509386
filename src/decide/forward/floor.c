/* The address floor: a table of ranges that lead inside, to nobody, or to ourselves.
 *
 *     address --IPv4 inside?--> plain address --narrowest range--> word
 *
 * Judged after resolution, for each candidate, so no DNS answer leads past it. Owns nothing. */
#include "decide/forward/floor.h"

#include "base/cidr.h"

struct floor_range {
    enum floor_word word;
    uint16_t family;
    uint8_t bits;
    uint8_t ip[16];
};

/* forward-semantics 4.2. Of those that hold an address the narrowest counts. */
static const struct floor_range ranges[] = {
    { FLOOR_UNSPECIFIED, AF_INET, 8, { 0 } },
    { FLOOR_PRIVATE, AF_INET, 8, { 10 } },
    { FLOOR_METADATA, AF_INET, 32, { 100, 100, 100, 200 } },
    { FLOOR_SHARED, AF_INET, 10, { 100, 64 } },
    { FLOOR_LOOPBACK, AF_INET, 8, { 127 } },
    { FLOOR_METADATA, AF_INET, 32, { 168, 63, 129, 16 } },
    { FLOOR_METADATA, AF_INET, 32, { 169, 254, 169, 254 } },
    { FLOOR_LINKLOCAL, AF_INET, 16, { 169, 254 } },
    { FLOOR_PRIVATE, AF_INET, 12, { 172, 16 } },
    { FLOOR_METADATA, AF_INET, 32, { 192, 0, 0, 192 } },
    { FLOOR_PROTOCOL, AF_INET, 24, { 192, 0, 0 } },
    { FLOOR_DOCUMENTATION, AF_INET, 24, { 192, 0, 2 } },
    { FLOOR_PROTOCOL, AF_INET, 24, { 192, 31, 196 } },
    { FLOOR_PROTOCOL, AF_INET, 24, { 192, 52, 193 } },
    { FLOOR_PROTOCOL, AF_INET, 24, { 192, 88, 99 } },
    { FLOOR_PRIVATE, AF_INET, 16, { 192, 168 } },
    { FLOOR_PROTOCOL, AF_INET, 24, { 192, 175, 48 } },
    { FLOOR_BENCHMARK, AF_INET, 15, { 198, 18 } },
    { FLOOR_DOCUMENTATION, AF_INET, 24, { 198, 51, 100 } },
    { FLOOR_DOCUMENTATION, AF_INET, 24, { 203, 0, 113 } },
    { FLOOR_MULTICAST, AF_INET, 4, { 224 } },
    { FLOOR_RESERVED, AF_INET, 4, { 240 } },

    { FLOOR_UNSPECIFIED, AF_INET6, 128, { 0 } },
    { FLOOR_LOOPBACK, AF_INET6, 128, { [15] = 1 } },
    { FLOOR_PROTOCOL, AF_INET6, 48, { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 } },
    { FLOOR_PROTOCOL, AF_INET6, 64, { 0x01, 0x00 } },
    { FLOOR_PROTOCOL, AF_INET6, 64, { 0x01, 0x00, [7] = 1 } },
    { FLOOR_TRANSITION, AF_INET6, 32, { 0x20, 0x01 } },
    { FLOOR_BENCHMARK, AF_INET6, 48, { 0x20, 0x01, 0x00, 0x02 } },
    { FLOOR_PROTOCOL, AF_INET6, 23, { 0x20, 0x01 } },
    { FLOOR_DOCUMENTATION, AF_INET6, 32, { 0x20, 0x01, 0x0d, 0xb8 } },
    { FLOOR_TRANSITION, AF_INET6, 16, { 0x20, 0x02 } },
    { FLOOR_PROTOCOL, AF_INET6, 48, { 0x26, 0x20, 0x00, 0x4f, 0x80 } },
    { FLOOR_DOCUMENTATION, AF_INET6, 20, { 0x3f, 0xff } },
    { FLOOR_PROTOCOL, AF_INET6, 16, { 0x5f } },
    { FLOOR_METADATA, AF_INET6, 128, { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 } },
    { FLOOR_METADATA, AF_INET6, 128, { 0xfd, 0x00, 0x00, 0xc1, [12] = 0xa9, 0xfe, 0xa9, 0xfe } },
    { FLOOR_METADATA, AF_INET6, 128, { 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 } },
    { FLOOR_PRIVATE, AF_INET6, 7, { 0xfc } },
    { FLOOR_LINKLOCAL, AF_INET6, 10, { 0xfe, 0x80 } },
    { FLOOR_PRIVATE, AF_INET6, 10, { 0xfe, 0xc0 } },
    { FLOOR_MULTICAST, AF_INET6, 8, { 0xff } },
    { FLOOR_RESERVED, AF_INET6, 3, { 0x00 } }, /* all outside 2000::/3 */
    { FLOOR_RESERVED, AF_INET6, 2, { 0x40 } },
    { FLOOR_RESERVED, AF_INET6, 1, { 0x80 } },
};

static const char *const names[FLOOR_WORDS] = {
    [FLOOR_NONE] = "public",
    [FLOOR_UNSPECIFIED] = "unspecified",
    [FLOOR_LOOPBACK] = "loopback",
    [FLOOR_PRIVATE] = "private",
    [FLOOR_SHARED] = "shared",
    [FLOOR_LINKLOCAL] = "linklocal",
    [FLOOR_METADATA] = "metadata",
    [FLOOR_PROTOCOL] = "protocol",
    [FLOOR_DOCUMENTATION] = "documentation",
    [FLOOR_BENCHMARK] = "benchmark",
    [FLOOR_MULTICAST] = "multicast",
    [FLOOR_RESERVED] = "reserved",
    [FLOOR_TRANSITION] = "transition",
    [FLOOR_OWN] = "own",
    [FLOOR_SPECIAL] = "special",
};

/* The first 12 bytes of the forms that wrap an IPv4 address. */
static const uint8_t wrappings[][12] = {
    { [10] = 0xff, 0xff },      /* ::ffff:0:0/96, mapped */
    { [8] = 0xff, 0xff },       /* ::ffff:0:0:0/96, translated */
    { 0 },                      /* ::/96, compatible; without :: and ::1 */
    { 0x00, 0x64, 0xff, 0x9b }, /* 64:ff9b::/96, NAT64 */
};

const char *floor_word_name(enum floor_word word)
{
    return names[word];
}

bool floor_word_parse(struct span text, enum floor_word *ret)
{
    for (enum floor_word word = FLOOR_NONE + 1; word < FLOOR_WORDS; word++) {
        if (span_is(text, names[word])) {
            *ret = word;
            return true;
        }
    }
    return false;
}

static bool is_zero_or_one(const struct address *a)
{
    static const uint8_t zero[15];

    return memcmp(a->ip, zero, sizeof(zero)) == 0 && a->ip[15] <= 1;
}

struct address floor_plain(const struct address *a)
{
    struct address plain = { .family = AF_INET, .port = a->port };

    if (a->family != AF_INET6 || is_zero_or_one(a))
        return *a;
    for (size_t i = 0; i < COUNT(wrappings); i++) {
        if (memcmp(a->ip, wrappings[i], sizeof(wrappings[i])) == 0) {
            memcpy(plain.ip, a->ip + sizeof(wrappings[i]), 4);
            return plain;
        }
    }
    return *a;
}

static bool range_has(const struct floor_range *range, const struct address *a)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;

    if (range->family != a->family || memcmp(range->ip, a->ip, whole) != 0)
        return false;
    return rest == 0 || (range->ip[whole] ^ a->ip[whole]) >> (8 - rest) == 0;
}

struct standing floor_stand(const struct address *a, bool own)
{
    struct standing s = { .plain = floor_plain(a), .word = FLOOR_NONE };

    for (size_t i = 0; i < COUNT(ranges); i++) {
        const struct floor_range *range = &ranges[i];

        if (!range_has(range, &s.plain))
            continue;
        s.words |= 1u << range->word;
        if (s.range == NULL || range->bits > s.range->bits)
            s.range = range;
    }
    if (s.range != NULL)
        s.word = s.range->word;
    if (own) {
        s.words |= 1u << FLOOR_OWN;
        if (s.word != FLOOR_LOOPBACK) /* it is ours too, and has a word of its own */
            s.word = FLOOR_OWN;
    }
    if (s.words != 0)
        s.words |= 1u << FLOOR_SPECIAL;
    return s;
}

static bool is_guarded(enum floor_word word)
{
    return word == FLOOR_METADATA || word == FLOOR_OWN;
}

bool floor_word_opens(const struct standing *s, enum floor_word word)
{
    if (word == FLOOR_OWN)
        return (s->words >> FLOOR_OWN & 1) != 0;
    return word == s->word || (word == FLOOR_SPECIAL && !is_guarded(s->word));
}

bool floor_net_opens(const struct standing *s, const struct cidr *net)
{
    struct address first = { .family = net->family }, last = first;

    if (!cidr_has(net, &s->plain) || net->family == AF_UNSPEC)
        return false;
    if (is_guarded(s->word))
        return memcmp(net->first, net->last, sizeof(net->first)) == 0;
    memcpy(first.ip, net->first, sizeof(first.ip));
    memcpy(last.ip, net->last, sizeof(last.ip));
    return s->range != NULL && range_has(s->range, &first) && range_has(s->range, &last);
}
