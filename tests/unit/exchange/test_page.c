/* exchange/page: answers of our own: NGINX's pages for servers, and what the forward face's clients
 * accept (forward-semantics 9). */
#include "unit/support.h"

static const char *body_of(struct exchange *x)
{
    struct part part;

    assert_int_equal(x->source->ops->head(x->source), IO_OK);
    return x->source->ops->read(x->source, &part) == IO_OK ? arena_cstr(&x->arena, part.bytes) : "";
}

static void a_page_of_a_server_is_that_of_nginx(void **state)
{
    stage_server(*state, "server_tokens off;");
    struct exchange *x = stage_get(*state, "/");

    assert_int_equal(exchange_refuse(x, 404, NULL), REFUSE);
    assert_string_equal(
        body_of(x), "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n"
                    "<center><h1>404 Not Found</h1></center>\r\n<hr><center>bifrons</center>\r\n"
                    "</body>\r\n</html>\r\n");
    assert_string_equal(stage_answer(x, "Content-Type"), "text/html");
}

static const struct {
    unsigned status, shown;
    bool kept, page;
} statuses[] = {
    { 400, 400, false, true },  { 403, 403, true, true },   { 404, 404, true, true },
    { 413, 413, false, true },  { 414, 414, false, true },  { 494, 400, false, true },
    { 497, 400, false, true },  { 500, 500, false, true },  { 502, 502, true, true },
    { 501, 501, false, true },  { 408, 408, false, false }, { 444, 444, false, false },
    { 499, 499, false, false },
};

static void each_status_is_shown_and_closes_or_not(void **state)
{
    stage_server(*state, "");
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct exchange *x = stage_get(*state, "/");

        exchange_refuse(x, statuses[i].status, NULL);
        if (x->response.status != statuses[i].shown || x->keep_alive != statuses[i].kept ||
            (x->source != NULL) != statuses[i].page)
            fail_msg("%u: %u, kept %d", statuses[i].status, x->response.status, x->keep_alive);
    }
}

static void what_an_earlier_source_said_is_gone(void **state)
{
    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");

    response_add(x, "ETag", span_of("\"x\""));
    x->response.reason = span_of("Odd");
    x->response.accept_ranges = true;
    x->response.last_modified = 5;
    exchange_refuse(x, 502, NULL);
    assert_string_equal(stage_answer(x, "ETag"), "-");
    assert_int_equal(x->response.reason.len, 0);
    assert_false(x->response.accept_ranges);
    assert_true(x->response.last_modified == -1);
}

static const struct {
    const char *accept, *type, *body;
} formats[] = {
    { "", "text/plain; charset=utf-8", "403 Forbidden: a<b>\"&\\c\n" },
    { "Accept: */*\r\n", "text/plain; charset=utf-8", "403 Forbidden: a<b>\"&\\c\n" },
    { "Accept: application/json\r\n", "application/problem+json",
      "{\"status\":403,\"title\":\"Forbidden\",\"detail\":\"a<b>\\\"&\\\\c\"}\n" },
    { "Accept: application/problem+json;q=1\r\n", "application/problem+json",
      "{\"status\":403,\"title\":\"Forbidden\",\"detail\":\"a<b>\\\"&\\\\c\"}\n" },
    { "Accept: image/png, TEXT/HTML;q=0.9\r\n", "text/html", NULL },
};

static void the_forward_face_answers_as_the_client_accepts(void **state)
{
    struct span why = span_of("a<b>\"&\\c");

    assert_string_equal(
        stage_load(
            *state,
            "forward { listen 127.0.0.1:3128; tunnel_peek off;\nrule allow if client ::1; }"),
        "");
    for (size_t i = 0; i < COUNT(formats); i++) {
        char head[300];

        snprintf(head, sizeof(head), "GET http://a/ HTTP/1.1\r\nHost: a\r\n%s\r\n",
                 formats[i].accept);
        struct exchange *x = stage_exchange(*state, head);
        exchange_keep(x, &exchange_explanation_key, &why);
        x->fault = FAULT_HTTP_REQUEST_DENIED;
        assert_int_equal(exchange_fail(x), REFUSE);
        assert_string_equal(stage_answer(x, "Content-Type"), formats[i].type);
        assert_string_equal(stage_answer(x, "Cache-Control"), "no-store");
        assert_string_equal(stage_answer(x, "Proxy-Status"), "bifrons; error=http_request_denied");
        if (formats[i].body != NULL)
            assert_string_equal(body_of(x), formats[i].body);
        else
            assert_has(body_of(x), "<p>a&lt;b&gt;&quot;&amp;\\c</p>");
    }
}

static void an_answer_has_its_type_or_none(void **state)
{
    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");

    assert_int_equal(exchange_answer(x, 200, span_of("a/b"), span_of("body")), ANSWER);
    assert_string_equal(stage_answer(x, "Content-Type"), "a/b");
    assert_string_equal(body_of(x), "body");
    exchange_answer(x, 204, span_of(""), span_of(""));
    assert_string_equal(stage_answer(x, "Content-Type"), "-");
    assert_string_equal(body_of(x), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(a_page_of_a_server_is_that_of_nginx),
        STAGED(each_status_is_shown_and_closes_or_not),
        STAGED(what_an_earlier_source_said_is_gone),
        STAGED(the_forward_face_answers_as_the_client_accepts),
        STAGED(an_answer_has_its_type_or_none),
    };

    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
