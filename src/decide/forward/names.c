/* Host names of all rules and lists of a block, in one open-addressed table. The hash rolls from
 * the last label to the first, so a look-up is one pass over the name and one probe a label,
 * however many sets there are:
 *
 *     www.a.example  ->  example   a.example            www.a.example
 *                                  its sets with BELOW  its sets with ITSELF
 *
 * Keyed with a secret (SipHash): a client cannot make names collide, so hashes stand for names. */
#include "decide/forward/names.h"

#include "base/arena.h"
#include "base/hash.h"
#include "proto/uri.h"

#include <arpa/inet.h>

struct member {
    uint32_t set;
    uint32_t next; /* index + 1; 0: none */
    enum reach reach;
};

struct slot {
    uint64_t hash;
    uint32_t first; /* member's index + 1; 0: free */
};

struct names {
    struct hash_key key;
    struct slot *slots;
    struct member *members;
    uint32_t mask;
    uint32_t sets;
    uint32_t deepest; /* most labels of a name in it */
};

static bool is_number(struct span label)
{
    struct span digits = label;
    bool hex = span_starts_caseless(label, "0x");

    if (hex)
        digits = span_from(label, 2);
    for (size_t i = 0; i < digits.len; i++) {
        char c = ascii_lower(digits.at[i]);

        if (!(c >= '0' && c <= '9') && !(hex && c >= 'a' && c <= 'f'))
            return false;
    }
    return hex || digits.len > 0;
}

static struct span last_label(struct span name)
{
    size_t start = name.len;

    while (start > 0 && name.at[start - 1] != '.')
        start--;
    return span_from(name, start);
}

/* Whatever inet_aton takes for an address is one: `127.1`, `0x7f.1`, `2130706433`, octal. */
static bool read_odd_address(struct span name, struct address *ret)
{
    struct in_addr in;
    char text[64];

    if (!is_number(last_label(name)) || !span_to_cstr(name, sizeof(text), text) ||
        inet_aton(text, &in) == 0)
        return false;
    *ret = (struct address){ .family = AF_INET };
    memcpy(ret->ip, &in, 4);
    return true;
}

static const char *fault_of(struct span name)
{
    struct host host = { .name = name };

    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.at[i] >= 0x80)
            return "has letters beyond ASCII, which is not supported yet; write its \"xn--\" form";
    if (name.len == 0)
        return "is empty";
    if (name.len > LONGEST_HOST)
        return "is longer than 253 bytes";
    if (span_find(name, '*') < name.len)
        return "may hold \"*\" only as its whole first label";
    if (is_number(last_label(name)))
        return "ends in a number and is no address";
    return host_is_strict(&host) ? NULL : "is no host name";
}

const char *name_read(struct span text, struct arena *arena, struct name_pattern *ret)
{
    struct name_pattern found = { .reach = REACH_ITSELF };
    struct span name = text;

    if (span_starts(name, "*.")) {
        found.reach = REACH_BELOW;
        name = span_from(name, 2);
    } else if (span_starts(name, ".")) {
        found.reach = REACH_BOTH;
        name = span_from(name, 1);
    }
    span_chop(&name, '.');
    if (found.reach == REACH_ITSELF &&
        (address_parse_ip(name, &found.address) || read_odd_address(name, &found.address))) {
        *ret = found;
        return NULL;
    }
    const char *fault = fault_of(name);
    if (fault != NULL)
        return fault;
    char *lower = arena_cstr(arena, name);
    for (size_t i = 0; i < name.len; i++)
        lower[i] = ascii_lower(lower[i]);
    found.name = (struct span){ lower, name.len };
    *ret = found;
    return NULL;
}

static bool is_below(struct span inner, struct span outer)
{
    return inner.len > outer.len && inner.at[inner.len - outer.len - 1] == '.' &&
           span_same(span_from(inner, inner.len - outer.len), outer);
}

bool name_covers(const struct name_pattern *outer, const struct name_pattern *inner)
{
    if (outer->name.len == 0 || inner->name.len == 0)
        return outer->name.len == inner->name.len &&
               address_same_ip(&outer->address, &inner->address);
    if (span_same(outer->name, inner->name))
        return (outer->reach & inner->reach) == inner->reach;
    return (outer->reach & REACH_BELOW) != 0 && is_below(inner->name, outer->name);
}

/* The hash of the name so far and one more label in front of it. */
static uint64_t roll(const struct names *n, uint64_t hash, struct span label)
{
    char bytes[sizeof(hash) + LONGEST_HOST];
    size_t len = label.len <= LONGEST_HOST ? label.len : LONGEST_HOST;

    memcpy(bytes, &hash, sizeof(hash));
    memcpy(bytes + sizeof(hash), label.at, len);
    return hash_keyed(&n->key, (struct span){ bytes, sizeof(hash) + len });
}

/* Its slot, or the free one where it belongs. */
static struct slot *find(const struct names *n, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & n->mask;

    while (n->slots[i].first != 0 && n->slots[i].hash != hash)
        i = (i + 1) & n->mask;
    return &n->slots[i];
}

static void add(struct names *n, const struct name_entry *entry, uint32_t index)
{
    struct span rest = entry->name;
    uint64_t hash = 0;
    uint32_t labels = 0;

    while (rest.len > 0) {
        struct span label = last_label(rest);

        hash = roll(n, hash, label);
        labels++;
        rest = span_first(rest, rest.len - label.len);
        span_chop(&rest, '.');
    }
    struct slot *slot = find(n, hash);
    n->members[index] = (struct member){ entry->set, slot->first, entry->reach };
    *slot = (struct slot){ hash, index + 1 };
    if (labels > n->deepest)
        n->deepest = labels;
}

const struct names *names_build(const struct name_entry *entries, uint32_t count, uint32_t sets,
                                struct arena *arena)
{
    struct names *n = arena_alloc(arena, sizeof(*n));
    uint32_t room = 16;

    while (room / 4 * 3 < count)
        room *= 2;
    *n = (struct names){
        .key = hash_key_new(),
        .slots = arena_zalloc(arena, room * sizeof(struct slot)),
        .members = arena_alloc(arena, (count + 1) * sizeof(struct member)),
        .mask = room - 1,
        .sets = sets,
    };
    for (uint32_t i = 0; i < count; i++)
        add(n, &entries[i], i);
    return n;
}

uint32_t names_words(const struct names *n)
{
    return n->sets / 64 + 1;
}

static void mark(const struct names *n, uint64_t hash, enum reach reach, uint64_t *bits)
{
    for (uint32_t i = find(n, hash)->first; i != 0; i = n->members[i - 1].next) {
        const struct member *m = &n->members[i - 1];

        if (m->reach & reach)
            bits[m->set / 64] |= UINT64_C(1) << (m->set % 64);
    }
}

void names_look(const struct names *n, struct span host, uint64_t *bits)
{
    struct span rest = host;
    uint64_t hash = 0;

    memset(bits, 0, names_words(n) * sizeof(*bits));
    for (uint32_t depth = 0; depth < n->deepest && rest.len > 0; depth++) {
        struct span label = last_label(rest);

        hash = roll(n, hash, label);
        rest = span_first(rest, rest.len - label.len);
        mark(n, hash, rest.len == 0 ? REACH_ITSELF : REACH_BELOW, bits);
        span_chop(&rest, '.');
    }
}
