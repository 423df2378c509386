/* limit_conn: how many requests of a key are in progress, and that each of them gives its place
 * back where it took it, however it ends. */
#include "replay.h"

#include "base/address.h"
#include "base/buf.h"
#include "base/span.h"
#include "base/table.h"
#include "base/zone.h"
#include "exchange/module.h"
#include "exchange/zone_line.h"

extern const struct module limit_conn_module;

#include <stdio.h>

#define PROXIED "proxy_pass http://10.0.0.1; "
#define CONFIG(size, most)                                                                   \
    "limit_conn_zone $arg_k zone=z:" size "; limit_conn_zone $arg_b zone=b:1m; "             \
    "limit_conn_zone $remote_addr zone=clients:1m; "                                         \
    "log_format limit '$uri $status $limit_conn_status'; access_log %/limit.log limit; "     \
    "server { listen 8080; error_page 404 /found; "                                          \
    "location / { limit_conn z " most "; " PROXIED "} "                                      \
    "location /two/ { limit_conn b 5; limit_conn z 1; " PROXIED "} "                         \
    "location /dry/ { limit_conn z 1; limit_conn_dry_run on; " PROXIED "} "                  \
    "location /status/ { limit_conn z 1; limit_conn_status 429; limit_conn_log_level warn; " \
    "proxy_read_timeout 3s; " PROXIED "} "                                                   \
    "location /file/ { limit_conn z 1; root %/none; } "                                      \
    "location /found { limit_conn z 1; " PROXIED "} } "                                      \
    "forward { listen 3128; tunnel_peek off; tunnel_timeout 20s; limit_conn clients 1; "     \
    "rule allow if client 203.0.113.0/24; }"

#define CONNECT "CONNECT 93.184.216.34:443 HTTP/1.1\r\nHost: 93.184.216.34:443\r\n\r\n"
#define REFUSED "limiting connections by zone \"z\""

static int setup(void **state)
{
    *state = replay_new(CONFIG("1m", "2"));
    return 0;
}

static struct table *table_of(struct replay *r, const char *zone)
{
    return &zone_named(r->worker.generation, span_of(zone))->zone->table;
}

/* So many keys have somebody in progress. */
static void assert_counted(struct replay *r, const char *zone, unsigned keys)
{
    assert_int_equal(table_count(table_of(r, zone)), keys);
}

static void so_many_of_a_key_at_a_time(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    for (unsigned c = 0; c < 3; c++)
        client_sends(r, c, GET("/?k=a"));
    client_sends(r, 3, GET("/?k=b")); /* another key */
    client_sends(r, 4, GET("/?k="));  /* an empty one is not counted */
    client_sends(r, 5, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 2), "503");
    assert_int_equal(b->conn_count, 5);
    assert_counted(r, "z", 2);
    assert_true(span_has(span_of(replay_errors(r, LEVEL_ERROR)), REFUSED));

    backend_sends(b, 0, OK(2, "hi"));
    replay_settle(r);
    client_sends(r, 2, GET("/?k=a")); /* a place is free again */
    replay_settle(r);
    assert_int_equal(b->conn_count, 5); /* on a connection that was kept */
    assert_string_equal(client_got(r, 2), "503");
    for (unsigned i = 0; i < 5; i++)
        backend_sends(b, i, OK(2, "hi"));
    replay_settle(r);
    assert_string_equal(client_got(r, 2), "503; 200 hi");
    assert_counted(r, "z", 0);
}

/* RATE-09: whatever ends a request ends its place. */
static void a_request_that_is_given_up_gives_its_place_back(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/status/?k=a"));
    replay_settle(r);
    assert_counted(r, "z", 1);
    client_resets(r, 0);
    replay_settle(r);
    assert_counted(r, "z", 0);

    client_sends(r, 1, GET("/status/?k=a"));
    replay_settle(r);
    backend_ends(b, b->conn_count - 1, THEN_RESET);
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "502");
    assert_counted(r, "z", 0);

    client_sends(r, 2, GET("/status/?k=a"));
    replay_wait(r, 3000 + TICK);
    assert_string_equal(client_got(r, 2), "504");
    assert_counted(r, "z", 0);

    client_sends(r, 3, "POST /status/?k=a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    replay_settle(r);
    assert_counted(r, "z", 1);
    client_leaves(r, 3);
    replay_settle(r);
    assert_counted(r, "z", 0);
}

