/* limit_req on the virtual clock: the arithmetic of NGINX, to the millisecond. */
#include "replay.h"

#include "base/table.h"
#include "base/zone.h"
#include "exchange/zone_line.h"

#include <stdio.h>

#define CONFIG(rate)                                                                        \
    "limit_req_zone $arg_k zone=z:1m rate=" rate "; "                                       \
    "limit_req_zone $arg_b zone=slow:1m rate=30r/m; "                                       \
    "log_format limit '$uri $status $limit_req_status $request_time'; "                     \
    "access_log %/limit.log limit; "                                                        \
    "server { listen 8080; keepalive_timeout 600s; "                                        \
    "location / { limit_req zone=z; proxy_pass http://10.0.0.1; } "                         \
    "location /burst/ { limit_req zone=z burst=3; proxy_pass http://10.0.0.1; } "           \
    "location /nodelay/ { limit_req zone=z burst=3 nodelay; proxy_pass http://10.0.0.1; } " \
    "location /delay/ { limit_req zone=z burst=3 delay=2; proxy_pass http://10.0.0.1; } "   \
    "location /two/ { limit_req zone=z burst=5; limit_req zone=slow burst=1; "              \
    "proxy_pass http://10.0.0.1; } "                                                        \
    "location /dry/ { limit_req zone=z burst=1; limit_req_dry_run on; "                     \
    "proxy_pass http://10.0.0.1; } "                                                        \
    "location /own/ { limit_req zone=z; limit_req_status 429; limit_req_log_level info; "   \
    "proxy_pass http://10.0.0.1; } }"

static int setup(void **state)
{
    struct replay *r = replay_new(CONFIG("5r/s"));

    backend_answers(backend_new(r, 1, 0), OK(2, "hi"), THEN_KEEP);
    *state = r;
    return 0;
}

static void ask(struct replay *r, unsigned from, unsigned count, const char *request)
{
    for (unsigned c = from; c < from + count; c++)
        client_sends(r, c, request);
    replay_settle(r);
}

static bool logged(struct replay *r, enum level level, const char *text)
{
    return span_has(span_of(replay_errors(r, level)), text);
}

static void what_comes_faster_than_the_rate_is_refused(void **state)
{
    struct replay *r = *state;

    ask(r, 0, 2, GET("/?k=a"));
    assert_string_equal(client_got(r, 0), "200 hi");
    assert_string_equal(client_got(r, 1), "503");
    assert_true(logged(r, LEVEL_ERROR, "limiting requests, excess: 1.000 by zone \"z\""));
    ask(r, 2, 1, GET("/?k=b"));
    ask(r, 3, 3, GET("/?k="));
    assert_string_equal(client_got(r, 2), "200 hi");
    for (unsigned c = 3; c < 6; c++)
        assert_string_equal(client_got(r, c), "200 hi");
    replay_wait(r, 192);
    ask(r, 6, 1, GET("/?k=a")); /* 1000 - 5 * 192 = 40 thousandths too early */
    assert_string_equal(client_got(r, 6), "503");
    assert_true(logged(r, LEVEL_ERROR, "limiting requests, excess: 0.040 by zone \"z\""));
    replay_wait(r, 8);
    ask(r, 7, 1, GET("/?k=a")); /* the refused ones have not counted */
    assert_string_equal(client_got(r, 7), "200 hi");
}

static void a_burst_waits_its_turn(void **state)
{
    struct replay *r = *state;

    ask(r, 0, 5, GET("/burst/?k=a"));
    assert_string_equal(client_got(r, 0), "200 hi");
    assert_string_equal(client_got(r, 4), "503");
    assert_true(logged(r, LEVEL_ERROR, "limiting requests, excess: 4.000 by zone \"z\""));
    assert_true(logged(r, LEVEL_WARN, "delaying request, excess: 3.000, by zone \"z\""));
    for (unsigned c = 1; c < 4; c++) {
        assert_string_equal(client_got(r, c), "");
        replay_wait(r, 200);
        assert_string_equal(client_got(r, c), "200 hi");
    }
    assert_string_equal(replay_logged(r, "limit.log"),
                        "/burst/ 503 REJECTED 0.000\n/burst/ 200 PASSED 0.000\n"
                        "/burst/ 200 DELAYED 0.200\n/burst/ 200 DELAYED 0.400\n"
                        "/burst/ 200 DELAYED 0.600\n");
}

static void without_delay_a_burst_passes_at_once(void **state)
{
    struct replay *r = *state;

    ask(r, 0, 5, GET("/nodelay/?k=a"));
    for (unsigned c = 0; c < 4; c++)
        assert_string_equal(client_got(r, c), "200 hi");
    assert_string_equal(client_got(r, 4), "503");
    replay_wait(r, 400); /* two have leaked */
    ask(r, 5, 3, GET("/nodelay/?k=a"));
    assert_string_equal(client_got(r, 6), "200 hi");
    assert_string_equal(client_got(r, 7), "503");
}

static void the_first_of_a_burst_may_pass_undelayed(void **state)
{
    struct replay *r = *state;

    ask(r, 0, 4, GET("/delay/?k=a"));
    for (unsigned c = 0; c < 3; c++)
        assert_string_equal(client_got(r, c), "200 hi");
    assert_string_equal(client_got(r, 3), "");
    replay_wait(r, 200);
    assert_string_equal(client_got(r, 3), "200 hi");
}

