/* exchange/life, exchange/exchange: how an exchange begins, decides, is sent and ends. */
#include "exchange/trace.h"

#include "exchange/log.h"
#include "unit/support.h"

static unsigned kept_lines(const struct exchange *x, uint32_t ret[DECISIONS_KEPT])
{
    unsigned n = 0;

    for (unsigned i = 0; i < DECISIONS_KEPT; i++)
        if (x->decisions.at[i].line > 0)
            ret[n++] = x->decisions.at[i].line;
    return n;
}

static bool is_kept(const struct exchange *x, uint32_t line)
{
    uint32_t lines[DECISIONS_KEPT];
    unsigned n = kept_lines(x, lines);

    for (unsigned i = 0; i < n; i++)
        if (lines[i] == line)
            return true;
    return false;
}

static void of_many_decisions_the_first_four_and_the_last_twelve_stay(void **state)
{
    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");

    for (uint32_t line = 1; line <= 50; line++) {
        decided(x, DECIDED_RULE, NEXT, (struct place){ .line = line }, NULL);
        assert_int_equal(x->decisions.count, line);
        for (uint32_t old = 1; old <= line; old++)
            if (is_kept(x, old) != (old <= DECISIONS_FIRST || old + 12 > line))
                fail_msg("of %u decisions the %u. is%s there", line, old,
                         is_kept(x, old) ? "" : " not");
    }
}

static void they_are_told_in_order_with_a_gap_where_some_are_lost(void **state)
{
    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");
    char want[2000] = "";
    size_t len = 0;

    for (uint32_t line = 1; line <= 21; line++) {
        decided(x, DECIDED_PEER, NEXT, (struct place){ .line = line }, "p");
        if (line > 4 && line < 10)
            continue;
        len += (size_t)snprintf(want + len, sizeof(want) - len, "%s%speer p at /etc/test.conf:%u",
                                len > 0 ? "; " : "", line == 10 ? "...; " : "", line);
    }
    assert_string_equal(stage_variable(x, "decided_by"), want);
}

static void sixteen_decisions_fit_without_a_gap(void **state)
{
    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");

    for (int i = 0; i < DECISIONS_KEPT; i++)
        decided(x, DECIDED_INDEX, NEXT, (struct place){ .line = 0 }, NULL);
    assert_has_not(stage_variable(x, "decided_by"), "...");
    assert_has(stage_variable(x, "decided_by"), "index; index");
    decided(x, DECIDED_INDEX, NEXT, (struct place){ .line = 0 }, NULL);
    assert_has(stage_variable(x, "decided_by"), "index; ...; index");
}

/* What the ring forgets stands in a trace, with what only a trace is told. */
static void a_trace_gets_every_decision_and_outlives_its_exchange(void **state)
{
    struct place place = { .line = 7 };
    struct trace trace;
    uint32_t lines = 0;

    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");
    trace_init(&trace);
    assert_null(trace_of(x));
    decided(x, DECIDED_SERVER, NEXT, place, "before it was attached");
    trace_attach(x, &trace);
    for (int i = 0; i < 100; i++) {
        char *text = arena_cstr(&x->arena, span_of("peer"));

        decided(x, DECIDED_PEER, i % 2 ? PASS : REFUSE, place, text);
        trace_why(x, "turn %d", i);
        memset(text, '#', 4);
    }
    trace_say(x, DECIDED_FILTER, NEXT, place, "%s", "");
    trace_attach(x, NULL);
    for (const struct trace_line *l = trace.first; l->next != NULL; l = l->next, lines++) {
        char how[32];

        snprintf(how, sizeof(how), "turn %u", lines);
        assert_span(l->subject, "peer");
        assert_span(l->how, how);
        assert_int_equal(l->verdict, lines % 2 ? PASS : REFUSE);
        assert_int_equal(l->place.line, 7);
    }
    assert_int_equal(lines, 100);
    assert_int_equal(trace.last->what, DECIDED_FILTER);
    assert_int_equal(trace.last->subject.len, 0);
    trace_done(&trace);
}

static void a_note_is_found_by_its_key_and_replaced(void **state)
{
    static const char one, two;
    int a, b;

    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");
    assert_null(exchange_note(x, &one));
    exchange_keep(x, &one, &a);
    exchange_keep(x, &two, &a);
    exchange_keep(x, &one, &b);
    assert_ptr_equal(exchange_note(x, &one), &b);
    assert_ptr_equal(exchange_note(x, &two), &a);
}

