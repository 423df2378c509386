/* Tunnels on the fake loop: limits to the millisecond, and every step failing in turn. */
#include "net/pump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>

#include "base/link.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/loop_fake.h"
#include "net/sock.h"
#include "net/timer.h"

enum { A, B, BEGIN_MS = 1000, TWO_TICKS_MS = 2 * TIMER_TICK_MS };

struct tunnel {
    struct loop loop;
    struct conn conn[2];
    struct fake_peer *far[2];
    struct pump *pump;
    struct pump_result result;
    unsigned ended;
    uint64_t ended_at;
};

static void on_connect(void *arg, struct fake_peer *far)
{
    struct fake_peer **ret = arg;

    *ret = far;
}

static void connect_conn(struct tunnel *t, int i)
{
    struct address to = { .ip = { 192, 0, 2, (uint8_t)i }, .port = 80, .family = AF_INET };
    int fd = loop_new_socket(&t->loop, AF_INET, SOCK_KIND_STREAM);

    fake_origin(&t->loop, &to, 0, on_connect, &t->far[i]);
    assert_int_equal(conn_open(&t->conn[i], &t->loop, fd, &to), 0);
    assert_int_equal(sock_connect_start(&t->conn[i].sock, &to), IO_AGAIN);
    fake_run(&t->loop, loop_now(&t->loop));
    assert_int_equal(sock_connect_end(&t->conn[i].sock), IO_OK);
    assert_non_null(t->far[i]);
}

static struct tunnel *tunnel_new(void)
{
    struct tunnel *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    assert_int_equal(loop_init_fake(&t->loop, 4, NULL, BEGIN_MS), 0);
    connect_conn(t, A);
    connect_conn(t, B);
    return t;
}

static void tunnel_free(struct tunnel *t)
{
    assert_int_equal(t->ended, 1);
    assert_int_equal(t->loop.open_socks, 0);
    assert_int_equal(t->loop.blocks.live, 0);
    assert_int_equal(t->loop.wheel.count, 0);
    loop_done(&t->loop);
    free(t);
}

static int setup(void **state)
{
    *state = tunnel_new();
    return 0;
}

static int teardown(void **state)
{
    tunnel_free(*state);
    return 0;
}

static void on_end(void *arg, const struct pump_result *result)
{
    struct tunnel *t = arg;

    t->result = *result;
    t->ended++;
    t->ended_at = loop_now(&t->loop);
}

static void start(struct tunnel *t, uint64_t idle_ms, uint64_t half_close_ms, uint64_t splice_after)
{
    struct pump_options o = { idle_ms, half_close_ms, splice_after };

    assert_int_equal(pump_start(&t->conn[A], &t->conn[B], &o, on_end, t, &t->pump), 0);
    fake_run(&t->loop, loop_now(&t->loop));
}

/* A timer of the test's own, so that virtual time goes to where the test acts next. */
static void nothing(struct timer *t)
{
    (void)t;
}

static void wait_ms(struct tunnel *t, uint64_t ms)
{
    struct timer alarm = { .on_time = nothing };
    uint64_t at = loop_now(&t->loop) + ms;

    timer_set(&t->loop.wheel, &alarm, at);
    fake_run(&t->loop, at);
    timer_unset(&t->loop.wheel, &alarm);
}

static void send_byte(struct tunnel *t, int end)
{
    fake_send(t->far[end], span_of("x"));
    fake_run(&t->loop, loop_now(&t->loop));
}

static void ends_at(struct tunnel *t, uint64_t want)
{
    fake_run(&t->loop, TIMER_NEVER - 1);
    assert_int_equal(t->ended, 1);
    if (t->ended_at < want || t->ended_at > want + TWO_TICKS_MS)
        fail_msg("ended at %llu, not %llu", (unsigned long long)t->ended_at,
                 (unsigned long long)want);
    assert_true(fake_is_closed(t->far[A]) && fake_is_closed(t->far[B]));
}

