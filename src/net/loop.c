/* The turn of a loop, whatever stands behind it.
 *
 *     [backend: wait, note the time, events] -> again -> timers -> fibers -> closing -> turn ends
 *
 * What is queued while a queue is worked off is handled in the next turn, which then does not
 * sleep.
 *
 * Owns the wheel, the fibers' scheduler and the pool of blocks; sockets belong to those who
 * embed them. */
#include "net/loop.h"

#include "net/loop_backend.h"
#include "net/must.h"
#include "net/sock.h"

#include <limits.h>

void loop_init(struct loop *l, const struct loop_ops *ops, uint64_t now)
{
    *l = (struct loop){ .ops = ops };
    link_init(&l->again);
    link_init(&l->closing);
    wheel_init(&l->wheel, now);
}

void loop_limits(struct loop *l, uint32_t max_fibers, struct budget *budget)
{
    l->budget = budget;
    fibers_init(&l->fibers, &l->wheel, max_fibers, budget);
    block_pool_init(&l->blocks, budget);
}

void loop_done(struct loop *l)
{
    must(l->open_socks == 0);
    timer_unset(&l->wheel, &l->second);
    fibers_done(&l->fibers);
    block_pool_done(&l->blocks);
    l->ops->done(l);
}

void loop_note_time(struct loop *l, uint64_t now)
{
    l->now = now;
    clock_set(&l->clock, l->ops->wall_ms(l));
}

bool loop_has_work(const struct loop *l)
{
    return l->fibers.ready != NULL || fibers_have_yielded(&l->fibers) || !link_alone(&l->again) ||
           !link_alone(&l->closing) || l->ends != NULL;
}

static int sleep_time(const struct loop *l, int timeout_ms)
{
    uint64_t next = wheel_next(&l->wheel);

    if (loop_has_work(l) || next <= l->now)
        return 0;
    if (next == TIMER_NEVER)
        return timeout_ms;
    uint64_t ms = next - l->now < INT_MAX ? next - l->now : INT_MAX;
    return timeout_ms >= 0 && (uint64_t)timeout_ms < ms ? timeout_ms : (int)ms;
}

static void work_off(struct link *now, void (*fn)(struct sock *))
{
    while (!link_alone(now)) {
        struct link *first = now->next;
        link_remove(first);
        fn(CONTAINER(first, struct sock, queue));
    }
}

static void end_turn(struct loop *l)
{
    struct turn_end *ends = l->ends;

    l->ends = NULL;
    while (ends != NULL) {
        struct turn_end *e = ends;
        ends = e->next;
        e->armed = false;
        e->fn(e);
    }
}

void loop_at_turn_end(struct loop *l, struct turn_end *e)
{
    if (e->armed)
        return;
    e->armed = true;
    e->next = l->ends;
    l->ends = e;
}

int loop_turn(struct loop *l, int timeout_ms)
{
    int ms = sleep_time(l, timeout_ms);
    struct link again, closing;

    l->turns++;
    link_take_all(&l->again, &again);
    int error = l->ops->turn(l, ms);
    work_off(&again, sock_call_again);
    wheel_turn(&l->wheel, l->now);
    fibers_run_queue(&l->fibers);
    link_take_all(&l->closing, &closing);
    work_off(&closing, sock_finish);
    end_turn(l);
    return error;
}

int loop_run(struct loop *l)
{
    int error = 0;

    while (!l->stopping && error == 0)
        error = loop_turn(l, -1);
    l->stopping = false;
    return error;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}
