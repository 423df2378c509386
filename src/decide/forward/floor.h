#ifndef DECIDE_FORWARD_FLOOR_H
#define DECIDE_FORWARD_FLOOR_H

#include "base/address.h"
#include "base/span.h"

struct cidr;

/* The address floor (forward-semantics 4.2): where nobody is taken unless a rule names it. */
enum floor_word {
    FLOOR_NONE, /* an ordinary public address */
    FLOOR_UNSPECIFIED,
    FLOOR_LOOPBACK,
    FLOOR_PRIVATE,
    FLOOR_SHARED,
    FLOOR_LINKLOCAL,
    FLOOR_METADATA,
    FLOOR_PROTOCOL,
    FLOOR_DOCUMENTATION,
    FLOOR_BENCHMARK,
    FLOOR_MULTICAST,
    FLOOR_RESERVED,
    FLOOR_TRANSITION,
    FLOOR_OWN,
    FLOOR_SPECIAL, /* only in rules: all of them */
    FLOOR_WORDS
};

struct floor_range;

/* What the floor says of an address. */
struct standing {
    struct address plain; /* the address; of a form that holds an IPv4 address: that one */
    const struct floor_range *range; /* the narrowest it lies in; NULL: none */
    enum floor_word word;            /* the one that counts; FLOOR_NONE: may be dialled */
    uint32_t words;                  /* 1 << word for each it falls under, FLOOR_SPECIAL too */
};

const char *floor_word_name(enum floor_word word); /* of FLOOR_NONE: "public" */
/* False: no such word. */
bool floor_word_parse(struct span text, enum floor_word *ret);

/* IPv4 taken out of the IPv6 forms that only wrap it (mapped, translated, compatible, NAT64); else
 * the same. */
struct address floor_plain(const struct address *a);
/* `own`: it is one of this machine's addresses. */
struct standing floor_stand(const struct address *a, bool own);

/* Does naming this word in an allow rule open the floor here? */
bool floor_word_opens(const struct standing *s, enum floor_word word);
/* Does naming this network? Only if it holds the address and lies inside the range; metadata and
 * own addresses open for the single address alone. */
bool floor_net_opens(const struct standing *s, const struct cidr *net);

#endif
