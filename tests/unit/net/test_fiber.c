/* Fibers without a loop: the test turns the wheel and the run queue by hand. */
#include "net/fiber.h"

#include "base/budget.h"
#include "net/stack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct wheel wheel;
static struct fibers fibers;
static struct budget budget;
static uint64_t now;
static char story[256]; /* what happened, a letter each */

static void tell(char c)
{
    size_t n = strlen(story);

    assert_true(n < sizeof(story) - 1);
    story[n] = c;
    story[n + 1] = '\0';
}

static int setup(void **state)
{
    (void)state;
    now = 1000;
    story[0] = '\0';
    budget = (struct budget){ .max = SIZE_MAX };
    wheel_init(&wheel, now);
    fibers_init(&fibers, &wheel, 100000, &budget);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fibers_done(&fibers);
    return wheel.count == 0 && budget.used == 0 ? 0 : -1;
}

static void spawn(void (*run)(void *), void *arg)
{
    assert_int_equal(fiber_spawn(&fibers, NULL, run, arg), 0);
}

static void turn(uint64_t ms)
{
    now += ms;
    wheel_turn(&wheel, now);
    fibers_run_queue(&fibers);
}

/* --- running --- */

static void print_floats(void *arg)
{
    snprintf(arg, 64, "%.3f %.1Lf", 1.0 / 3, (long double)2.5);
}

static void a_fiber_may_print_floats_its_stack_is_aligned(void **state)
{
    char text[64] = "";
    (void)state;

    spawn(print_floats, text);
    turn(0);
    assert_string_equal(text, "0.333 2.5");
    assert_int_equal(fibers.live, 0);
}

static void tell_arg(void *arg)
{
    tell(*(char *)arg);
}

static void spawn_two(void *arg)
{
    (void)arg;
    tell('p');
    fiber_spawn(NULL, NULL, tell_arg, "a");
    fiber_spawn(NULL, NULL, tell_arg, "b");
    tell('q');
}

static void children_run_after_their_parent_waits_or_ends_in_order(void **state)
{
    (void)state;
    spawn(spawn_two, NULL);
    turn(0);
    assert_string_equal(story, "pqab");
}

static void yield_twice(void *arg)
{
    for (int i = 0; i < 3; i++) {
        tell(*(char *)arg);
        if (i < 2)
            fiber_yield();
    }
}

static void who_yields_comes_back_in_the_next_turn_after_the_others(void **state)
{
    (void)state;
    spawn(yield_twice, "x");
    spawn(yield_twice, "y");
    turn(0);
    assert_string_equal(story, "xy");
    assert_true(fibers_have_yielded(&fibers));
    turn(0);
    assert_string_equal(story, "xyxy");
    turn(0);
    assert_string_equal(story, "xyxyxy");
    assert_false(fibers_have_yielded(&fibers));
}

static void *go_deep(void *arg)
{
    char deep[300 * 1024]; /* more than a fiber's stack */

    memset(deep, *(char *)arg, sizeof(deep));
    tell(deep[sizeof(deep) / 2]);
    assert_null(fiber_self());
    return deep[1] == 'd' ? arg : NULL;
}

static void call_deep(void *arg)
{
    struct fiber *self = fiber_self();

    assert_ptr_equal(fiber_on_loop_stack(go_deep, arg), arg);
    assert_ptr_equal(fiber_self(), self);
    tell('e');
}

static void a_deep_call_runs_on_the_loops_stack_and_comes_back(void **state)
{
    (void)state;
    spawn(call_deep, "d");
    turn(0);
    assert_string_equal(story, "de");
    assert_ptr_equal(fiber_on_loop_stack(go_deep, "d"), "d");
}

/* --- waiting --- */

struct sleeper {
    struct wait wait;
    struct fiber *fiber;
    uint64_t deadline;
    enum wake why;
    uint64_t woke_at;
};

static void sleep_once(void *arg)
{
    struct sleeper *s = arg;

    s->fiber = fiber_self();
    s->why = fiber_wait(&s->wait, s->deadline);
    s->woke_at = now;
    tell('w');
}