/* --- limits ----------------------------------------------------------------------------------- */

static void silence_both_ways_ends_it(void **state)
{
    struct tunnel *t = *state;

    start(t, 5000, 60000, 0);
    ends_at(t, loop_now(&t->loop) + 5000);
    assert_int_equal(t->result.why[A], IO_TIMEOUT);
    assert_int_equal(t->result.why[B], IO_TIMEOUT);
    assert_false(fake_was_reset(t->far[A]) || fake_was_reset(t->far[B]));
}

static void each_direction_renews_the_limit(void **state)
{
    struct tunnel *t = *state;

    start(t, 5000, 60000, 0);
    for (int i = 0; i < 20; i++) {
        wait_ms(t, 4900);
        send_byte(t, i / 10);
    }
    assert_int_equal(t->ended, 0);
    ends_at(t, loop_now(&t->loop) + 5000);
    assert_int_equal(t->result.bytes[A], 10);
    assert_int_equal(t->result.bytes[B], 10);
}

static void bytes_that_nobody_takes_renew_nothing(void **state)
{
    struct tunnel *t = *state;

    start(t, 5000, 60000, 0);
    fake_window(t->far[B], 0);
    uint64_t began = loop_now(&t->loop);
    for (int i = 0; i < 4; i++) {
        wait_ms(t, 1000);
        send_byte(t, A);
    }
    ends_at(t, began + 5000);
    assert_true(fake_was_reset(t->far[B])); /* it is owed bytes */
}

static void after_the_origins_end_sending_helps_nobody(void **state)
{
    struct tunnel *t = *state;

    start(t, 60000, 3000, 0);
    wait_ms(t, 500);
    fake_send_eof(t->far[B]);
    fake_run(&t->loop, loop_now(&t->loop));
    assert_true(fake_is_closed(t->far[A]));
    uint64_t began = loop_now(&t->loop);
    for (int i = 0; i < 5; i++) {
        wait_ms(t, 500);
        send_byte(t, A);
    }
    ends_at(t, began + 3000);
    assert_int_equal(t->result.why[A], IO_TIMEOUT);
    assert_int_equal(t->result.why[B], IO_EOF);
    assert_int_equal(t->result.bytes[A], 5);
}

static void after_the_clients_end_a_long_answer_may_flow(void **state)
{
    struct tunnel *t = *state;

    start(t, 60000, 3000, 0);
    fake_send_eof(t->far[A]);
    for (int i = 0; i < 20; i++) {
        wait_ms(t, 2900);
        send_byte(t, B);
    }
    assert_int_equal(t->ended, 0);
    ends_at(t, loop_now(&t->loop) + 3000);
    assert_int_equal(t->result.why[A], IO_EOF);
    assert_int_equal(t->result.why[B], IO_TIMEOUT);
    assert_int_equal(t->result.bytes[B], 20);
}

static unsigned open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void an_idle_pump_keeps_no_pipe(void **state)
{
    struct tunnel *t = *state;
    unsigned before = open_files();

    start(t, 60000, 60000, 1);
    for (int i = 0; i < 3; i++) {
        send_byte(t, A);
        send_byte(t, B);
    }
    assert_int_equal(open_files(), before + 4);
    wait_ms(t, 3000);
    assert_int_equal(open_files(), before);
    send_byte(t, A); /* it gets one again */
    assert_int_equal(open_files(), before + 2);
    ends_at(t, loop_now(&t->loop) + 60000);
    assert_int_equal(open_files(), before);
}

/* --- a layer that, like TLS, must read before it can write ------------------------------------ */

struct moody {
    struct layer layer;
    uint64_t bytes;  /* read so far */
    uint64_t unlock; /* how many must be before it writes */
};

static struct moody *moody_of(struct layer *l)
{
    return CONTAINER(l, struct moody, layer);
}

