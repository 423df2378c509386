/* How long the resolver keeps what it learnt, what serves when nobody answers, and what one kind of
 * address waits for the other. */
#include "unit/net/dns_bench.h"

static uint32_t seconds_to_live;

static void answer_with_time(struct server *s, const struct query *q)
{
    answer_for(s, q, seconds_to_live);
}

/* --- times to live -------------------------------------------------------------------------- */

/* How often it was asked for: now, and again after `ms` less 20 and more 20. */
static void is_kept_for(struct bench *b, const char *name, uint64_t ms)
{
    unsigned before = b->servers[0].queries[0];

    assert_int_equal(fault(b, name), RESOLVE_FOUND);
    assert_int_equal(b->servers[0].queries[0], before + 1);
    if (ms > 0) {
        b->skew += ms - 500;
        turn(b);
        assert_int_equal(fault(b, name), RESOLVE_FOUND);
        assert_int_equal(b->servers[0].queries[0], before + 1);
        b->skew += 500;
        turn(b);
    }
    assert_int_equal(fault(b, name), RESOLVE_FOUND);
    assert_int_equal(b->servers[0].queries[0], before + 2);
}

static void an_answer_is_kept_as_long_as_it_lives(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_with_time;
    start(b);
    seconds_to_live = 0;
    is_kept_for(b, "zero.example", 0);
    seconds_to_live = 0x80000000;
    is_kept_for(b, "huge.example", 0);
    seconds_to_live = 30;
    is_kept_for(b, "thirty.example", 30000);
    seconds_to_live = 7 * 24 * 3600;
    is_kept_for(b, "week.example", DAY_MS);
}

static void valid_overrides_the_time(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_with_time;
    b->options.valid_ms = 10000;
    start(b);
    seconds_to_live = 0;
    is_kept_for(b, "zero.example", 10000);
    seconds_to_live = 300;
    is_kept_for(b, "long.example", 10000);
}

static void answer_no_name(struct server *s, const struct query *q)
{
    struct buf m = reply_to(q, REPLY | NO_NAME, 0);

    put_soa(&m, "example", 3600, 3600);
    set_head(&m, 4, 1);
    send_message(s, q, &m);
}

static void a_name_that_appears_is_seen_within_a_minute(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_no_name;
    start(b);
    assert_int_equal(fault(b, "new.example"), RESOLVE_NO_NAME);
    b->servers[0].answer = answer_well;
    b->skew += 59000;
    turn(b);
    assert_int_equal(fault(b, "new.example"), RESOLVE_NO_NAME);
    b->skew += 1000;
    turn(b);
    assert_int_equal(fault(b, "new.example"), RESOLVE_FOUND);
}

static void a_negative_without_a_time_is_not_kept(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_no_data;
    start(b);
    assert_int_equal(fault(b, "new.example"), RESOLVE_NO_NAME);
    b->servers[0].answer = answer_well;
    assert_int_equal(fault(b, "new.example"), RESOLVE_FOUND);
}

static void what_is_learnt_after_the_asker_left_is_kept(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = NULL;
    start(b);
    begin(b, 0, "a.example")->deadline = loop_now(&b->loop) + 1;
    finish(b);
    assert_int_equal(b->lookups[0].io, IO_TIMEOUT);
    for (int i = 0; i < TURNS && queries(&b->servers[0]) < 2; i++)
        turn(b);
    for (int i = 0; i < 2; i++)
        answer_well(&b->servers[0], &b->servers[0].last[i]);
    for (int i = 0; i < TURNS && b->loop.fibers.live > 0; i++)
        turn(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND);
    assert_int_equal(queries(&b->servers[0]), 2);
}

/* --- stale answers -------------------------------------------------------------------------- */

static void push_on(struct bench *b, uint64_t ms)
{
    b->skew += ms;
    turn(b);
}

/* How long a lookup took, in ms; it found what there was. */
static uint64_t found_after(struct bench *b, const char *name)
{
    uint64_t began = loop_now(&b->loop);

    begin(b, 0, name);
    finish_fast(b);
    assert_int_equal(b->lookups[0].io, IO_OK);
    assert_int_equal(b->lookups[0].result.fault, RESOLVE_FOUND);
    assert_int_equal(b->lookups[0].result.count, 2);
    return loop_now(&b->loop) - began;
}