static void a_wake_queues_and_never_switches(void **state)
{
    struct sleeper s = { .deadline = TIMER_NEVER };
    (void)state;

    spawn(sleep_once, &s);
    turn(0);
    wait_wake(&s.wait, WAKE_DONE);
    assert_string_equal(story, "");
    wait_wake(&s.wait, WAKE_CANCEL); /* the second one is nothing */
    turn(0);
    assert_string_equal(story, "w");
    assert_int_equal(s.why, WAKE_DONE);
}

static void a_wait_that_was_woken_before_returns_at_once(void **state)
{
    struct sleeper s = { .deadline = TIMER_NEVER };
    (void)state;

    wait_wake(&s.wait, WAKE_DONE);
    spawn(sleep_once, &s);
    turn(0);
    assert_string_equal(story, "w");
    assert_int_equal(s.why, WAKE_DONE);
}

static void a_deadline_is_kept_within_two_ticks(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 700; ms += 7) {
        struct sleeper s = { .deadline = now + ms };
        spawn(sleep_once, &s);
        turn(0);
        while (fibers.live > 0)
            turn(1);
        assert_int_equal(s.why, WAKE_TIMEOUT);
        assert_in_range(s.woke_at, s.deadline, s.deadline + 2 * TIMER_TICK_MS);
        story[0] = '\0';
    }
}

static void a_wake_before_the_deadline_takes_the_timer_along(void **state)
{
    struct sleeper s = { .deadline = now + 50 };
    (void)state;

    spawn(sleep_once, &s);
    turn(0);
    assert_int_equal(wheel.count, 1);
    wait_wake(&s.wait, WAKE_DONE);
    assert_int_equal(wheel.count, 0);
    turn(100);
    assert_int_equal(s.why, WAKE_DONE);
}

/* --- letting go --- */

static bool holds_on(struct wait *w)
{
    (void)w;
    tell('h');
    return false;
}

static bool lets_go_by_waking(struct wait *w)
{
    tell('g');
    wait_wake(w, WAKE_DONE);
    return true;
}

static void a_timeout_waits_until_the_kernel_has_let_go(void **state)
{
    struct sleeper s = { .wait.abandon = holds_on, .deadline = now + 8 };
    (void)state;

    spawn(sleep_once, &s);
    turn(0);
    turn(100);
    fiber_cancel(s.fiber); /* gave up already: asked once only */
    turn(100);
    assert_string_equal(story, "h");
    wait_wake(&s.wait, WAKE_DONE); /* the late answer to the cancel */
    turn(0);
    assert_string_equal(story, "hw");
    assert_int_equal(s.why, WAKE_TIMEOUT);
}

static void cancel_then_sleep(void *arg)
{
    fiber_cancel(fiber_self());
    sleep_once(arg);
}

static void a_cancelled_fiber_too_sleeps_until_the_kernel_has_let_go(void **state)
{
    struct sleeper s = { .wait.abandon = holds_on, .deadline = TIMER_NEVER };
    (void)state;

    spawn(cancel_then_sleep, &s);
    turn(0);
    assert_string_equal(story, "h");
    wait_wake(&s.wait, WAKE_DONE);
    turn(0);
    assert_int_equal(s.why, WAKE_CANCEL);
}

static void letting_go_by_a_wake_resumes_once(void **state)
{
    struct sleeper s = { .wait.abandon = lets_go_by_waking, .deadline = now + 8 };
    struct sleeper t = { .wait.abandon = lets_go_by_waking, .deadline = now + 8 };
    (void)state;

    spawn(sleep_once, &s);
    turn(0);
    turn(100);
    assert_string_equal(story, "gw");
    spawn(cancel_then_sleep, &t);
    turn(0);
    assert_string_equal(story, "gwgw");
    assert_int_equal(t.why, WAKE_CANCEL);
}

/* --- cancellation --- */

static enum wake sleep_for(uint64_t ms)
{
    struct wait w = { 0 };

    return fiber_wait(&w, now + ms);
}

