/* Connections: reading, writing, unreading, layers. On the fake loop. */
#include "net/conn.h"

#include "net/fiber.h"
#include "net/loop.h"
#include "net/loop_fake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { LISTENER = 443, START = 8000 };

static struct loop loop;
static struct sock listener;
static struct conn conn; /* the accepted one */
static struct fake_peer *far;
static unsigned closed;

static void on_accept(struct sock *s, int fd, const struct address *peer)
{
    (void)s;
    assert_int_equal(conn_open(&conn, &loop, fd, peer), 0);
}

static int setup(void **state)
{
    (void)state;
    closed = 0;
    listener = (struct sock){ 0 };
    conn = (struct conn){ 0 };
    assert_int_equal(loop_init_fake(&loop, 100, NULL, START), 0);
    assert_int_equal(sock_listen(&loop, &listener, LISTENER, 16, on_accept), 0);
    far = fake_connect(&loop, LISTENER, NULL);
    fake_run(&loop, START);
    return 0;
}

static void on_closed(struct conn *c)
{
    assert_ptr_equal(c, &conn);
    closed++;
}

static int teardown(void **state)
{
    (void)state;
    if (closed == 0)
        conn_close(&conn, false, on_closed);
    sock_close(&listener, false, NULL);
    fake_run(&loop, UINT64_MAX);
    bool clean = loop.open_socks == 0 && loop.fibers.live == 0 && loop.blocks.live == 0 &&
                 loop.wheel.count == 0 && closed == 1;
    loop_done(&loop);
    return clean ? 0 : -1;
}

/* One call on a fiber, and its end. */
static struct {
    uint32_t max;
    uint64_t ms;
    struct iovec iov[3];
    enum io io;
    char text[64];
    bool ended;
    size_t sent;
    struct fiber *fiber;
} call;

static void read_once(void *arg)
{
    struct lease l = { 0 };

    (void)arg;
    call.fiber = fiber_self();
    call.io = conn_read(&conn, call.max, &l, loop_now(&loop) + call.ms);
    snprintf(call.text, sizeof(call.text), "%.*s", (int)l.size, l.data ? l.data : "");
    lease_done(&l);
    call.ended = true;
}

static void write_once(void *arg)
{
    (void)arg;
    call.fiber = fiber_self();
    call.io = conn_write(&conn, call.iov, 3, call.ms);
    call.ended = true;
}

static void start(void (*run)(void *), uint32_t max, uint64_t ms)
{
    call.max = max;
    call.ms = ms;
    call.ended = false;
    fiber_spawn(&loop.fibers, NULL, run, NULL);
    fake_run(&loop, loop_now(&loop));
}

/* --- on a fiber --- */

static void a_read_waits_for_bytes(void **state)
{
    (void)state;
    start(read_once, 100, 1000);
    assert_false(call.ended);
    fake_send(far, span_of("hello"));
    fake_run(&loop, START);
    assert_true(call.ended);
    assert_string_equal(call.text, "hello");
}

static void a_read_ends_at_its_deadline_at_a_fin_at_a_reset_when_cancelled(void **state)
{
    (void)state;
    start(read_once, 100, 1000);
    fake_run(&loop, UINT64_MAX);
    assert_int_equal(call.io, IO_TIMEOUT);
    assert_int_equal(loop_now(&loop), START + 1000);
    start(read_once, 100, 1000);
    fiber_cancel(call.fiber);
    fake_run(&loop, loop_now(&loop));
    assert_int_equal(call.io, IO_CANCELLED);
    start(read_once, 100, 1000);
    fake_send_eof(far);
    fake_run(&loop, loop_now(&loop));
    assert_int_equal(call.io, IO_EOF);
    fake_reset(far);
    fake_run(&loop, loop_now(&loop));
    start(read_once, 100, 1000);
    assert_int_equal(call.io, IO_FAILED);
    assert_int_equal(conn.sock.error, ECONNRESET);
}

static void set_pieces(void)
{
    call.iov[0] = (struct iovec){ "abc", 3 };
    call.iov[1] = (struct iovec){ "", 0 };
    call.iov[2] = (struct iovec){ "defgh", 5 };
}

static void a_write_goes_on_at_every_cut_until_all_is_taken(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= 8; cut++) {
        size_t before = fake_received(far).len;
        set_pieces();
        fake_window(far, cut);
        start(write_once, 0, 1000);
        assert_int_equal(call.ended, cut == 8);
        fake_window(far, SIZE_MAX);
        fake_run(&loop, START);
        assert_int_equal(call.io, IO_OK);
        assert_true(span_is(span_from(fake_received(far), before), "abcdefgh"));
    }
}

