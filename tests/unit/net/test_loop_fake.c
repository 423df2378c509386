/* The fake loop: its edges are epoll's, its clock is virtual, and each of its steps can fail. */
#include "net/loop_fake.h"

#include "net/conn.h"
#include "net/fiber.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { LISTENER = 80, START = 8000 };

static struct loop loop;
static struct sock listener;
static struct sock server; /* the accepted one */
static int accept_error;
static unsigned told[2];

static void on_read(struct sock *s)
{
    (void)s;
    told[SIDE_READ]++;
}

static void on_write(struct sock *s)
{
    (void)s;
    told[SIDE_WRITE]++;
}

static void on_accept(struct sock *s, int fd, const struct address *peer)
{
    (void)s;
    if (fd < 0) {
        accept_error = fd;
        return;
    }
    assert_int_equal(peer->ip[0], 203);
    server = (struct sock){ .on = { { .fn = on_read }, { .fn = on_write } } };
    accept_error = sock_open(&loop, &server, fd, SOCK_KIND_STREAM);
}

static int setup(void **state)
{
    (void)state;
    told[0] = told[1] = 0;
    accept_error = 0;
    listener = server = (struct sock){ .fd = -1 };
    assert_int_equal(loop_init_fake(&loop, 100, NULL, START), 0);
    return sock_listen(&loop, &listener, LISTENER, 16, on_accept);
}

static int teardown(void **state)
{
    (void)state;
    if (server.fd >= 0)
        sock_close(&server, false, NULL);
    sock_close(&listener, false, NULL);
    fake_run(&loop, UINT64_MAX);
    bool clean = loop.open_socks == 0 && loop.fibers.live == 0 && loop.blocks.live == 0 &&
                 loop.wheel.count == 0;
    loop_done(&loop);
    return clean ? 0 : -1;
}

static struct fake_peer *connected(void)
{
    struct fake_peer *p = fake_connect(&loop, LISTENER, NULL);

    fake_run(&loop, START);
    assert_true(server.fd >= 0);
    return p;
}

static enum io recv_text(struct sock *s, uint32_t max, char *ret_text)
{
    struct lease l = { 0 };
    enum io io = sock_recv_start(s, max, &l);

    if (l.size > 0)
        memcpy(ret_text, l.data, l.size);
    ret_text[l.size] = '\0';
    lease_done(&l);
    return io;
}

static enum io send_text(struct sock *s, const char *text, size_t *ret_taken)
{
    struct iovec iov = { (char *)text, strlen(text) };

    return sock_send_start(s, &iov, 1, ret_taken);
}

/* --- time --- */

static uint64_t fired_at;

static void on_time(struct timer *t)
{
    (void)t;
    fired_at = loop_now(&loop);
}

static void the_clock_moves_to_the_next_timer_and_no_further(void **state)
{
    struct timer near = { .on_time = on_time }, far = { .on_time = on_time };
    int64_t wall = loop.clock.wall_ms;
    (void)state;

    timer_set(&loop.wheel, &near, START + 60000);
    timer_set(&loop.wheel, &far, START + 7200000);
    fake_run(&loop, START + 7199999);
    assert_int_equal(fired_at, START + 60000);
    assert_int_equal(loop_now(&loop), START + 60000);
    assert_int_equal(loop.clock.wall_ms - wall, 60000);
    fake_run(&loop, UINT64_MAX);
    assert_int_equal(fired_at, START + 7200000);
}

static unsigned rounds;

static void yield_often(void *arg)
{
    (void)arg;
    for (rounds = 0; rounds < 1000; rounds++)
        fiber_yield();
}

static void it_runs_while_a_fiber_has_yielded_and_time_stands(void **state)
{
    (void)state;
    fiber_spawn(&loop.fibers, NULL, yield_often, NULL);
    fake_run(&loop, START);
    assert_int_equal(rounds, 1000);
    assert_int_equal(loop_now(&loop), START);
}

static void ask_again(struct sock *s)
{
    if (++told[SIDE_READ] < 10)
        sock_again(s);
}

static void it_runs_while_a_socket_asks_again(void **state)
{
    (void)state;
    connected();
    server.on[SIDE_READ].fn = ask_again;
    sock_again(&server);
    fake_run(&loop, START);
    assert_int_equal(told[SIDE_READ], 10);
}