static void while_servers_are_silent_stale_answers_serve(void **state)
{
    struct bench *b = *state;

    start(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND);
    b->servers[0].answer = NULL;
    push_on(b, 300 * 1000);
    assert_in_range(found_after(b, "a.example"), 1780, 2100);
    assert_true(found_after(b, "a.example") < 100); /* the question is old enough */
    while (b->loop.fibers.live > 0)
        push_on(b, 20);
    unsigned asked = queries(&b->servers[0]);
    push_on(b, 29000);
    assert_true(found_after(b, "a.example") < 100); /* and now nobody asks for a while */
    assert_int_equal(queries(&b->servers[0]), asked);

    b->servers[0].answer = answer_no_data; /* what is known to be gone is not stale */
    push_on(b, 2000);
    assert_int_equal(fault(b, "a.example"), RESOLVE_NO_NAME);
}

static void when_servers_refuse_stale_answers_serve_too(void **state)
{
    struct bench *b = *state;

    start(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND);
    b->servers[0].answer = answer_refused;
    push_on(b, 300 * 1000);
    assert_true(found_after(b, "a.example") < 1000); /* no wait: they have answered */
    b->servers[0].answer = answer_well;
    push_on(b, 30 * 1000);
    unsigned asked = queries(&b->servers[0]);
    assert_true(found_after(b, "a.example") < 1000);
    assert_int_equal(queries(&b->servers[0]), asked + 2);
}

static void a_fresh_answer_in_time_is_preferred(void **state)
{
    struct bench *b = *state;

    start(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND);
    push_on(b, 300 * 1000);
    struct resolve_result *r = lookup(b, "a.example");
    assert_int_equal(r->addresses[1].ip[3], 2); /* of the second query */
}

static void after_a_day_nothing_is_stale(void **state)
{
    struct bench *b = *state;

    start(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND);
    b->servers[0].answer = NULL;
    push_on(b, 300 * 1000 + DAY_MS);
    begin(b, 0, "a.example");
    finish_fast(b);
    assert_int_equal(b->lookups[0].result.fault, RESOLVE_SILENT);
}

static void an_answer_without_a_time_is_never_stale(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_with_time;
    seconds_to_live = 0;
    start(b);
    assert_int_equal(fault(b, "a.example"), RESOLVE_FOUND);
    b->servers[0].answer = answer_refused;
    assert_int_equal(fault(b, "a.example"), RESOLVE_BROKEN);
}

/* --- one kind is late ------------------------------------------------------------------------ */

static void answer_a_and_be_silent(struct server *s, const struct query *q)
{
    if (q->type == DNS_A)
        answer_well(s, q);
}

static void a_silent_kind_costs_a_moment_only(void **state)
{
    struct bench *b = *state;

    b->servers[0].answer = answer_a_and_be_silent;
    start(b);
    uint64_t began = loop_now(&b->loop);
    struct resolve_result *r = lookup(b, "a.example");
    assert_true(loop_now(&b->loop) - began < 500);
    assert_int_equal(r->fault, RESOLVE_FOUND);
    assert_int_equal(r->count, 1);
    assert_int_equal(lookup(b, "a.example")->count, 1); /* known, while it still asks */
    assert_int_equal(queries(&b->servers[0]), 2);
    answer_well(&b->servers[0], &b->servers[0].last[1]); /* late, and not too late */
    while (b->loop.fibers.live > 0)
        turn(b);
    assert_int_equal(lookup(b, "a.example")->count, 2);
    assert_int_equal(queries(&b->servers[0]), 2);
}

#define TEST(promise, function)                                                                \
    {                                                                                          \
        .name = promise, .test_func = function, .setup_func = setup, .teardown_func = teardown \
    }
#define PLAIN(function) TEST(#function, function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST("DNS-13-an-answer-is-kept-as-long-as-it-lives", an_answer_is_kept_as_long_as_it_lives),
        TEST("DNS-13-valid-overrides-the-time", valid_overrides_the_time),
        TEST("DNS-14-a-name-that-appears-is-seen-within-a-minute",
             a_name_that_appears_is_seen_within_a_minute),
        PLAIN(a_negative_without_a_time_is_not_kept),
        PLAIN(what_is_learnt_after_the_asker_left_is_kept),
        PLAIN(while_servers_are_silent_stale_answers_serve),
        PLAIN(when_servers_refuse_stale_answers_serve_too),
        PLAIN(a_fresh_answer_in_time_is_preferred),
        PLAIN(after_a_day_nothing_is_stale),
        PLAIN(an_answer_without_a_time_is_never_stale),
        PLAIN(a_silent_kind_costs_a_moment_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
