/* How connections and workers end: draining, lingering, the limits of keep-alive. */
#include "replay.h"

#include "serve/serve.h"

#define CONFIG                                                                                \
    "server { listen 8080; keepalive_timeout 600s; keepalive_requests 3; keepalive_time 50s;" \
    " lingering_time 12s; lingering_timeout 5s; client_max_body_size 4; send_timeout 3s;"     \
    " location / { proxy_pass http://10.0.0.1; }"                                             \
    " location /ignore { proxy_pass http://10.0.0.1; proxy_ignore_client_abort on; }"         \
    " location /own { return 200 own; } }"

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

/* --- the worker ------------------------------------------------------------------------------- */

static unsigned idle_calls;

static void on_idle(struct worker *w)
{
    (void)w;
    idle_calls++;
}

static void drain(struct replay *r)
{
    idle_calls = 0;
    r->draining = true;
    serve_drain(&r->worker, on_idle);
}

static void a_drained_worker_finishes_what_it_began(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_connects(r, 0, 8080);     /* has said nothing yet, and never will */
    client_connects(r, 3, 8080);     /* is about to ask */
    client_sends(r, 1, GET("/own")); /* is idle */
    client_sends(r, 2, GET("/"));    /* waits for its answer */
    replay_settle(r);
    drain(r);
    replay_settle(r);
    client_sends(r, 3, GET("/own"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "");
    assert_string_equal(client_got(r, 1), "200 own; END");
    assert_string_equal(client_got(r, 3), "200 own; END");
    replay_wait(r, 1000 + TICK);
    assert_string_equal(client_got(r, 0), "END");
    assert_string_equal(client_got(r, 2), "");
    assert_null(fake_connect(&r->loop, 8080, NULL)); /* nobody listens */
    assert_int_equal(idle_calls, 0);
    backend_sends(b, 0, OK(2, "hi"));
    replay_settle(r);
    assert_string_equal(client_got(r, 2), "200 hi; END");
    assert_true(span_has(client_bytes(r, 2), "\r\nConnection: close\r\n"));
    assert_int_equal(idle_calls, 1);
    assert_int_equal(r->worker.pooled_connections, 0);
}

static void a_worker_without_clients_is_idle_at_once(void **state)
{
    struct replay *r = *state;

    drain(r);
    assert_int_equal(idle_calls, 1);
}

static void an_aborted_worker_is_empty_at_once(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    for (unsigned c = 0; c < 5; c++)
        client_sends(r, c, GET("/"));
    client_sends(r, 5, "GET / HT");
    client_sends(r, 6, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    replay_settle(r);
    drain(r);
    serve_abort(&r->worker);
    replay_settle(r);
    assert_int_equal(idle_calls, 1);
    assert_int_equal(r->worker.live_connections, 0);
    for (unsigned i = 0; i < b->conn_count; i++)
        assert_true(backend_is_closed(b, i));
}

/* --- connections ------------------------------------------------------------------------------ */

static void the_last_request_of_a_connection_says_so(void **state)
{
    struct replay *r = *state;

    for (int i = 0; i < 4; i++)
        client_sends(r, 0, GET("/own"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 own; 200 own; 200 own; END");
    assert_true(span_has(client_bytes(r, 0), "\r\nConnection: close\r\n"));
}

static void an_old_connection_is_not_kept(void **state)
{
    struct replay *r = *state;

    client_sends(r, 0, GET("/own"));
    replay_wait(r, 49000);
    client_sends(r, 0, GET("/own"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 own; 200 own");
    replay_wait(r, 2000);
    client_sends(r, 0, GET("/own"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 own; 200 own; 200 own; END");
}

/* The rest of a refused body is read off, so that the client sees the answer; but not for ever. */
static void lingering_ends_when_the_client_falls_silent(void **state)
{
    struct replay *r = *state;

    client_sends(r, 0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "413; END");
    assert_int_equal(r->worker.live_connections, 1);
    replay_wait(r, 5000 - TICK);
    assert_int_equal(r->worker.live_connections, 1);
    replay_wait(r, 3 * TICK);
    assert_int_equal(r->worker.live_connections, 0);
}

static void lingering_ends_when_the_client_goes_on_for_ever(void **state)
{
    struct replay *r = *state;
    unsigned seconds = 0;

    client_sends(r, 0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    replay_settle(r);
    for (; r->worker.live_connections > 0 && seconds < 100; seconds++) {
        client_sends(r, 0, GET("/smug"));
        replay_wait(r, 1000);
    }
    assert_in_range(seconds, 12, 13);
    assert_int_equal(r->worker.exchanges, 1); /* what came was never read as a request */
}

static void a_client_that_ends_ends_lingering(void **state)
{
    struct replay *r = *state;

    client_sends(r, 0, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
    replay_settle(r);
    client_leaves(r, 0);
    replay_settle(r);
    assert_int_equal(replay_open(r), 0);
}

static void where_aborts_are_ignored_the_upstream_is_heard_out(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/ignore"));
    replay_settle(r);
    client_leaves(r, 0);
    replay_wait(r, 1000);
    assert_false(backend_is_closed(b, 0));
    backend_sends(b, 0, OK(2, "hi"));
    replay_settle(r);
    assert_int_equal(r->worker.pooled_connections, 1);
    assert_string_equal(replay_log(r), "200 \"GET /ignore HTTP/1.1\" 1.000 10.0.0.1:80\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("", a_drained_worker_finishes_what_it_began),
        PROMISE("", a_worker_without_clients_is_idle_at_once),
        PROMISE("", an_aborted_worker_is_empty_at_once),
        PROMISE("", the_last_request_of_a_connection_says_so),
        PROMISE("", an_old_connection_is_not_kept),
        PROMISE("FLOW-30-", lingering_ends_when_the_client_falls_silent),
        PROMISE("FLOW-30-", lingering_ends_when_the_client_goes_on_for_ever),
        PROMISE("", a_client_that_ends_ends_lingering),
        PROMISE("", where_aborts_are_ignored_the_upstream_is_heard_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
