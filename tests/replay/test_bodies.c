/* Bodies: read ahead of a slow client within bounds, spooled or passed on as they come, and never
 * more of them in memory than was said. */
#include "replay.h"

#include "base/os.h"

#include <stdio.h>

#define CONFIG                                                                                 \
    "client_max_body_size 0; server { listen 8080; keepalive_timeout 600s; send_timeout 100s;" \
    " proxy_max_temp_file_size 0;"                                                             \
    " location / { proxy_pass http://10.0.0.1; proxy_buffers 8 4k; }"                          \
    " location /off { proxy_pass http://10.0.0.1; proxy_buffering off; }"                      \
    " location /stream { proxy_pass http://10.0.0.1; proxy_request_buffering off; }"           \
    " location /small { proxy_pass http://10.0.0.1; client_max_body_size 8; }"                 \
    "} server { listen 8081; root %; }"

enum { KIB = 1024, MIB = 1024 * KIB, BUFFERS = 32 * KIB };

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

/* A whole answer with a body of `length` bytes, in the scratch of the replay. */
static struct span long_answer(struct replay *r, size_t length)
{
    struct buf text;

    buf_init(&text, 64 * MIB, NULL);
    buf_addf(&text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
    for (size_t i = 0; i < length; i++)
        buf_add_byte(&text, (char)('a' + i % 23));
    struct span kept = arena_copy(&r->scratch, buf_view(&text));
    buf_done(&text);
    return kept;
}

static struct span body_part(struct span message)
{
    size_t length = 0;