/* --- a client of the code --- */

static void bytes_come_at_an_edge_and_a_short_read_dries(void **state)
{
    struct fake_peer *p = connected();
    char text[16];
    (void)state;

    assert_int_equal(recv_text(&server, 9, text), IO_AGAIN);
    fake_send(p, span_of("hello"));
    assert_int_equal(recv_text(&server, 9, text), IO_AGAIN); /* not told yet */
    fake_run(&loop, START);
    assert_int_equal(told[SIDE_READ], 1);
    assert_int_equal(recv_text(&server, 4, text), IO_OK);
    assert_string_equal(text, "hell");
    assert_int_equal(recv_text(&server, 9, text), IO_OK);
    assert_string_equal(text, "o");
    uint64_t steps = fake_steps(&loop, FAKE_RECV);
    assert_int_equal(recv_text(&server, 9, text), IO_AGAIN);
    assert_int_equal(fake_steps(&loop, FAKE_RECV), steps);
}

static void data_and_fin_in_one_event_are_read_to_the_end(void **state)
{
    struct fake_peer *p = connected();
    char text[16];
    (void)state;

    fake_send(p, span_of("bye"));
    fake_send_eof(p);
    fake_run(&loop, START);
    assert_int_equal(recv_text(&server, 9, text), IO_OK);
    assert_int_equal(recv_text(&server, 9, text), IO_EOF);
}

static char gathered[16];

static void gather(struct sock *s)
{
    char text[16];

    told[SIDE_READ]++;
    while (recv_text(s, 9, text) == IO_OK)
        strcat(gathered, text);
}

static void segments_of_one_byte_arrive_one_a_turn_and_the_fin_with_the_last(void **state)
{
    struct fake_peer *p = connected();
    (void)state;

    gathered[0] = '\0';
    server.on[SIDE_READ].fn = gather;
    fake_segment(&loop, 1);
    fake_send(p, span_of("seven77"));
    fake_send_eof(p);
    fake_run(&loop, START);
    assert_string_equal(gathered, "seven77");
    assert_int_equal(told[SIDE_READ], 7);
}

static void what_the_code_sends_is_seen_and_told(void **state)
{
    struct fake_peer *p = connected();
    size_t taken;
    (void)state;

    assert_int_equal(send_text(&server, "one", &taken), IO_OK);
    assert_int_equal(send_text(&server, "two", &taken), IO_OK);
    assert_true(span_is(fake_received(p), "onetwo"));
    assert_false(fake_is_closed(p));
    assert_int_equal(sock_shutdown_write(&server), IO_OK);
    assert_true(fake_is_closed(p));
    assert_int_equal(send_text(&server, "x", &taken), IO_FAILED);
    assert_int_equal(server.error, EPIPE);
}

static void a_full_window_stops_the_sender_until_it_drains(void **state)
{
    struct fake_peer *p = connected();
    size_t taken;
    (void)state;

    fake_window(p, 4);
    assert_int_equal(send_text(&server, "abcdef", &taken), IO_AGAIN);
    assert_int_equal(taken, 4);
    fake_run(&loop, START);
    assert_int_equal(told[SIDE_WRITE], 0);
    fake_drain(p, 100);
    assert_int_equal(send_text(&server, "ef", &taken), IO_AGAIN); /* not told yet */
    fake_run(&loop, START);
    assert_int_equal(told[SIDE_WRITE], 1);
    assert_int_equal(send_text(&server, "ef", &taken), IO_OK);
    assert_true(span_is(fake_received(p), "abcdef"));
}

static void a_reset_comes_after_the_bytes_before_it(void **state)
{
    struct fake_peer *p = connected();
    char text[16];
    size_t taken;
    (void)state;

    fake_send(p, span_of("last"));
    fake_reset(p);
    fake_run(&loop, START);
    assert_int_equal(recv_text(&server, 9, text), IO_OK);
    assert_int_equal(recv_text(&server, 9, text), IO_FAILED);
    assert_int_equal(server.error, ECONNRESET);
    assert_int_equal(send_text(&server, "x", &taken), IO_FAILED);
}

