/* Two families side by side (RFC 8305), on the fake loop: to the millisecond. */
#include "net/dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "net/conn.h"
#include "net/fiber.h"
#include "net/loop.h"
#include "net/loop_fake.h"
#include "net/timer.h"

enum { BEGIN_MS = 1000, EACH_MS = 5000, DEADLINE_MS = 20000, TWO_TICKS_MS = 2 * TIMER_TICK_MS };
enum { MOST = 6, SILENT = ETIMEDOUT };

struct bench {
    struct loop loop;
    struct dial dial;
    struct address candidates[MOST];
    struct fake_peer *far[MOST]; /* of those that accepted */
    struct conn conn;
    struct dial_result result;
    struct fiber *fiber;
    enum io io;
    uint64_t took; /* ms */
    bool done;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    assert_int_equal(loop_init_fake(&b->loop, 16, NULL, BEGIN_MS), 0);
    b->dial = (struct dial){
        .loop = &b->loop,
        .candidates = b->candidates,
        .each_ms = EACH_MS,
        .head_start_ms = DIAL_HEAD_START_MS,
        .deadline = BEGIN_MS + DEADLINE_MS,
    };
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    if (b->io == IO_OK && b->done)
        conn_close(&b->conn, false, NULL);
    fake_run(&b->loop, TIMER_NEVER - 1);
    assert_int_equal(b->loop.open_socks, 0);
    assert_int_equal(b->loop.fibers.live, 0);
    assert_int_equal(b->loop.wheel.count, 0);
    loop_done(&b->loop);
    free(b);
    return 0;
}

static void on_connect(void *arg, struct fake_peer *far)
{
    struct fake_peer **ret = arg;

    *ret = far;
}

/* The next candidate: `6` or `4` of that family; how its connects end. */
static void add(struct bench *b, char family, int error)
{
    unsigned i = b->dial.count++;
    struct address *a = &b->candidates[i];

    *a = (struct address){ .family = family == '6' ? AF_INET6 : AF_INET, .port = 80 };
    a->ip[0] = 32;
    a->ip[3] = (uint8_t)(i + 1);
    fake_origin(&b->loop, a, error, on_connect, &b->far[i]);
}

static void run_dial(void *arg)
{
    struct bench *b = arg;

    b->fiber = fiber_self();
    b->io = dial(&b->dial, &b->conn, &b->result);
    b->took = loop_now(&b->loop) - BEGIN_MS;
    b->done = true;
}

static void begin(struct bench *b, uint64_t until_ms)
{
    assert_int_equal(fiber_spawn(&b->loop.fibers, NULL, run_dial, b), 0);
    fake_run(&b->loop, BEGIN_MS + until_ms);
}

static enum io dialled(struct bench *b)
{
    begin(b, DEADLINE_MS * 2);
    assert_true(b->done);
    return b->io;
}

static void took(const struct bench *b, uint64_t want)
{
    assert_in_range(b->took, want, want + TWO_TICKS_MS);
}

/* That candidate's connection is ours, and lives; every other that accepted was let go. */
static void won(struct bench *b, unsigned i)
{
    char bytes[] = "ping";
    struct iovec iov = { bytes, 4 };
    size_t taken;

    assert_int_equal(b->io, IO_OK);
    assert_true(address_same(&b->conn.peer, &b->candidates[i]));
    assert_true(address_same(&b->result.address, &b->candidates[i]));
    assert_int_equal(b->result.error, 0);
    for (unsigned k = 0; k < MOST; k++)
        if (b->far[k] != NULL)
            assert_int_equal(fake_is_closed(b->far[k]), k != i);
    assert_int_equal(b->loop.open_socks, 1);
    assert_int_equal(conn_write_start(&b->conn, &iov, 1, &taken), IO_OK);
    assert_int_equal(fake_received(b->far[i]).len, 4);
}

/* --- promises --------------------------------------------------------------------------------- */

static void the_preferred_family_wins_alone_if_it_answers_in_time(void **state)
{
    struct bench *b = *state;

    add(b, '6', 0);
    add(b, '4', 0);
    dialled(b);
    took(b, 0);
    won(b, 0);
    assert_int_equal(b->result.tried, 1);
    assert_null(b->far[1]);
}

static void the_second_family_starts_after_the_head_start(void **state)
{
    struct bench *b = *state;

    add(b, '6', SILENT);
    add(b, '6', 0);
    add(b, '4', 0);
    dialled(b);
    took(b, DIAL_HEAD_START_MS);
    won(b, 2);
    assert_int_equal(b->result.tried, 2);
}

static void a_failure_starts_the_second_family_at_once(void **state)
{
    static const int errors[] = { ECONNREFUSED, ENETUNREACH };

    for (unsigned i = 0; i < 2; i++) {
        struct bench *b;

        if (i > 0) {
            teardown(state);
            setup(state);
        }
        b = *state;
        add(b, '6', errors[i]);
        add(b, '4', 0);
        dialled(b);
        took(b, 0);
        won(b, 1);
    }
}