    assert_true(content_length(message, &length));
    return span_from(message, message.len - length);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void a_slow_client_does_not_hold_the_upstream(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    struct span answer = long_answer(r, 20 * KIB);

    backend_answers_span(b, answer, THEN_KEEP);
    client_connects(r, 0, 8080);
    fake_window(r->clients[0], 1000);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_int_equal(client_bytes(r, 0).len, 1000);
    assert_int_equal(r->worker.pooled_connections, 1);

    client_sends(r, 1, GET("/"));
    replay_settle(r);
    assert_int_equal(b->conn_count, 1);
    for (int i = 0; i < 30; i++) {
        fake_drain(r->clients[0], 1000);
        replay_wait(r, 1000);
    }
    assert_true(span_same(body_part(client_bytes(r, 0)), body_part(answer)));
    assert_true(span_same(body_part(client_bytes(r, 1)), body_part(answer)));
}

static void reading_ahead_ends_at_proxy_buffers(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    struct span answer = long_answer(r, MIB);
    size_t idle = r->worker.budget.used;

    backend_answers_span(b, answer, THEN_KEEP);
    client_connects(r, 0, 8080);
    fake_window(r->clients[0], 1000);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    size_t taken = answer.len - peer_unread(b->conns[0].peer);
    if (taken > BUFFERS + 4 * BLOCK_SIZE || taken < BUFFERS / 2)
        fail_msg("%zu bytes were taken from the upstream", taken);
    for (int i = 0; i < 1200; i++) {
        size_t held = r->worker.budget.used - idle;
        if (held > BUFFERS + 8 * BLOCK_SIZE + 3 * 64 * KIB + 16 * KIB) /* stacks, arenas */
            fail_msg("%zu bytes are held", held);
        fake_drain(r->clients[0], 1000);
        replay_settle(r);
    }
    assert_true(span_same(body_part(client_bytes(r, 0)), body_part(answer)));
    assert_string_equal(replay_errors(r, LEVEL_ERROR), "");
}

static void without_buffering_the_client_sets_the_pace(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    struct span answer = long_answer(r, 512 * KIB);

    backend_answers_span(b, answer, THEN_KEEP);
    client_connects(r, 0, 8080);
    fake_window(r->clients[0], 1000);
    client_sends(r, 0, GET("/off"));
    replay_settle(r);
    assert_int_equal(r->worker.pooled_connections, 0);
    for (size_t given = 1000; given <= answer.len + 8 * KIB; given += 4000) {
        size_t taken = answer.len - peer_unread(b->conns[0].peer);
        if (taken > given + 2 * BLOCK_SIZE + OS_PIPE_SIZE)
            fail_msg("%zu bytes were taken for a client that took %zu", taken, given);
        fake_drain(r->clients[0], 4000);
        replay_settle(r);
    }
    assert_true(span_same(body_part(client_bytes(r, 0)), body_part(answer)));
    assert_int_equal(r->worker.pooled_connections, 1);
}

/* An event stream: what comes goes on, although more may follow. */
static void each_piece_leaves_when_it_comes(void **state)
{
    static const char *const paths[] = { GET("/"), GET("/off") };

    for (unsigned i = 0; i < COUNT(paths); i++) {
        struct replay *r = i == 0 ? *state : replay_new(CONFIG);
        struct backend *b = backend_new(r, 1, 0);

        backend_answers(b, OK_CHUNKED, THEN_KEEP);
        client_sends(r, 0, paths[i]);
        replay_settle(r);
        assert_string_equal(client_got(r, 0), "200 CUT");
        backend_sends(b, 0, "4\r\none \r\n");
        replay_settle(r);
        assert_string_equal(client_got(r, 0), "200 one  CUT");
        backend_sends(b, 0, "3\r\ntwo\r\n0\r\n\r\n");
        replay_settle(r);
        assert_string_equal(client_got(r, 0), "200 one two");
        if (i > 0)
            replay_free(r);
    }
}

static void an_answer_until_close_ends_with_it(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, "HTTP/1.1 200 OK\r\n\r\nhello", THEN_CLOSE);
    backend_answers(b, "HTTP/1.1 200 OK\r\n\r\nhel", THEN_RESET);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hello");
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hello; 200 hel CUT; END");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

static void answers_without_body_wait_for_none(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", THEN_KEEP);
    backend_answers(b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "304");
    client_sends(r, 1, REQUEST("HEAD", "/"));
    replay_settle(r);
    assert_true(span_starts(client_bytes(r, 1), "HTTP/1.1 200 OK\r\n"));
    assert_true(span_ends(client_bytes(r, 1), "\r\n\r\n"));
    assert_false(fake_is_closed(r->clients[1]));
    assert_int_equal(b->conn_count, 1); /* it was kept */
    assert_int_equal(r->worker.pooled_connections, 1);
}

/* --- requests --------------------------------------------------------------------------------- */

#define POST(path, length) \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " #length "\r\n\r\n"

static void a_body_is_read_whole_before_it_is_passed_on(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    client_sends(r, 0, POST("/", 6) "abc");
    replay_settle(r);
    assert_int_equal(b->conn_count, 0);
    client_sends(r, 0, "def");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 ok");
    assert_true(span_ends(span_of(backend_got(b, 0)), "\r\n\r\nabcdef"));
}

static void a_chunked_body_gets_a_length(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    client_sends(r, 0,
                 "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n3;x=y\r\ndef\r\n0\r\nX-Trailer: 1\r\n\r\n");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 ok");
    struct span got = span_of(backend_got(b, 0));
    assert_true(span_has(got, "\r\nContent-Length: 6\r\n"));
    assert_true(span_ends(got, "\r\n\r\nabcdef"));
    assert_false(span_has(got, "Trailer"));
}

/* Far beyond client_body_buffer_size: from the second buffer on it lies in a file. */
static void a_large_body_takes_no_memory(void **state)
{
    enum { PIECE = 64 * KIB, PIECES = 64 };
    static char piece[PIECE];
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    size_t idle = r->worker.budget.used, most = 0;

    memset(piece, 'x', sizeof(piece));
    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    client_sends(r, 0, POST("/", 4194304));
    for (int i = 0; i < PIECES; i++) {
        client_sends_span(r, 0, (struct span){ piece, sizeof(piece) });
        replay_settle(r);
        size_t held = r->worker.budget.used - idle;
        most = held > most ? held : most;
    }
    assert_in_range(most, 1, 256 * KIB);
    assert_string_equal(client_got(r, 0), "200 ok");
    assert_int_equal(b->requests, 1);
}

static void a_streamed_body_goes_on_while_it_comes(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    client_sends(r, 0, POST("/stream", 6) "abc");
    replay_settle(r);
    assert_int_equal(b->conn_count, 1);
    assert_true(span_ends(span_of(backend_got(b, 0)), "\r\n\r\nabc"));
    client_sends(r, 0, "def");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 ok");
    assert_true(span_ends(span_of(backend_got(b, 0)), "\r\n\r\nabcdef"));
    assert_int_equal(r->worker.pooled_connections, 1);
}

static void a_streamed_body_waits_for_a_slow_origin(void **state)
{
    static char piece[256 * KIB];
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    size_t idle = r->worker.budget.used;

    memset(piece, 'x', sizeof(piece));
    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    client_sends(r, 0, POST("/stream", 262145) "y");
    replay_settle(r);
    fake_window(b->conns[0].peer, 100);
    client_sends_span(r, 0, (struct span){ piece, sizeof(piece) });
    replay_settle(r);
    assert_in_range(peer_unread(r->clients[0]), sizeof(piece) - 3 * BLOCK_SIZE, sizeof(piece));
    assert_in_range(r->worker.budget.used - idle, 1, 256 * KIB);
    fake_window(b->conns[0].peer, SIZE_MAX);
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 ok");
    assert_int_equal(b->requests, 1);
}

/* The origin has heard enough: its answer goes out, the connections do not serve again. */
static void an_early_answer_ends_a_streamed_body(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, POST("/stream", 600) "abc");
    replay_settle(r);
    backend_sends(b, 0, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "403 no; END");
    assert_true(backend_is_closed(b, 0));
    assert_int_equal(r->worker.pooled_connections, 0);
    client_leaves(r, 0);
    replay_settle(r);
    assert_int_equal(replay_open(r), 0);
}

static void a_streamed_body_that_breaks_is_never_ended(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0,
                 "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n");
    replay_settle(r);
    client_sends(r, 0, "5\r\nhel");
    client_leaves(r, 0);
    replay_settle(r);
    assert_true(backend_is_closed(b, 0));
    assert_false(span_has(span_of(backend_got(b, 0)), "\r\n0\r\n"));
    assert_int_equal(r->worker.pooled_connections, 0);
    assert_string_equal(replay_log(r), "400 \"POST /stream HTTP/1.1\" 0.000 10.0.0.1:80\n");
    assert_int_equal(replay_open(r), 0);
}

