/* Which peer is asked, and on which connection: next peers, the pool, races of keep-alive. */
#include "base/address.h"
#include "replay.h"

#define CONFIG                                                                          \
    "upstream two { server 10.0.0.1; server 10.0.0.2; }"                                \
    "upstream weighted { server 10.0.0.1 weight=5; server 10.0.0.2; server 10.0.0.3; }" \
    "server { listen 8080; keepalive_timeout 600s;"                                     \
    " proxy_connect_timeout 2s; proxy_read_timeout 3s;"                                 \
    " location / { proxy_pass http://10.0.0.1; }"                                       \
    " location /two { proxy_pass http://two; }"                                         \
    " location /weighted { proxy_pass http://weighted; }"                               \
    " location /once { proxy_pass http://two; proxy_next_upstream_tries 1; }"           \
    " location /off { proxy_pass http://10.0.0.4; proxy_keepalive off; } }"

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

static const char *upstreams_of(struct replay *r)
{
    const char *line = replay_log(r), *end = strrchr(line, '"');

    return end != NULL ? end : "";
}

/* --- the next peer ---------------------------------------------------------------------------- */

static void after_a_refusal_the_next_peer_is_asked(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 2, 0);

    backend_new(r, 1, ECONNREFUSED);
    backend_answers(b, OK(3, "two"), THEN_KEEP);
    client_sends(r, 0, GET("/two"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 two");
    assert_string_equal(upstreams_of(r), "\" 0.000 10.0.0.1:80, 10.0.0.2:80\n");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

static void a_post_that_was_never_sent_goes_to_the_next_peer(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 2, 0);

    backend_new(r, 1, ECONNREFUSED);
    backend_answers(b, OK(3, "two"), THEN_KEEP);
    client_sends(r, 0, "POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 two");
    assert_true(span_ends(span_of(backend_got(b, 0)), "\r\n\r\nbody"));
}

static void a_peer_too_slow_to_connect_costs_its_timeout_only(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 2, 0);

    backend_new(r, 1, ETIMEDOUT);
    backend_answers(b, OK(3, "two"), THEN_KEEP);
    client_sends(r, 0, GET("/two"));
    replay_wait(r, 2000);
    assert_string_equal(client_got(r, 0), "200 two");
    assert_string_equal(upstreams_of(r), "\" 2.000 10.0.0.1:80, 10.0.0.2:80\n");
}

static void a_get_that_timed_out_goes_to_the_next_peer(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 2, 0);

    backend_new(r, 1, 0);
    backend_answers(b, OK(3, "two"), THEN_KEEP);
    client_sends(r, 0, GET("/two"));
    replay_wait(r, 3000);
    assert_string_equal(client_got(r, 0), "200 two");
}

