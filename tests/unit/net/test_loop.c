/* The loop on the real backend: a turn, fairness, closing, listeners, fibers that wait. */
#include "room.h"

#include <sys/resource.h>
#include <sys/socket.h>

/* --- the turn --- */

static char story[64];

static void tell(char c)
{
    size_t n = strlen(story);

    assert_true(n < sizeof(story) - 1);
    story[n] = c;
    story[n + 1] = '\0';
}

static int setup(void **state)
{
    story[0] = '\0';
    return room_setup(state);
}

static struct turn_end first_end, second_end;

static void at_end(struct turn_end *e)
{
    tell('z');
    if (e == &first_end)
        loop_at_turn_end(&loop, &second_end); /* for the next turn */
}

static void fiber_tells(void *arg)
{
    (void)arg;
    tell('f');
    loop_at_turn_end(&loop, &first_end);
    loop_at_turn_end(&loop, &first_end);
}

static void timer_tells(struct timer *t)
{
    (void)t;
    tell('t');
    fiber_spawn(&loop.fibers, NULL, fiber_tells, NULL);
}

static void event_tells(struct sock *s)
{
    (void)s;
    tell('e');
}

static void a_turn_goes_events_timers_fibers_ends(void **state)
{
    struct timer timer = { .on_time = timer_tells };
    struct sock s;
    int far = open_pair(&s);
    (void)state;

    first_end = second_end = (struct turn_end){ .fn = at_end };
    s.on[SIDE_READ].fn = event_tells;
    say(far, "x");
    timer_set(&loop.wheel, &timer, loop_now(&loop));
    while (clock_monotonic_ms() < loop_now(&loop) + 2 * TIMER_TICK_MS)
        ; /* both are due */
    turns(1);
    assert_string_equal(story, "etfz");
    turns(2);
    assert_string_equal(story, "etfzz");
    close_pair(&s, far);
}

static void stop_it(struct timer *t)
{
    (void)t;
    loop_stop(&loop);
}

static void run_goes_on_until_it_is_stopped_and_sleeps_meanwhile(void **state)
{
    struct timer timer = { .on_time = stop_it };
    uint64_t start = loop_now(&loop);
    (void)state;

    timer_set(&loop.wheel, &timer, start + 50);
    assert_int_equal(loop_run(&loop), 0);
    assert_true(loop_now(&loop) >= start + 50);
    timer_set(&loop.wheel, &timer, loop_now(&loop) + 10);
    assert_int_equal(loop_run(&loop), 0);
}

static void the_texts_of_the_clock_follow_the_turn(void **state)
{
    (void)state;
    turns(1);
    assert_true(llabs(loop.clock.wall_ms - clock_wall_ms()) < 2000);
    assert_int_equal(strlen(loop.clock.http_date), HTTP_DATE_LENGTH);
}

/* --- fairness --- */

static unsigned calls[2];
static struct sock fast[2];

static void read_a_little(struct sock *s)
{
    uint32_t n;

    if (recv_once(s, 1000, &n) != IO_OK)
        return;
    calls[s == &fast[1]]++;
    sock_again(s); /* its share of the turn is used up */
}

static void two_fast_senders_are_served_in_turn(void **state)
{
    static char bytes[100 * 1000];
    int far[2];
    (void)state;

    for (int i = 0; i < 2; i++) {
        calls[i] = 0;
        far[i] = open_pair(&fast[i]);
        fast[i].on[SIDE_READ].fn = read_a_little;
        assert_int_equal(send(far[i], bytes, sizeof(bytes), 0), sizeof(bytes));
    }
    uint64_t start = loop_now(&loop);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(loop_turn(&loop, -1), 0); /* does not sleep: one is waiting */
        assert_true(calls[0] <= calls[1] + 1 && calls[1] <= calls[0] + 1);
    }
    assert_in_range(calls[0], 59, 60);
    assert_true(loop_now(&loop) - start < 5000); /* a sleep would last until the loop's second */
    close_pair(&fast[0], far[0]);
    close_pair(&fast[1], far[1]);
}

/* --- closing --- */

static struct sock *enemies[2]; /* on the heap */
static unsigned closed;

static void on_enemy_closed(struct sock *s)
{
    closed++;
    free(s);
}

static void close_the_other(struct sock *s)
{
    tell('c');
    sock_close(s == enemies[0] ? enemies[1] : enemies[0], false, on_enemy_closed);
}

