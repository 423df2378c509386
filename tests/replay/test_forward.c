/* The forward face on the fake loop: rules for each request, tunnels from CONNECT to their end. */
#include "base/address.h"
#include "base/span.h"
#include "replay.h"

#define CONFIG                                                                          \
    "log_format tunnel '$status $forward_bytes_up $forward_bytes_down $request_time';"  \
    "forward { listen 3128; tunnel_peek off; tunnel_timeout 20s; tunnel_linger 5s;"     \
    " proxy_connect_timeout 2s; proxy_read_timeout 3s; access_log %/access.log tunnel;" \
    " rule deny if host 93.184.216.35;"                                                 \
    " rule allow if client 203.0.113.0/24; }"

#define CONNECT "CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: 93.184.216.34:443\r\n\r\n"
#define ABSOLUTE(host, path) "GET http://" host path " HTTP/1.1\r\nHost: " host "\r\n\r\n"

static const struct address far443 = { .family = AF_INET, .port = 443, .ip = { 93, 184, 216, 34 } };
static const struct address far80 = { .family = AF_INET, .port = 80, .ip = { 93, 184, 216, 34 } };

static int setup(void **state)
{
    *state = replay_new(CONFIG);
    return 0;
}

static void sends(struct replay *r, unsigned c, const char *text)
{
    if (r->clients[c] == NULL)
        client_connects(r, c, 3128);
    client_sends(r, c, text);
}

static struct span after_head(struct replay *r, unsigned c)
{
    struct span got = client_bytes(r, c);
    const char *end = memmem(got.at, got.len, "\r\n\r\n", 4);

    assert_non_null(end);
    return span_from(got, (size_t)(end - got.at) + 4);
}

/* --- tunnels ---------------------------------------------------------------------------------- */

static struct backend *tunnel(struct replay *r)
{
    struct backend *b = backend_at(r, &far443, 0);

    sends(r, 0, CONNECT);
    replay_settle(r);
    assert_true(span_is(client_bytes(r, 0), "HTTP/1.1 200 Connection established\r\n\r\n"));
    assert_int_equal(b->conn_count, 1);
    assert_int_equal(r->worker.live_tunnels, 1);
    assert_int_equal(r->loop.fibers.live, 0); /* a tunnel needs none */
    return b;
}

static void a_tunnel_carries_both_ways_and_each_end(void **state)
{
    struct replay *r = *state;
    struct backend *b = tunnel(r);

    sends(r, 0, "ping");
    backend_sends(b, 0, "hello ");
    replay_wait(r, 1000);
    assert_string_equal(backend_got(b, 0), "ping");
    client_leaves(r, 0); /* half of it ends; the other half goes on */
    replay_wait(r, 1000);
    assert_true(backend_is_closed(b, 0));
    assert_false(fake_is_closed(r->clients[0]));
    backend_sends(b, 0, "world");
    replay_settle(r);
    assert_true(span_is(after_head(r, 0), "hello world"));
    backend_ends(b, 0, THEN_CLOSE);
    replay_settle(r);
    assert_true(fake_is_closed(r->clients[0]) && !fake_was_reset(r->clients[0]));
    assert_string_equal(replay_log(r), "200 4 11 2.000\n");
    assert_int_equal(replay_open(r), 0);
}

static void early_data_goes_first(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &far443, 0);

    sends(r, 0, CONNECT "early ");
    replay_settle(r);
    sends(r, 0, "late");
    replay_settle(r);
    assert_string_equal(backend_got(b, 0), "early late");
}

static void an_idle_tunnel_ends_at_tunnel_timeout(void **state)
{
    struct replay *r = *state;
    struct backend *b = tunnel(r);

    replay_wait(r, 15000);
    sends(r, 0, "x"); /* the time begins anew */
    replay_settle(r);
    assert_closed_after(r, 0, 20000);
    assert_true(backend_is_closed(b, 0));
    assert_string_equal(replay_log(r), "200 1 0 35.000\n");
    assert_int_equal(replay_open(r), 0);
}

