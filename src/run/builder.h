#ifndef RUN_BUILDER_H
#define RUN_BUILDER_H

#include "base/buf.h"
#include "net/sock.h"

#include <pthread.h>

struct generation;

/* Builds generations beside the loop, in a thread: built in it, one of 10,000 servers stopped it
 * for 47 ms. One at a time. */
struct builder {
    struct sock done; /* an eventfd that the thread writes to */
    pthread_t thread;
    int bundle; /* -1: nothing is being built */
    struct generation *result;
    struct buf messages;
    void (*on_done)(struct builder *b, struct generation *g, struct buf *messages);
};

/* 0 or -errno. */
int builder_open(struct builder *b, struct loop *l,
                 void (*on_done)(struct builder *b, struct generation *g, struct buf *messages));
/* Takes the bundle over. `on_done` comes once, from the loop: with a generation, or NULL and why.
 * 0 or -errno: then it does not come. */
int builder_start(struct builder *b, int bundle);
static inline bool builder_is_busy(const struct builder *b)
{
    return b->bundle >= 0;
}
void builder_close(struct builder *b); /* it is not busy */

#endif