static void both_in_one_turn_the_preferred_family_stays(void **state)
{
    struct bench *b = *state;

    b->dial.each_ms = DIAL_HEAD_START_MS; /* its second candidate starts when the other lane does */
    add(b, '6', SILENT);
    add(b, '6', 0);
    add(b, '4', ENETUNREACH); /* to let go of one takes a turn, for both lanes */
    add(b, '4', 0);
    dialled(b);
    won(b, 1);
    assert_non_null(b->far[3]);
}

static void the_first_family_still_wins_while_the_second_is_silent(void **state)
{
    struct bench *b = *state;

    b->dial.each_ms = 1000;
    add(b, '4', SILENT);
    add(b, '4', 0);
    add(b, '6', SILENT);
    dialled(b);
    took(b, 1000);
    won(b, 1);
    assert_int_equal(b->result.tried, 3);
}

static void without_a_head_start_nothing_races(void **state)
{
    struct bench *b = *state;

    b->dial.head_start_ms = 0;
    add(b, '6', SILENT);
    add(b, '4', 0);
    dialled(b);
    took(b, EACH_MS);
    won(b, 1);
}

static void one_family_never_races(void **state)
{
    struct bench *b = *state;

    add(b, '6', SILENT);
    add(b, '6', 0);
    dialled(b);
    took(b, EACH_MS);
    won(b, 1);
}

static void when_all_fail_the_worst_cause_is_told(void **state)
{
    struct bench *b = *state;

    add(b, '6', ENETUNREACH);
    add(b, '4', ECONNREFUSED);
    add(b, '6', EHOSTUNREACH);
    assert_int_equal(dialled(b), IO_FAILED);
    assert_int_equal(b->result.error, ECONNREFUSED);
    assert_int_equal(b->result.tried, 3);
    took(b, 0);
}

static void the_deadline_ends_both(void **state)
{
    struct bench *b = *state;

    b->dial.deadline = BEGIN_MS + 1000;
    add(b, '6', SILENT);
    add(b, '4', SILENT);
    assert_int_equal(dialled(b), IO_TIMEOUT);
    took(b, 1000);
    assert_int_equal(b->result.error, ETIMEDOUT);
}

static bool only_ipv4(void *arg, const struct address *candidate)
{
    (void)arg;
    return candidate->family == AF_INET;
}

static void what_may_not_be_dialled_is_not_raced(void **state)
{
    struct bench *b = *state;

    b->dial.may = only_ipv4;
    add(b, '6', 0);
    add(b, '6', 0);
    add(b, '4', 0);
    dialled(b);
    took(b, 0);
    won(b, 2);
    assert_null(b->far[0]);
    assert_null(b->far[1]);
    assert_int_equal(b->result.refused, 2);
}

static void cancelled_at_any_time_it_leaves_nothing(void **state)
{
    for (uint64_t at = 0; at <= 1000; at += 50) {
        struct bench *b = *state;

        add(b, '6', SILENT);
        add(b, '4', SILENT);
        begin(b, at);
        fiber_cancel(b->fiber);
        fake_run(&b->loop, loop_now(&b->loop));
        assert_true(b->done);
        assert_int_equal(b->io, IO_CANCELLED);
        assert_int_equal(b->loop.open_socks, 0);
        teardown(state);
        setup(state);
    }
}

static void cancel_on_connect(void *arg, struct fake_peer *far)
{
    struct bench *b = arg;

    (void)far;
    fiber_cancel(b->fiber);
}

/* Both opened and the client left, all in one turn: nobody is there for either. */
static void cancelled_when_it_has_won_it_drops_what_it_won(void **state)
{
    struct bench *b = *state;

    b->dial.each_ms = DIAL_HEAD_START_MS;
    add(b, '6', SILENT);
    add(b, '6', 0);
    add(b, '4', ENETUNREACH);
    add(b, '4', 0);
    fake_origin(&b->loop, &b->candidates[3], 0, cancel_on_connect, b);
    begin(b, DEADLINE_MS);
    assert_true(b->done);
    assert_non_null(b->far[1]);
    assert_int_equal(b->io, IO_CANCELLED);
    assert_int_equal(b->loop.open_socks, 0);
}

static void without_stacks_one_family_comes_after_the_other(void **state)
{
    for (uint32_t stacks = 1; stacks <= 2; stacks++) {
        struct bench *b = *state;

        b->loop.fibers.max = stacks; /* the dial's own, and one lane's or none */
        b->dial.each_ms = 1000;
        add(b, '6', SILENT);
        add(b, '4', 0);
        dialled(b);
        took(b, 1000);
        won(b, 1);
        if (stacks == 1) {
            teardown(state);
            setup(state);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(the_preferred_family_wins_alone_if_it_answers_in_time),
        TEST(the_second_family_starts_after_the_head_start),
        TEST(a_failure_starts_the_second_family_at_once),
        TEST(both_in_one_turn_the_preferred_family_stays),
        TEST(the_first_family_still_wins_while_the_second_is_silent),
        TEST(without_a_head_start_nothing_races),
        TEST(one_family_never_races),
        TEST(when_all_fail_the_worst_cause_is_told),
        TEST(the_deadline_ends_both),
        TEST(what_may_not_be_dialled_is_not_raced),
        TEST(cancelled_at_any_time_it_leaves_nothing),
        TEST(cancelled_when_it_has_won_it_drops_what_it_won),
        TEST(without_stacks_one_family_comes_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