static void an_exchange_is_used_again_but_nothing_of_it(void **state)
{
    struct stage *s = *state;

    stage_server(s, "return 200 x;");
    struct exchange *x = stage_get(s, "/"), *again;
    stage_phases(x, PHASE_REWRITE);
    assert_int_equal(s->worker.live_exchanges, 1);
    assert_int_equal(s->worker.generation->refs, 2);
    stage_end_exchange(s);
    assert_int_equal(s->worker.live_exchanges, 0);
    assert_int_equal(s->worker.generation->refs, 1);
    again = exchange_new(&s->worker, &s->client);
    assert_ptr_equal(again, x);
    assert_int_equal(again->decisions.count, 0);
    assert_null(again->source);
    assert_null(again->notes);
    assert_int_equal(again->response.status, 0);
    assert_int_equal(again->request.fields.count, 0);
    assert_true(again->response.length == LENGTH_UNKNOWN);
    exchange_end(again, IO_OK);
    s->worker.budget.max = s->worker.budget.used; /* spent */
    assert_null(exchange_new(&s->worker, &s->client));
    s->worker.budget.max = SIZE_MAX / 2;
}

static void a_running_exchange_keeps_the_settings_it_began_with(void **state)
{
    struct stage *s = *state;

    stage_server(s, "return 201;");
    struct exchange *x = stage_get(s, "/");
    const struct generation *before = s->worker.generation;
    stage_server(s, "return 202;");
    assert_ptr_not_equal(s->worker.generation, before);
    assert_int_equal(s->worker.generation->number, 2);
    stage_phases(x, PHASE_REWRITE); /* ASan knows whether it is still there */
    assert_int_equal(x->response.status, 201);
    x = stage_get(s, "/");
    stage_phases(x, PHASE_REWRITE);
    assert_int_equal(x->response.status, 202);
}

static unsigned closed;

static void count_close(struct source *s)
{
    (void)s;
    closed++;
}

static void a_new_source_closes_the_one_before(void **state)
{
    static const struct source_ops ops = { .close = count_close };
    struct source first = { .ops = &ops }, second = { .ops = &ops };

    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");
    closed = 0;
    exchange_source(x, &first);
    exchange_source(x, &second);
    assert_int_equal(closed, 1);
    exchange_refuse(x, 404, NULL);
    assert_int_equal(closed, 2);
    stage_end_exchange(*state);
    assert_int_equal(closed, 2);
}

static void an_index_that_leads_to_itself_ends_after_ten_rounds(void **state)
{
    struct stage *s = *state;

    stage_server(s, "index /x/;");
    stage_serve(s);
    const char *got = stage_ask(s, "GET /x/ HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert_has(got, "HTTP/1.1 500 Internal Server Error\r\n");
    assert_has(got, "Connection: close\r\n");
    assert_has(stage_log(s), "rewrite or internal redirection cycle");
}

static void a_record_of_the_error_log_says_who_asked_what(void **state)
{
    struct stage *s = *state;

    stage_server(s, "");
    struct exchange *x =
        stage_exchange(s, "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\nReferer: http://r/\"\r\n\r\n");
    x->connection = 9;
    x->request.line = span_of("GET / HTTP/1.1");
    exchange_log(x, LEVEL_ERROR, 2, "open() \"%s\" failed", "f");
    assert_has(
        stage_log(s),
        ": *9 open() \"f\" failed (2: No such file or directory), client: 192.0.2.7, server: "
        "a.example, request: \"GET / HTTP/1.1\", host: \"h\", referrer: \"http://r/\"\"\n");
}

/* A peer that sends much must not be left out of the log for it. */
static void long_parts_are_cut_and_the_client_is_named(void **state)
{
    struct stage *s = *state;
    char text[4000], name[252], path[1000], referer[1000];

    memset(name, 'n', sizeof(name));
    memset(path, 'p', sizeof(path));
    memset(referer, 'r', sizeof(referer));
    snprintf(text, sizeof(text), "server { listen 80; server_name %.250s; }", name);
    assert_string_equal(stage_load(s, text), "");
    snprintf(text, sizeof(text), "GET /%.900s HTTP/1.1\r\nHost: %.250s\r\nReferer: %.900s\r\n\r\n",
             path, name, referer);
    struct exchange *x = stage_exchange(s, text);
    x->request.line = x->request.target;
    exchange_log(x, LEVEL_ERROR, 0, "something");
    assert_has(stage_log(s), "something, client: 192.0.2.7, server: nnn");
    assert_has(stage_log(s), "referrer: \"rrr");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(of_many_decisions_the_first_four_and_the_last_twelve_stay),
        STAGED(they_are_told_in_order_with_a_gap_where_some_are_lost),
        STAGED(sixteen_decisions_fit_without_a_gap),
        STAGED(a_trace_gets_every_decision_and_outlives_its_exchange),
        STAGED(a_note_is_found_by_its_key_and_replaced),
        STAGED(an_exchange_is_used_again_but_nothing_of_it),
        STAGED(a_running_exchange_keeps_the_settings_it_began_with),
        STAGED(a_new_source_closes_the_one_before),
        STAGED(an_index_that_leads_to_itself_ends_after_ten_rounds),
        STAGED(a_record_of_the_error_log_says_who_asked_what),
        STAGED(long_parts_are_cut_and_the_client_is_named),
    };

    return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