/* The longest wait counts; who is refused by one is poured into none. */
static void of_several_limits_the_strictest_counts(void **state)
{
    struct replay *r = *state;

    ask(r, 0, 3, GET("/two/?k=a&b=1"));
    assert_string_equal(client_got(r, 0), "200 hi");
    assert_string_equal(client_got(r, 2), "503");
    assert_true(logged(r, LEVEL_ERROR, "limiting requests, excess: 2.000 by zone \"slow\""));
    assert_true(logged(r, LEVEL_WARN, "delaying request, excess: 1.000, by zone \"slow\""));
    replay_wait(r, 1992);
    assert_string_equal(client_got(r, 1), "");
    replay_wait(r, 8);
    assert_string_equal(client_got(r, 1), "200 hi");
    ask(r, 3, 1, GET("/?k=a")); /* 1000 after 2 s: empty long since */
    assert_string_equal(client_got(r, 3), "200 hi");
}

static void a_dry_run_says_it_only(void **state)
{
    struct replay *r = *state;

    for (unsigned i = 0; i < 3; i++)
        ask(r, i, 1, GET("/dry/?k=a"));
    assert_string_equal(replay_logged(r, "limit.log"),
                        "/dry/ 200 PASSED 0.000\n/dry/ 200 DELAYED_DRY_RUN 0.000\n"
                        "/dry/ 200 REJECTED_DRY_RUN 0.000\n");
    assert_true(logged(r, LEVEL_ERROR, "limiting requests, dry run, excess: 2.000 by zone \"z\""));
    assert_true(logged(r, LEVEL_WARN, "delaying request, dry run, excess: 1.000, by zone \"z\""));
}

static void status_and_level_are_as_said(void **state)
{
    struct replay *r = *state;

    ask(r, 0, 2, GET("/own/?k=a"));
    assert_string_equal(client_got(r, 1), "429");
    assert_true(logged(r, LEVEL_INFO, "limiting requests"));
    assert_string_equal(replay_errors(r, LEVEL_ERROR), "");
}

/* RATE-11 */
static void who_leaves_while_waiting_is_gone_at_once(void **state)
{
    struct replay *r = *state;

    ask(r, 0, 4, GET("/burst/?k=a"));
    client_resets(r, 3);
    replay_settle(r);
    assert_true(span_has(span_of(replay_logged(r, "limit.log")), "/burst/ 499 DELAYED 0.000\n"));
    assert_int_equal(r->loop.fibers.live, 2);
    replay_wait(r, 600);
    assert_string_equal(client_got(r, 2), "200 hi");
}

/* RATE-07 */
static void a_new_rate_works_on_old_counts(void **state)
{
    struct replay *r = *state;

    ask(r, 0, 4, GET("/nodelay/?k=a"));
    replay_reload(r, CONFIG("50r/s"));
    ask(r, 4, 1, GET("/nodelay/?k=a"));
    assert_string_equal(client_got(r, 4), "503");
    replay_wait(r, 40);
    ask(r, 5, 2, GET("/nodelay/?k=a"));
    assert_string_equal(client_got(r, 6), "200 hi");
}

/* RATE-03: a full zone forgets those who were here longest ago, not who is refused now. */
static void a_full_zone_forgets_the_idle_ones(void **state)
{
    struct replay *r = *state;
    struct table *t = &zone_named(r->worker.generation, span_of("z"))->zone->table;
    uint64_t bucket[2] = { 0, 0 };
    char digest[TABLE_DIGEST];

    ask(r, 0, 4, GET("/nodelay/?k=a"));
    for (uint64_t i = 0; i < 3ul * table_room(t); i++) {
        table_digest(t, (struct span){ (char *)&i, sizeof(i) }, digest);
        table_put(t, (struct span){ digest, sizeof(digest) },
                  (struct span){ (char *)bucket, sizeof(bucket) });
        if (i % 500 == 0)
            ask(r, 4, 1, GET("/nodelay/?k=a"));
    }
    assert_int_equal(replay_error_count(r, LEVEL_ERROR) > 0, true);
    ask(r, 5, 1, GET("/nodelay/?k=a"));
    assert_string_equal(client_got(r, 5), "503");
    ask(r, 6, 1, GET("/nodelay/?k=new"));
    assert_string_equal(client_got(r, 6), "200 hi");
}

/* RATE-06, and what another worker may have written. */
static void a_clock_that_jumps_locks_nobody_out(void **state)
{
    static const struct {
        uint64_t last;
        int64_t excess;
    } buckets[] = { { UINT64_MAX, 0 },   { 0, INT64_MAX },           { 0, INT64_MIN },
                    { START + 1000, 0 }, { UINT64_MAX / 2, 999000 }, { START + 3600000, 0 } };
    struct replay *r = *state;
    struct table *t = &zone_named(r->worker.generation, span_of("z"))->zone->table;
    char digest[TABLE_DIGEST];

    for (unsigned i = 0; i < COUNT(buckets); i++) {
        table_digest(t, span_of("a"), digest);
        table_put(t, (struct span){ digest, sizeof(digest) },
                  (struct span){ (const char *)&buckets[i], sizeof(buckets[i]) });
        client_sends(r, i, GET("/burst/?k=a"));
        replay_wait(r, 1000);
        assert_string_equal(client_got(r, i), "200 hi");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        PROMISE("", what_comes_faster_than_the_rate_is_refused),
        PROMISE("", a_burst_waits_its_turn),
        PROMISE("", without_delay_a_burst_passes_at_once),
        PROMISE("", the_first_of_a_burst_may_pass_undelayed),
        PROMISE("", of_several_limits_the_strictest_counts),
        PROMISE("", a_dry_run_says_it_only),
        PROMISE("", status_and_level_are_as_said),
        PROMISE("RATE-11-", who_leaves_while_waiting_is_gone_at_once),
        PROMISE("RATE-07-", a_new_rate_works_on_old_counts),
        PROMISE("RATE-03-", a_full_zone_forgets_the_idle_ones),
        PROMISE("RATE-06-", a_clock_that_jumps_locks_nobody_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
