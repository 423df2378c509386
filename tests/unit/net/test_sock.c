/* Sockets on the real backend: what is told when, and which steps cost a system call. */
#include "base/address.h"
#include "base/budget.h"
#include "net/sock.h"
#include "room.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static unsigned told[2]; /* calls of on[side].fn */

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

static int setup(void **state)
{
    told[SIDE_READ] = told[SIDE_WRITE] = 0;
    return room_setup(state);
}

static int open_told(struct sock *s)
{
    int far = open_pair(s);

    s->on[SIDE_READ].fn = on_read;
    s->on[SIDE_WRITE].fn = on_write;
    return far;
}

/* --- reading --- */

static void a_fresh_socket_is_dry_until_its_edge_and_costs_no_block(void **state)
{
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    say(far, "x"); /* there, but not told yet */
    assert_int_equal(recv_once(&s, 100, &n), IO_AGAIN);
    assert_int_equal(loop.blocks.live + loop.blocks.idle_count, 0);
    turns(1);
    assert_int_equal(told[SIDE_READ], 1);
    assert_int_equal(recv_once(&s, 100, &n), IO_OK);
    assert_int_equal(n, 1);
    close_pair(&s, far);
}

static void after_a_short_read_the_next_one_makes_no_system_call(void **state)
{
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    say(far, "12345");
    turns(1);
    assert_int_equal(recv_once(&s, 100, &n), IO_OK);
    say(far, "67"); /* a system call would see it */
    assert_int_equal(recv_once(&s, 100, &n), IO_AGAIN);
    turns(1);
    assert_int_equal(told[SIDE_READ], 2);
    assert_int_equal(recv_once(&s, 100, &n), IO_OK);
    assert_int_equal(n, 2);
    close_pair(&s, far);
}

static void data_and_fin_in_one_event_are_read_to_the_end_after_a_short_read(void **state)
{
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    say(far, "bye");
    shutdown(far, SHUT_WR);
    turns(1);
    assert_int_equal(recv_once(&s, 100, &n), IO_OK);
    assert_int_equal(n, 3);
    assert_int_equal(recv_once(&s, 100, &n), IO_EOF);
    assert_int_equal(recv_once(&s, 100, &n), IO_EOF);
    close_pair(&s, far);
}

static void full_length_reads_go_on_without_an_edge(void **state)
{
    char bytes[1000] = { 0 };
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    assert_int_equal(send(far, bytes, sizeof(bytes), 0), sizeof(bytes));
    turns(1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(recv_once(&s, 100, &n), IO_OK);
        assert_int_equal(n, 100);
    }
    assert_int_equal(recv_once(&s, 100, &n), IO_AGAIN);
    say(far, "x");
    turns(1);
    assert_int_equal(told[SIDE_READ], 2);
    close_pair(&s, far);
}

static void a_reset_is_a_failure_with_its_cause(void **state)
{
    struct linger at_once = { .l_onoff = 1 };
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    setsockopt(far, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(far);
    turns(1);
    assert_int_equal(recv_once(&s, 100, &n), IO_FAILED);
    assert_int_equal(s.error, ECONNRESET);
    end_sock(&s);
}

static void a_spent_budget_fails_the_read(void **state)
{
    struct budget none = { 0 };
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    loop.blocks.budget = &none;
    say(far, "x");
    turns(1);
    assert_int_equal(recv_once(&s, 100, &n), IO_FAILED);
    assert_int_equal(s.error, ENOMEM);
    loop.blocks.budget = NULL;
    close_pair(&s, far);
}

static void datagrams_are_readable_until_there_are_no_more(void **state)
{
    struct sock s = { .on[SIDE_READ].fn = on_read };
    uint32_t n;
    int fds[2];
    (void)state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(sock_open(&loop, &s, fds[0], SOCK_KIND_DATAGRAM), 0);
    say(fds[1], "one");
    say(fds[1], ""); /* is told, and is no end */
    say(fds[1], "three");
    turns(1);
    assert_int_equal(recv_once(&s, 100, &n), IO_OK);
    assert_int_equal(n, 3);
    assert_int_equal(recv_once(&s, 100, &n), IO_EOF);
    assert_int_equal(recv_once(&s, 100, &n), IO_OK);
    assert_int_equal(n, 5);
    assert_int_equal(recv_once(&s, 100, &n), IO_AGAIN);
    close_pair(&s, fds[1]);
}

static void read_eventfd(struct sock *s)
{
    uint64_t count;

    told[SIDE_READ]++;
    assert_int_equal(read(s->fd, &count, sizeof(count)), sizeof(count));
}

static void an_eventfd_is_told_at_each_edge(void **state)
{
    struct sock s = { .on[SIDE_READ].fn = read_eventfd };
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    (void)state;

    assert_int_equal(sock_open(&loop, &s, fd, SOCK_KIND_EVENT), 0);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(eventfd_write(fd, 1), 0);
        turns(2);
        assert_int_equal(told[SIDE_READ], i);
    }
    end_sock(&s);
}

