#ifndef DECIDE_FORWARD_NAMES_H
#define DECIDE_FORWARD_NAMES_H

#include "base/address.h"
#include "base/span.h"

struct arena;

/* Host names as rules and lists write them (forward-semantics 2.3, Names), and one table of them
 * for a block. */
enum reach {
    REACH_ITSELF = 1, /* a.example */
    REACH_BELOW = 2,  /* *.a.example */
    REACH_BOTH = 3    /* .a.example */
};

struct name_pattern {
    struct span name; /* lower case, no dots at its ends; generation arena. Empty: an address */
    enum reach reach;
    struct address address; /* if it is one, in whatever notation */
};

enum { LONGEST_HOST = 253 };

/* NULL: read. Else why it is no host name, as the end of a message. */
const char *name_read(struct span text, struct arena *arena, struct name_pattern *ret);
/* All that `inner` matches, `outer` matches. */
bool name_covers(const struct name_pattern *outer, const struct name_pattern *inner);

/* A name of a set, for names_build. */
struct name_entry {
    struct span name;
    enum reach reach;
    uint32_t set; /* from 0 up */
};

struct names;
/* In the arena, with a secret key of its own. `sets`: how many there are. */
const struct names *names_build(const struct name_entry *entries, uint32_t count, uint32_t sets,
                                struct arena *arena);
/* How many words of 64 bits names_look fills. */
uint32_t names_words(const struct names *n);
/* Sets the bit of each set that has the host (as a requested name is: lower case, no dots at its
 * ends); one probe a label. */
void names_look(const struct names *n, struct span host, uint64_t *bits);

#endif
