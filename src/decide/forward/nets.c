/* Sets of networks: kept as written (the floor asks for that), and sorted into ranges apart from
 * each other.
 *
 *     10.0.0.0/8  10.1.0.0/16  11.0.0.0-11.0.0.9   ->   [10.0.0.0 ... 11.0.0.9]
 *
 * Owns nothing; all lies in the generation arena. */
#include "decide/forward/nets.h"

#include "base/address.h"
#include "base/arena.h"
#include "base/cidr.h"
#include "conf/call.h"
#include "decide/forward/floor.h"

#include <stdlib.h>

static struct address end_of(const struct cidr *net, const uint8_t *ip)
{
    struct address a = { .family = net->family };

    memcpy(a.ip, ip, sizeof(a.ip));
    return a;
}

/* Both ends wrap IPv4, in the same form: then it means the IPv4 addresses. */
static void unwrap(struct cidr *net)
{
    struct address first = end_of(net, net->first), last = end_of(net, net->last);
    struct address plain_first = floor_plain(&first), plain_last = floor_plain(&last);

    if (net->family != AF_INET6 || plain_first.family != AF_INET || plain_last.family != AF_INET ||
        memcmp(first.ip, last.ip, 12) != 0)
        return;
    net->family = AF_INET;
    memcpy(net->first, plain_first.ip, sizeof(net->first));
    memcpy(net->last, plain_last.ip, sizeof(net->last));
}

bool nets_parse(struct span text, struct cidr *ret)
{
    struct cidr found;

    if (!cidr_parse_range(text, &found) || found.family == AF_UNSPEC)
        return false;
    unwrap(&found);
    *ret = found;
    return true;
}

bool nets_add(struct conf_call *call, struct nets *n, const struct cidr *net)
{
    return conf_list_add(call, &n->given, net, sizeof(*net));
}

static int compare(const struct cidr *net, uint16_t family, const uint8_t *ip)
{
    if (net->family != family)
        return net->family < family ? -1 : 1;
    return memcmp(net->first, ip, sizeof(net->first));
}

static int by_first(const void *a, const void *b)
{
    const struct cidr *left = a, *right = b;

    return compare(left, right->family, right->first);
}

/* The address after the last of `net` is `ip`, or a later one is not yet reached: the two join. */
static bool joins(const struct cidr *net, const struct cidr *next)
{
    uint8_t after[16];
    int i = net->family == AF_INET ? 3 : 15;

    if (net->family != next->family)
        return false;
    if (memcmp(next->first, net->last, sizeof(after)) <= 0)
        return true;
    memcpy(after, net->last, sizeof(after));
    while (i >= 0 && ++after[i] == 0)
        i--;
    return memcmp(next->first, after, sizeof(after)) == 0;
}

void nets_finish(struct nets *n, struct arena *arena)
{
    size_t size = n->given.len * sizeof(struct cidr);

    if (n->given.len == 0)
        return;
    struct cidr *all = memcpy(arena_alloc(arena, size), n->given.items, size);
    uint32_t kept = 0;

    qsort(all, n->given.len, sizeof(*all), by_first);
    for (uint32_t i = 1; i < n->given.len; i++) {
        if (!joins(&all[kept], &all[i]))
            all[++kept] = all[i];
        else if (memcmp(all[i].last, all[kept].last, sizeof(all[i].last)) > 0)
            memcpy(all[kept].last, all[i].last, sizeof(all[i].last));
    }
    n->sorted = all;
    n->sorted_count = kept + 1;
}

/* The range that holds the address, or NULL. */
static const struct cidr *find(const struct nets *n, uint16_t family, const uint8_t *ip)
{
    uint32_t from = 0, to = n->sorted_count;

    while (from < to) { /* the first range that begins after it */
        uint32_t middle = from + (to - from) / 2;

        if (compare(&n->sorted[middle], family, ip) <= 0)
            from = middle + 1;
        else
            to = middle;
    }
    if (from == 0)
        return NULL;
    const struct cidr *net = &n->sorted[from - 1];
    return net->family == family && memcmp(ip, net->last, sizeof(net->last)) <= 0 ? net : NULL;
}

bool nets_has(const struct nets *n, const struct address *a)
{
    return find(n, a->family, a->ip) != NULL;
}

bool nets_cover(const struct nets *outer, const struct nets *inner)
{
    for (uint32_t i = 0; i < inner->sorted_count; i++) {
        const struct cidr *net = &inner->sorted[i];
        const struct cidr *around = find(outer, net->family, net->first);

        if (around == NULL || memcmp(net->last, around->last, sizeof(net->last)) > 0)
            return false;
    }
    return true;
}

bool nets_is_everyone(const struct nets *n)
{
    static const uint8_t lowest[16];

    for (uint32_t i = 0; i < n->sorted_count; i++) {
        const struct cidr *net = &n->sorted[i];
        size_t length = net->family == AF_INET ? 4 : 16;
        bool all = memcmp(net->first, lowest, length) == 0;

        for (size_t b = 0; b < length; b++)
            all = all && net->last[b] == 0xff;
        if (all)
            return true;
    }
    return false;
}