static enum io moody_read(struct layer *l, uint32_t max, struct lease *ret)
{
    enum io io = l->below->ops->read(l->below, max, ret);

    l->want = l->below->want;
    if (io == IO_OK)
        moody_of(l)->bytes += ret->size;
    return io;
}

static enum io moody_write(struct layer *l, struct iovec *iov, int n, size_t *ret_taken)
{
    enum io io = IO_AGAIN;

    *ret_taken = 0;
    l->want = WANT_READ;
    if (moody_of(l)->bytes >= moody_of(l)->unlock) {
        io = l->below->ops->write(l->below, iov, n, ret_taken);
        l->want = l->below->want;
    }
    return io;
}

static enum io moody_shut(struct layer *l)
{
    return l->below->ops->shut(l->below);
}

static void moody_close(struct layer *l)
{
    (void)l;
}

static const struct transport moody_transport = {
    .read = moody_read,
    .write = moody_write,
    .shut = moody_shut,
    .close = moody_close,
};

/* The read that it waits for is made when the other side drains: at an event of that side. */
static void let_a_write_wait_for_a_read(struct tunnel *t, int end)
{
    struct moody moody = { .layer.ops = &moody_transport };

    conn_push(&t->conn[end], &moody.layer);
    fake_window(t->far[!end], 0);
    start(t, 60000, 60000, 1);
    send_byte(t, end); /* held: nobody takes it */
    send_byte(t, end); /* not yet read */
    moody.unlock = moody.bytes + 1;
    send_byte(t, !end);
    assert_int_equal(fake_received(t->far[end]).len, 0);

    fake_drain(t->far[!end], SIZE_MAX / 2);
    fake_run(&t->loop, loop_now(&t->loop));
    assert_int_equal(fake_received(t->far[!end]).len, 2);
    assert_int_equal(fake_received(t->far[end]).len, 1);
    pump_stop(t->pump);
    fake_run(&t->loop, loop_now(&t->loop));
}

static void a_write_that_waits_for_a_read_goes_on(void **state)
{
    let_a_write_wait_for_a_read(*state, A);
}

static void a_write_that_waits_for_a_read_goes_on_at_the_other_end(void **state)
{
    let_a_write_wait_for_a_read(*state, B);
}

/* --- every step failing in turn --------------------------------------------------------------- */

static const struct span SENT = SPAN("all the bytes of a client that says what it wants at length");
static const struct span BACK = SPAN("all the bytes of its origin, which answers in some detail");

/* A conversation to its end; 0: nothing fails. How many steps of the kind it took. */
static uint64_t converse(struct tunnel *t, enum fake_step kind, uint64_t nth, int error,
                         uint32_t segment)
{
    uint64_t before = fake_steps(&t->loop, kind);

    fake_segment(&t->loop, segment);
    fake_fail(&t->loop, kind, nth, error);
    start(t, 60000, 60000, 8); /* copied, then spliced */
    fake_send(t->far[A], SENT);
    fake_send(t->far[B], BACK);
    fake_window(t->far[A], 5);
    fake_run(&t->loop, loop_now(&t->loop));
    fake_drain(t->far[A], SIZE_MAX / 2);
    fake_send_eof(t->far[A]);
    fake_run(&t->loop, loop_now(&t->loop));
    fake_send_eof(t->far[B]);
    fake_run(&t->loop, loop_now(&t->loop));
    return fake_steps(&t->loop, kind) - before;
}

static void fail_each(enum fake_step kind, int error, uint32_t segment,
                      void (*check)(const struct tunnel *t))
{
    uint64_t steps = UINT64_MAX;

    for (uint64_t nth = 0; nth <= steps; nth++) {
        struct tunnel *t = tunnel_new();
        uint64_t took = converse(t, kind, nth, error, segment);

        steps = nth == 0 ? took : steps;
        assert_int_equal(t->ended, 1);
        assert_true(fake_is_closed(t->far[A]) && fake_is_closed(t->far[B]));
        check(t);
        tunnel_free(t);
    }
    assert_true(steps >= 2);
}