static void who_closes_with_bytes_unread_resets(void **state)
{
    struct fake_peer *p = connected();
    (void)state;

    fake_send(p, span_of("unread"));
    sock_close(&server, false, NULL);
    assert_false(fake_is_closed(p)); /* in the loop, not in the call */
    fake_run(&loop, START);
    assert_true(fake_is_closed(p));
    assert_true(fake_was_reset(p));
}

static void nobody_listens_nobody_connects(void **state)
{
    (void)state;
    assert_null(fake_connect(&loop, LISTENER + 1, NULL));
}

static void a_file_and_a_pipe_reach_the_far_end(void **state)
{
    struct fake_peer *p = connected();
    char path[] = "/tmp/test_fake.XXXXXX";
    int pipes[2], file = mkstemp(path);
    size_t taken;
    (void)state;

    unlink(path);
    assert_int_equal(write(file, "0123456789", 10), 10);
    assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
    assert_int_equal(sock_send_file(&server, file, 8, 50, &taken), IO_OK);
    assert_int_equal(taken, 2);
    assert_int_equal(sock_send_file(&server, file, 10, 50, &taken), IO_EOF);
    fake_send(p, span_of("echo"));
    fake_run(&loop, START);
    assert_int_equal(sock_splice_in(&server, pipes[1], 100, &taken), IO_OK);
    assert_int_equal(sock_splice_out(&server, pipes[0], taken, &taken), IO_OK);
    assert_true(span_is(fake_received(p), "89echo"));
    close(file);
    close(pipes[0]);
    close(pipes[1]);
}

/* --- an origin of the code --- */

static struct fake_peer *far_end;

static void answer(void *arg, struct fake_peer *p)
{
    fake_send(p, span_of(arg));
}

static void on_connect(void *arg, struct fake_peer *p)
{
    far_end = p;
    fake_on_data(p, answer, arg);
}

static enum io dial_fake(struct sock *s, uint16_t port, enum sock_kind kind)
{
    struct address to = { .family = AF_INET, .port = port, .ip = { 192, 0, 2, 1 } };
    int fd = loop_new_socket(&loop, AF_INET, kind);

    if (fd < 0)
        return IO_FAILED;
    *s = (struct sock){ .on = { { .fn = on_read }, { .fn = on_write } } };
    assert_int_equal(sock_open(&loop, s, fd, kind), 0);
    return sock_connect_start(s, &to);
}

static void set_origin(uint16_t port, int error)
{
    struct address to = { .family = AF_INET, .port = port, .ip = { 192, 0, 2, 1 } };

    fake_origin(&loop, &to, error, on_connect, "pong");
}

static void an_origin_accepts_and_answers(void **state)
{
    struct sock s;
    size_t taken;
    char text[16];
    (void)state;

    set_origin(80, 0);
    assert_int_equal(dial_fake(&s, 80, SOCK_KIND_STREAM), IO_AGAIN);
    assert_int_equal(sock_connect_end(&s), IO_AGAIN);
    fake_run(&loop, START);
    assert_int_equal(told[SIDE_WRITE], 1);
    assert_int_equal(sock_connect_end(&s), IO_OK);
    assert_int_equal(send_text(&s, "ping", &taken), IO_OK);
    fake_run(&loop, START);
    assert_true(span_is(fake_received(far_end), "ping"));
    assert_int_equal(recv_text(&s, 9, text), IO_OK);
    assert_string_equal(text, "pong");
    sock_close(&s, false, NULL);
    fake_run(&loop, START);
}

static void an_origin_refuses_is_unroutable_or_silent(void **state)
{
    struct sock s;
    (void)state;

    assert_int_equal(dial_fake(&s, 1, SOCK_KIND_STREAM), IO_AGAIN); /* no rule */
    fake_run(&loop, START);
    assert_int_equal(sock_connect_end(&s), IO_FAILED);
    assert_int_equal(s.error, ECONNREFUSED);
    sock_close(&s, false, NULL);
    fake_run(&loop, START);

    set_origin(2, EHOSTUNREACH);
    assert_int_equal(dial_fake(&s, 2, SOCK_KIND_STREAM), IO_FAILED);
    assert_int_equal(s.error, EHOSTUNREACH);
    sock_close(&s, false, NULL);
    fake_run(&loop, START);

    set_origin(2, ETIMEDOUT); /* the later rule wins */
    assert_int_equal(dial_fake(&s, 2, SOCK_KIND_STREAM), IO_AGAIN);
    fake_run(&loop, UINT64_MAX);
    assert_int_equal(sock_connect_end(&s), IO_AGAIN);
    sock_close(&s, false, NULL);
    fake_run(&loop, START);
}

