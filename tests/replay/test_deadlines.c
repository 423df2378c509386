/* Whoever is silent or slow is answered for, or left, at its deadline: not before, and at most two
 * ticks of the wheel later. */
#include "replay.h"

#define CONFIG                                                                     \
    "server { listen 8080; location / { proxy_pass http://10.0.0.1;"               \
    " proxy_connect_timeout 2s; proxy_read_timeout 3s; proxy_send_timeout 4s; }"   \
    " location /stream { proxy_pass http://10.0.0.1; proxy_request_buffering off;" \
    " proxy_send_timeout 4s; }"                                                    \
    " location /default { proxy_pass http://10.0.0.1; }"                           \
    " client_header_timeout 5s; client_body_timeout 6s; send_timeout 7s; keepalive_timeout 9s; }"

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

static void a_silent_origin_is_answered_for_at_its_deadline(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/"));
    replay_wait(r, 3000 - TICK);
    assert_string_equal(client_got(r, 0), "");
    replay_wait(r, TICK);
    assert_string_equal(client_got(r, 0), "504");
    assert_true(replay_now(r) <= 3000 + 2 * TICK);
    assert_string_equal(replay_log(r), "504 \"GET / HTTP/1.1\" 3.000 10.0.0.1:80\n");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
    assert_true(backend_is_closed(b, 0));
    replay_run(r);
    assert_string_equal(client_got(r, 0), "504; END");
    assert_int_equal(replay_open(r), 0);
}

static void the_default_is_a_minute(void **state)
{
    struct replay *r = *state;

    backend_new(r, 1, 0);
    client_sends(r, 0, GET("/default"));
    replay_wait(r, 60000 - TICK);
    assert_string_equal(client_got(r, 0), "");
    replay_wait(r, TICK);
    assert_string_equal(client_got(r, 0), "504");
    assert_string_equal(replay_log(r), "504 \"GET /default HTTP/1.1\" 60.000 10.0.0.1:80\n");
}

static void a_refusing_origin_is_502_at_once(void **state)
{
    struct replay *r = *state;

    backend_new(r, 1, ECONNREFUSED);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502");
    assert_string_equal(replay_log(r), "502 \"GET / HTTP/1.1\" 0.000 10.0.0.1:80\n");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

static void a_black_hole_is_504_at_the_connect_timeout(void **state)
{
    struct replay *r = *state;

    backend_new(r, 1, ETIMEDOUT);
    client_sends(r, 0, GET("/"));
    replay_wait(r, 2000 - TICK);
    assert_string_equal(client_got(r, 0), "");
    replay_wait(r, 2 * TICK);
    assert_string_equal(client_got(r, 0), "504");
    assert_string_equal(replay_log(r), "504 \"GET / HTTP/1.1\" 2.000 10.0.0.1:80\n");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

/* Each gap is inside proxy_read_timeout; the whole head is not. */
static void a_head_that_drips_in_must_be_whole_in_time(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/"));
    replay_settle(r);
    for (unsigned i = 0; i < 2; i++) {
        char byte[2] = { head[i], '\0' };

        replay_wait(r, 1000);
        backend_sends(b, 0, byte);
    }
    replay_wait(r, 1000 - TICK);
    assert_string_equal(client_got(r, 0), "");
    replay_wait(r, 2 * TICK);
    assert_string_equal(client_got(r, 0), "504");
    assert_true(backend_is_closed(b, 0));
    assert_string_equal(replay_log(r), "504 \"GET / HTTP/1.1\" 3.000 10.0.0.1:80\n");
}

/* --- the client's side ------------------------------------------------------------------------ */

static void a_client_that_says_nothing_is_closed_without_a_line(void **state)
{
    struct replay *r = *state;

    client_connects(r, 0, 8080);
    replay_settle(r);
    assert_closed_after(r, 0, 5000);
    assert_string_equal(client_got(r, 0), "END");
    assert_string_equal(replay_log(r), "");
    assert_int_equal(replay_open(r), 0);
}

static void a_head_that_stalls_is_logged_as_408_and_not_answered(void **state)
{
    struct replay *r = *state;

    client_sends(r, 0, "GET / HTTP/1.1\r\nHost: a.exa");
    replay_settle(r);
    assert_closed_after(r, 0, 5000);
    assert_string_equal(client_got(r, 0), "END");
    assert_string_equal(replay_log(r), "408 \"GET / HTTP/1.1\" 5.000 -\n");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 0);
    assert_int_equal(replay_open(r), 0);
}

/* client_header_timeout is for the whole head. */
static void a_client_that_drips_its_head_is_closed_as_early(void **state)
{
    struct replay *r = *state;

    client_sends(r, 0, "GET ");
    for (unsigned i = 0; i < 4; i++) {
        replay_wait(r, 1000);
        client_sends(r, 0, "/");
    }
    assert_closed_after(r, 0, 1000);
    assert_string_equal(replay_log(r), "408 \"-\" 5.000 -\n");
}

static void an_idle_connection_is_closed_without_a_line(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi");
    assert_closed_after(r, 0, 9000);
    assert_string_equal(replay_log(r), "200 \"GET / HTTP/1.1\" 0.000 10.0.0.1:80\n");
}

static void a_body_that_stalls_is_logged_as_408(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    replay_wait(r, 5000);
    client_sends(r, 0, "def");
    assert_closed_after(r, 0, 6000);
    assert_string_equal(client_got(r, 0), "END");
    assert_string_equal(replay_log(r), "408 \"POST / HTTP/1.1\" 11.000 -\n");
    assert_int_equal(b->conn_count, 0);
}

/* A body that is passed on while it comes: the origin sees no end of it either. */
static void a_streamed_body_that_stalls_takes_the_upstream_along(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0,
                 "POST /stream HTTP/1.1\r\nHost: a\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    replay_settle(r);
    assert_int_equal(b->conn_count, 1);
    assert_closed_after(r, 0, 6000);
    assert_true(backend_is_closed(b, 0));
    assert_true(span_has(span_of(backend_got(b, 0)), "3\r\nabc\r\n"));
    assert_false(span_has(span_of(backend_got(b, 0)), "0\r\n\r\n"));
    assert_string_equal(replay_log(r), "408 \"POST /stream HTTP/1.1\" 6.000 10.0.0.1:80\n");
}

static void a_client_that_reads_nothing_is_cut_at_send_timeout(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(5, "hello"), THEN_KEEP);
    client_connects(r, 0, 8080);
    fake_window(r->clients[0], 20);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    replay_wait(r, 4000);
    fake_drain(r->clients[0], 20); /* progress: the time begins anew */
    replay_settle(r);
    assert_closed_after(r, 0, 7000);
    assert_int_equal(client_bytes(r, 0).len, 40);
    assert_string_equal(replay_log(r), "200 \"GET / HTTP/1.1\" 11.000 10.0.0.1:80\n");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 0);
}

