#ifndef NET_PUMP_H
#define NET_PUMP_H

#include "net/io.h"

#include <stdint.h>

struct conn;

/* A tunnel once it is answered: two directions, no fiber. Event driven; each direction reads up to
 * one buffer, writes it whole, then reads again; after `splice_after` bytes one way on plain conns
 * it splices through a pipe. Half-close and reset are passed on as such. Under 1 KiB when idle. */
struct pump_options {
    uint64_t idle_ms; /* silence both ways ends it */
    /* After b's FIN. After a's FIN each byte of b renews it: the answer may be long. */
    uint64_t half_close_ms;
    uint64_t splice_after; /* bytes; 0: never splice */
};

struct pump_result {
    uint64_t bytes[2]; /* delivered: from a to b, from b to a */
    /* IO_EOF: clean end of that direction; IO_FAILED: reset; IO_TIMEOUT; IO_CANCELLED: pump_stop */
    enum io why[2];
};

struct pump;

/* `a` is who asked for the tunnel, `b` where it leads. Takes both conns over and closes both.
 * `on_end` comes once, from the loop, when both are closed: their memory is the caller's again.
 * -ENOMEM: nothing was taken over. */
int pump_start(struct conn *a, struct conn *b, const struct pump_options *options,
               void (*on_end)(void *arg, const struct pump_result *), void *arg, struct pump **ret);
/* on_end still comes, once. Who is owed bytes that will not come sees a reset. */
void pump_stop(struct pump *p);
struct pump_result pump_now(const struct pump *p); /* the bytes so far */

#endif