static void sleep_thrice_shielded_last(void *arg)
{
    *(struct fiber **)arg = fiber_self();
    assert_int_equal(sleep_for(1000), WAKE_CANCEL);
    assert_int_equal(sleep_for(1000), WAKE_CANCEL); /* sticky */
    assert_true(fiber_cancelled());
    assert_int_equal(fiber_shield(+1), 1);
    tell('s');
    assert_int_equal(sleep_for(16), WAKE_TIMEOUT);
    assert_int_equal(fiber_shield(-1), 0);
    assert_int_equal(sleep_for(1000), WAKE_CANCEL);
    tell('e');
}

static void cancellation_is_sticky_and_a_shield_holds_it_off(void **state)
{
    struct fiber *f;
    (void)state;

    spawn(sleep_thrice_shielded_last, &f);
    turn(0);
    fiber_cancel(f);
    turn(0);
    assert_string_equal(story, "s");
    fiber_cancel(f);
    turn(0);
    assert_string_equal(story, "s");
    turn(32);
    assert_string_equal(story, "se");
}

static void expect_cancel(void *arg)
{
    (void)arg;
    tell(sleep_for(1000) == WAKE_CANCEL ? 'c' : 'x');
}

static void cancel_child_unborn(void *arg)
{
    struct family family = { 0 };

    (void)arg;
    fiber_spawn(NULL, &family, expect_cancel, NULL);
    fiber_cancel(family.first);
    family_join(&family);
    tell('j');
}

static void a_fiber_cancelled_before_it_ran_meets_it_at_its_first_wait(void **state)
{
    (void)state;
    spawn(cancel_child_unborn, NULL);
    turn(0);
    assert_string_equal(story, "cj");
}

/* --- families --- */

static void child_sleeps(void *arg)
{
    sleep_for((uint64_t)(uintptr_t)arg);
    tell('c');
}

static void join_three(void *arg)
{
    struct family family = { 0 };

    *(struct fiber **)arg = fiber_self();
    for (uintptr_t ms = 100; ms <= 300; ms += 100)
        fiber_spawn(NULL, &family, child_sleeps, (void *)ms);
    family_join(&family);
    tell('p');
}

static void a_join_waits_for_the_last_child(void **state)
{
    struct fiber *f;
    (void)state;

    spawn(join_three, &f);
    turn(0);
    turn(150);
    turn(100);
    assert_string_equal(story, "cc");
    turn(100);
    assert_string_equal(story, "cccp");
}

static void a_cancelled_join_cancels_the_children(void **state)
{
    struct fiber *f;
    (void)state;

    spawn(join_three, &f);
    turn(0);
    fiber_cancel(f);
    turn(0);
    assert_string_equal(story, "cccp");
}

static void child_cleans_up_slowly(void *arg)
{
    sleep_for(10000);
    fiber_shield(+1);
    sleep_for(100);
    fiber_shield(-1);
    tell(*(char *)arg);
}

static void end_two(void *arg)
{
    struct family family = { 0 };

    *(struct fiber **)arg = fiber_self();
    fiber_spawn(NULL, &family, child_cleans_up_slowly, "a");
    fiber_spawn(NULL, &family, child_cleans_up_slowly, "b");
    fiber_yield();
    family_end(&family);
    tell('p');
}

static void the_end_of_a_family_waits_for_shielded_clean_up_even_when_cancelled(void **state)
{
    struct fiber *f;
    (void)state;

    spawn(end_two, &f);
    turn(0);
    turn(0);
    fiber_cancel(f);
    turn(0);
    assert_string_equal(story, "");
    turn(120);
    assert_int_equal(strlen(story), 3);
    assert_int_equal(story[2], 'p');
}

static struct family *endless;

static void child_has_a_child(void *arg)
{
    sleep_for(10000);
    if (arg != NULL)
        fiber_spawn(NULL, endless, child_has_a_child, NULL);
    tell('c');
}

static void end_endless(void *arg)
{
    struct family family = { 0 };

    endless = &family;
    fiber_spawn(NULL, &family, child_has_a_child, arg);
    fiber_yield();
    family_end(&family);
    tell('p');
}

static void a_child_born_while_its_family_ends_is_cancelled_too(void **state)
{
    (void)state;
    spawn(end_endless, "more");
    turn(0);
    turn(0);
    turn(0);
    assert_string_equal(story, "ccp");
}