/* --- writing --- */

static void a_short_send_waits_for_its_edge_without_a_system_call(void **state)
{
    static char bytes[8 << 20];
    struct sock s;
    struct iovec iov = { bytes, sizeof(bytes) };
    size_t taken, sum = 0;
    int far = open_told(&s);
    (void)state;

    assert_int_equal(sock_send_start(&s, &iov, 1, &taken), IO_AGAIN); /* fresh: it is tried */
    assert_true(taken > 0 && taken < sizeof(bytes));
    iov = (struct iovec){ bytes, sizeof(bytes) - taken };
    for (ssize_t n; sum < taken; sum += (size_t)n) /* there is room now, but nobody told */
        assert_true((n = recv(far, bytes, sizeof(bytes), 0)) > 0);
    size_t more;
    assert_int_equal(sock_send_start(&s, &iov, 1, &more), IO_AGAIN);
    assert_int_equal(more, 0);
    turns(2);
    assert_int_equal(told[SIDE_WRITE], 1);
    sock_send_start(&s, &iov, 1, &more);
    assert_true(more > 0);
    close_pair(&s, far);
}

static void pieces_leave_in_one_call(void **state)
{
    struct iovec iov[3] = { { "ab", 2 }, { "", 0 }, { "cde", 3 } };
    struct sock s;
    char got[8] = "";
    size_t taken;
    int far = open_told(&s);
    (void)state;

    assert_int_equal(sock_send_start(&s, iov, 3, &taken), IO_OK);
    assert_int_equal(taken, 5);
    assert_int_equal(recv(far, got, sizeof(got), 0), 5);
    assert_string_equal(got, "abcde");
    close_pair(&s, far);
}

static void iov_skip_stops_inside_a_piece_and_passes_empty_ones(void **state)
{
    struct iovec pieces[4] = { { "ab", 2 }, { "", 0 }, { "cde", 3 }, { "", 0 } };
    struct iovec *iov = pieces;
    (void)state;

    assert_int_equal(iov_skip(&iov, 4, 3), 2);
    assert_int_equal(iov->iov_len, 2);
    assert_memory_equal(iov->iov_base, "de", 2);
    assert_int_equal(iov_skip(&iov, 2, 2), 0);
}

static void a_file_leaves_by_sendfile_and_says_when_it_is_shorter(void **state)
{
    char path[] = "/tmp/test_sock.XXXXXX";
    char got[16] = "";
    struct sock s;
    size_t taken;
    int file = mkstemp(path);
    int far = open_told(&s);
    (void)state;

    unlink(path);
    assert_int_equal(write(file, "0123456789", 10), 10);
    assert_int_equal(sock_send_file(&s, file, 3, 100, &taken), IO_OK);
    assert_int_equal(taken, 7);
    assert_int_equal(sock_send_file(&s, file, 10, 93, &taken), IO_EOF);
    assert_int_equal(recv(far, got, sizeof(got), 0), 7);
    assert_string_equal(got, "3456789");
    close(file);
    close_pair(&s, far);
}

