#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/clock.h"
#include "base/link.h"
#include "net/block.h"
#include "net/fiber.h"
#include "net/timer.h"

#include <sys/uio.h>

/* One worker's loop. Behind it a backend: epoll (loop_epoll.c), a fake with a virtual clock for
 * tests (loop_fake.c), later io_uring.
 *
 * A turn: wait for events or the next timer, note the time once, handle the events, call the
 * sockets that asked to be called again, fire the timers, run the woken fibers, end what was
 * closed, run the end-of-turn callbacks. */

struct loop_ops;
struct offload_pool;

/* Called at the end of each turn in which it was armed: the logs' one write, the pool's sweep. */
struct turn_end {
    void (*fn)(struct turn_end *);
    struct turn_end *next;
    bool armed;
};

struct loop {
    const struct loop_ops *ops;
    void *backend;  /* owned by the backend */
    uint64_t now;   /* ms, monotonic, read once a turn */
    uint64_t turns; /* ever begun */
    struct clock clock;
    struct wheel wheel;
    struct fibers fibers;
    struct block_pool blocks;
    struct budget *budget;
    struct link again;   /* sockets to be called in the next turn */
    struct link closing; /* sockets to end in this turn */
    struct turn_end *ends;
    struct timer second;          /* trims the pools */
    struct offload_pool *offload; /* offload.h; made when it is needed; owned */
    bool stopping;
    uint32_t open_socks;
};

/* The backend's own memory is made here. 0 or -errno. */
int loop_init_epoll(struct loop *l, uint32_t max_fibers, struct budget *budget);
void loop_done(struct loop *l);
/* Turns until loop_stop; returns 0, or -errno when the backend fails. */
int loop_run(struct loop *l);
/* One turn; at most `timeout_ms` of waiting (-1: until the next timer). */
int loop_turn(struct loop *l, int timeout_ms);
void loop_stop(struct loop *l);
static inline uint64_t loop_now(const struct loop *l)
{
    return l->now;
}
void loop_at_turn_end(struct loop *l, struct turn_end *e); /* arms it, once a turn */

#endif
