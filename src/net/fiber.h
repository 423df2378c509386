#ifndef NET_FIBER_H
#define NET_FIBER_H

#include "base/link.h"
#include "net/io.h"
#include "net/timer.h"

/* Fibers: straight-line code that waits. Stackful, cooperative, one thread. A stack is 64 KiB
 * with a guard of 64 KiB below, pooled and never given back on reuse.
 *
 *        spawn             fiber_wait               wait_wake
 *     -----------> ready ------------> sleeping ----------------> ready ...
 *                    |  run returns
 *                    +--------------> ended (its stack goes back to the pool)
 * / */

struct fiber;
struct fibers;

/* The only way to sleep. Lies on the sleeper's stack; whoever can wake it holds a pointer to it. */
struct wait {
    struct fiber *fiber;
    enum wake why;
    bool fired;
    struct timer timer;
    /* Timeout or cancel: let go of the event source. True: done, wake now. False: the kernel still
     * holds our memory; wait_wake() will come when it lets go (io_uring). NULL means true. */
    bool (*abandon)(struct wait *);
    void *source; /* for abandon */
};

/* Sleeps until wait_wake, `deadline` or cancellation. Every wait has a deadline (TIMER_NEVER
 * only for what ends by cancellation). The caller has zeroed `w` but for abandon and source, and
 * has left it where a waker will find it. */
enum wake fiber_wait(struct wait *w, uint64_t deadline);
void wait_wake(struct wait *w, enum wake why); /* queues the fiber; never switches; once */

/* Children: spawned into a family on their parent's stack; none outlives it. */
struct family {
    struct fiber *first;
    struct wait *joiner;
};
/* `family` NULL: detached. -ENOMEM: no stack (the cap on fibers, or the kernel refused). The
 * child runs from the next turn of the run queue on. `owner`: the scheduler; NULL: that of the
 * caller's fiber. */
int fiber_spawn(struct fibers *owner, struct family *family, void (*run)(void *), void *arg);
/* Cancels every child, then waits for the last (not cancellable). */
void family_end(struct family *f);
/* Waits for the last; cancels them if we are cancelled. */
void family_join(struct family *f);

/* Sticky: this and every later wait of the fiber returns WAKE_CANCEL at once. */
void fiber_cancel(struct fiber *f);
bool fiber_cancelled(void); /* the running one */
/* The running fiber has heard why it was cancelled (a child's news) and goes on: later waits
 * wait again. */
void fiber_revive(void);
/* +1, -1: clean-up that must still wait (with a short deadline). Returns the depth. */
int fiber_shield(int add);
/* The running fiber; NULL on the loop's own stack. */
struct fiber *fiber_self(void);
/* Lets others run; comes back in the next turn of the loop. */
void fiber_yield(void);
/* A deep call that never waits, on the loop's own stack. */
void *fiber_on_loop_stack(void *(*fn)(void *), void *arg);

/* The scheduler of one thread: the run queue and the pool of stacks. The loop owns one. */
struct fibers {
    struct fiber *ready, **ready_end;
    struct fiber *yielded, **yielded_end;
    struct fiber *idle; /* stacks to use again; owned */
    struct link made;   /* all stacks, idle or not */
    struct fiber *running;
    void *loop_sp;
    struct wheel *wheel;
    struct budget *budget;          /* charged with each stack */
    uint32_t live, idle_count, max; /* max: the cap on fibers */
    uint64_t started;               /* ever */
    uint64_t cancel_in;             /* tests: the wait so many from now is cancelled; 0: none */
    /* Called, on the loop's stack, whenever all that were woken have run: one may have ended, and
     * its stack serve somebody who waits for one. NULL: nobody does. */
    void (*on_room)(void *arg);
    void *room_arg;
};

void fibers_init(struct fibers *fs, struct wheel *wheel, uint32_t max, struct budget *budget);
void fibers_done(struct fibers *fs);      /* no fiber may be alive */
void fibers_run_queue(struct fibers *fs); /* the loop: resume what was woken, until none is left */
bool fibers_have_yielded(const struct fibers *fs); /* then the loop's next turn does not sleep */
void fibers_trim(struct fibers *fs); /* once a second: surplus stacks go back to the kernel */

#endif
