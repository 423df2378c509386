#ifndef DECIDE_FORWARD_ASKED_H
#define DECIDE_FORWARD_ASKED_H

#include <stdbool.h>
#include <stdint.h>

struct destination;
struct exchange;

/* What a client of the forward face asked for (forward-semantics 3.1, 3.2). */
struct asked_fault {
    unsigned status; /* 0: none */
    const char *why; /* one sentence, of constant text */
};

/* Fills `ret` (spans in the exchange's arena) unless there is a fault. */
struct asked_fault asked_read(struct exchange *x, struct destination *ret);

/* The request was here before, or went over more than `most_hops` proxies: Via, Bifrons-Hop. */
bool asked_in_a_loop(const struct exchange *x, uint64_t most_hops);

/* OPTIONS with `Max-Forwards: 0` is to be answered here; of a higher one, one is taken off (RFC
 * 9110 7.6.2). */
bool asked_ends_here(struct exchange *x);

#endif
