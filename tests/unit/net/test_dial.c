/* Connecting, on loopback. A listener whose queue is full is silent; a closed one refuses. */
#include "net/dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/fiber.h"
#include "net/listen.h"
#include "net/loop.h"

enum { TURNS = 20000, MOST_CANDIDATES = 4 };

struct bench {
    struct loop loop;
    struct dial dial;
    struct address candidates[MOST_CANDIDATES];
    struct conn conn;
    struct dial_result result;
    enum io io;
    int fds[16]; /* to be closed at the end */
    unsigned fd_count;
    unsigned asked; /* how often `may` was */
    unsigned pending;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    assert_int_equal(loop_init_epoll(&b->loop, 16, NULL), 0);
    b->dial = (struct dial){
        .loop = &b->loop,
        .candidates = b->candidates,
        .each_ms = 5000,
        .deadline = loop_now(&b->loop) + 20000,
    };
    *state = b;
    return 0;
}

static void count_closed(struct conn *c)
{
    struct bench *b = c->user;

    b->pending--;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    if (b->io == IO_OK) {
        b->pending = 1;
        b->conn.user = b;
        conn_close(&b->conn, false, count_closed);
    }
    for (int i = 0; i < TURNS && b->pending > 0; i++)
        loop_turn(&b->loop, 1);
    assert_int_equal(b->loop.open_socks, 0);
    for (unsigned i = 0; i < b->fd_count; i++)
        close(b->fds[i]);
    loop_done(&b->loop);
    free(b);
    return 0;
}

static int keep(struct bench *b, int fd)
{
    assert_true(fd >= 0);
    b->fds[b->fd_count++] = fd;
    return fd;
}

static struct address listening(struct bench *b, int backlog)
{
    struct listen_options o = { .backlog = backlog };
    struct address at;

    assert_true(address_parse(span_of("127.0.0.1"), 0, &at));
    int fd = keep(b, listen_open(&at, &o));
    assert_int_equal(listen_address(fd, &at), 0);
    return at;
}

static struct address refusing(struct bench *b)
{
    struct address at = listening(b, 1);

    close(b->fds[--b->fd_count]);
    return at;
}

/* A queue of one, taken: the kernel drops every further SYN. */
static struct address silent(struct bench *b)
{
    struct address at = listening(b, 0);
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&at, &to);

    for (int i = 0; i < 3; i++) {
        int fd = keep(b, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

        connect(fd, (struct sockaddr *)&to, size);
    }
    return at;
}

static void add(struct bench *b, struct address candidate)
{
    b->candidates[b->dial.count++] = candidate;
}

static void run_dial(void *arg)
{
    struct bench *b = arg;

    b->io = dial(&b->dial, &b->conn, &b->result);
    b->pending--;
}

static enum io dialled(struct bench *b)
{
    b->pending = 1;
    assert_int_equal(fiber_spawn(&b->loop.fibers, NULL, run_dial, b), 0);
    for (int i = 0; i < TURNS && b->pending > 0; i++)
        assert_int_equal(loop_turn(&b->loop, 10), 0);
    assert_int_equal(b->pending, 0);
    return b->io;
}

static void the_first_that_answers_is_taken(void **state)
{
    struct bench *b = *state;
    struct address second = listening(b, 5);

    add(b, refusing(b));
    add(b, second);
    add(b, listening(b, 5));
    assert_int_equal(dialled(b), IO_OK);
    assert_true(address_same(&b->result.address, &second));
    assert_true(address_same(&b->conn.peer, &second));
    assert_true(b->conn.local.port > 0);
    assert_int_equal(b->result.tried, 2);
    assert_int_equal(b->result.error, 0);
}

static void nobody_answers_is_a_failure_with_its_cause(void **state)
{
    struct bench *b = *state;

    add(b, refusing(b));
    add(b, refusing(b));
    assert_int_equal(dialled(b), IO_FAILED);
    assert_int_equal(b->result.error, ECONNREFUSED);
    assert_int_equal(b->result.tried, 2);
    assert_int_equal(b->result.refused, 0);
}

static void no_candidate_is_a_failure_without_cause(void **state)
{
    struct bench *b = *state;

    assert_int_equal(dialled(b), IO_FAILED);
    assert_int_equal(b->result.error, 0);
    assert_int_equal(b->result.tried, 0);
}

static void a_silent_one_costs_its_own_time_only(void **state)
{
    struct bench *b = *state;
    uint64_t began = loop_now(&b->loop);

    b->dial.each_ms = 100;
    add(b, silent(b));
    add(b, listening(b, 5));
    assert_int_equal(dialled(b), IO_OK);
    assert_true(loop_now(&b->loop) - began >= 90);
    assert_int_equal(b->result.tried, 2);
}

