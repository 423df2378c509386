#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "base/address.h"
#include "net/io.h"

struct conn;

/* Connects to the first candidate that may be dialled and answers. With a head start, and
 * candidates of two families, both are tried side by side (RFC 8305): that of the first candidate
 * at once, the other when the head start is over, or a candidate of the first has failed. Within a
 * family one comes after the other. If both open in the same turn, the first family's stays. */
struct dial {
    struct loop *loop;
    const struct address *candidates; /* in order; with ports */
    unsigned count;
    /* Asked for each candidate right before its connect; NULL: all may. */
    bool (*may)(void *arg, const struct address *candidate);
    void *arg;
    const struct address *source; /* to bind; NULL: the kernel's choice */
    uint64_t each_ms;             /* for one candidate */
    uint64_t head_start_ms;       /* 0: no race */
    uint64_t deadline;
};

enum { DIAL_HEAD_START_MS = 250 }; /* RFC 8305 5: the recommended one */

struct dial_result {
    struct address address; /* the one that answered, or the last tried */
    /* Of the worst failure: ETIMEDOUT, then ECONNREFUSED, then unroutable; 0: none. */
    int error;
    unsigned tried;   /* connects begun */
    unsigned refused; /* candidates that `may` refused */
};

/* On a fiber. IO_OK: `c` (zeroed before) is open. IO_FAILED: none answered, see the result.
 * IO_TIMEOUT, IO_CANCELLED. A connection to itself (our own address and port at both ends) is
 * closed and counts as ECONNREFUSED (TUN-11). On failure `c` is zeroed again. */
enum io dial(const struct dial *d, struct conn *c, struct dial_result *ret);

#endif