static void an_event_for_a_socket_closed_in_the_same_batch_is_skipped(void **state)
{
    int far[2];
    (void)state;

    closed = 0;
    for (int i = 0; i < 2; i++) {
        enemies[i] = malloc(sizeof(struct sock));
        far[i] = open_pair(enemies[i]);
        enemies[i]->on[SIDE_READ].fn = close_the_other;
        say(far[i], "x");
    }
    turns(1);
    assert_string_equal(story, "c");
    assert_int_equal(closed, 1);
    assert_int_equal(loop.open_socks, 1);
    char byte; /* whose socket it was sees its end; the other is still open */
    assert_true((recv(far[0], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) !=
                (recv(far[1], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN));
    for (int i = 0; i < 2; i++)
        if (recv(far[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
            sock_close(enemies[i], false, on_enemy_closed);
    turns(1);
    assert_int_equal(closed, 2);
    close(far[0]);
    close(far[1]);
}

static void close_me(struct sock *s)
{
    tell('r');
    sock_close(s, false, on_enemy_closed);
}

static void closed_by_its_reader_the_writer_and_the_watcher_are_not_called(void **state)
{
    struct sock *s = malloc(sizeof(*s));
    int far = open_pair(s);
    (void)state;

    closed = 0;
    s->on[SIDE_READ].fn = close_me;
    s->on[SIDE_WRITE].fn = event_tells;
    sock_watch_hangup(s, event_tells);
    sock_again(s);
    close(far);
    turns(2);
    assert_string_equal(story, "r");
    assert_int_equal(closed, 1);
}

static void the_descriptor_is_closed_when_told_and_not_before(void **state)
{
    struct sock s;
    char byte;
    int far = open_pair(&s);
    (void)state;

    sock_close(&s, false, NULL);
    assert_true(recv(far, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    turns(1);
    assert_int_equal(s.fd, -1);
    assert_int_equal(recv(far, &byte, 1, MSG_DONTWAIT), 0);
    close(far);
}

static void a_close_with_reset_resets(void **state)
{
    struct sock s;
    char byte;
    int far = open_pair(&s);
    (void)state;

    sock_close(&s, true, NULL);
    turns(1);
    assert_true(recv(far, &byte, 1, 0) < 0 && errno == ECONNRESET);
    close(far);
}

/* --- listeners --- */

enum { MANY = 40, BATCH = 16 };

static struct {
    int fds[MANY + 1];
    unsigned count;
    int error;
} accepted;

static void on_accept(struct sock *s, int fd, const struct address *peer)
{
    (void)s;
    if (fd < 0) {
        accepted.error = fd;
        return;
    }
    assert_int_equal(peer->family, AF_INET);
    assert_true(accepted.count < MANY);
    accepted.fds[accepted.count++] = fd;
}

static void close_accepted(void)
{
    for (unsigned i = 0; i < accepted.count; i++)
        close(accepted.fds[i]);
    accepted.count = 0;
    accepted.error = 0;
}

static uint16_t start_listener(struct sock *s)
{
    int fd;
    uint16_t port = listen_somewhere(&fd);

    close_accepted();
    *s = (struct sock){ 0 };
    assert_int_equal(sock_listen(&loop, s, fd, BATCH, on_accept), 0);
    return port;
}

static void connections_are_accepted_in_batches_without_a_further_event(void **state)
{
    struct sock s;
    int far[MANY];
    uint16_t port = start_listener(&s);
    (void)state;

    for (int i = 0; i < MANY; i++)
        far[i] = connect_to_port(port);
    turns(1);
    assert_int_equal(accepted.count, 16);
    turns(1);
    assert_int_equal(accepted.count, 32);
    turns(1);
    assert_int_equal(accepted.count, 40);
    for (int i = 0; i < MANY; i++)
        close(far[i]);
    close_accepted();
    end_sock(&s);
}

static void a_paused_listener_accepts_nothing_and_then_all(void **state)
{
    struct sock s;
    uint16_t port = start_listener(&s);
    (void)state;

    sock_listen_pause(&s, true);
    int far = connect_to_port(port);
    turns(2);
    assert_int_equal(accepted.count, 0);
    sock_listen_pause(&s, false);
    turns(1);
    assert_int_equal(accepted.count, 1);
    close(far);
    close_accepted();
    end_sock(&s);
}

static void out_of_descriptors_a_listener_rests_and_comes_back(void **state)
{
    struct rlimit before, low;
    struct sock s;
    uint16_t port = start_listener(&s);
    int far = connect_to_port(port);
    (void)state;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){ (rlim_t)dup(far), before.rlim_max };
    close((int)low.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    turns(2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(accepted.error, -EMFILE);
    assert_int_equal(accepted.count, 0);
    for (int i = 0; i < 2000 && accepted.count == 0; i++)
        turns(1);
    assert_int_equal(accepted.count, 1);
    close(far);
    close_accepted();
    end_sock(&s);
}

static void a_closed_listener_that_others_hold_too_is_heard_of_no_more(void **state)
{
    struct sock *s = malloc(sizeof(*s));
    uint16_t port = start_listener(s);
    int shared = dup(s->fd);
    (void)state;

    closed = 0;
    sock_close(s, false, on_enemy_closed);
    turns(1);
    assert_int_equal(closed, 1);
    int far = connect_to_port(port);
    turns(2); /* an event would touch freed memory */
    assert_int_equal(accepted.count, 0);
    close(far);
    close(shared);
}

/* --- fibers that wait for sockets --- */

struct waiter {
    struct sock *sock;
    struct fiber *fiber;
    uint64_t deadline;
    enum io io;
    uint64_t woke_at;
    bool done;
};

static void wait_to_read(void *arg)
{
    struct waiter *w = arg;

    w->fiber = fiber_self();
    w->io = sock_wait(w->sock, SIDE_READ, w->deadline);
    w->woke_at = loop_now(&loop);
    w->done = true;
}

static int start_waiter(struct waiter *w, struct sock *s, uint64_t ms)
{
    int far = open_pair(s);

    *w = (struct waiter){ .sock = s, .deadline = loop_now(&loop) + ms };
    fiber_spawn(&loop.fibers, NULL, wait_to_read, w);
    turns(2);
    assert_false(w->done);
    return far;
}

static void a_fiber_wakes_when_its_side_is_ready_and_not_for_the_other(void **state)
{
    struct waiter w;
    struct sock s;
    int far = start_waiter(&w, &s, 60000);
    (void)state;

    say(far, "x");
    turns(1);
    assert_true(w.done);
    assert_int_equal(w.io, IO_OK);
    w.done = false;
    fiber_spawn(&loop.fibers, NULL, wait_to_read, &w); /* it is ready still: no sleep */
    turns(1);
    assert_true(w.done);
    close_pair(&s, far);
}

static void a_fiber_wakes_at_its_deadline(void **state)
{
    struct waiter w;
    struct sock s;
    int far = start_waiter(&w, &s, 50);
    (void)state;

    turn_until(&w.done);
    assert_int_equal(w.io, IO_TIMEOUT);
    assert_true(w.woke_at >= w.deadline && w.woke_at < w.deadline + 2 * TIMER_TICK_MS + 500);
    assert_null(s.on[SIDE_READ].wait);
    close_pair(&s, far);
}

static void a_cancelled_fiber_lets_go_of_the_socket(void **state)
{
    struct waiter w;
    struct sock s;
    int far = start_waiter(&w, &s, 60000);
    (void)state;

    fiber_cancel(w.fiber);
    assert_null(s.on[SIDE_READ].wait);
    turns(1);
    assert_int_equal(w.io, IO_CANCELLED);
    close_pair(&s, far);
}

static void closing_a_socket_wakes_who_sleeps_on_it(void **state)
{
    struct waiter w;
    struct sock *s = malloc(sizeof(*s));
    int far = start_waiter(&w, s, 60000);
    (void)state;

    closed = 0;
    sock_close(s, false, on_enemy_closed);
    turns(1);
    assert_int_equal(closed, 1);
    assert_int_equal(w.io, IO_CANCELLED);
    close(far);
}

static void wait_for_both(void *arg)
{
    static char bytes[8 << 20];
    struct waiter *w = arg;
    struct iovec iov = { bytes, sizeof(bytes) };
    size_t taken;

    assert_int_equal(sock_send_start(w->sock, &iov, 1, &taken), IO_AGAIN);
    w->io = sock_wait_both(w->sock, loop_now(&loop) + 60000);
    w->done = true;
}

static void take_some(int far)
{
    static char bytes[8 << 20];

    for (int i = 0; i < 100; i++)
        if (recv(far, bytes, sizeof(bytes), MSG_DONTWAIT) < 0)
            turns(1);
}

static void who_waits_for_both_sides_wakes_for_either_once(void **state)
{
    (void)state;
    for (enum side side = SIDE_READ; side <= SIDE_WRITE; side++) {
        struct sock s;
        int far = open_pair(&s);
        struct waiter w = { .sock = &s };

        turns(1);
        fiber_spawn(&loop.fibers, NULL, wait_for_both, &w);
        turns(2);
        assert_false(w.done);
        if (side == SIDE_READ)
            say(far, "x");
        else
            take_some(far);
        turns(1);
        assert_true(w.done);
        assert_int_equal(w.io, IO_OK);
        assert_null(s.on[SIDE_READ].wait);
        assert_null(s.on[SIDE_WRITE].wait);
        close_pair(&s, far);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, room_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_turn_goes_events_timers_fibers_ends),
        TEST(run_goes_on_until_it_is_stopped_and_sleeps_meanwhile),
        TEST(the_texts_of_the_clock_follow_the_turn),
        TEST(two_fast_senders_are_served_in_turn),
        TEST(an_event_for_a_socket_closed_in_the_same_batch_is_skipped),
        TEST(closed_by_its_reader_the_writer_and_the_watcher_are_not_called),
        TEST(the_descriptor_is_closed_when_told_and_not_before),
        TEST(a_close_with_reset_resets),
        TEST(connections_are_accepted_in_batches_without_a_further_event),
        TEST(a_paused_listener_accepts_nothing_and_then_all),
        TEST(out_of_descriptors_a_listener_rests_and_comes_back),
        TEST(a_closed_listener_that_others_hold_too_is_heard_of_no_more),
        TEST(a_fiber_wakes_when_its_side_is_ready_and_not_for_the_other),
        TEST(a_fiber_wakes_at_its_deadline),
        TEST(a_cancelled_fiber_lets_go_of_the_socket),
        TEST(closing_a_socket_wakes_who_sleeps_on_it),
        TEST(who_waits_for_both_sides_wakes_for_either_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