static void bytes_are_spliced_from_socket_to_socket(void **state)
{
    struct sock from, to;
    int pipes[2];
    char got[16] = "";
    size_t taken;
    int left = open_told(&from);
    int right = open_told(&to);
    (void)state;

    assert_int_equal(pipe2(pipes, O_NONBLOCK | O_CLOEXEC), 0);
    say(left, "through");
    shutdown(left, SHUT_WR);
    turns(1);
    assert_int_equal(sock_splice_in(&from, pipes[1], 65536, &taken), IO_OK);
    assert_int_equal(taken, 7);
    assert_int_equal(sock_splice_out(&to, pipes[0], 7, &taken), IO_OK);
    assert_int_equal(recv(right, got, sizeof(got), 0), 7);
    assert_string_equal(got, "through");
    assert_int_equal(sock_splice_in(&from, pipes[1], 65536, &taken), IO_EOF);
    assert_int_equal(sock_shutdown_write(&to), IO_OK);
    assert_int_equal(recv(right, got, sizeof(got), 0), 0);
    close(pipes[0]);
    close(pipes[1]);
    close_pair(&from, left);
    close_pair(&to, right);
}

/* --- connecting --- */

static void a_connect_ends_when_told(void **state)
{
    int listener;
    struct address to = at_port(listen_somewhere(&listener)), here;
    struct sock s = { .on[SIDE_WRITE].fn = on_write };
    (void)state;

    assert_int_equal(
        sock_open(&loop, &s, loop_new_socket(&loop, AF_INET, SOCK_KIND_STREAM), SOCK_KIND_STREAM),
        0);
    turns(1); /* a socket that is not connected counts as hung up: to be forgotten */
    told[SIDE_WRITE] = 0;
    enum io io = sock_connect_start(&s, &to);
    if (io == IO_AGAIN) {
        assert_int_equal(sock_connect_end(&s), IO_AGAIN);
        turns(2);
        assert_int_equal(told[SIDE_WRITE], 1);
        io = sock_connect_end(&s);
    }
    assert_int_equal(io, IO_OK);
    assert_int_equal(sock_local_address(&s, &here), 0);
    assert_int_equal(here.ip[0], 127);
    assert_true(here.port != 0);
    close_pair(&s, listener);
}

static void a_refused_connect_says_so(void **state)
{
    int listener;
    struct address to = at_port(listen_somewhere(&listener));
    struct sock s = { 0 };
    (void)state;

    close(listener);
    assert_int_equal(
        sock_open(&loop, &s, loop_new_socket(&loop, AF_INET, SOCK_KIND_STREAM), SOCK_KIND_STREAM),
        0);
    enum io io = sock_connect_start(&s, &to);
    turns(2);
    io = io == IO_AGAIN ? sock_connect_end(&s) : io;
    assert_int_equal(io, IO_FAILED);
    assert_int_equal(s.error, ECONNREFUSED);
    end_sock(&s);
}

static void a_descriptor_that_cannot_be_watched_is_refused_and_may_be_closed(void **state)
{
    struct sock s = { 0 };
    (void)state;

    assert_int_equal(sock_open(&loop, &s, 999999, SOCK_KIND_STREAM), -EBADF);
    end_sock(&s);
}

/* --- parked sockets --- */

static struct {
    unsigned count;
    enum wake why;
} woken;

static void on_wake(struct sock *s, enum wake why)
{
    (void)s;
    woken.count++;
    woken.why = why;
}

static int park(struct sock *s, uint64_t ms)
{
    int far = open_told(s);

    woken.count = 0;
    sock_park(s, on_wake, loop_now(&loop) + ms);
    turns(2); /* the edge of a fresh socket, which is writable, wakes nobody */
    assert_int_equal(woken.count, 0);
    return far;
}