static void each_progress_of_a_write_moves_its_deadline(void **state)
{
    (void)state;
    set_pieces();
    fake_window(far, 2);
    start(write_once, 0, 1000);
    for (uint64_t ms = 800; ms <= 2400; ms += 800) {
        loop_turn(&loop, 800);
        fake_drain(far, 1);
        fake_run(&loop, loop_now(&loop));
        assert_false(call.ended);
    }
    uint64_t last = loop_now(&loop);
    fake_run(&loop, UINT64_MAX);
    assert_int_equal(call.io, IO_TIMEOUT);
    assert_in_range(loop_now(&loop), last + 1000, last + 1000 + 2 * TIMER_TICK_MS);
    assert_true(span_is(fake_received(far), "abcde"));
}

static int file;

static void send_the_file(void *arg)
{
    (void)arg;
    call.io = conn_send_file(&conn, file, 2, call.max, call.ms, &call.sent);
    call.ended = true;
}

static void a_file_is_sent_over_a_slow_window_and_says_when_it_is_short(void **state)
{
    char path[] = "/tmp/test_conn.XXXXXX";
    (void)state;

    file = mkstemp(path);
    unlink(path);
    assert_int_equal(write(file, "0123456789", 10), 10);
    fake_window(far, 3);
    start(send_the_file, 6, 1000);
    assert_false(call.ended);
    fake_drain(far, 100);
    fake_run(&loop, START);
    assert_int_equal(call.io, IO_OK);
    assert_int_equal(call.sent, 6);
    assert_true(span_is(fake_received(far), "234567"));
    start(send_the_file, 100, 1000);
    assert_int_equal(call.io, IO_EOF);
    assert_int_equal(call.sent, 8);
    close(file);
}

/* --- unread --- */

static void what_was_unread_comes_first_in_any_pieces(void **state)
{
    struct lease l, part;
    (void)state;

    fake_send(far, span_of("headBODY"));
    fake_run(&loop, START);
    assert_true(conn_parkable(&conn));
    assert_int_equal(conn_read_start(&conn, 100, &l), IO_OK);
    lease_take(&l, 4);
    conn_unread(&conn, &l);
    assert_null(l.block);
    assert_true(conn_ready(&conn));
    assert_false(conn_plain(&conn));
    assert_false(conn_parkable(&conn));
    assert_int_equal(conn_read_start(&conn, 3, &part), IO_OK);
    assert_true(span_is(lease_span(&part), "BOD"));
    assert_int_equal(conn_read_start(&conn, 3, &l), IO_OK);
    assert_true(span_is(lease_span(&part), "BOD")); /* each keeps the bytes alive */
    assert_true(span_is(lease_span(&l), "Y"));
    lease_done(&part);
    lease_done(&l);
    assert_false(conn_ready(&conn));
    assert_true(conn_plain(&conn));
}

static void what_is_unread_at_the_close_is_given_back(void **state)
{
    struct lease l;
    (void)state;

    fake_send(far, span_of("x"));
    fake_run(&loop, START);
    assert_int_equal(conn_read_start(&conn, 100, &l), IO_OK);
    conn_unread(&conn, &l);
    conn_close(&conn, true, on_closed);
    fake_run(&loop, START);
    assert_true(fake_was_reset(far));
    assert_int_equal(loop.blocks.live, 0);
}

/* --- layers --- */

/* A toy of a TLS: the case of bytes is swapped, and a byte is written before the first read. */
struct toy {
    struct layer layer;
    bool greeted;
    unsigned closes;
};

static void swap_case(char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] ^= 0x20;
}

static enum io toy_read(struct layer *l, uint32_t max, struct lease *ret)
{
    struct toy *toy = (struct toy *)(void *)l;
    struct iovec hello = { "!", 1 };
    size_t taken;
    enum io io = IO_OK;

    if (!toy->greeted)
        io = l->below->ops->write(l->below, &hello, 1, &taken);
    if (io == IO_OK) {
        toy->greeted = true;
        io = l->below->ops->read(l->below, max, ret);
    }
    if (io == IO_OK)
        swap_case(ret->data, ret->size);
    l->want = l->below->want;
    return io;
}

static enum io toy_write(struct layer *l, struct iovec *iov, int n, size_t *ret_taken)
{
    char copy[4]; /* takes a few at once, as records do */
    struct iovec out = { copy, iov->iov_len < sizeof(copy) ? iov->iov_len : sizeof(copy) };