static void half_a_tunnel_ends_at_tunnel_linger(void **state)
{
    struct replay *r = *state;
    struct backend *b = tunnel(r);

    backend_ends(b, 0, THEN_CLOSE);
    replay_settle(r);
    assert_true(fake_is_closed(r->clients[0])); /* its FIN */
    replay_wait(r, 5000 - TICK);
    assert_int_equal(r->worker.live_tunnels, 1);
    replay_wait(r, 3 * TICK);
    assert_int_equal(r->worker.live_tunnels, 0);
    assert_string_equal(replay_log(r), "200 0 0 5.000\n");
    assert_int_equal(replay_open(r), 0);
}

static void a_reset_goes_through(void **state)
{
    struct replay *r = *state;
    struct backend *b = tunnel(r);

    backend_sends(b, 0, "half");
    replay_settle(r);
    backend_ends(b, 0, THEN_RESET);
    replay_settle(r);
    assert_true(fake_was_reset(r->clients[0]));
    assert_int_equal(replay_open(r), 0);
}

static void a_slow_side_holds_the_other(void **state)
{
    enum { LENGTH = 1 << 20 };
    static char bytes[LENGTH];
    struct replay *r = *state;
    struct backend *b = tunnel(r);

    memset(bytes, 'x', sizeof(bytes));
    fake_window(r->clients[0], 100);
    fake_send(b->conns[0].peer, (struct span){ bytes, LENGTH });
    replay_settle(r);
    assert_int_equal(after_head(r, 0).len, 100);
    assert_in_range(peer_unread(b->conns[0].peer), LENGTH - 65536, LENGTH);
    sends(r, 0, "the other way goes on");
    replay_settle(r);
    assert_string_equal(backend_got(b, 0), "the other way goes on");
    fake_window(r->clients[0], SIZE_MAX);
    replay_settle(r);
    assert_int_equal(after_head(r, 0).len, LENGTH);
    client_leaves(r, 0);
    backend_ends(b, 0, THEN_CLOSE);
    replay_settle(r);
    assert_string_equal(replay_log(r), "200 21 1048576 0.000\n");
}

static void a_destination_that_refuses_is_a_real_status(void **state)
{
    struct replay *r = *state;

    backend_at(r, &far443, ECONNREFUSED);
    sends(r, 0, CONNECT);
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "502 502 Bad Gateway\n; END");
    assert_int_equal(r->worker.live_tunnels, 0);
}

static void a_destination_that_is_silent_is_504(void **state)
{
    struct replay *r = *state;

    backend_at(r, &far443, ETIMEDOUT);
    sends(r, 0, CONNECT);
    replay_wait(r, 2000 - TICK);
    assert_string_equal(client_got(r, 0), "");
    replay_wait(r, 3 * TICK);
    assert_string_equal(client_got(r, 0), "504 504 Gateway Time-out\n; END");
    assert_string_equal(replay_log(r), "504 0 0 2.000\n");
}

static void a_client_that_leaves_while_we_dial_is_499(void **state)
{
    struct replay *r = *state;

    backend_at(r, &far443, ETIMEDOUT);
    sends(r, 0, CONNECT);
    replay_wait(r, 1000);
    client_resets(r, 0);
    replay_settle(r);
    assert_string_equal(replay_log(r), "499 0 0 1.000\n");
    assert_int_equal(replay_open(r), 0);
}

static void every_cut_of_a_tunnel_is_the_same(void **state)
{
    static const uint32_t segments[] = { 1, 3, 5 };

    (void)state;
    for (unsigned i = 0; i < COUNT(segments); i++) {
        struct replay *r = replay_new(CONFIG);
        struct backend *b = backend_at(r, &far443, 0);

        fake_segment(&r->loop, segments[i]);
        sends(r, 0, CONNECT "early data, and a FIN");
        client_leaves(r, 0);
        replay_settle(r);
        assert_string_equal(backend_got(b, 0), "early data, and a FIN");
        assert_true(backend_is_closed(b, 0));
        backend_sends(b, 0, "the answer");
        backend_ends(b, 0, THEN_CLOSE);
        replay_settle(r);
        assert_true(span_is(after_head(r, 0), "the answer"));
        assert_string_equal(replay_log(r), "200 21 10 0.000\n");
        replay_free(r);
    }
}

