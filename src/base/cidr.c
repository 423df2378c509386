/* Networks and ranges of addresses. */
#include "base/cidr.h"

#include "base/address.h"
#include "base/cursor.h"

static void mask(struct cidr *net, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits >= (i + 1) * 8 ? 8 : bits > i * 8 ? bits - i * 8 : 0;
        uint8_t host = (uint8_t)(0xff >> keep);

        net->first[i] &= (uint8_t)~host;
        net->last[i] |= host;
    }
}

static void one_address(const struct address *a, struct cidr *ret)
{
    ret->family = a->family;
    memcpy(ret->first, a->ip, 16);
    memcpy(ret->last, a->ip, 16);
}

bool cidr_parse(struct span text, struct cidr *ret)
{
    struct cidr found = { .family = AF_UNSPEC };
    struct span ip = text, length = { NULL, 0 };
    struct address a;
    uint64_t bits;

    if (span_is(text, "all")) {
        *ret = found;
        return true;
    }
    bool whole = !span_cut(text, '/', &ip, &length);
    if (!address_parse_ip(ip, &a))
        return false;
    unsigned width = a.family == AF_INET ? 32 : 128;
    one_address(&a, &found);
    if (!whole) {
        struct cursor c = cursor_of(length);

        if (!cursor_decimal(&c, width, &bits) || cursor_left(&c) > 0)
            return false;
        mask(&found, (unsigned)bits);
        if (a.family == AF_INET) {
            memset(found.first + 4, 0, 12);
            memset(found.last + 4, 0, 12);
        }
    }
    *ret = found;
    return true;
}

bool cidr_parse_range(struct span text, struct cidr *ret)
{
    struct span from, to;
    struct address first, last;
    struct cidr found = { 0 };

    if (!span_cut(text, '-', &from, &to))
        return cidr_parse(text, ret);
    if (!address_parse_ip(from, &first) || !address_parse_ip(to, &last) ||
        first.family != last.family || memcmp(first.ip, last.ip, 16) > 0)
        return false;
    found.family = first.family;
    memcpy(found.first, first.ip, 16);
    memcpy(found.last, last.ip, 16);
    *ret = found;
    return true;
}

bool cidr_has(const struct cidr *net, const struct address *a)
{
    struct address plain = address_unmap(a);

    if (net->family == AF_UNSPEC)
        return true;
    return net->family == plain.family && memcmp(net->first, plain.ip, 16) <= 0 &&
           memcmp(plain.ip, net->last, 16) <= 0;
}

bool cidr_inside(const struct cidr *inner, const struct cidr *outer)
{
    if (outer->family == AF_UNSPEC)
        return true;
    return inner->family == outer->family && memcmp(outer->first, inner->first, 16) <= 0 &&
           memcmp(inner->last, outer->last, 16) <= 0;
}
