/* Tunnels over real loopback sockets; the test is both far ends. The loop turns between its steps,
 * so nothing here depends on who is faster. */
#include "net/block.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/loop_backend.h"
#include "net/pump.h"
#include "net/sock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

enum { A, B, TURNS = 20000, MIB = 1 << 20 };

struct tunnel {
    struct loop loop;
    struct loop_ops ops; /* the loop's, to be bent by a test */
    struct conn conn[2];
    int far[2];
    uint64_t sent[2], got[2]; /* by each far end */
    struct pump *pump;
    struct pump_result result;
    unsigned ended;
};

static const struct pump_options PATIENT = { .idle_ms = 60000, .half_close_ms = 60000 };
static const struct pump_options SPLICING = { 60000, 60000, 64 << 10 };

/* --- both ends -------------------------------------------------------------------------------- */

/* A TCP connection: one end a conn, the other ours. */
static int connect_conn(struct loop *l, struct conn *c)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int far = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    assert_int_equal(connect(far, (struct sockaddr *)&at, size), 0);
    int near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(near >= 0);
    close(listener);
    fcntl(far, F_SETFL, O_NONBLOCK);
    assert_int_equal(conn_open(c, l, near, NULL), 0);
    return far;
}

static int setup(void **state)
{
    struct tunnel *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    assert_int_equal(loop_init_epoll(&t->loop, 16, NULL), 0);
    t->ops = *t->loop.ops;
    t->loop.ops = &t->ops;
    for (int i = A; i <= B; i++)
        t->far[i] = connect_conn(&t->loop, &t->conn[i]);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct tunnel *t = *state;

    assert_int_equal(t->ended, 1);
    assert_int_equal(t->loop.open_socks, 0);
    assert_int_equal(t->loop.blocks.live, 0);
    for (int i = A; i <= B; i++)
        if (t->far[i] >= 0)
            close(t->far[i]);
    loop_done(&t->loop);
    free(t);
    return 0;
}

static void on_end(void *arg, const struct pump_result *result)
{
    struct tunnel *t = arg;

    t->result = *result;
    t->ended++;
}

static void start(struct tunnel *t, const struct pump_options *options)
{
    assert_int_equal(pump_start(&t->conn[A], &t->conn[B], options, on_end, t, &t->pump), 0);
    assert_true(malloc_usable_size(t->pump) < 1024);
}

static void turn(struct tunnel *t)
{
    assert_int_equal(loop_turn(&t->loop, 1), 0);
}

static void turn_until_ended(struct tunnel *t)
{
    for (int i = 0; i < TURNS && t->ended == 0; i++)
        turn(t);
    assert_int_equal(t->ended, 1);
}

/* --- a stream whose every byte says where it belongs ------------------------------------------ */

static char byte_at(int end, uint64_t at)
{
    return (char)(at * 7 + (at >> 8) * 13 + (at >> 16) * 31 + (unsigned)end);
}

/* False: nothing more fits now. */
static bool send_some(struct tunnel *t, int end, size_t most)
{
    static char piece[32 << 10];
    size_t n = most < sizeof(piece) ? most : sizeof(piece);

    for (size_t i = 0; i < n; i++)
        piece[i] = byte_at(end, t->sent[end] + i);
    ssize_t done = send(t->far[end], piece, n, MSG_NOSIGNAL);
    if (done > 0)
        t->sent[end] += (uint64_t)done;
    return done > 0;
}

/* What came from the other end: > 0 bytes, 0 the end, < 0 -errno. A wrong byte fails the test. */
static ssize_t receive_some(struct tunnel *t, int end)
{
    static char piece[32 << 10];
    ssize_t n = recv(t->far[end], piece, sizeof(piece), 0);

    for (ssize_t i = 0; i < n; i++)
        if (piece[i] != byte_at(!end, t->got[end] + (uint64_t)i))
            fail_msg("byte %llu is wrong", (unsigned long long)t->got[end] + (unsigned long long)i);
    if (n > 0)
        t->got[end] += (uint64_t)n;
    return n >= 0 ? n : -errno;
}

/* Receives until something else than bytes comes, and says what. */
static ssize_t receive_to_the_end(struct tunnel *t, int end)
{
    ssize_t n = -EAGAIN;

    for (int i = 0; i < TURNS && (n > 0 || n == -EAGAIN); i++) {
        turn(t);
        n = receive_some(t, end);
    }
    return n;
}

