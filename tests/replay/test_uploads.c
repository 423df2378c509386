/* A request's body and the answer at the same time: early answers, origins that stop reading, and
 * what may be sent again. */
#include "replay.h"

#define CONFIG                                                                         \
    "client_max_body_size 0; upstream two { server 10.0.0.1; server 10.0.0.2; }"       \
    "server { listen 8080; keepalive_timeout 600s; proxy_read_timeout 9s;"             \
    " proxy_send_timeout 4s; client_body_buffer_size 16k;"                             \
    " location /spooled { proxy_pass http://10.0.0.1; }"                               \
    " location /memory { proxy_pass http://10.0.0.1; client_body_buffer_size 1m; }"    \
    " location /streamed { proxy_pass http://10.0.0.1; proxy_request_buffering off; }" \
    " location /retried { proxy_pass http://two; proxy_request_buffering off;"         \
    " proxy_next_upstream error timeout non_idempotent; }"                             \
    " location /again { proxy_pass http://two;"                                        \
    " proxy_next_upstream error timeout non_idempotent; } }"

enum { LENGTH = 100000 };

static char body[LENGTH];

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)('a' + i / 7 % 26);
    *state = replay_new(CONFIG);
    return 0;
}

static const char *const ways[] = { "spooled", "memory", "streamed" };

static void posts(struct replay *r, unsigned c, const char *way)
{
    struct buf head;

    buf_init(&head, 1000, NULL);
    buf_addf(&head, "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", way, LENGTH);
    client_sends_span(r, c, buf_view(&head));
    client_sends_span(r, c, (struct span){ body, sizeof(body) });
    buf_done(&head);
}

/* One that reads no more than the head. */
static struct backend *backend_with_little_room(struct replay *r)
{
    struct backend *b = backend_new(r, 1, 0);

    b->window = 200;
    return b;
}

static void an_early_answer_is_given_whole(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_with_little_room(r);

    for (unsigned i = 0; i < COUNT(ways); i++) {
        posts(r, i, ways[i]);
        replay_settle(r);
        assert_int_equal(b->conn_count, i + 1);
        backend_sends(b, i, OK(5, "early"));
        replay_settle(r);
        if (!span_starts(span_of(client_got(r, i)), "200 early"))
            fail_msg("%s: %s", ways[i], client_got(r, i));
        assert_true(backend_is_closed(b, i));
        assert_int_equal(r->worker.pooled_connections, 0);
    }
    assert_string_equal(replay_errors(r, LEVEL_ERROR), "");
}

/* The answer has begun while the body still flows: neither touches the other's bytes. */
static void an_early_head_leaves_the_body_as_it_is(void **state)
{
    for (unsigned i = 0; i < COUNT(ways); i++) {
        struct replay *r = i == 0 ? *state : replay_new(CONFIG);
        struct backend *b = backend_with_little_room(r);

        posts(r, 0, ways[i]);
        replay_settle(r);
        backend_sends(b, 0, OK(10, "early"));
        replay_settle(r);
        client_sends(r, 1, GET("/spooled")); /* another one uses the same buffers */
        replay_settle(r);
        fake_window(b->conns[0].peer, SIZE_MAX);
        replay_settle(r);
        struct span asked = span_of(backend_got(b, 0));
        size_t head = (size_t)(strstr(asked.at, "\r\n\r\n") - asked.at) + 4;
        if (memcmp(asked.at + head, body, asked.len - head) != 0)
            fail_msg("%s: other bytes", ways[i]);
        backend_sends(b, 0, "later");
        replay_settle(r);
        if (!span_starts(span_of(client_got(r, 0)), "200 earlylater"))
            fail_msg("%s: %s", ways[i], client_got(r, 0));
        if (i > 0)
            replay_free(r);
    }
}

static void an_answer_before_a_reset_is_given(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_with_little_room(r);

    for (unsigned i = 0; i < COUNT(ways); i++) {
        posts(r, i, ways[i]);
        replay_settle(r);
        backend_sends(b, i, "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\n\r\nmuch");
        backend_ends(b, i, THEN_RESET);
        replay_settle(r);
        if (!span_starts(span_of(client_got(r, i)), "413 much"))
            fail_msg("%s: %s", ways[i], client_got(r, i));
    }
}

static void an_origin_that_stops_reading_is_504_at_send_timeout(void **state)
{
    for (unsigned i = 0; i < COUNT(ways); i++) {
        struct replay *r = i == 0 ? *state : replay_new(CONFIG);
        struct backend *b = backend_with_little_room(r);

        posts(r, 0, ways[i]);
        replay_settle(r);
        replay_wait(r, 4000 - TICK);
        assert_string_equal(client_got(r, 0), "");
        replay_wait(r, 3 * TICK);
        if (!span_starts(span_of(client_got(r, 0)), "504"))
            fail_msg("%s: \"%s\"", ways[i], client_got(r, 0));
        assert_true(backend_is_closed(b, 0));
        assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
        if (i > 0)
            replay_free(r);
    }
}