static void all_arrived(const struct tunnel *t)
{
    assert_true(span_same(fake_received(t->far[B]), SENT));
    assert_true(span_same(fake_received(t->far[A]), BACK));
    assert_int_equal(t->result.bytes[A], SENT.len);
    assert_int_equal(t->result.bytes[B], BACK.len);
    assert_false(fake_was_reset(t->far[A]) || fake_was_reset(t->far[B]));
}

/* Either it all arrived before the failure, or both see a reset, and what came is a beginning. */
static void arrived_or_reset(const struct tunnel *t)
{
    struct span to_b = fake_received(t->far[B]), to_a = fake_received(t->far[A]);

    assert_true(span_same(to_b, span_first(SENT, to_b.len)));
    assert_true(span_same(to_a, span_first(BACK, to_a.len)));
    if (to_b.len < SENT.len || to_a.len < BACK.len)
        assert_true(fake_was_reset(t->far[A]) && fake_was_reset(t->far[B]));
}

static void delays_at_any_step_lose_nothing(void **state)
{
    (void)state;
    for (uint32_t segment = 0; segment <= 16; segment += 8) {
        fail_each(FAKE_RECV, EAGAIN, segment, all_arrived);
        fail_each(FAKE_SEND, EAGAIN, segment, all_arrived);
    }
    fail_each(FAKE_RECV, EAGAIN, 1, all_arrived);
}

static void refusals_to_splice_lose_nothing(void **state)
{
    struct tunnel *t = tunnel_new();

    (void)state;
    /* The first read of each direction copies; from then on it splices. */
    uint64_t copied = 2, all = converse(t, FAKE_RECV, 0, 0, 8);
    tunnel_free(t);
    assert_true(all > 10);
    for (uint64_t nth = copied + 1; nth <= all; nth++) {
        t = tunnel_new();
        converse(t, FAKE_RECV, nth, EINVAL, 8);
        all_arrived(t);
        tunnel_free(t);
    }
}

static void failures_at_any_step_reset_both(void **state)
{
    (void)state;
    fail_each(FAKE_RECV, ECONNRESET, 8, arrived_or_reset);
    fail_each(FAKE_SEND, EPIPE, 8, arrived_or_reset);
}

#define TEST(promise, function)                \
    {                                          \
        .name = promise, .test_func = function \
    }
#define TIMED(promise, function)                                                               \
    {                                                                                          \
        .name = promise, .test_func = function, .setup_func = setup, .teardown_func = teardown \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIMED("TUN-03-silence-both-ways-ends-it", silence_both_ways_ends_it),
        TIMED("TUN-03-each-direction-renews-the-limit", each_direction_renews_the_limit),
        TIMED("bytes_that_nobody_takes_renew_nothing", bytes_that_nobody_takes_renew_nothing),
        TIMED("TUN-02-after-the-origins-end-sending-helps-nobody",
              after_the_origins_end_sending_helps_nobody),
        TIMED("TUN-01-after-the-clients-end-a-long-answer-may-flow",
              after_the_clients_end_a_long_answer_may_flow),
        TIMED("an_idle_pump_keeps_no_pipe", an_idle_pump_keeps_no_pipe),
        TIMED("a_write_that_waits_for_a_read_goes_on", a_write_that_waits_for_a_read_goes_on),
        TIMED("a_write_that_waits_for_a_read_goes_on_at_the_other_end",
              a_write_that_waits_for_a_read_goes_on_at_the_other_end),
        TEST("TUN-06-delays-at-any-step-lose-nothing", delays_at_any_step_lose_nothing),
        TEST("TUN-06-refusals-to-splice-lose-nothing", refusals_to_splice_lose_nothing),
        TEST("TUN-04-failures-at-any-step-reset-both", failures_at_any_step_reset_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
