/* exchange/error_page: which lines are read, and what becomes of a turn (nginx-semantics 6.7). */
#include "unit/support.h"

#include "exchange/error_page.h"

static const struct {
    const char *line, *want;
} refused[] = {
    { "error_page 404;", "invalid number of arguments" },
    { "error_page = /x;", "invalid value \"=\"" },
    { "error_page 404 =abc /x;", "invalid value \"=abc\"" },
    { "error_page 404 =100 /x;", "invalid value \"=100\"" },
    { "error_page 299 /x;", "value \"299\" must be between 300 and 599" },
    { "error_page 600 /x;", "value \"600\" must be between 300 and 599" },
    { "error_page 499 /x;", "invalid value \"499\"" },
    { "error_page 40x /x;", "invalid value \"40x\"" },
    { "error_page 404 /$nosuch;", "unknown \"nosuch\" variable" },
    { "try_files $uri;", "invalid number of arguments" },
    { "try_files $uri =abc;", "invalid code \"abc\"" },
    { "location @a { alias /x; }", "cannot be used inside the named location" },
    { "alias /x;", "not allowed here" },
    { "root /x$document_root;", "cannot be used in \"root\"" },
    { "location / { root /a; alias /b; }", "root" },
    { "disable_symlinks maybe;", "invalid parameter \"maybe\"" },
    { "disable_symlinks on to=/x;", "invalid parameter \"to=/x\"" },
    { "autoindex_format yaml;", "yaml" },
};

static void a_bad_line_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        char text[300];

        snprintf(text, sizeof(text), "server {\nlisten 8080;\n%s\n}\n", refused[i].line);
        const char *said = stage_load(*state, text);
        if (strstr(said, refused[i].want) == NULL || strstr(said, "test.conf:3") == NULL)
            fail_msg("%s: %s", refused[i].line, said);
    }
}

static struct exchange *refuse(struct stage *s, const char *lines, unsigned status)
{
    stage_server(s, lines);
    struct exchange *x = stage_get(s, "/p?q");

    exchange_refuse(x, status, NULL);
    return x;
}

static void an_error_leads_to_its_page(void **state)
{
    struct exchange *x = refuse(*state, "error_page 500 502 =203 /e?a=b; location @n { }", 502);

    assert_int_equal(x->redirected, RESTART_SERVER);
    assert_int_equal(x->response.given, 203);
    assert_null(x->source);
    assert_true(span_is(x->request.uri, "/e") && span_is(x->request.args, "a=b"));
    assert_true(exchange_is_internal(x));
    x->redirected = RESTART_NOT;
    exchange_refuse(x, 502, NULL); /* once is enough */
    assert_int_equal(x->redirected, RESTART_NOT);
    assert_int_equal(x->response.status, 502);
    assert_int_equal(x->response.given, 0);
}

static void a_second_turn_needs_recursion(void **state)
{
    struct exchange *x = refuse(*state, "recursive_error_pages on; error_page 404 /e;", 404);

    x->redirected = RESTART_NOT;
    exchange_refuse(x, 404, NULL);
    assert_int_equal(x->redirected, RESTART_SERVER);
}

static void a_name_keeps_the_path(void **state)
{
    struct exchange *x = refuse(*state, "error_page 404 = @n; location @n { }", 404);

    assert_int_equal(x->redirected, RESTART_NAMED);
    assert_int_equal(x->response.given, 0);
    assert_true(span_is(x->request.uri, "/p") && span_is(x->request.args, "q"));
}

static void a_variable_cannot_pass_by_locations(void **state)
{
    struct exchange *x = refuse(*state, "error_page 404 /a/$args/../b;", 404);

    assert_int_equal(x->redirected, RESTART_NOT);
    assert_int_equal(x->response.status, 404);
}

static void nobody_is_led_anywhere_when_nobody_is_left(void **state)
{
    struct exchange *x = refuse(*state, "error_page 408 444 /e;", 408);

    assert_int_equal(x->redirected, RESTART_NOT);
    assert_null(x->source);
}

static void the_forward_face_has_none(void **state)
{
    assert_string_equal(stage_load(*state, "error_page 403 /e;\nforward { listen 127.0.0.1:3128; "
                                           "tunnel_peek off; rule allow; }"),
                        "");
    struct exchange *x = stage_get(*state, "/p");

    exchange_refuse(x, 403, NULL);
    assert_int_equal(x->redirected, RESTART_NOT);
    assert_false(error_page_names(x, 403));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(a_bad_line_is_refused),
        STAGED(an_error_leads_to_its_page),
        STAGED(a_second_turn_needs_recursion),
        STAGED(a_name_keeps_the_path),
        STAGED(a_variable_cannot_pass_by_locations),
        STAGED(nobody_is_led_anywhere_when_nobody_is_left),
        STAGED(the_forward_face_has_none),
    };

    return cmocka_run_group_tests_name("error_page", tests, NULL, NULL);
}
