/* The wheel against a model that looks at every timer. */
#include "net/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TWO_TICKS = 2 * TIMER_TICK_MS, MANY = 400 };

struct probe {
    struct timer timer;
    uint64_t due; /* TIMER_NEVER: not set */
    unsigned fired;
    struct probe *victim; /* to be unset when this one fires */
    uint64_t period;      /* to be set again after */
};

static struct wheel wheel;
static uint64_t now;

static void on_time(struct timer *t)
{
    struct probe *p = (struct probe *)(void *)t;

    assert_false(timer_is_set(t));
    if (now < p->due || now > p->due + TWO_TICKS)
        fail_msg("due %lu, fired %lu", (unsigned long)p->due, (unsigned long)now);
    p->fired++;
    p->due = TIMER_NEVER;
    if (p->victim != NULL)
        timer_unset(&wheel, &p->victim->timer);
    if (p->period > 0) {
        p->due = now + p->period;
        timer_set(&wheel, t, p->due);
    }
}

static void set(struct probe *p, uint64_t due)
{
    p->timer.on_time = on_time;
    p->due = due;
    timer_set(&wheel, &p->timer, due);
}

static void start(uint64_t at)
{
    now = at;
    wheel_init(&wheel, now);
}

/* As a loop does: sleeps until wheel_next, in steps of at most `most`. */
static void run_until(uint64_t end, uint64_t most)
{
    while (now < end) {
        uint64_t next = wheel_next(&wheel);
        uint64_t step = next > now ? next - now : 0;
        step = step < most ? step : most;
        now = step < end - now ? now + step : end;
        wheel_turn(&wheel, now);
        if (step == 0)
            now++;
    }
}

static uint64_t random_span(void)
{
    static const uint64_t spans[] = { 1, 20, 500, 5000, 33000, 4000000, 200000000, 3000000000 };

    return 1 + ((uint64_t)rand() * RAND_MAX + (uint64_t)rand()) % spans[rand() % 8];
}

static void every_timer_fires_within_two_ticks_and_never_early(void **state)
{
    static struct probe probes[MANY];
    (void)state;

    srand(1);
    for (int round = 0; round < 20; round++) {
        start(random_span());
        for (int i = 0; i < MANY; i++) {
            probes[i] = (struct probe){ 0 };
            set(&probes[i], now + random_span());
        }
        run_until(now + UINT64_C(4000000000), UINT64_MAX);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(probes[i].fired, 1);
        assert_int_equal(wheel.count, 0);
        assert_int_equal(wheel_next(&wheel), TIMER_NEVER);
    }
}

static void timers_that_are_moved_and_unset_at_random_follow_the_model(void **state)
{
    static struct probe probes[MANY];
    (void)state;

    srand(2);
    start(12345);
    for (int i = 0; i < MANY; i++)
        probes[i] = (struct probe){ .due = TIMER_NEVER };
    for (int round = 0; round < 20000; round++) {
        struct probe *p = &probes[rand() % MANY];
        size_t armed = 0;

        if (rand() % 3 > 0) {
            set(p, now + random_span() % 100000);
        } else {
            timer_unset(&wheel, &p->timer);
            p->due = TIMER_NEVER;
        }
        run_until(now + (uint64_t)rand() % 40, UINT64_MAX);
        for (int i = 0; i < MANY; i++) {
            armed += probes[i].due != TIMER_NEVER;
            assert_true(probes[i].due == TIMER_NEVER || now <= probes[i].due + TWO_TICKS);
        }
        assert_int_equal(wheel.count, armed);
    }
    for (int i = 0; i < MANY; i++)
        timer_unset(&wheel, &probes[i].timer);
    assert_int_equal(wheel_next(&wheel), TIMER_NEVER);
}

static void a_moved_timer_fires_only_at_its_new_time(void **state)
{
    struct probe p = { 0 };
    (void)state;

    start(0);
    set(&p, 100);
    set(&p, 70000);
    run_until(69999, 8);
    assert_int_equal(p.fired, 0);
    run_until(70016, 8);
    assert_int_equal(p.fired, 1);
}

static void unset_is_harmless_when_never_set(void **state)
{
    struct timer t = { 0 };
    (void)state;

    start(0);
    timer_unset(&wheel, &t);
    timer_set(&wheel, &t, TIMER_NEVER);
    assert_false(timer_is_set(&t));
    assert_int_equal(wheel.count, 0);
}

static void a_callback_may_unset_others_of_its_slot(void **state)
{
    struct probe p[3] = { 0 };
    (void)state;

    start(0);
    for (int i = 0; i < 3; i++) {
        set(&p[i], 1000);
        p[i].victim = &p[(i + 1) % 3];
    }
    run_until(1100, UINT64_MAX);
    assert_int_equal(p[0].fired + p[1].fired + p[2].fired,
                     2); /* the first one's victim stays out */
    assert_int_equal(wheel.count, 0);
}

static void a_callback_may_set_its_own_timer_again(void **state)
{
    struct probe p = { .period = 1000 };
    (void)state;

    start(3);
    set(&p, 1003);
    run_until(10100, UINT64_MAX);
    assert_in_range(p.fired, 9, 10);
    timer_unset(&wheel, &p.timer);
}

static void a_time_in_the_past_fires_at_the_next_tick(void **state)
{
    struct probe p = { 0 };
    (void)state;

    start(1000);
    set(&p, 0);
    p.due = 1000;
    assert_int_equal(wheel_next(&wheel), 1008);
    run_until(1008, UINT64_MAX);
    assert_int_equal(p.fired, 1);
}

static void a_long_stall_fires_all_that_was_due(void **state)
{
    static struct probe probes[MANY];
    (void)state;

    start(0);
    for (int i = 0; i < MANY; i++) {
        probes[i] = (struct probe){ 0 };
        set(&probes[i], (uint64_t)i * 1000);
        probes[i].due = 1000000;
    }
    now = 1000000;
    wheel_turn(&wheel, now);
    assert_int_equal(wheel.count, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_timer_fires_within_two_ticks_and_never_early),
        cmocka_unit_test(timers_that_are_moved_and_unset_at_random_follow_the_model),
        cmocka_unit_test(a_moved_timer_fires_only_at_its_new_time),
        cmocka_unit_test(unset_is_harmless_when_never_set),
        cmocka_unit_test(a_callback_may_unset_others_of_its_slot),
        cmocka_unit_test(a_callback_may_set_its_own_timer_again),
        cmocka_unit_test(a_time_in_the_past_fires_at_the_next_tick),
        cmocka_unit_test(a_long_stall_fires_all_that_was_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
