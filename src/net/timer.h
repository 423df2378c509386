#ifndef NET_TIMER_H
#define NET_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A wheel of timers: 4 levels of 64 slots, one tick 8 ms. Timers are embedded in what they time;
 * set, move and delete take constant time. Times are milliseconds of the loop's clock. A timer
 * fires at its time or up to two ticks later, never before. */
struct timer {
    struct timer *next;
    struct timer **pprev; /* NULL: not set */
    uint64_t at;
    void (*on_time)(struct timer *); /* from the loop; the timer is no longer set */
};

enum { TIMER_TICK_MS = 8, WHEEL_LEVELS = 4, WHEEL_SLOTS = 64 };

struct wheel {
    uint64_t tick; /* the last one worked off */
    uint64_t occupied[WHEEL_LEVELS];
    struct timer *slot[WHEEL_LEVELS][WHEEL_SLOTS];
    struct timer *far; /* beyond the wheel: looked at when the top level turns */
    size_t count;
};

#define TIMER_NEVER UINT64_MAX

void wheel_init(struct wheel *w, uint64_t now);
/* Also moves; TIMER_NEVER: as timer_unset. */
void timer_set(struct wheel *w, struct timer *t, uint64_t at);
/* Also when it is not set, also zeroed. */
void timer_unset(struct wheel *w, struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
    return t->pprev != NULL;
}
/* When the loop must look again at the latest (from the occupancy bitmaps); TIMER_NEVER: nothing
 * set. */
uint64_t wheel_next(const struct wheel *w);
/* Fires what is due. A callback may set and unset any timer. */
void wheel_turn(struct wheel *w, uint64_t now);

#endif