static void a_parked_socket_wakes_once_for_bytes_and_gives_them(void **state)
{
    struct sock s;
    uint32_t n;
    int far = park(&s, 60000);
    (void)state;

    say(far, "hi");
    turns(2);
    say(far, "ho");
    turns(2);
    assert_int_equal(woken.count, 1);
    assert_int_equal(woken.why, WAKE_DONE);
    assert_false(timer_is_set(&s.timer));
    assert_int_equal(recv_once(&s, 100, &n), IO_OK);
    assert_int_equal(n, 4);
    close_pair(&s, far);
}

static void a_parked_socket_wakes_for_a_fin(void **state)
{
    struct sock s;
    int far = park(&s, 60000);
    (void)state;

    shutdown(far, SHUT_WR);
    turns(2);
    assert_int_equal(woken.count, 1);
    assert_int_equal(woken.why, WAKE_DONE);
    close_pair(&s, far);
}

static void a_parked_socket_wakes_at_its_deadline_once(void **state)
{
    struct sock s;
    int far = park(&s, 20);
    (void)state;

    for (int i = 0; i < 2000 && woken.count == 0; i++)
        turns(1);
    assert_int_equal(woken.why, WAKE_TIMEOUT);
    say(far, "late");
    turns(2);
    assert_int_equal(woken.count, 1);
    close_pair(&s, far);
}

static void bytes_that_were_there_wake_a_socket_from_the_loop_not_from_the_call(void **state)
{
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    say(far, "1234");
    turns(1);
    assert_int_equal(recv_once(&s, 2, &n), IO_OK);
    woken.count = 0;
    sock_park(&s, on_wake, loop_now(&loop) + 60000);
    assert_int_equal(woken.count, 0);
    turns(1);
    assert_int_equal(woken.count, 1);
    close_pair(&s, far);
}

static void a_read_of_just_what_was_there_does_not_wake_a_parked_socket(void **state)
{
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    say(far, "1234");
    turns(1);
    assert_int_equal(recv_once(&s, 4, &n), IO_OK);
    woken.count = 0;
    sock_park(&s, on_wake, loop_now(&loop) + 60000);
    turns(2);
    assert_int_equal(woken.count, 0);
    assert_true(sock_unpark(&s));
    close_pair(&s, far);
}

static void unpark_takes_back_an_idle_socket_and_no_wake_follows(void **state)
{
    struct sock s;
    int far = park(&s, 60000);
    (void)state;

    assert_true(sock_unpark(&s));
    assert_false(sock_unpark(&s));
    say(far, "x");
    turns(2);
    assert_int_equal(woken.count, 0);
    assert_int_equal(told[SIDE_READ], 1);
    close_pair(&s, far);
}

static void unpark_refuses_a_socket_for_which_something_came(void **state)
{
    struct sock s;
    int far = open_told(&s);
    (void)state;

    say(far, "x");
    turns(1);
    woken.count = 0;
    sock_park(&s, on_wake, loop_now(&loop) + 60000);
    assert_false(sock_unpark(&s));
    turns(2);
    assert_int_equal(woken.count, 0);
    close_pair(&s, far);
}

/* --- hang-ups --- */

static unsigned hangups;

static void on_hangup(struct sock *s)
{
    (void)s;
    hangups++;
}

static void a_fin_is_noticed_while_nobody_reads_and_no_byte_is_taken(void **state)
{
    struct sock s;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    hangups = 0;
    sock_watch_hangup(&s, on_hangup);
    say(far, "body");
    turns(2);
    assert_int_equal(hangups, 0);
    shutdown(far, SHUT_WR);
    turns(2);
    assert_int_equal(hangups, 1);
    assert_int_equal(recv_once(&s, 100, &n), IO_OK);
    assert_int_equal(n, 4);
    close(far);
    turns(2);
    assert_int_equal(hangups, 1);
    end_sock(&s);
}