/* A parent with a wait of every kind, children over its own stack, and clean-up on each path. */
static void worker_child(void *arg)
{
    int *value = arg; /* on the parent's stack */

    for (int i = 0; i < 3; i++) {
        ++*value;
        if (sleep_for(20) == WAKE_CANCEL)
            return;
    }
}

static bool work_in_steps(int *value, struct family *family)
{
    if (sleep_for(10) == WAKE_CANCEL)
        return false;
    fiber_spawn(NULL, family, worker_child, value);
    if (sleep_for(10) == WAKE_CANCEL)
        return false;
    fiber_spawn(NULL, family, worker_child, value);
    fiber_yield();
    family_join(family);
    return sleep_for(10) != WAKE_CANCEL;
}

static void work(void *arg)
{
    struct family family = { 0 };
    int value = 0;

    *(struct fiber **)arg = fiber_self();
    bool whole = work_in_steps(&value, &family);
    family_end(&family);
    tell(whole && value == 6 ? 'w' : 'c');
}

static void cancelled_at_each_wait_in_turn_no_child_outlives_its_parent(void **state)
{
    unsigned cancelled = 0;
    (void)state;

    for (uint64_t at = 0;; at += 4) {
        struct fiber *f = NULL;
        story[0] = '\0';
        spawn(work, &f);
        turn(0);
        for (uint64_t ms = 0; ms < at && fibers.live > 0; ms += 2)
            turn(2);
        if (fibers.live == 0)
            break;
        fiber_cancel(f);
        for (int i = 0; i < 3; i++)
            turn(0);
        assert_string_equal(story, "c");
        assert_int_equal(fibers.live, 0);
        assert_int_equal(wheel.count, 0);
        cancelled++;
    }
    assert_string_equal(story, "w");
    assert_true(cancelled > 10);
}

/* --- stacks --- */

static void nothing(void *arg)
{
    (void)arg;
}

static void over_the_cap_no_fiber_is_born(void **state)
{
    (void)state;
    fibers.max = 2;
    spawn(nothing, NULL);
    spawn(nothing, NULL);
    assert_int_equal(fiber_spawn(&fibers, NULL, nothing, NULL), -ENOMEM);
    turn(0);
    spawn(nothing, NULL);
    turn(0);
    assert_int_equal(fibers.started, 3);
}

static void over_the_budget_no_stack_is_made_but_an_idle_one_serves(void **state)
{
    (void)state;
    spawn(nothing, NULL);
    turn(0);
    budget.max = budget.used;
    spawn(nothing, NULL);
    assert_int_equal(fiber_spawn(&fibers, NULL, nothing, NULL), -ENOMEM);
    turn(0);
}

static void trim_gives_the_surplus_back(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        spawn(nothing, NULL);
    turn(0);
    assert_int_equal(fibers.idle_count, 500);
    for (int second = 0; second < 10; second++)
        fibers_trim(&fibers);
    assert_in_range(fibers.idle_count, 1, 100);
    spawn(nothing, NULL);
    turn(0);
}

static int depth_of(int n)
{
    volatile char room[1024];

    room[n % 1024] = (char)n;
    return n == 0 ? room[0] : depth_of(n - 1) + room[n % 1024];
}

static void overflow(void *arg)
{
    *(int *)arg = depth_of(10 * 1000 * 1000);
}

static void an_overflowing_stack_dies_in_its_guard(void **state)
{
    int status = 0;
    (void)state;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int result;
        close(STDERR_FILENO);
        spawn(overflow, &result);
        fibers_run_queue(&fibers);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static unsigned long most_mappings(void)
{
    unsigned long most = 0;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "r");

    if (f == NULL || fscanf(f, "%lu", &most) != 1)
        most = 0;
    if (f != NULL)
        fclose(f);
    return most;
}

struct mapping {
    unsigned long begin, end;
    char rights[5];
};

static bool read_mapping(FILE *maps, struct mapping *ret)
{
    int fields = fscanf(maps, "%lx-%lx %4s%*[^\n]", &ret->begin, &ret->end, ret->rights);

    return fields == 3;
}