static void silence_weighs_more_than_a_refusal(void **state)
{
    struct bench *b = *state;

    b->dial.each_ms = 50;
    add(b, silent(b));
    add(b, refusing(b));
    assert_int_equal(dialled(b), IO_FAILED);
    assert_int_equal(b->result.error, ETIMEDOUT);
}

static void the_deadline_ends_it_all(void **state)
{
    struct bench *b = *state;

    b->dial.deadline = loop_now(&b->loop) + 100;
    add(b, silent(b));
    add(b, listening(b, 5));
    assert_int_equal(dialled(b), IO_TIMEOUT);
    assert_int_equal(b->result.tried, 1);
}

static bool only_even_turns(void *arg, const struct address *candidate)
{
    struct bench *b = arg;

    (void)candidate;
    return b->asked++ % 2 == 1;
}

static void what_may_not_be_dialled_is_not(void **state)
{
    struct bench *b = *state;
    struct address open = listening(b, 5);

    b->dial.may = only_even_turns;
    b->dial.arg = b;
    add(b, listening(b, 5));
    add(b, refusing(b));
    add(b, listening(b, 5));
    add(b, open);
    assert_int_equal(dialled(b), IO_OK);
    assert_true(address_same(&b->result.address, &open));
    assert_int_equal(b->result.refused, 2);
    assert_int_equal(b->result.tried, 2);
}

static void it_comes_from_the_source_that_was_asked_for(void **state)
{
    struct bench *b = *state;
    struct address source;

    assert_true(address_parse(span_of("127.0.0.9"), 0, &source));
    b->dial.source = &source;
    add(b, listening(b, 5));
    assert_int_equal(dialled(b), IO_OK);
    assert_true(address_same_ip(&b->conn.local, &source));
}

static void a_source_that_is_not_ours_fails(void **state)
{
    struct bench *b = *state;
    struct address source;

    assert_true(address_parse(span_of("192.0.2.1"), 0, &source));
    b->dial.source = &source;
    add(b, listening(b, 5));
    assert_int_equal(dialled(b), IO_FAILED);
    assert_int_equal(b->result.error, EADDRNOTAVAIL);
}

/* From a port to the same port: TCP opens that to itself. */
static void a_connection_to_itself_is_refused(void **state)
{
    struct bench *b = *state;
    struct address itself = refusing(b);

    b->dial.source = &itself;
    add(b, itself);
    assert_int_equal(dialled(b), IO_FAILED);
    assert_int_equal(b->result.error, ECONNREFUSED);
}

static void cancel_later(void *arg)
{
    struct bench *b = arg;
    struct wait w = { 0 };
    struct family family = { 0 };

    assert_int_equal(fiber_spawn(NULL, &family, run_dial, b), 0);
    fiber_wait(&w, loop_now(&b->loop) + 30);
    family_end(&family);
    b->pending--;
}

static void a_cancelled_dial_leaves_nothing(void **state)
{
    struct bench *b = *state;

    add(b, silent(b));
    b->pending = 2;
    assert_int_equal(fiber_spawn(&b->loop.fibers, NULL, cancel_later, b), 0);
    for (int i = 0; i < TURNS && b->pending > 0; i++)
        assert_int_equal(loop_turn(&b->loop, 10), 0);
    assert_int_equal(b->io, IO_CANCELLED);
    assert_int_equal(b->loop.open_socks, 0);
}

static void a_family_that_the_machine_lacks_is_passed_over(void **state)
{
    struct bench *b = *state;
    struct address strange = { .family = AF_UNSPEC, .port = 1 };

    add(b, strange);
    add(b, listening(b, 5));
    assert_int_equal(dialled(b), IO_OK);
    assert_int_equal(b->result.tried, 2);
}

#define TEST(promise, function)                                                                \
    {                                                                                          \
        .name = promise, .test_func = function, .setup_func = setup, .teardown_func = teardown \
    }
#define PLAIN(function) TEST(#function, function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(the_first_that_answers_is_taken),
        PLAIN(nobody_answers_is_a_failure_with_its_cause),
        PLAIN(no_candidate_is_a_failure_without_cause),
        PLAIN(a_silent_one_costs_its_own_time_only),
        PLAIN(silence_weighs_more_than_a_refusal),
        PLAIN(the_deadline_ends_it_all),
        PLAIN(what_may_not_be_dialled_is_not),
        PLAIN(it_comes_from_the_source_that_was_asked_for),
        PLAIN(a_source_that_is_not_ours_fails),
        TEST("TUN-11-a-connection-to-itself-is-refused", a_connection_to_itself_is_refused),
        PLAIN(a_cancelled_dial_leaves_nothing),
        PLAIN(a_family_that_the_machine_lacks_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
