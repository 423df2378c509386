/* Offload: on the fake loop in virtual time, and with real threads under epoll. */
#include "net/offload.h"

#include "base/clock.h"
#include "net/fiber.h"
#include "net/loop.h"
#include "net/loop_fake.h"
#include "net/timer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { START = 8000, CALLERS = 40 };

static struct loop loop;

struct caller {
    enum io io;
    uint64_t deadline, done;
    unsigned calls;
    struct fiber *fiber;
    pthread_t thread;
};

static struct caller callers[CALLERS];

static void call(void *arg)
{
    struct caller *c = arg;

    c->calls++;
    c->thread = pthread_self();
}

static void ask(void *arg)
{
    struct caller *c = arg;

    c->fiber = fiber_self();
    c->io = offload(&loop, call, c, c->deadline);
    c->done = loop_now(&loop);
    c->fiber = NULL;
}

static void spawn(unsigned i, uint64_t deadline)
{
    callers[i] = (struct caller){ .io = IO_AGAIN, .deadline = deadline };
    assert_int_equal(fiber_spawn(&loop.fibers, NULL, ask, &callers[i]), 0);
}

static int setup_fake(void **state)
{
    (void)state;
    assert_int_equal(loop_init_fake(&loop, 100, NULL, START), 0);
    return 0;
}

static int setup_epoll(void **state)
{
    (void)state;
    return loop_init_epoll(&loop, 100, NULL);
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(loop.fibers.live, 0);
    offload_stop(&loop);
    loop_done(&loop);
    return 0;
}

/* --- virtual time --------------------------------------------------------------------------- */

static void a_call_takes_its_time_and_the_fiber_goes_on(void **state)
{
    (void)state;
    fake_offload(&loop, 80);
    spawn(0, START + 8);
    fake_run(&loop, START + 72);
    assert_int_equal(callers[0].calls, 0);
    fake_run(&loop, START + 1000);
    assert_int_equal(callers[0].io, IO_OK); /* its deadline was for a place in the queue */
    assert_int_equal(callers[0].calls, 1);
    assert_int_equal(callers[0].done, START + 80);
}

static void as_many_at_a_time_as_there_are_threads(void **state)
{
    (void)state;
    fake_offload(&loop, 80);
    offload_limits(&loop, 2, 100);
    for (unsigned i = 0; i < 6; i++)
        spawn(i, TIMER_NEVER);
    fake_run(&loop, START + 10000);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(callers[i].done, START + 80 * (i / 2 + 1));
}

static void a_full_queue_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    fake_offload(&loop, 800);
    offload_limits(&loop, 1, 2);
    for (unsigned i = 0; i < 3; i++)
        spawn(i, TIMER_NEVER); /* one runs, two are queued */
    spawn(3, START + 400);
    spawn(4, START + 1000);
    fake_run(&loop, START + 10000);
    assert_int_equal(callers[3].io, IO_TIMEOUT);
    assert_int_equal(callers[3].calls, 0);
    assert_in_range(callers[3].done, START + 400, START + 416);
    assert_int_equal(callers[4].io, IO_OK); /* a place was free at 800 */
    assert_int_equal(callers[4].done, START + 3200);
}

static void who_waits_for_a_place_can_be_cancelled(void **state)
{
    (void)state;
    fake_offload(&loop, 800);
    offload_limits(&loop, 1, 1);
    for (unsigned i = 0; i < 4; i++)
        spawn(i, TIMER_NEVER);
    fake_run(&loop, START + 80);
    fiber_cancel(callers[0].fiber); /* it is at work: only its end ends it */
    fiber_cancel(callers[1].fiber); /* queued */
    fiber_cancel(callers[2].fiber); /* in line */
    fake_run(&loop, START + 160);
    assert_int_equal(callers[0].io, IO_AGAIN);
    assert_int_equal(callers[1].io, IO_AGAIN);
    assert_int_equal(callers[2].io, IO_CANCELLED);
    fake_run(&loop, START + 10000);
    assert_int_equal(callers[0].io, IO_OK);
    assert_int_equal(callers[1].io, IO_OK);
    assert_int_equal(callers[2].calls, 0);
    assert_int_equal(callers[3].io, IO_OK);
}

/* --- threads -------------------------------------------------------------------------------- */

static void run_all(void)
{
    uint64_t end = clock_monotonic_ms() + 10000;

    while (loop.fibers.live > 0 && clock_monotonic_ms() < end)
        loop_turn(&loop, 100);
}

static void it_runs_in_another_thread(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CALLERS; i++)
        spawn(i, TIMER_NEVER);
    run_all();
    for (unsigned i = 0; i < CALLERS; i++) {
        assert_int_equal(callers[i].io, IO_OK);
        assert_int_equal(callers[i].calls, 1);
        assert_false(pthread_equal(callers[i].thread, pthread_self()));
    }
}

static unsigned thousands;

static void ask_often(void *arg)
{
    struct caller *c = arg;

    while (c->calls < 1000 && offload(&loop, call, c, TIMER_NEVER) == IO_OK)
        thousands++;
}

static void no_answer_is_lost_in_a_small_pool(void **state)
{
    (void)state;
    thousands = 0;
    offload_limits(&loop, 3, 2);
    for (unsigned i = 0; i < 8; i++) {
        callers[i] = (struct caller){ .calls = 0 };
        assert_int_equal(fiber_spawn(&loop.fibers, NULL, ask_often, &callers[i]), 0);
    }
    run_all();
    assert_int_equal(thousands, 8000);
    offload_limits(&loop, 1, 1); /* those that are too many end */
    spawn(0, TIMER_NEVER);
    run_all();
    assert_int_equal(callers[0].io, IO_OK);
}

int main(void)
{
#define ROW(id, test)                              \
    {                                              \
        id #test, test, setup_fake, teardown, NULL \
    }
#define FAKE(test) ROW("", test)
#define REAL(test) cmocka_unit_test_setup_teardown(test, setup_epoll, teardown)
    static const struct CMUnitTest tests[] = {
        FAKE(a_call_takes_its_time_and_the_fiber_goes_on),
        FAKE(as_many_at_a_time_as_there_are_threads),
        ROW("LIM-34-", a_full_queue_is_waited_for_until_the_deadline),
        FAKE(who_waits_for_a_place_can_be_cancelled),
        REAL(it_runs_in_another_thread),
        REAL(no_answer_is_lost_in_a_small_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