/* Each piece that is taken gives it time anew. */
static void a_slow_reader_among_origins_is_waited_for(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_with_little_room(r);

    backend_answers(b, OK(4, "done"), THEN_KEEP);
    for (unsigned i = 0; i < COUNT(ways); i++) {
        posts(r, i, ways[i]);
        replay_settle(r);
        for (int j = 0; j < 6; j++) {
            replay_wait(r, 3000);
            fake_drain(b->conns[i].peer, 10000);
        }
        replay_settle(r);
        assert_string_equal(client_got(r, i), "");
        fake_window(b->conns[i].peer, SIZE_MAX);
        replay_settle(r);
        if (strcmp(client_got(r, i), "200 done") != 0)
            fail_msg("%s: %s", ways[i], client_got(r, i));
        assert_int_equal(r->worker.pooled_connections, i > 0 ? 1 : 1);
        backend_ends(b, i, THEN_CLOSE);
    }
    assert_int_equal(b->requests, COUNT(ways));
}

static void a_body_that_was_passed_on_is_not_sent_again(void **state)
{
    struct replay *r = *state;
    struct backend *first = backend_new(r, 1, 0), *second = backend_new(r, 2, 0);

    backend_answers(first, "", THEN_CLOSE);
    backend_answers(second, OK(3, "two"), THEN_KEEP);
    posts(r, 0, "retried");
    replay_settle(r);
    assert_true(span_starts(span_of(client_got(r, 0)), "502"));
    assert_int_equal(second->conn_count, 0);
}

static void a_body_that_was_kept_is_sent_again_where_that_is_allowed(void **state)
{
    struct replay *r = *state;
    struct backend *first = backend_new(r, 1, 0), *second = backend_new(r, 2, 0);

    backend_answers(first, "", THEN_CLOSE);
    backend_answers(second, OK(3, "two"), THEN_KEEP);
    posts(r, 0, "again");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 two");
    assert_int_equal(first->requests + second->requests, 2);
}

/* PUT may be repeated, but not with a body that is gone. */
static void a_streamed_put_on_a_stale_connection_is_502(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(3, "one"), THEN_KEEP);
    backend_answers(b, "", THEN_CLOSE);
    backend_answers(b, OK(5, "never"), THEN_KEEP);
    client_sends(r, 0, GET("/streamed"));
    replay_settle(r);
    client_sends(r, 0, "PUT /streamed HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    replay_settle(r);
    assert_true(span_starts(span_of(client_got(r, 0)), "200 one; 502"));
    assert_int_equal(b->requests, 2);
}

static void a_client_that_leaves_in_mid_upload_ends_it(void **state)
{
    for (unsigned i = 0; i < COUNT(ways); i++) {
        struct replay *r = i == 0 ? *state : replay_new(CONFIG);
        struct backend *b = backend_with_little_room(r);

        posts(r, 0, ways[i]);
        replay_wait(r, 1000);
        client_resets(r, 0);
        replay_run(r);
        assert_true(backend_is_closed(b, 0));
        assert_int_equal(replay_open(r), 0);
        if (i > 0)
            replay_free(r);
    }
}

/* Leave to send, early hints and the answer go to the same client, which takes none of them yet. */
static void one_writer_at_a_time_talks_to_the_client(void **state)
{
    static const char *const firsts[] = { OK(10, "early"), "HTTP/1.1 103 Early Hints\r\n\r\n",
                                          "HTTP/1.1 100 Continue\r\n\r\n" };

    for (unsigned i = 0; i < COUNT(firsts); i++) {
        struct replay *r = i == 0 ? *state : replay_new(CONFIG);
        struct backend *b = backend_new(r, 1, 0);

        client_connects(r, 0, 8080);
        fake_window(r->clients[0], 3);
        client_sends(r, 0,
                     "POST /streamed HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                     "Content-Length: 3\r\n\r\n");
        replay_settle(r);
        assert_int_equal(b->conn_count, 1);
        backend_sends(b, 0, firsts[i]);
        replay_settle(r);
        client_sends(r, 0, "abc");
        replay_settle(r);
        fake_window(r->clients[0], SIZE_MAX);
        replay_settle(r);
        backend_sends(b, 0, i == 0 ? "later" : OK(10, "earlylater"));
        replay_settle(r);
        if (!span_starts(client_bytes(r, 0), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 "))
            fail_msg("%u: \"%s\"", i, client_got(r, 0));
        if (i > 0)
            replay_free(r);
    }
}

static void a_client_that_leaves_after_early_hints_is_499(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/memory"));
    replay_settle(r);
    backend_sends(b, 0, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "103");
    client_resets(r, 0);
    replay_settle(r);
    assert_string_equal(replay_log(r), "499 \"GET /memory HTTP/1.1\" 0.000 10.0.0.1:80\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("FLOW-28-", an_early_answer_is_given_whole),
        PROMISE("FLOW-28-", an_early_head_leaves_the_body_as_it_is),
        PROMISE("FLOW-29-", an_answer_before_a_reset_is_given),
        PROMISE("UP-04-", an_origin_that_stops_reading_is_504_at_send_timeout),
        PROMISE("", a_slow_reader_among_origins_is_waited_for),
        PROMISE("UP-08-", a_body_that_was_passed_on_is_not_sent_again),
        PROMISE("UP-08-", a_body_that_was_kept_is_sent_again_where_that_is_allowed),
        PROMISE("UP-06-", a_streamed_put_on_a_stale_connection_is_502),
        PROMISE("", one_writer_at_a_time_talks_to_the_client),
        PROMISE("", a_client_that_leaves_after_early_hints_is_499),
        PROMISE("", a_client_that_leaves_in_mid_upload_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