/* --- the upstream's side ---------------------------------------------------------------------- */

static void an_origin_that_takes_no_body_is_504_at_send_timeout(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    static char body[20000];

    memset(body, 'x', sizeof(body));
    client_sends(r, 0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n");
    client_sends_span(r, 0, (struct span){ body, sizeof(body) - 1 });
    replay_settle(r);
    b->window = 100;
    client_sends(r, 0, "x");
    replay_settle(r);
    replay_wait(r, 4000 - TICK);
    assert_string_equal(client_got(r, 0), "");
    replay_wait(r, 3 * TICK);
    assert_string_equal(client_got(r, 0), "504");
    assert_true(backend_is_closed(b, 0));
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

static void an_answer_that_stalls_is_cut_at_its_deadline(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(10, "hello"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_wait(r, 2000);
    backend_sends(b, 0, "abc"); /* each piece has its own time */
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 helloabc CUT");
    assert_closed_after(r, 0, 3000);
    assert_string_equal(client_got(r, 0), "200 helloabc CUT; END");
    assert_true(backend_is_closed(b, 0));
    assert_int_equal(b->requests, 1);
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
    assert_string_equal(replay_log(r), "200 \"GET / HTTP/1.1\" 5.000 10.0.0.1:80\n");
}

/* --- the client leaves ------------------------------------------------------------------------ */

static void leave_while_waiting(struct replay *r, void (*leave)(struct replay *, unsigned))
{
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/"));
    replay_wait(r, 1000);
    leave(r, 0);
    replay_settle(r);
    assert_true(backend_is_closed(b, 0));
    assert_true(fake_is_closed(r->clients[0]));
    assert_string_equal(replay_log(r), "499 \"GET / HTTP/1.1\" 1.000 10.0.0.1:80\n");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 0);
    assert_int_equal(replay_open(r), 0);
}

static void a_client_that_leaves_while_we_wait_is_499(void **state)
{
    leave_while_waiting(*state, client_leaves);
}

static void a_client_that_resets_while_we_wait_is_499(void **state)
{
    leave_while_waiting(*state, client_resets);
}

static void a_client_that_leaves_while_we_connect_is_499(void **state)
{
    struct replay *r = *state;

    backend_new(r, 1, ETIMEDOUT);
    client_sends(r, 0, GET("/"));
    replay_wait(r, 1000);
    client_leaves(r, 0);
    replay_settle(r);
    assert_string_equal(replay_log(r), "499 \"GET / HTTP/1.1\" 1.000 10.0.0.1:80\n");
    assert_int_equal(replay_open(r), 0);
}

/* Its upstream is closed in the turn that notices, and the log says what was really sent. */
static void a_client_that_leaves_in_mid_answer_takes_the_upstream_along(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(1000000, "hello"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_wait(r, 1000);
    assert_string_equal(client_got(r, 0), "200 hello CUT");
    client_resets(r, 0);
    replay_settle(r);
    assert_true(backend_is_closed(b, 0));
    assert_string_equal(replay_log(r), "200 \"GET / HTTP/1.1\" 1.000 10.0.0.1:80\n");
    assert_int_equal(replay_open(r), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("UP-02-", a_silent_origin_is_answered_for_at_its_deadline),
        PROMISE("", the_default_is_a_minute),
        PROMISE("UP-01-", a_refusing_origin_is_502_at_once),
        PROMISE("UP-01-", a_black_hole_is_504_at_the_connect_timeout),
        PROMISE("RESP-30-", a_head_that_drips_in_must_be_whole_in_time),
        PROMISE("", a_client_that_says_nothing_is_closed_without_a_line),
        PROMISE("", a_head_that_stalls_is_logged_as_408_and_not_answered),
        PROMISE("", a_client_that_drips_its_head_is_closed_as_early),
        PROMISE("", an_idle_connection_is_closed_without_a_line),
        PROMISE("", a_body_that_stalls_is_logged_as_408),
        PROMISE("", a_streamed_body_that_stalls_takes_the_upstream_along),
        PROMISE("", a_client_that_reads_nothing_is_cut_at_send_timeout),
        PROMISE("UP-04-", an_origin_that_takes_no_body_is_504_at_send_timeout),
        PROMISE("UP-03-", an_answer_that_stalls_is_cut_at_its_deadline),
        PROMISE("RESP-42-", a_client_that_leaves_while_we_wait_is_499),
        PROMISE("RESP-42-", a_client_that_resets_while_we_wait_is_499),
        PROMISE("", a_client_that_leaves_while_we_connect_is_499),
        PROMISE("UP-17-", a_client_that_leaves_in_mid_answer_takes_the_upstream_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