static void status_and_level_are_as_said(void **state)
{
    struct replay *r = *state;

    backend_new(r, 1, 0);
    client_sends(r, 0, GET("/status/?k=a"));
    client_sends(r, 1, GET("/status/?k=a"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "429");
    assert_true(span_has(span_of(replay_errors(r, LEVEL_WARN)), REFUSED));
    assert_string_equal(replay_errors(r, LEVEL_ERROR), "");
    assert_string_equal(replay_logged(r, "limit.log"), "/status/ 429 REJECTED\n");
}

/* The first limit took a place, the second refuses: it is not kept. */
static void of_several_limits_each_must_agree(void **state)
{
    struct replay *r = *state;

    backend_new(r, 1, 0);
    client_sends(r, 0, GET("/two/?k=a&b=1"));
    replay_settle(r);
    client_sends(r, 1, GET("/two/?k=a&b=2"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "503");
    assert_counted(r, "b", 1);
    client_sends(r, 2, GET("/two/?k=b&b=2"));
    replay_settle(r);
    assert_counted(r, "b", 2);
    assert_string_equal(client_got(r, 2), "");
}

static void a_dry_run_lets_pass_and_says_it(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(2, "hi"), THEN_KEEP);
    client_sends(r, 0, "GET /?k=a HTTP/1.1\r\nHost: a\r\n\r\n");
    replay_settle(r);
    assert_string_equal(replay_logged(r, "limit.log"), "/ 200 PASSED\n");
    b->answer_count = 0;
    client_sends(r, 1, GET("/?k=a"));
    replay_settle(r);
    client_sends(r, 2, GET("/dry/?k=a"));
    replay_settle(r);
    assert_string_equal(client_got(r, 2), "");
    assert_true(span_has(span_of(replay_errors(r, LEVEL_ERROR)),
                         "limiting connections, dry run, by zone \"z\""));
}

/* An error page is the same request: with a place of its own it would be refused by itself. */
static void an_internal_redirect_is_not_counted_again(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    backend_answers(b, OK(5, "found"), THEN_KEEP);
    client_sends(r, 0, GET("/file/x?k=a"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "404 found");
    assert_counted(r, "z", 0);
}

/* RATE-04: no length of a key leads past the limit. */
static void a_long_key_is_counted_as_any_other(void **state)
{
    struct replay *r = *state;
    struct buf text;

    backend_new(r, 1, 0);
    buf_init(&text, 8192, NULL);
    buf_adds(&text, "GET /status/?k=");
    for (int i = 0; i < 3000; i++)
        buf_add_byte(&text, 'x');
    buf_adds(&text, " HTTP/1.1\r\nHost: a\r\n\r\n");
    client_sends_span(r, 0, buf_view(&text));
    client_sends_span(r, 1, buf_view(&text));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "");
    assert_string_equal(client_got(r, 1), "429");
    buf_done(&text);
}

/* As NGINX: there is no room to count it, so it may not pass. */
static void what_a_full_zone_cannot_count_is_refused(void **state)
{
    struct replay *r = *state;
    struct table *t = table_of(r, "z");
    char digest[TABLE_DIGEST];

    backend_new(r, 1, 0);
    for (uint64_t i = 0; table_count(t) < table_room(t); i++) { /* until no shard has room */
        table_digest(t, (struct span){ (char *)&i, sizeof(i) }, digest);
        table_put(t, (struct span){ digest, sizeof(digest) }, (struct span)SPAN("\1"));
    }
    client_sends(r, 0, GET("/?k=a"));
    client_sends(r, 1, GET("/"));
    replay_settle(r);
    assert_string_equal(client_got(r, 0), "503");
    assert_string_equal(client_got(r, 1), "");
}

/* RATE-07, CONF-19 */
static void counts_survive_a_reload(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/?k=a"));
    client_sends(r, 1, GET("/?k=a"));
    replay_settle(r);
    struct zone *zone = zone_named(r->worker.generation, span_of("z"))->zone;
    replay_reload(r, CONFIG("1m", "3"));
    assert_ptr_equal(zone_named(r->worker.generation, span_of("z"))->zone, zone);
    client_sends(r, 2, GET("/?k=a")); /* by the new number, on the old count */
    client_sends(r, 3, GET("/?k=a"));
    replay_settle(r);
    assert_string_equal(client_got(r, 2), "");
    assert_string_equal(client_got(r, 3), "503");
    for (unsigned i = 0; i < 3; i++)
        backend_sends(b, i, OK(2, "hi"));
    replay_settle(r);
    assert_counted(r, "z", 0);
}

static void after_a_resize_each_gives_back_where_it_took(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/status/?k=a"));
    replay_settle(r);
    struct zone *old = zone_ref(zone_named(r->worker.generation, span_of("z"))->zone);
    replay_reload(r, CONFIG("2m", "2"));
    assert_true(span_has(span_of(replay_errors(r, LEVEL_NOTICE)), "zone \"z\" has another size"));
    assert_counted(r, "z", 0);
    client_sends(r, 1, GET("/status/?k=a"));
    replay_settle(r);
    assert_counted(r, "z", 1);
    assert_int_equal(table_count(&old->table), 1);
    backend_sends(b, 0, OK(2, "hi"));
    replay_settle(r);
    assert_int_equal(table_count(&old->table), 0);
    assert_counted(r, "z", 1);
    assert_int_equal(old->refs, 1); /* ours */
    zone_unref(&old);
    backend_sends(b, 1, OK(2, "hi"));
    replay_settle(r);
    assert_counted(r, "z", 0);
}

/* Another worker's places count, and are not ours to give back. */
static void workers_count_together(void **state)
{
    struct replay *r = *state;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/status/?k=a"));
    replay_settle(r);
    r->worker.shared.slot = 3; /* as if we were another one from now on */
    client_sends(r, 1, GET("/status/?k=a"));
    client_sends(r, 2, GET("/status/?k=b"));
    replay_settle(r);
    assert_string_equal(client_got(r, 1), "429");
    assert_string_equal(client_got(r, 2), "");
    backend_sends(b, 1, OK(2, "hi"));
    replay_settle(r);
    assert_counted(r, "z", 1);
    r->worker.shared.slot = 0;
}

/* A worker died with places in its slot; its successor starts there. */
static void a_successor_gives_back_what_its_slot_held(void **state)
{
    struct replay *r = *state;
    struct worker *w = &r->worker;
    struct generation *g = w->generation;
    struct backend *b = backend_new(r, 1, 0);

    client_sends(r, 0, GET("/?k=a"));
    replay_settle(r);
    w->shared.slot = 3; /* the one that will die */
    client_sends(r, 1, GET("/?k=a"));
    client_sends(r, 2, GET("/?k=b"));
    replay_settle(r);
    assert_counted(r, "z", 2);
    w->generation = NULL; /* just born */
    limit_conn_module.start(w, g, NULL);
    w->generation = g;
    assert_counted(r, "z", 1);
    client_sends(r, 3, GET("/?k=a"));
    client_sends(r, 4, GET("/?k=a"));
    replay_settle(r);
    assert_string_equal(client_got(r, 3), "");
    assert_string_equal(client_got(r, 4), "503");
    w->shared.slot = 0;
    backend_sends(b, 0, OK(2, "hi"));
    replay_settle(r);
    client_sends(r, 4, GET("/?k=a"));
    replay_settle(r);
    assert_string_equal(client_got(r, 4), "503");
}

static void a_tunnel_holds_its_place_to_its_end(void **state)
{
    struct replay *r = *state;
    static const struct address far = { .family = AF_INET,
                                        .port = 443,
                                        .ip = { 93, 184, 216, 34 } };
    struct backend *b = backend_at(r, &far, 0);

    client_connects(r, 0, 3128);
    client_sends(r, 0, CONNECT);
    replay_settle(r);
    assert_counted(r, "clients", 1);
    client_connects(r, 1, 3128);
    client_sends(r, 1, CONNECT);
    replay_settle(r);
    if (!span_starts(client_bytes(r, 1), "HTTP/1.1 429 "))
        fail_msg("%s", client_got(r, 1));
    assert_true(span_has(client_bytes(r, 1),
                         "\r\nProxy-Status: bifrons; error=connection_limit_reached\r\n"));
    replay_reload(r, CONFIG("1m", "2"));
    assert_counted(r, "clients", 1);
    backend_ends(b, 0, THEN_CLOSE);
    client_leaves(r, 0);
    replay_settle(r);
    assert_counted(r, "clients", 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        PROMISE("", so_many_of_a_key_at_a_time),
        PROMISE("RATE-09-", a_request_that_is_given_up_gives_its_place_back),
        PROMISE("", status_and_level_are_as_said),
        PROMISE("", of_several_limits_each_must_agree),
        PROMISE("", a_dry_run_lets_pass_and_says_it),
        PROMISE("", an_internal_redirect_is_not_counted_again),
        PROMISE("RATE-04-", a_long_key_is_counted_as_any_other),
        PROMISE("", what_a_full_zone_cannot_count_is_refused),
        PROMISE("RATE-07-", counts_survive_a_reload),
        PROMISE("CONF-19-", after_a_resize_each_gives_back_where_it_took),
        PROMISE("", workers_count_together),
        PROMISE("", a_successor_gives_back_what_its_slot_held),
        PROMISE("", a_tunnel_holds_its_place_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