static void a_post_that_timed_out_is_sent_once(void **state)
{
    struct replay *r = *state;
    struct backend *first = backend_new(r, 1, 0), *second = backend_new(r, 2, 0);

    backend_answers(second, OK(3, "two"), THEN_KEEP);
    client_sends(r, 0, "POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    replay_wait(r, 3000);
    assert_string_equal(client_got(r, 0), "504");
    assert_int_equal(first->requests, 1);
    assert_int_equal(second->conn_count, 0);
}

static void the_number_of_tries_is_obeyed(void **state)
{
    struct replay *r = *state;
    struct backend *second = backend_new(r, 2, 0);

    backend_new(r, 1, ECONNREFUSED);
    client_sends(r, 0, GET("/once"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502");
    assert_int_equal(second->conn_count, 0);
}

static void when_all_peers_are_down_nobody_is_dialled_until_fail_timeout(void **state)
{
    struct replay *r = *state;

    backend_new(r, 1, ECONNREFUSED);
    backend_new(r, 2, ECONNREFUSED);
    client_sends(r, 0, GET("/two"));
    replay_settle(r);
    uint64_t dials = fake_steps(&r->loop, FAKE_CONNECT);
    assert_int_equal(dials, 2);
    client_sends(r, 0, GET("/two"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502; 502");
    assert_int_equal(fake_steps(&r->loop, FAKE_CONNECT), dials);
    assert_true(span_has(span_of(replay_errors(r, LEVEL_ERROR)), "no live upstreams"));

    struct backend *b = backend_new(r, 1, 0);
    backend_answers(b, OK(4, "back"), THEN_KEEP);
    replay_wait(r, 11000);
    client_sends(r, 0, GET("/two"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502; 502; 200 back");
}

static void peers_are_asked_in_the_order_of_smooth_weights(void **state)
{
    struct replay *r = *state;
    struct backend *a = backend_new(r, 1, 0), *b = backend_new(r, 2, 0), *c = backend_new(r, 3, 0);

    backend_answers(a, OK(1, "a"), THEN_KEEP);
    backend_answers(b, OK(1, "b"), THEN_KEEP);
    backend_answers(c, OK(1, "c"), THEN_KEEP);
    for (int i = 0; i < 7; i++)
        client_sends(r, 0, GET("/weighted"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 a; 200 a; 200 b; 200 a; 200 c; 200 a; 200 a");
    assert_int_equal(a->conn_count, 1);
}

/* Before the head is whole it is as if nothing had come; after it, the answer is cut. */
static void an_answer_that_breaks_off_in_its_head_goes_to_the_next_peer(void **state)
{
    struct replay *r = *state;
    struct backend *first = backend_new(r, 1, 0), *second = backend_new(r, 2, 0);

    backend_answers(first, "HTTP/1.1 200 OK\r\nContent-Le", THEN_CLOSE);
    backend_answers(second, OK(3, "two"), THEN_KEEP);
    client_sends(r, 0, GET("/two"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 two");
}

static void an_answer_that_breaks_off_in_its_body_is_cut(void **state)
{
    struct replay *r = *state;
    struct backend *first = backend_new(r, 1, 0), *second = backend_new(r, 2, 0);

    backend_answers(first, OK(9, "half"), THEN_CLOSE);
    backend_answers(second, OK(3, "two"), THEN_KEEP);
    client_sends(r, 0, GET("/two"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 half CUT; END");
    assert_int_equal(second->conn_count, 0);
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

/* What the peer before it did is not held against a peer. */
static void a_client_that_leaves_is_no_fault_of_the_next_peer(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 2, 0);

    backend_new(r, 1, ECONNREFUSED);
    backend_answers(b, OK(9, "half"), THEN_KEEP);
    backend_answers(b, OK(3, "two"), THEN_KEEP);
    client_sends(r, 0, GET("/two"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 half CUT");
    fake_fail(&r->loop, FAKE_SEND, 1, EPIPE); /* noticed when more is sent to it */
    backend_sends(b, 0, "more");
    replay_settle(r);
    client_sends(r, 1, GET("/two"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "200 two");
}

/* --- the pool --------------------------------------------------------------------------------- */

static struct backend *pooled(struct replay *r)
{
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(3, "one"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 one");
    assert_int_equal(r->worker.pooled_connections, 1);
    return b;
}

static void an_idle_connection_is_used_again_by_another_client(void **state)
{
    struct replay *r = *state;
    struct backend *b = pooled(r);

    client_sends(r, 1, GET("/other"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "200 one");
    assert_int_equal(b->conn_count, 1);
    assert_int_equal(b->requests, 2);
}

static void an_idle_connection_is_kept_for_its_time(void **state)
{
    struct replay *r = *state;
    struct backend *b = pooled(r);

    replay_wait(r, 60000 - TICK);
    assert_false(backend_is_closed(b, 0));
    replay_wait(r, 3 * TICK);
    assert_true(backend_is_closed(b, 0));
    assert_int_equal(r->worker.pooled_connections, 0);
}

static void without_keepalive_none_is_kept(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 4, 0);

    backend_answers(b, OK(2, "no"), THEN_KEEP);
    client_sends(r, 0, GET("/off"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 no");
    assert_true(backend_is_closed(b, 0));
    assert_true(span_has(span_of(backend_got(b, 0)), "\r\nConnection: close\r\n"));
}

static void spoil_idle(struct replay *r, void (*spoil)(struct backend *b))
{
    struct backend *b = pooled(r);

    spoil(b);
    replay_turn(r);
    assert_int_equal(r->worker.pooled_connections, 0);
    replay_turn(r);
    assert_true(backend_is_closed(b, 0));
    client_sends(r, 1, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "200 one");
    assert_int_equal(b->conn_count, 2);
}

static void end_it(struct backend *b)
{
    backend_ends(b, 0, THEN_CLOSE);
}

static void reset_it(struct backend *b)
{
    backend_ends(b, 0, THEN_RESET);
}

static void talk(struct backend *b)
{
    backend_sends(b, 0, OK(4, "evil"));
}

static void an_idle_connection_that_ends_is_never_used_again(void **state)
{
    spoil_idle(*state, end_it);
}

static void an_idle_connection_that_is_reset_is_never_used_again(void **state)
{
    spoil_idle(*state, reset_it);
}

static void an_idle_connection_that_speaks_is_never_used_again(void **state)
{
    spoil_idle(*state, talk);
}

/* The FIN and the next request come in the same turn: whichever is handled first. */
static void a_fin_beside_the_next_request_does_no_harm(void **state)
{
    struct replay *r = *state;
    struct backend *b = pooled(r);

    client_sends(r, 0, GET("/"));
    backend_ends(b, 0, THEN_CLOSE);
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 one; 200 one");
    assert_int_equal(b->conn_count, 2);

    backend_ends(b, 1, THEN_CLOSE);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 one; 200 one; 200 one");
    assert_int_equal(b->requests, 3);
}

static void surplus_with_the_answer_costs_the_connection(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(5, "hello") OK(4, "evil"), THEN_KEEP);
    backend_answers(b, OK(4, "good"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hello");
    assert_true(backend_is_closed(b, 0));
    assert_int_equal(replay_error_count(r, LEVEL_WARN), 1);
    client_sends(r, 0, GET("/"));
    client_sends(r, 1, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hello; 200 good");
    assert_string_equal(client_got(r, 1), "200 good");
}

static void surplus_behind_every_kind_of_answer_costs_the_connection(void **state)
{
    static const char *const answers[] = {
        OK_CHUNKED "5\r\nhello\r\n0\r\n\r\n" OK(4, "evil"),
        "HTTP/1.1 204 No Content\r\n\r\n" OK(4, "evil"),
        "HTTP/1.1 304 Not Modified\r\n\r\n" OK(4, "evil"),
    };
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    for (unsigned i = 0; i < COUNT(answers); i++)
        backend_answers(b, answers[i], THEN_KEEP);
    backend_answers(b, OK(4, "good"), THEN_KEEP);
    for (unsigned i = 0; i < COUNT(answers); i++) {
        client_sends(r, 0, GET("/"));
        replay_settle(r);
        assert_true(backend_is_closed(b, i));
        assert_int_equal(r->worker.pooled_connections, 0);
    }
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hello; 204; 304; 200 good");
    assert_int_equal(replay_error_count(r, LEVEL_WARN), COUNT(answers));
}

static void speak_first(void *arg, struct fake_peer *p)
{
    (void)arg;
    fake_send(p, span_of(OK(4, "evil")));
}

static void an_origin_that_speaks_before_it_is_asked_is_502(void **state)
{
    static const struct address at = { .family = AF_INET, .port = 80, .ip = { 10, 0, 0, 1 } };
    struct replay *r = *state;

    fake_origin(&r->loop, &at, 0, speak_first, NULL);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502");
    assert_int_equal(replay_error_count(r, LEVEL_ERROR), 1);
}

/* --- the race of keep-alive (UP-06) ----------------------------------------------------------- */

/* On a pooled connection the answer to this request is its end. What the client got then. */
static const char *race(struct replay *r, const char *request, enum then how, unsigned *ret_sent)
{
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(3, "one"), THEN_KEEP);
    backend_answers(b, "", how);
    backend_answers(b, OK(5, "again"), THEN_KEEP);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    client_sends(r, 1, request);
    replay_settle(r);
    *ret_sent = b->requests - 1;
    assert_int_equal(b->conn_count, b->requests - 1);
    return client_got(r, 1);
}

static void race_both_ways(const char *request, const char *want, unsigned want_sent)
{
    for (enum then how = THEN_CLOSE; how <= THEN_RESET; how++) {
        struct replay *r = replay_new(CONFIG);
        unsigned sent;

        assert_string_equal(race(r, request, how, &sent), want);
        assert_int_equal(sent, want_sent);
        replay_free(r);
    }
}

static void a_get_is_sent_again_on_a_fresh_connection(void **state)
{
    (void)state;
    race_both_ways(GET("/"), "200 again", 2);
}

static void a_put_is_sent_again_with_its_body(void **state)
{
    (void)state;
    race_both_ways("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "200 again", 2);
}

static void a_post_is_sent_once_and_502(void **state)
{
    (void)state;
    race_both_ways("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "502", 1);
}

static void a_patch_is_sent_once_and_502(void **state)
{
    (void)state;
    race_both_ways("PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "502", 1);
}

static void a_request_is_repeated_once_only(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(3, "one"), THEN_KEEP);
    backend_answers(b, "", THEN_CLOSE);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    client_sends(r, 0, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 one; 502");
    assert_int_equal(b->requests, 3);
    assert_int_equal(b->conn_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("", after_a_refusal_the_next_peer_is_asked),
        PROMISE("UP-07-", a_post_that_was_never_sent_goes_to_the_next_peer),
        PROMISE("UP-01-", a_peer_too_slow_to_connect_costs_its_timeout_only),
        PROMISE("UP-02-", a_get_that_timed_out_goes_to_the_next_peer),
        PROMISE("UP-02-", a_post_that_timed_out_is_sent_once),
        PROMISE("UP-11-", the_number_of_tries_is_obeyed),
        PROMISE("UP-10-", when_all_peers_are_down_nobody_is_dialled_until_fail_timeout),
        PROMISE("", peers_are_asked_in_the_order_of_smooth_weights),
        PROMISE("UP-09-", an_answer_that_breaks_off_in_its_head_goes_to_the_next_peer),
        PROMISE("UP-09-", an_answer_that_breaks_off_in_its_body_is_cut),
        PROMISE("", a_client_that_leaves_is_no_fault_of_the_next_peer),
        PROMISE("", an_idle_connection_is_used_again_by_another_client),
        PROMISE("", an_idle_connection_is_kept_for_its_time),
        PROMISE("", without_keepalive_none_is_kept),
        PROMISE("UP-05-", an_idle_connection_that_ends_is_never_used_again),
        PROMISE("UP-05-", an_idle_connection_that_is_reset_is_never_used_again),
        PROMISE("RESP-06-", an_idle_connection_that_speaks_is_never_used_again),
        PROMISE("UP-05-", a_fin_beside_the_next_request_does_no_harm),
        PROMISE("RESP-05-", surplus_with_the_answer_costs_the_connection),
        PROMISE("RESP-07-", surplus_behind_every_kind_of_answer_costs_the_connection),
        PROMISE("RESP-08-", an_origin_that_speaks_before_it_is_asked_is_502),
        { "UP-06-a_get_is_sent_again_on_a_fresh_connection",
          a_get_is_sent_again_on_a_fresh_connection, NULL, NULL, NULL },
        { "UP-06-a_put_is_sent_again_with_its_body", a_put_is_sent_again_with_its_body, NULL, NULL,
          NULL },
        { "UP-06-a_post_is_sent_once_and_502", a_post_is_sent_once_and_502, NULL, NULL, NULL },
        { "UP-06-a_patch_is_sent_once_and_502", a_patch_is_sent_once_and_502, NULL, NULL, NULL },
        PROMISE("UP-06-", a_request_is_repeated_once_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