    assert_true(n > 0);
    memcpy(copy, iov->iov_base, out.iov_len);
    swap_case(copy, out.iov_len);
    enum io io = l->below->ops->write(l->below, &out, 1, ret_taken);
    l->want = l->below->want;
    return io;
}

static void toy_close(struct layer *l)
{
    ((struct toy *)(void *)l)->closes++;
}

static void toy_info(const struct layer *l, struct conn_info *ret)
{
    (void)l;
    ret->encrypted = true;
    ret->protocol = span_of("TOY");
}

static bool toy_holds(const struct layer *l)
{
    return !((const struct toy *)(const void *)l)->greeted;
}

static const struct transport toy_transport = {
    .read = toy_read,
    .write = toy_write,
    .close = toy_close,
    .info = toy_info,
    .holds_bytes = toy_holds,
};

/* There and back: while it is elsewhere its old memory is not looked at. */
static void it_moves_with_its_layer_and_what_is_unread(void **state)
{
    struct toy toy = { .layer.ops = &toy_transport, .greeted = true };
    struct conn elsewhere = { 0 };
    struct lease l;
    (void)state;

    conn_push(&conn, &toy.layer);
    fake_send(far, span_of("HEADbody"));
    fake_run(&loop, START);
    assert_int_equal(conn_read_start(&conn, 100, &l), IO_OK);
    lease_take(&l, 4);
    conn_unread(&conn, &l);
    conn_move(&conn, &elsewhere);
    memset(&conn, 0xff, sizeof(conn));
    assert_int_equal(conn_read_start(&elsewhere, 100, &l), IO_OK);
    assert_true(span_is(lease_span(&l), "BODY"));
    lease_done(&l);
    fake_send(far, span_of("MORE"));
    fake_run(&loop, START);
    assert_int_equal(conn_read_start(&elsewhere, 100, &l), IO_OK);
    assert_true(span_is(lease_span(&l), "more"));
    lease_done(&l);
    conn_move(&elsewhere, &conn);
    conn_close(&conn, false, on_closed);
    assert_int_equal(toy.closes, 1);
    fake_run(&loop, START);
    assert_int_equal(closed, 1);
}

static void a_layer_on_top_is_read_written_asked_and_closed(void **state)
{
    struct toy toy = { .layer.ops = &toy_transport };
    struct conn_info info;
    (void)state;

    conn_info(&conn, &info);
    assert_false(info.encrypted);
    conn_push(&conn, &toy.layer);
    conn_info(&conn, &info);
    assert_true(info.encrypted);
    assert_false(conn_plain(&conn));
    assert_false(conn_parkable(&conn));
    fake_window(far, 0);
    start(read_once, 100, 1000); /* a read that wants to write */
    assert_false(call.ended);
    fake_send(far, span_of("HELLO"));
    fake_run(&loop, START);
    assert_false(call.ended);
    fake_window(far, SIZE_MAX);
    fake_run(&loop, START);
    assert_string_equal(call.text, "hello");
    assert_true(conn_parkable(&conn));
    set_pieces();
    start(write_once, 0, 1000);
    assert_true(span_is(fake_received(far), "!ABCDEFGH"));
    conn_close(&conn, false, on_closed);
    assert_int_equal(toy.closes, 1);
    fake_run(&loop, START);
    assert_int_equal(closed, 1);
}

static void closing_wakes_the_fiber_that_reads(void **state)
{
    (void)state;
    start(read_once, 100, 1000);
    conn_close(&conn, false, on_closed);
    fake_run(&loop, START);
    assert_true(call.ended);
    assert_int_equal(call.io, IO_CANCELLED);
    assert_true(fake_is_closed(far));
    assert_false(fake_was_reset(far));
}

static void a_conn_knows_both_its_addresses(void **state)
{
    (void)state;
    assert_int_equal(conn.peer.ip[0], 203);
    assert_int_equal(conn.local.port, LISTENER);
    assert_ptr_equal(conn_of_sock(&conn.sock), &conn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_read_waits_for_bytes),
        TEST(a_read_ends_at_its_deadline_at_a_fin_at_a_reset_when_cancelled),
        TEST(a_write_goes_on_at_every_cut_until_all_is_taken),
        TEST(each_progress_of_a_write_moves_its_deadline),
        TEST(a_file_is_sent_over_a_slow_window_and_says_when_it_is_short),
        TEST(what_was_unread_comes_first_in_any_pieces),
        TEST(what_is_unread_at_the_close_is_given_back),
        TEST(a_layer_on_top_is_read_written_asked_and_closed),
        TEST(it_moves_with_its_layer_and_what_is_unread),
        TEST(closing_wakes_the_fiber_that_reads),
        TEST(a_conn_knows_both_its_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
