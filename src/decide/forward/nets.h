#ifndef DECIDE_FORWARD_NETS_H
#define DECIDE_FORWARD_NETS_H

#include "base/span.h"
#include "conf/settings.h"

struct address;
struct arena;
struct conf_call;

/* Networks, addresses and ranges that a rule or a list names. Zeroed: none. */
struct nets {
    struct conf_list given; /* of struct cidr; as written */
    struct cidr *sorted; /* the same, ascending and apart; set by nets_finish; generation arena */
    uint32_t sorted_count;
};

/* An address, a network, `A-B`; a form that only wraps IPv4 becomes IPv4. False: none of them. */
bool nets_parse(struct span text, struct cidr *ret);
bool nets_add(struct conf_call *call, struct nets *n, const struct cidr *net);
/* Call once all are added, before anything is asked. */
void nets_finish(struct nets *n, struct arena *arena);

static inline bool nets_any(const struct nets *n)
{
    return n->given.len > 0;
}
/* `a`: as floor_plain made it. Takes log2 of their number. */
bool nets_has(const struct nets *n, const struct address *a);
/* Each address of `inner` is in `outer`. */
bool nets_cover(const struct nets *outer, const struct nets *inner);
/* All addresses of a family are in it. */
bool nets_is_everyone(const struct nets *n);

#endif
