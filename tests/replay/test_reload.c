/* A new configuration takes over while exchanges, tunnels and pools live on. */
#include "replay.h"

#include "fetch/upstream/pool.h"

#define SERVER(port, more) "server { listen " #port "; keepalive_timeout 600s; " more " }"
#define BEFORE                                                                      \
    SERVER(8080, "location / { proxy_pass http://10.0.0.1; proxy_read_timeout 10s;" \
                 " add_header X-Config old; } location /which { return 200 old; }")
#define AFTER                                                                      \
    SERVER(8080, "location / { proxy_pass http://10.0.0.1; proxy_read_timeout 3s;" \
                 " add_header X-Config new; } location /which { return 200 new; }")
#define FORWARD(rule) "forward { listen 3128; tunnel_timeout 20s; " rule " }"

static int setup(void **state)
{
    *state = replay_new(BEFORE);
    return 0;
}

static void an_exchange_ends_with_the_settings_it_began_with(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);
    struct generation *old = generation_ref(r->worker.generation);

    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_int_equal(old->refs, 3); /* the worker's, the exchange's, ours */
    replay_reload(r, AFTER);
    replay_settle(r);
    assert_int_equal(old->refs, 2);
    assert_int_equal(r->worker.generation->number, old->number + 1);

    replay_wait(r, 5000); /* longer than the new settings would have waited */
    assert_string_equal(client_got(r, 0), "");
    backend_sends(b, 0, OK(2, "hi"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi");
    assert_true(span_has(client_bytes(r, 0), "\r\nX-Config: old\r\n"));
    assert_int_equal(old->refs, 1);
    generation_unref(&old);

    client_sends(r, 0, GET("/which"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi; 200 new");
}

static void a_deadline_is_that_of_the_settings_it_began_with(void **state)
{
    struct replay *r = *state;

    backend_new(r, 1, 0);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    replay_reload(r, AFTER);
    client_sends(r, 1, GET("/"));
    replay_wait(r, 3000 + TICK);
    assert_string_equal(client_got(r, 0), "");
    assert_string_equal(client_got(r, 1), "504");
    replay_wait(r, 7000);
    assert_string_equal(client_got(r, 0), "504");
}

/* Nobody holds the old one but its exchanges: it is gone with the last. */
static void the_old_generation_is_freed_when_its_last_exchange_ends(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/"));
    client_sends(r, 1, GET("/"));
    replay_settle(r);
    struct pool *pool = r->worker.pools->first;
    assert_int_equal(pool->users, 1);
    replay_reload(r, AFTER);
    assert_int_equal(pool->users, 2);
    backend_sends(b, 0, OK(2, "hi"));
    replay_settle(r);
    assert_int_equal(pool->users, 2);
    backend_sends(b, 1, OK(2, "hi"));
    replay_settle(r);
    assert_int_equal(pool->users, 1);
    assert_int_equal(r->worker.pooled_connections, 2);
}

static void parked_connections_hold_none(void **state)
{
    struct replay *r = *state;

    client_connects(r, 0, 8080);
    client_sends(r, 1, GET("/which"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "200 old");
    struct generation *old = generation_ref(r->worker.generation);
    replay_reload(r, AFTER);
    assert_int_equal(old->refs, 1);
    generation_unref(&old);
    client_sends(r, 0, GET("/which"));
    client_sends(r, 1, GET("/which"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 new");
    assert_string_equal(client_got(r, 1), "200 old; 200 new");
}

static void pools_live_on(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    for (int i = 0; i < 50; i++)
        replay_reload(r, i % 2 ? BEFORE : AFTER);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi; 200 hi");
    assert_int_equal(b->conn_count, 1);
}

/* An upstream that the new configuration does not know: its idle connections have no future. */
static void a_pool_that_nobody_names_any_more_is_emptied(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    replay_reload(r, SERVER(8080, "location / { return 200 new; }"));
    replay_settle(r);
    assert_int_equal(r->worker.pooled_connections, 0);
    assert_true(backend_is_closed(b, 0));
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi; 200 new");
}

/* One in use goes on, and is closed when it is given back. */
static void a_connection_in_use_is_closed_with_its_pool(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/"));
    replay_settle(r);
    replay_reload(r, SERVER(8080, "location / { return 200 new; }"));
    backend_sends(b, 0, OK(2, "hi"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi");
    assert_int_equal(r->worker.pooled_connections, 0);
    assert_true(backend_is_closed(b, 0));
}

static void a_body_that_flows_does_not_notice(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(10, "hello"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    replay_reload(r, SERVER(8080, "location / { return 200 new; }"));
    replay_wait(r, 1000);
    backend_sends(b, 0, "world");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 helloworld");
}

/* It holds none, although it still reads and drops what its client sends. */
static void a_connection_that_lingers_does_not_notice(void **state)
{
    struct replay *r = *state;

    client_sends(r, 0,
                 "POST /which HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc"
                 "POST");
    client_sends(r, 1, "GET / HTTP/1.1\r\n\r\n" GET("/smug"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "400; END");
    assert_true(r->worker.live_connections > 0);
    replay_reload(r, AFTER);
    for (int i = 0; i < 10; i++) {
        replay_wait(r, 1000);
        client_sends(r, 1, "more");
    }
    replay_run(r);
    assert_int_equal(replay_open(r), 0);
}

/* --- the forward face ----------------------------------------------------------------------- */

static const struct address far = { .family = AF_INET, .port = 443, .ip = { 93, 184, 216, 34 } };

static int setup_forward(void **state)
{
    *state = replay_new(FORWARD("rule allow if client 203.0.113.0/24;"));
    return 0;
}

static void a_tunnel_outlives_the_rule_that_allowed_it(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &far, 0);

    client_connects(r, 0, 3128);
    client_sends(r, 0, "CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: 93.184.216.34:443\r\n\r\n");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200");
    struct generation *old = generation_ref(r->worker.generation);
    replay_reload(r, FORWARD("rule deny if port 443; rule allow if client 203.0.113.0/24;"));
    assert_int_equal(old->refs, 1); /* ours: the tunnel holds none */
    generation_unref(&old);
    client_sends(r, 0, "ping");
    replay_settle(r);
    assert_string_equal(backend_got(b, 0), "ping");
    client_connects(r, 1, 3128);
    client_sends(r, 1, "CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: 93.184.216.34:443\r\n\r\n");
    replay_settle(r);
    assert_true(span_starts(client_bytes(r, 1), "HTTP/1.1 403 "));
    client_leaves(r, 0);
    backend_ends(b, 0, THEN_CLOSE);
    replay_settle(r);
    assert_true(span_has(span_of(replay_log(r)), "200 \"CONNECT 93.184.216.34:443 HTTP/1.1\""));
}

static void the_next_request_of_a_connection_meets_the_new_rules(void **state)
{
    static const char request[] =
        "GET http://93.184.216.34:443/ HTTP/1.1\r\nHost: 93.184.216.34\r\n\r\n";
    struct replay *r = *state;
    struct backend *b = backend_at(r, &far, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    client_connects(r, 0, 3128);
    client_sends(r, 0, request);
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi");
    replay_reload(r, FORWARD("rule deny if port 443; rule allow if client 203.0.113.0/24;"));
    client_sends(r, 0, request);
    replay_settle(r);
    assert_true(span_starts(span_of(client_got(r, 0)), "200 hi; 403"));
    assert_int_equal(b->requests, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("", an_exchange_ends_with_the_settings_it_began_with),
        PROMISE("", a_deadline_is_that_of_the_settings_it_began_with),
        PROMISE("", the_old_generation_is_freed_when_its_last_exchange_ends),
        PROMISE("", parked_connections_hold_none),
        PROMISE("", pools_live_on),
        PROMISE("", a_pool_that_nobody_names_any_more_is_emptied),
        PROMISE("", a_connection_in_use_is_closed_with_its_pool),
        PROMISE("", a_body_that_flows_does_not_notice),
        PROMISE("", a_connection_that_lingers_does_not_notice),
        { "TUN-07-a-tunnel-outlives-the-generation-that-allowed-it",
          a_tunnel_outlives_the_rule_that_allowed_it, setup_forward, replay_end, NULL },
        cmocka_unit_test_setup_teardown(the_next_request_of_a_connection_meets_the_new_rules,
                                        setup_forward, replay_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
