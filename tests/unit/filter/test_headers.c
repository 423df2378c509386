/* filter/headers: add_header (nginx-semantics 8). */
#include "exchange/filter.h"
#include "unit/support.h"

static const unsigned listed[] = { 200, 201, 204, 206, 301, 302, 303, 304, 307, 308 };
static const unsigned others[] = { 202, 205, 400, 403, 404, 410, 500, 502, 503 };

static const char *answer_of(struct stage *s, unsigned status)
{
    char lines[300];

    snprintf(lines, sizeof(lines), "add_header X-Some 1; add_header X-Always 2 always; return %u;",
             status);
    stage_server(s, lines);
    if (!s->serving)
        stage_serve(s);
    return stage_ask(s, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void they_are_added_to_listed_statuses_and_always_to_all(void **state)
{
    for (size_t i = 0; i < COUNT(listed); i++) {
        const char *got = answer_of(*state, listed[i]);

        assert_has(got, "X-Some: 1\r\nX-Always: 2\r\n");
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        const char *got = answer_of(*state, others[i]);

        assert_has_not(got, "X-Some");
        assert_has(got, "X-Always: 2\r\n");
    }
}

static void a_value_is_a_template_and_an_empty_one_adds_nothing(void **state)
{
    stage_server(*state,
                 "add_header X-Uri <$uri>; add_header X-None $arg_none; add_header X-Empty \"\"; "
                 "return 200;");
    stage_serve(*state);
    const char *got = stage_ask(*state, "GET /a%20b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has(got, "X-Uri: </a b>\r\n");
    assert_has_not(got, "X-None");
    assert_has_not(got, "X-Empty");
}

static void inner_lines_replace_the_outer_ones_whole(void **state)
{
    stage_server(*state, "add_header X-Outer 1; location / { return 200; }\n"
                         "location /in/ { add_header X-Inner 2; return 200; }");
    stage_serve(*state);
    assert_has(stage_ask(*state, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "X-Outer: 1\r\n");
    const char *got = stage_ask(*state, "GET /in/ HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has(got, "X-Inner: 2\r\n");
    assert_has_not(got, "X-Outer");
}

static void etag_and_last_modified_are_replaced_and_others_added(void **state)
{
    struct exchange *x;

    stage_server(
        *state,
        "add_header ETag \\\"new\\\"; add_header Last-Modified \"\"; add_header Cache-Control b;");
    x = stage_get(*state, "/");
    x->response.status = 200;
    response_add(x, "ETag", span_of("\"old\""));
    response_add(x, "Last-Modified", span_of("Tue, 24 Nov 2026 20:36:27 GMT"));
    response_add(x, "Cache-Control", span_of("a"));
    const struct generation *g = x->generation;
    unsigned module = 0;
    for (unsigned i = 0; i < g->index.filter_count; i++)
        if (g->modules[g->index.filters[i]]->filter->slot == SLOT_HEADERS)
            module = g->index.filters[i];
    assert_false(g->modules[module]->filter->wants(x, settings_in(x->block, module)));
    assert_string_equal(stage_answer(x, "ETag"), "\"new\"");
    assert_int_equal(fields_count(&x->response.fields, FIELD_ETAG), 1);
    assert_string_equal(stage_answer(x, "Last-Modified"), "-");
    assert_int_equal(fields_count(&x->response.fields, FIELD_CACHE_CONTROL), 2);
}

/* INJ-01: `$uri` is decoded; our own header writer is the gate. */
static void a_control_byte_never_leaves_in_a_head(void **state)
{
    stage_server(*state,
                 "add_header X-Arg $arg_a always; add_header X-Uri $uri always; return 200;");
    stage_serve(*state);
    const char *got = stage_ask(*state, "GET /%0d%0aEvil:1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has_not(got, "\nEvil");
    assert_has(got, "HTTP/1.1 400 ");
}

static const struct {
    const char *line, *want;
} refused[] = {
    { "add_header \"a b\" c;", "\"a b\" is no name of a header field" },
    { "add_header \"\" c;", "\"\" is no name of a header field" },
    { "add_header a b sometimes;", "invalid parameter \"sometimes\"" },
    { "add_header a;", "invalid number of arguments in \"add_header\" directive" },
};

static void what_is_no_header_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        char text[100];

        snprintf(text, sizeof(text), "server { %s }", refused[i].line);
        assert_has(stage_load(*state, text), refused[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(they_are_added_to_listed_statuses_and_always_to_all),
        STAGED(a_value_is_a_template_and_an_empty_one_adds_nothing),
        STAGED(inner_lines_replace_the_outer_ones_whole),
        STAGED(etag_and_last_modified_are_replaced_and_others_added),
        STAGED(a_control_byte_never_leaves_in_a_head),
        STAGED(what_is_no_header_is_refused),
    };

    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