static void a_streamed_body_that_turns_bad_is_400(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0,
                 "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\n");
    replay_settle(r);
    client_sends(r, 0, "0x5\r\nhello\r\n0\r\n\r\n");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "400; END");
    assert_true(backend_is_closed(b, 0));
    assert_false(span_has(span_of(backend_got(b, 0)), "\r\n0\r\n"));
    assert_int_equal(b->requests, 0);
}

static void leave_to_send_is_given_when_the_body_is_wanted(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "ok"), THEN_KEEP);
    client_sends(r, 0,
                 "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                 "Content-Length: 3\r\n\r\n");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "100");
    client_sends(r, 0, "abc");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "100; 200 ok");
    assert_false(span_has(span_of(backend_got(b, 0)), "Expect"));
}

static void a_body_beyond_the_limit_is_413(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, POST("/small", 9) "123456789");
    client_sends(r, 1,
                 "POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "9\r\n123456789\r\n0\r\n\r\n");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "413; END");
    assert_string_equal(client_got(r, 1), "413; END");
    assert_int_equal(b->conn_count, 0);
}

/* --- files ------------------------------------------------------------------------------------ */

static void a_file_goes_to_a_slow_client_as_it_is(void **state)
{
    struct replay *r = *state;
    struct span body = body_part(long_answer(r, 100 * KIB));

    replay_file(r, "data", body);
    client_connects(r, 0, 8081);
    fake_window(r->clients[0], 1000);
    client_sends(r, 0, GET("/data"));
    replay_settle(r);
    assert_int_equal(client_bytes(r, 0).len, 1000);
    for (int i = 0; i < 120; i++) {
        fake_drain(r->clients[0], 1000);
        replay_wait(r, 1000);
    }
    assert_true(span_same(body_part(client_bytes(r, 0)), body));
    assert_string_equal(replay_log(r), "200 \"GET /data HTTP/1.1\" 101.000 -\n");
}

static void a_file_is_given_in_parts_and_without_its_body(void **state)
{
    struct replay *r = *state;

    replay_file(r, "data", span_of("0123456789"));
    client_connects(r, 0, 8081);
    client_sends(r, 0, "GET /data HTTP/1.1\r\nHost: a\r\nRange: bytes=3-5\r\n\r\n" GET("/none"));
    client_connects(r, 1, 8081);
    client_sends(r, 1, REQUEST("HEAD", "/data"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "206 345; 404");
    assert_true(span_has(client_bytes(r, 1), "\r\nContent-Length: 10\r\n"));
    assert_true(span_ends(client_bytes(r, 1), "\r\n\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("", a_slow_client_does_not_hold_the_upstream),
        PROMISE("UP-16-", reading_ahead_ends_at_proxy_buffers),
        PROMISE("", without_buffering_the_client_sets_the_pace),
        PROMISE("", each_piece_leaves_when_it_comes),
        PROMISE("RESP-33-", an_answer_until_close_ends_with_it),
        PROMISE("RESP-12-", answers_without_body_wait_for_none),
        PROMISE("", a_body_is_read_whole_before_it_is_passed_on),
        PROMISE("CHNK-26-", a_chunked_body_gets_a_length),
        PROMISE("", a_large_body_takes_no_memory),
        PROMISE("", a_streamed_body_goes_on_while_it_comes),
        PROMISE("", a_streamed_body_waits_for_a_slow_origin),
        PROMISE("FLOW-28-", an_early_answer_ends_a_streamed_body),
        PROMISE("CHNK-30-", a_streamed_body_that_breaks_is_never_ended),
        PROMISE("CHNK-31-", a_streamed_body_that_turns_bad_is_400),
        PROMISE("", leave_to_send_is_given_when_the_body_is_wanted),
        PROMISE("", a_body_beyond_the_limit_is_413),
        PROMISE("", a_file_goes_to_a_slow_client_as_it_is),
        PROMISE("", a_file_is_given_in_parts_and_without_its_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