static void datagrams_keep_their_edges(void **state)
{
    struct sock s;
    size_t taken;
    char text[16];
    (void)state;

    set_origin(53, 0);
    assert_int_equal(dial_fake(&s, 53, SOCK_KIND_DATAGRAM), IO_OK);
    assert_int_equal(send_text(&s, "ask", &taken), IO_OK);
    fake_run(&loop, START);
    fake_send(far_end, span_of("longer"));
    fake_run(&loop, START);
    assert_int_equal(recv_text(&s, 9, text), IO_OK);
    assert_string_equal(text, "pong");
    assert_int_equal(recv_text(&s, 3, text), IO_OK);
    assert_string_equal(text, "lon"); /* the rest of a datagram is lost */
    assert_int_equal(recv_text(&s, 9, text), IO_AGAIN);
    sock_close(&s, false, NULL);
    fake_run(&loop, START);
}

/* --- failures --- */

static void each_kind_of_step_fails_when_asked(void **state)
{
    struct fake_peer *p;
    struct sock s;
    size_t taken;
    char text[16];
    (void)state;

    fake_fail(&loop, FAKE_ACCEPT, 1, EMFILE);
    p = fake_connect(&loop, LISTENER, NULL);
    fake_run(&loop, START);
    assert_int_equal(accept_error, -EMFILE);
    fake_run(&loop, START + 1000); /* the listener has rested */
    assert_true(server.fd >= 0);
    fake_send(p, span_of("x"));
    fake_run(&loop, START + 1000);
    fake_fail(&loop, FAKE_RECV, 1, EIO);
    assert_int_equal(recv_text(&server, 9, text), IO_FAILED);
    assert_int_equal(server.error, EIO);
    fake_fail(&loop, FAKE_SEND, 2, ENOBUFS);
    assert_int_equal(send_text(&server, "y", &taken), IO_OK);
    assert_int_equal(send_text(&server, "y", &taken), IO_FAILED);
    fake_fail(&loop, FAKE_CONNECT, 1, EADDRNOTAVAIL);
    assert_int_equal(dial_fake(&s, 80, SOCK_KIND_STREAM), IO_FAILED);
    sock_close(&s, false, NULL);
    fake_fail(&loop, FAKE_SOCKET, 1, EMFILE);
    assert_int_equal(dial_fake(&s, 80, SOCK_KIND_STREAM), IO_FAILED);
    fake_run(&loop, START + 1000);
}

static void an_open_that_fails_leaves_nothing(void **state)
{
    struct fake_peer *p;
    (void)state;

    fake_fail(&loop, FAKE_OPEN, 1, ENOSPC);
    p = fake_connect(&loop, LISTENER, NULL);
    fake_run(&loop, START);
    assert_int_equal(accept_error, -ENOSPC);
    assert_true(fake_is_closed(p));
}

static void an_injected_eagain_is_only_a_delay(void **state)
{
    struct fake_peer *p = connected();
    char text[16];
    size_t taken;
    (void)state;

    fake_send(p, span_of("x"));
    fake_run(&loop, START);
    fake_fail(&loop, FAKE_RECV, 1, EAGAIN);
    assert_int_equal(recv_text(&server, 9, text), IO_AGAIN);
    fake_fail(&loop, FAKE_SEND, 1, EAGAIN);
    assert_int_equal(send_text(&server, "y", &taken), IO_AGAIN);
    fake_run(&loop, START);
    assert_int_equal(told[SIDE_READ], 2);
    assert_int_equal(told[SIDE_WRITE], 1);
    assert_int_equal(recv_text(&server, 9, text), IO_OK);
}

/* A small server and its origin on fibers; each step of each kind fails in turn. */
struct relay {
    struct conn client, origin;
    unsigned ended;
};

static void relay_closed(struct conn *c)
{
    (void)c;
}