static void receive(struct tunnel *t, int end, uint64_t total)
{
    for (int i = 0; i < TURNS && t->got[end] < total; i++) {
        turn(t);
        receive_some(t, end);
    }
    assert_int_equal(t->got[end], total);
}

/* `n` more bytes from that end to the other. */
static void pass(struct tunnel *t, int end, uint64_t n)
{
    uint64_t total = t->sent[end] + n;

    for (int i = 0; i < TURNS && t->got[!end] < total; i++) {
        if (t->sent[end] < total)
            send_some(t, end, total - t->sent[end]);
        turn(t);
        receive_some(t, !end);
    }
    assert_int_equal(t->got[!end], total);
}

/* Sends until all buffers on the way are full. */
static void stuff(struct tunnel *t, int end)
{
    for (int quiet = 0; quiet < 50; quiet++) {
        while (send_some(t, end, SIZE_MAX))
            quiet = 0;
        turn(t);
    }
}

static void reset(struct tunnel *t, int end)
{
    struct linger at_once = { .l_onoff = 1 };

    setsockopt(t->far[end], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(t->far[end]);
    t->far[end] = -1;
}

static void end_cleanly(struct tunnel *t)
{
    shutdown(t->far[A], SHUT_WR);
    shutdown(t->far[B], SHUT_WR);
    turn_until_ended(t);
    assert_int_equal(t->result.why[A], IO_EOF);
    assert_int_equal(t->result.why[B], IO_EOF);
    assert_int_equal(t->result.bytes[A], t->sent[A]);
    assert_int_equal(t->result.bytes[B], t->sent[B]);
}

/* --- promises --------------------------------------------------------------------------------- */

static void bytes_pass_both_ways(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    pass(t, A, 1);
    pass(t, B, 3 * MIB);
    pass(t, A, 3 * MIB);
    assert_int_equal(pump_now(t->pump).bytes[A], 3 * MIB + 1);
    assert_int_equal(pump_now(t->pump).bytes[B], 3 * MIB);
    end_cleanly(t);
}

static void what_was_unread_comes_first(void **state)
{
    struct tunnel *t = *state;
    struct block *block = block_get(&t->loop.blocks);
    struct lease early = { .data = block->data, .size = 500, .id = -1, .block = block };

    for (uint64_t i = 0; i < early.size; i++)
        block->data[i] = byte_at(A, i);
    t->sent[A] = early.size;
    conn_unread(&t->conn[A], &early);
    start(t, &SPLICING);
    receive(t, B, 500); /* no event tells of them */
    pass(t, A, 1000);
    end_cleanly(t);
}

static void an_idle_pump_holds_no_block(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    pass(t, A, MIB);
    pass(t, B, MIB);
    turn(t);
    assert_int_equal(t->loop.blocks.live, 0);
    end_cleanly(t);
}

static void a_half_close_is_passed_on_and_the_answer_arrives(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    send_some(t, A, 100);
    shutdown(t->far[A], SHUT_WR);
    assert_int_equal(receive_to_the_end(t, B), 0);
    assert_int_equal(t->got[B], 100);
    assert_int_equal(t->ended, 0);
    pass(t, B, MIB);
    shutdown(t->far[B], SHUT_WR);
    assert_int_equal(receive_to_the_end(t, A), 0);
    turn_until_ended(t);
    assert_int_equal(t->result.bytes[A], 100);
    assert_int_equal(t->result.bytes[B], MIB);
    assert_int_equal(t->result.why[A], IO_EOF);
    assert_int_equal(t->result.why[B], IO_EOF);
}

/* Both ends have closed while the client still reads: its bytes are not cut off by a reset. */
static void an_answer_behind_a_slow_reader_arrives_whole(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    shutdown(t->far[A], SHUT_WR);
    assert_int_equal(receive_to_the_end(t, B), 0);
    stuff(t, B);
    close(t->far[B]);
    t->far[B] = -1;
    turn(t);
    assert_int_equal(receive_to_the_end(t, A), 0);
    assert_int_equal(t->got[A], t->sent[B]);
    turn_until_ended(t);
    assert_int_equal(t->result.why[B], IO_EOF);
}

static void after_the_origins_end_the_client_goes_on(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    shutdown(t->far[B], SHUT_WR);
    assert_int_equal(receive_to_the_end(t, A), 0);
    pass(t, A, MIB);
    assert_int_equal(t->ended, 0);
    end_cleanly(t);
}

static void a_reset_is_passed_on_as_one(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    pass(t, A, 1000);
    send_some(t, A, 20000); /* in flight */
    reset(t, A);
    assert_int_equal(receive_to_the_end(t, B), -ECONNRESET);
    turn_until_ended(t);
    assert_int_equal(t->result.why[A], IO_FAILED);
}

static void a_reset_behind_bytes_that_nobody_takes_is_seen(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    stuff(t, A);
    reset(t, A);
    turn_until_ended(t);
    assert_int_equal(t->result.why[A], IO_FAILED);
    assert_int_equal(receive_to_the_end(t, B), -ECONNRESET);
}

static void a_reset_of_the_receiver_is_passed_back(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    stuff(t, A);
    reset(t, B);
    turn_until_ended(t);
    ssize_t end = receive_to_the_end(t, A);
    assert_int_equal(end, -ECONNRESET);
}

/* What a peer that has had our FIN already learns of a reset: it can send no more. */
static int error_at(const struct tunnel *t, int end)
{
    int error = 0;
    socklen_t size = sizeof(error);

    assert_int_equal(getsockopt(t->far[end], SOL_SOCKET, SO_ERROR, &error, &size), 0);
    return error;
}

/* Nobody reads from a side that has ended; its reset comes all the same. */
static void a_reset_after_an_end_is_passed_on(struct tunnel *t, int end)
{
    char byte;

    start(t, &PATIENT);
    pass(t, end, 1000);
    shutdown(t->far[end], SHUT_WR);
    for (int i = 0; i < TURNS && recv(t->far[!end], &byte, 1, MSG_DONTWAIT) != 0; i++)
        turn(t);
    pass(t, !end, 1000);
    assert_int_equal(t->ended, 0);
    reset(t, end);
    turn_until_ended(t);
    assert_int_equal(t->result.why[end], IO_EOF);
    assert_int_equal(t->result.why[!end], IO_FAILED);
    assert_int_equal(error_at(t, !end), EPIPE);
}

static void a_reset_after_the_clients_end_is_passed_on(void **state)
{
    a_reset_after_an_end_is_passed_on(*state, A);
}

static void a_reset_after_the_origins_end_is_passed_on(void **state)
{
    a_reset_after_an_end_is_passed_on(*state, B);
}

static void hold_little_for_one_who_does_not_read(struct tunnel *t, const struct pump_options *o)
{
    start(t, o);
    pass(t, B, MIB);
    stuff(t, B);
    assert_true(t->loop.blocks.live <= 1);
    uint64_t sent = t->sent[B];
    pass(t, A, MIB); /* the other direction goes on */
    assert_false(send_some(t, B, 1) && send_some(t, B, SIZE_MAX));
    assert_true(t->sent[B] - sent <= 1);
    receive(t, A, t->sent[B]);
    end_cleanly(t);
}

static void one_who_does_not_read_stops_the_sender(void **state)
{
    hold_little_for_one_who_does_not_read(*state, &PATIENT);
}

static void one_who_does_not_read_stops_the_sender_spliced(void **state)
{
    hold_little_for_one_who_does_not_read(*state, &SPLICING);
}

static void stop_resets_who_is_owed_bytes(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    stuff(t, B);
    pump_stop(t->pump);
    turn_until_ended(t);
    assert_int_equal(receive_to_the_end(t, A), -ECONNRESET);
}

static void stop_is_a_clean_end_when_all_was_delivered(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    pass(t, A, 10);
    pump_stop(t->pump);
    pump_stop(t->pump);
    assert_int_equal(t->ended, 0); /* from the loop, not from here */
    turn_until_ended(t);
    assert_int_equal(t->result.why[A], IO_CANCELLED);
    assert_int_equal(receive_to_the_end(t, B), 0);
}

/* --- a bent kernel ---------------------------------------------------------------------------- */

static struct {
    struct loop_ops real;
    unsigned in, out;           /* calls so far */
    unsigned fail_in, fail_out; /* which of them fails; 0: none */
    int error;
    size_t most; /* bytes a call; 0: as many as asked */
} bent;

static enum io bent_splice_in(struct sock *from, int pipe_to, size_t n, size_t *ret_taken)
{
    if (++bent.in == bent.fail_in) {
        from->error = bent.error;
        return IO_FAILED;
    }
    return bent.real.splice_in(from, pipe_to, bent.most > 0 ? bent.most : n, ret_taken);
}

static enum io bent_splice_out(struct sock *to, int pipe_from, size_t n, size_t *ret_taken)
{
    if (++bent.out == bent.fail_out) {
        to->error = bent.error;
        return IO_FAILED;
    }
    return bent.real.splice_out(to, pipe_from, bent.most > 0 && bent.most < n ? bent.most : n,
                                ret_taken);
}

static void bend(struct tunnel *t, unsigned fail_in, unsigned fail_out, size_t most)
{
    bent.real = t->ops;
    bent.in = bent.out = 0;
    bent.fail_in = fail_in;
    bent.fail_out = fail_out;
    bent.error = EINVAL;
    bent.most = most;
    t->ops.splice_in = bent_splice_in;
    t->ops.splice_out = bent_splice_out;
}

static void long_streams_are_spliced(void **state)
{
    struct tunnel *t = *state;

    bend(t, 0, 0, 0);
    start(t, &SPLICING);
    pass(t, A, 4 * MIB);
    assert_true(bent.in > 0 && bent.out > 0);
    pass(t, B, 32 << 10); /* not long enough */
    unsigned in = bent.in;
    pass(t, B, 16 << 10);
    assert_int_equal(bent.in, in);
    end_cleanly(t);
}

static void short_splices_lose_nothing(void **state)
{
    struct tunnel *t = *state;

    bend(t, 0, 0, 777);
    start(t, &SPLICING);
    pass(t, A, MIB);
    end_cleanly(t);
}

static void a_splice_that_fails_on_the_way_in_is_copied(void **state)
{
    struct tunnel *t = *state;

    bend(t, 3, 0, 0);
    start(t, &SPLICING);
    pass(t, A, 4 * MIB);
    assert_int_equal(bent.in, 3); /* and not tried again */
    end_cleanly(t);
}

static void a_splice_that_fails_on_the_way_out_is_copied(void **state)
{
    struct tunnel *t = *state;

    bend(t, 0, 4, 0);
    start(t, &SPLICING);
    pass(t, A, 4 * MIB);
    assert_int_equal(bent.out, 4);
    end_cleanly(t);
}

static void without_pipes_it_is_copied(void **state)
{
    struct tunnel *t = *state;
    struct rlimit before, none;

    bend(t, 0, 0, 0);
    start(t, &SPLICING);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    pass(t, A, MIB);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(bent.in, 0);
    end_cleanly(t);
}

/* 5 GiB and 5 bytes each way, without the kernel's help. */
enum { ODD_BYTES = 5 };
static const uint64_t FIVE_GIB = (UINT64_C(5) << 30) + ODD_BYTES;
static uint64_t left_to_read[2];
static struct tunnel *counted;

static enum io count_in(struct sock *from, int pipe_to, size_t n, size_t *ret_taken)
{
    uint64_t *left = &left_to_read[conn_of_sock(from) == &counted->conn[B]];

    (void)pipe_to;
    if (*left == 0)
        return IO_EOF;
    *ret_taken = *left < n ? (size_t)*left : n;
    *left -= *ret_taken;
    return IO_OK;
}

static enum io count_out(struct sock *to, int pipe_from, size_t n, size_t *ret_taken)
{
    (void)to;
    (void)pipe_from;
    *ret_taken = n;
    return IO_OK;
}

static void counts_of_5_gib_each_way_are_exact(void **state)
{
    struct tunnel *t = *state;
    struct pump_options o = { 60000, 60000, 1 };

    counted = t;
    left_to_read[A] = FIVE_GIB;
    left_to_read[B] = FIVE_GIB - 1;
    t->ops.splice_in = count_in;
    t->ops.splice_out = count_out;
    start(t, &o);
    for (int i = 0; i < 10; i++) { /* a byte each way is copied, then it splices */
        send_some(t, A, 1);
        send_some(t, B, 1);
        turn(t);
    }
    for (int i = 0; i < 2 * TURNS && t->ended == 0; i++)
        turn(t);
    assert_int_equal(t->ended, 1);
    assert_true(t->result.bytes[A] >= FIVE_GIB + 1 && t->result.bytes[A] <= FIVE_GIB + 10);
    assert_int_equal(t->result.bytes[A] - FIVE_GIB, t->result.bytes[B] - (FIVE_GIB - 1));
}

static enum io endless_recv(struct sock *s, struct lease *into)
{
    (void)s;
    memset(into->data, 0, into->size);
    return IO_OK;
}

static enum io endless_send(struct sock *s, struct iovec *iov, int n, size_t *ret_taken)
{
    (void)s;
    (void)n;
    *ret_taken = iov[0].iov_len;
    return IO_OK;
}

static void a_fast_tunnel_leaves_others_their_turn(void **state)
{
    struct tunnel *t = *state;

    start(t, &PATIENT);
    turn(t);
    t->ops.recv = endless_recv;
    t->ops.send = endless_send;
    send_some(t, A, 1);
    for (int i = 0; i < 20; i++) {
        uint64_t before = pump_now(t->pump).bytes[A];

        turn(t);
        assert_true(pump_now(t->pump).bytes[A] - before <= 256 << 10);
    }
    assert_true(pump_now(t->pump).bytes[A] >= MIB);
    pump_stop(t->pump);
    turn_until_ended(t);
}

/* --- a layer is never spliced ----------------------------------------------------------------- */

static void layer_close(struct layer *l)
{
    (void)l;
}

static enum io layer_read(struct layer *l, uint32_t max, struct lease *ret)
{
    enum io io = l->below->ops->read(l->below, max, ret);

    l->want = l->below->want;
    return io;
}

static enum io layer_write(struct layer *l, struct iovec *iov, int n, size_t *ret_taken)
{
    enum io io = l->below->ops->write(l->below, iov, n, ret_taken);

    l->want = l->below->want;
    return io;
}

static enum io layer_shut(struct layer *l)
{
    return l->below->ops->shut(l->below);
}

static const struct transport layer_transport = {
    .read = layer_read,
    .write = layer_write,
    .shut = layer_shut,
    .close = layer_close,
};

static void what_has_a_layer_is_copied(void **state)
{
    struct tunnel *t = *state;
    struct layer layer = { .ops = &layer_transport };

    bend(t, 0, 0, 0);
    conn_push(&t->conn[A], &layer);
    start(t, &SPLICING);
    pass(t, A, MIB);
    pass(t, B, MIB);
    assert_int_equal(bent.in + bent.out, 0);
    end_cleanly(t);
}

#define TEST(promise, function)                                                                \
    {                                                                                          \
        .name = promise, .test_func = function, .setup_func = setup, .teardown_func = teardown \
    }
#define PLAIN(function) TEST(#function, function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(bytes_pass_both_ways),
        PLAIN(what_was_unread_comes_first),
        PLAIN(an_idle_pump_holds_no_block),
        TEST("TUN-01-a-half-close-is-passed-on-and-the-answer-arrives",
             a_half_close_is_passed_on_and_the_answer_arrives),
        TEST("TUN-01-an-answer-behind-a-slow-reader-arrives-whole",
             an_answer_behind_a_slow_reader_arrives_whole),
        TEST("TUN-02-after-the-origins-end-the-client-goes-on",
             after_the_origins_end_the_client_goes_on),
        TEST("TUN-04-a-reset-is-passed-on-as-one", a_reset_is_passed_on_as_one),
        TEST("TUN-04-a-reset-behind-bytes-that-nobody-takes",
             a_reset_behind_bytes_that_nobody_takes_is_seen),
        TEST("TUN-04-a-reset-of-the-receiver-is-passed-back",
             a_reset_of_the_receiver_is_passed_back),
        TEST("TUN-04-a-reset-after-the-clients-end", a_reset_after_the_clients_end_is_passed_on),
        TEST("TUN-04-a-reset-after-the-origins-end", a_reset_after_the_origins_end_is_passed_on),
        TEST("TUN-05-one-who-does-not-read-stops-the-sender",
             one_who_does_not_read_stops_the_sender),
        TEST("TUN-05-one-who-does-not-read-stops-the-sender-spliced",
             one_who_does_not_read_stops_the_sender_spliced),
        PLAIN(stop_resets_who_is_owed_bytes),
        PLAIN(stop_is_a_clean_end_when_all_was_delivered),
        PLAIN(long_streams_are_spliced),
        TEST("TUN-06-short-splices-lose-nothing", short_splices_lose_nothing),
        TEST("TUN-06-a-splice-that-fails-on-the-way-in-is-copied",
             a_splice_that_fails_on_the_way_in_is_copied),
        TEST("TUN-06-a-splice-that-fails-on-the-way-out-is-copied",
             a_splice_that_fails_on_the_way_out_is_copied),
        TEST("TUN-06-without-pipes-it-is-copied", without_pipes_it_is_copied),
        TEST("TUN-09-counts-of-5-gib-each-way-are-exact", counts_of_5_gib_each_way_are_exact),
        PLAIN(a_fast_tunnel_leaves_others_their_turn),
        PLAIN(what_has_a_layer_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