static void a_hangup_that_happened_before_it_was_watched_for_is_told_from_the_loop(void **state)
{
    struct sock s;
    int far = open_told(&s);
    (void)state;

    hangups = 0;
    close(far);
    turns(1);
    sock_watch_hangup(&s, on_hangup);
    assert_int_equal(hangups, 0);
    turns(1);
    assert_int_equal(hangups, 1);
    assert_int_equal(told[SIDE_READ], 1); /* the reader is not told anew */
    sock_watch_hangup(&s, on_hangup);
    sock_watch_hangup(&s, NULL);
    turns(1);
    assert_int_equal(hangups, 1);
    end_sock(&s);
}

static void a_reset_after_a_known_fin_is_told_and_the_fin_is_not(void **state)
{
    struct linger at_once = { .l_onoff = 1 };
    struct sock s;
    int far = open_told(&s);
    (void)state;

    hangups = 0;
    shutdown(far, SHUT_WR);
    turns(1);
    sock_watch_reset(&s, on_hangup);
    sock_again(&s);
    turns(2);
    assert_int_equal(hangups, 0);
    assert_false(sock_has_failed(&s));
    setsockopt(far, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(far);
    turns(2);
    assert_int_equal(hangups, 1);
    assert_true(sock_has_failed(&s));
    sock_watch_reset(&s, on_hangup); /* no news any more */
    turns(2);
    assert_int_equal(hangups, 1);
    end_sock(&s);
}

static void a_socket_that_moved_is_told_at_its_new_place(void **state)
{
    struct sock s, moved;
    uint32_t n;
    int far = open_told(&s);
    (void)state;

    sock_move(&s, &moved);
    memset(&s, 0xff, sizeof(s)); /* whoever still looks there will notice */
    say(far, "here");
    turns(2);
    assert_int_equal(told[SIDE_READ], 1);
    assert_int_equal(recv_once(&moved, 100, &n), IO_OK);
    assert_int_equal(n, 4);
    close_pair(&moved, far);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, room_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_fresh_socket_is_dry_until_its_edge_and_costs_no_block),
        TEST(after_a_short_read_the_next_one_makes_no_system_call),
        TEST(data_and_fin_in_one_event_are_read_to_the_end_after_a_short_read),
        TEST(full_length_reads_go_on_without_an_edge),
        TEST(a_reset_is_a_failure_with_its_cause),
        TEST(a_spent_budget_fails_the_read),
        TEST(datagrams_are_readable_until_there_are_no_more),
        TEST(an_eventfd_is_told_at_each_edge),
        TEST(a_short_send_waits_for_its_edge_without_a_system_call),
        TEST(pieces_leave_in_one_call),
        TEST(iov_skip_stops_inside_a_piece_and_passes_empty_ones),
        TEST(a_file_leaves_by_sendfile_and_says_when_it_is_shorter),
        TEST(bytes_are_spliced_from_socket_to_socket),
        TEST(a_connect_ends_when_told),
        TEST(a_refused_connect_says_so),
        TEST(a_descriptor_that_cannot_be_watched_is_refused_and_may_be_closed),
        TEST(a_parked_socket_wakes_once_for_bytes_and_gives_them),
        TEST(a_parked_socket_wakes_for_a_fin),
        TEST(a_parked_socket_wakes_at_its_deadline_once),
        TEST(bytes_that_were_there_wake_a_socket_from_the_loop_not_from_the_call),
        TEST(a_read_of_just_what_was_there_does_not_wake_a_parked_socket),
        TEST(unpark_takes_back_an_idle_socket_and_no_wake_follows),
        TEST(unpark_refuses_a_socket_for_which_something_came),
        TEST(a_fin_is_noticed_while_nobody_reads_and_no_byte_is_taken),
        TEST(a_hangup_that_happened_before_it_was_watched_for_is_told_from_the_loop),
        TEST(a_reset_after_a_known_fin_is_told_and_the_fin_is_not),
        TEST(a_socket_that_moved_is_told_at_its_new_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