/* Mappings that are a stack, and what lies right below is no guard. */
static unsigned unguarded_stacks(unsigned *ret_stacks)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    struct mapping below = { 0 }, m = { 0 };
    unsigned bad = 0;

    *ret_stacks = 0;
    assert_true(maps != NULL);
    while (read_mapping(maps, &m)) {
        if (m.end - m.begin == STACK_SIZE && strncmp(m.rights, "rw-p", 4) == 0) {
            bool guarded = below.end == m.begin && below.rights[0] == '-' &&
                           below.end - below.begin >= STACK_GUARD;
            bad += !guarded;
            ++*ret_stacks;
        }
        below = m;
    }
    fclose(maps);
    return bad;
}

static unsigned woken;

static void sleep_till_cancelled(void *arg)
{
    struct fiber **self = arg;

    *self = fiber_self();
    sleep_for(1000 * 1000);
    woken++;
}

/* Each stack takes two of the process's mappings. At their end mprotect fails while mmap may still
 * work: then a fiber is not born, rather than born without a guard. */
static void of_33000_fibers_none_is_without_its_guard(void **state)
{
    enum { MANY = 33000 };
    static struct fiber *selves[MANY];
    unsigned born = 0, refused = 0, stacks;
    (void)state;

    if (STACK_SIZE > 64 * 1024)
        return; /* AddressSanitizer itself would die of it; ./dev test fibers runs it without */
    woken = 0;
    for (unsigned i = 0; i < MANY; i++) {
        int error = fiber_spawn(&fibers, NULL, sleep_till_cancelled, &selves[born]);

        assert_true(error == 0 || error == -ENOMEM);
        born += error == 0;
        refused += error != 0;
    }
    turn(0);
    assert_int_equal(fibers.live, born);
    assert_true(refused == 0 || most_mappings() < 2 * MANY);
    assert_true(born > most_mappings() / 2 - 1000 || refused == 0);
    assert_int_equal(unguarded_stacks(&stacks), 0);
    assert_true(stacks >= born); /* the allocator may have a mapping of that size, too */
    for (unsigned i = 0; i < born; i++)
        fiber_cancel(selves[i]);
    turn(0);
    assert_int_equal(woken, born);
    assert_int_equal(fibers.live, 0);
    spawn(nothing, NULL);
    turn(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_fiber_may_print_floats_its_stack_is_aligned),
        TEST(children_run_after_their_parent_waits_or_ends_in_order),
        TEST(who_yields_comes_back_in_the_next_turn_after_the_others),
        TEST(a_deep_call_runs_on_the_loops_stack_and_comes_back),
        TEST(a_wake_queues_and_never_switches),
        TEST(a_wait_that_was_woken_before_returns_at_once),
        TEST(a_deadline_is_kept_within_two_ticks),
        TEST(a_wake_before_the_deadline_takes_the_timer_along),
        TEST(a_timeout_waits_until_the_kernel_has_let_go),
        TEST(a_cancelled_fiber_too_sleeps_until_the_kernel_has_let_go),
        TEST(letting_go_by_a_wake_resumes_once),
        TEST(cancellation_is_sticky_and_a_shield_holds_it_off),
        TEST(a_fiber_cancelled_before_it_ran_meets_it_at_its_first_wait),
        TEST(a_join_waits_for_the_last_child),
        TEST(a_cancelled_join_cancels_the_children),
        TEST(the_end_of_a_family_waits_for_shielded_clean_up_even_when_cancelled),
        TEST(a_child_born_while_its_family_ends_is_cancelled_too),
        TEST(cancelled_at_each_wait_in_turn_no_child_outlives_its_parent),
        TEST(over_the_cap_no_fiber_is_born),
        TEST(over_the_budget_no_stack_is_made_but_an_idle_one_serves),
        TEST(trim_gives_the_surplus_back),
        TEST(an_overflowing_stack_dies_in_its_guard),
        {
            .name = "LIM-33-of-33000-fibers-none-is-without-its-guard",
            .test_func = of_33000_fibers_none_is_without_its_guard,
            .setup_func = setup,
            .teardown_func = teardown,
        },
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