static bool reach_origin(struct relay *r)
{
    struct address to = { .family = AF_INET, .port = 80, .ip = { 192, 0, 2, 1 } };
    int fd = loop_new_socket(&loop, AF_INET, SOCK_KIND_STREAM);

    if (fd < 0 || conn_open(&r->origin, &loop, fd, &to) != 0)
        return false;
    enum io io = sock_connect_start(&r->origin.sock, &to);
    if (io == IO_AGAIN)
        io = sock_wait(&r->origin.sock, SIDE_WRITE, loop_now(&loop) + 1000);
    return io == IO_OK && sock_connect_end(&r->origin.sock) == IO_OK;
}

static bool pass_on(struct conn *from, struct conn *to)
{
    struct lease l = { 0 };

    if (conn_read(from, 100, &l, loop_now(&loop) + 1000) != IO_OK)
        return false;
    struct iovec iov = { l.data, l.size };
    enum io io = conn_write(to, &iov, 1, 1000);
    lease_done(&l);
    return io == IO_OK;
}

static void relay_once(void *arg)
{
    struct relay *r = arg;

    if (reach_origin(r) && pass_on(&r->client, &r->origin))
        pass_on(&r->origin, &r->client);
    if (r->origin.sock.loop != NULL)
        conn_close(&r->origin, false, relay_closed);
    conn_close(&r->client, false, relay_closed);
    r->ended++;
}

static struct relay relay;

static void relay_accept(struct sock *s, int fd, const struct address *peer)
{
    (void)s;
    if (fd < 0)
        return;
    if (conn_open(&relay.client, &loop, fd, peer) != 0)
        relay.ended++;
    else
        assert_int_equal(fiber_spawn(&loop.fibers, NULL, relay_once, &relay), 0);
}

/* True: the answer came through. */
static bool relay_with_failure(enum fake_step kind, uint64_t nth, int error)
{
    relay = (struct relay){ 0 };
    fake_fail(&loop, kind, nth, error);
    struct fake_peer *p = fake_connect(&loop, LISTENER, NULL);
    fake_send(p, span_of("ping"));
    fake_run(&loop, loop_now(&loop) + 10000);
    fake_fail(&loop, kind, 0, 0);
    assert_int_equal(relay.ended, 1);
    assert_int_equal(loop.open_socks, 1);
    assert_int_equal(loop.blocks.live, 0);
    assert_true(fake_is_closed(p));
    return span_is(fake_received(p), "pong");
}

static void each_step_of_each_kind_failing_in_turn_leaks_nothing(void **state)
{
    (void)state;
    listener.on_accept = relay_accept;
    set_origin(80, 0);
    assert_true(relay_with_failure(FAKE_RECV, 0, 0));
    for (enum fake_step kind = 0; kind < FAKE_STEP_KINDS; kind++) {
        if (kind == FAKE_ACCEPT)
            continue; /* an accept that fails is made again */
        assert_false(relay_with_failure(kind, 1, ENOMEM));
        for (uint64_t nth = 1; nth < 5; nth++)
            relay_with_failure(kind, nth, EPERM);
    }
    assert_true(relay_with_failure(FAKE_ACCEPT, 1, ENFILE));
    assert_true(relay_with_failure(FAKE_RECV, 1, EAGAIN));
    assert_true(relay_with_failure(FAKE_SEND, 2, EAGAIN));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(the_clock_moves_to_the_next_timer_and_no_further),
        TEST(it_runs_while_a_fiber_has_yielded_and_time_stands),
        TEST(it_runs_while_a_socket_asks_again),
        TEST(bytes_come_at_an_edge_and_a_short_read_dries),
        TEST(data_and_fin_in_one_event_are_read_to_the_end),
        TEST(segments_of_one_byte_arrive_one_a_turn_and_the_fin_with_the_last),
        TEST(what_the_code_sends_is_seen_and_told),
        TEST(a_full_window_stops_the_sender_until_it_drains),
        TEST(a_reset_comes_after_the_bytes_before_it),
        TEST(who_closes_with_bytes_unread_resets),
        TEST(nobody_listens_nobody_connects),
        TEST(a_file_and_a_pipe_reach_the_far_end),
        TEST(an_origin_accepts_and_answers),
        TEST(an_origin_refuses_is_unroutable_or_silent),
        TEST(datagrams_keep_their_edges),
        TEST(each_kind_of_step_fails_when_asked),
        TEST(an_open_that_fails_leaves_nothing),
        TEST(an_injected_eagain_is_only_a_delay),
        TEST(each_step_of_each_kind_failing_in_turn_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