/* --- requests --------------------------------------------------------------------------------- */

static void rules_are_asked_for_each_request_of_a_connection(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &far80, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    sends(r, 0, ABSOLUTE("93.184.216.34", "/1") ABSOLUTE("93.184.216.35", "/2"));
    sends(r, 0, ABSOLUTE("10.0.0.1", "/3") ABSOLUTE("93.184.216.34", "/4"));
    replay_settle(r);
    struct span got = span_of(client_got(r, 0));
    assert_true(span_starts(got, "200 hi; 403 "));
    assert_true(span_ends(got, "200 hi"));
    assert_false(fake_is_closed(r->clients[0]));
    assert_int_equal(b->requests, 2);
    assert_int_equal(b->conn_count, 1);
    assert_int_equal(fake_steps(&r->loop, FAKE_CONNECT), 1); /* nobody else was dialled */
}

static void a_host_and_a_host_field_that_differ_are_settled_by_the_url(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &far80, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    sends(r, 0,
          "GET http://93.184.216.34/ HTTP/1.1\r\nHost: evil.example\r\n"
          "Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\n\r\n");
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 hi");
    struct span asked = span_of(backend_got(b, 0));
    assert_true(span_starts(asked, "GET / HTTP/1.1\r\nHost: 93.184.216.34\r\n"));
    assert_false(span_has(asked, "evil") || span_has(asked, "Proxy-"));
}

static void a_stale_connection_is_replaced_on_the_forward_face_too(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_at(r, &far80, 0);

    backend_answers(b, OK(3, "one"), THEN_KEEP);
    backend_answers(b, "", THEN_CLOSE);
    backend_answers(b, OK(5, "again"), THEN_KEEP);
    sends(r, 0, ABSOLUTE("93.184.216.34", "/"));
    replay_settle(r);
    sends(r, 0, ABSOLUTE("93.184.216.34", "/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "200 one; 200 again");
    assert_int_equal(b->conn_count, 2);
}

static void a_silent_origin_of_the_forward_face_is_504(void **state)
{
    struct replay *r = *state;

    backend_at(r, &far80, 0);
    sends(r, 0, ABSOLUTE("93.184.216.34", "/"));
    replay_wait(r, 3000 - TICK);
    assert_string_equal(client_got(r, 0), "");
    replay_wait(r, 3 * TICK);
    assert_true(span_starts(span_of(client_got(r, 0)), "504"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE("TUN-01-", a_tunnel_carries_both_ways_and_each_end),
        PROMISE("", early_data_goes_first),
        PROMISE("TUN-03-", an_idle_tunnel_ends_at_tunnel_timeout),
        PROMISE("TUN-02-", half_a_tunnel_ends_at_tunnel_linger),
        PROMISE("TUN-04-", a_reset_goes_through),
        PROMISE("TUN-05-", a_slow_side_holds_the_other),
        PROMISE("", a_destination_that_refuses_is_a_real_status),
        PROMISE("", a_destination_that_is_silent_is_504),
        PROMISE("", a_client_that_leaves_while_we_dial_is_499),
        cmocka_unit_test(every_cut_of_a_tunnel_is_the_same),
        PROMISE("", rules_are_asked_for_each_request_of_a_connection),
        PROMISE("", a_host_and_a_host_field_that_differ_are_settled_by_the_url),
        PROMISE("UP-06-", a_stale_connection_is_replaced_on_the_forward_face_too),
        PROMISE("", a_silent_origin_of_the_forward_face_is_504),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
