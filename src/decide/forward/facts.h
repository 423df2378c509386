#ifndef DECIDE_FORWARD_FACTS_H
#define DECIDE_FORWARD_FACTS_H

#include "base/address.h"
#include "base/span.h"

/* What the rules of a forward block are asked about: plain values, so rules need no exchange. */
enum forward_protocol { PROTOCOL_HTTP, PROTOCOL_CONNECT, PROTOCOLS };

struct facts {
    struct span method;
    struct span host;       /* as asked: lower case, no brackets, no trailing dot */
    struct address client;  /* plain */
    struct address literal; /* plain, if the host is an address; else of family AF_UNSPEC */
    const uint64_t *sets;   /* a bit for each set of names that has the host; from names_look */
    const struct standing *candidate; /* about to be dialled; NULL: not known yet */
    enum forward_protocol protocol;
    uint16_t port;
};

static inline bool facts_in_set(const struct facts *f, uint32_t set)
{
    return f->sets[set / 64] >> (set % 64) & 1;
}

/* When a fact is known. */
enum stage { STAGE_REQUEST, STAGE_ADDRESS, STAGE_HELLO, STAGE_RESPONSE };

enum truth { TRUTH_NO, TRUTH_LATER, TRUTH_YES };

static inline enum truth truth_of(bool value)
{
    return value ? TRUTH_YES : TRUTH_NO;
}
static inline enum truth truth_not(enum truth t)
{
    return (enum truth)(TRUTH_YES - t);
}
static inline enum truth truth_and(enum truth a, enum truth b)
{
    return a < b ? a : b;
}
static inline enum truth truth_or(enum truth a, enum truth b)
{
    return a > b ? a : b;
}

#endif
