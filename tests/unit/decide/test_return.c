/* decide/return: status, text or redirect (nginx-semantics 6.2). */
#include "unit/support.h"

static struct exchange *answered(struct stage *s, const char *line, const char *path)
{
    stage_server(s, line);
    struct exchange *x = stage_get(s, path);
    assert_int_not_equal(stage_phases(x, PHASE_REWRITE), NEXT);
    return x;
}

static const char *body_of(struct exchange *x)
{
    struct part part;

    if (x->source->ops->read(x->source, &part) != IO_OK)
        return "";
    assert_true(part.last);
    return arena_cstr(&x->arena, part.bytes);
}

static void a_status_below_400_carries_its_text(void **state)
{
    struct exchange *x =
        answered(*state, "default_type text/x; return 200 \"$uri at $host\";", "/a%20b");

    assert_int_equal(x->response.status, 200);
    assert_string_equal(stage_answer(x, "Content-Type"), "text/x");
    assert_string_equal(body_of(x), "/a b at a.example");
    x = answered(*state, "return 204;", "/");
    assert_int_equal(x->response.status, 204);
    assert_string_equal(body_of(x), "");
    x = answered(*state, "return 200;", "/x.html");
    assert_string_equal(stage_answer(x, "Content-Type"), "text/html");
}

static void an_error_has_a_page_unless_a_text_is_given(void **state)
{
    struct exchange *x = answered(*state, "return 404;", "/");

    assert_int_equal(x->response.status, 404);
    assert_has(body_of(x), "<center><h1>404 Not Found</h1></center>\r\n");
    x = answered(*state, "return 404 nothing;", "/");
    assert_string_equal(body_of(x), "nothing");
    x = answered(*state, "return 418;", "/"); /* unknown to us: no reason, but the status */
    assert_int_equal(x->response.status, 418);
}

static const struct {
    const char *line, *path;
    unsigned status;
    const char *location;
} redirects[] = {
    { "return 301 https://$host$request_uri;", "/a%20b?c=d", 301, "https://a.example/a%20b?c=d" },
    { "return https://other/;", "/", 302, "https://other/" },
    { "return $scheme://x;", "/", 302, "http://x" },
    { "return 307 /there;", "/", 307, "http://a.example/there" },
    { "absolute_redirect off; return 308 /there;", "/", 308, "/there" },
    { "return 302 there;", "/", 302, "there" },
    { "return 303 \"\";", "/", 303, "-" },
    { "server_name_in_redirect on; return 301 /x;", "/", 301, "http://a.example/x" },
};

static void a_redirect_has_its_location(void **state)
{
    for (size_t i = 0; i < COUNT(redirects); i++) {
        struct exchange *x = answered(*state, redirects[i].line, redirects[i].path);

        assert_int_equal(x->response.status, redirects[i].status);
        assert_string_equal(stage_answer(x, "Location"), redirects[i].location);
    }
}

static void the_port_of_a_redirect_is_the_local_one(void **state)
{
    assert_string_equal(stage_load(*state, "server { listen 8080; return 301 /x; }"), "");
    struct exchange *x = stage_exchange(*state, "GET / HTTP/1.1\r\nHost: a:99\r\n\r\n");
    stage_phases(x, PHASE_REWRITE);
    assert_string_equal(stage_answer(x, "Location"), "http://a:8080/x");
    assert_string_equal(
        stage_load(*state, "server { listen 8080; port_in_redirect off; return 301 /x; }"), "");
    x = stage_exchange(*state, "GET / HTTP/1.0\r\n\r\n");
    x->local_address.ip[0] = 10;
    stage_phases(x, PHASE_REWRITE);
    assert_string_equal(stage_answer(x, "Location"),
                        "http://10.0.0.0/x"); /* no host: the address */
}

/* `$uri` is decoded: a control byte in it would end the header line (INJ-01). */
static void a_control_byte_in_a_location_is_refused(void **state)
{
    struct exchange *x = answered(*state, "return 302 http://x$arg_a;", "/?a=ok");

    assert_string_equal(stage_answer(x, "Location"), "http://xok");
    stage_server(*state, "return 302 /x$uri;");
    x = stage_get(*state, "/");
    x->request.uri = span_of("/a\r\nSet-Cookie: b");
    stage_phases(x, PHASE_REWRITE);
    assert_int_equal(x->response.status, 500);
    assert_string_equal(stage_answer(x, "Location"), "-");
    assert_false(x->keep_alive);
}

static void status_444_answers_nobody(void **state)
{
    struct exchange *x = answered(*state, "return 444;", "/");

    assert_null(x->source);
    assert_int_equal(x->response.status, 444);
    assert_false(x->keep_alive);
}

static void the_servers_line_comes_before_the_locations_and_the_first_wins(void **state)
{
    struct exchange *x =
        answered(*state, "location / { return 201; } return 202; return 203;", "/");

    assert_int_equal(x->response.status, 202);
    assert_has(stage_variable(x, "decided_by"), "; return at /etc/test.conf:5");
    x = answered(*state, "location / { return 201; }", "/");
    assert_int_equal(x->response.status, 201);
}

static const struct {
    const char *line, *want;
} refused[] = {
    { "return 1000;", "invalid return code \"1000\"" },
    { "return 0;", "invalid return code \"0\"" },
    { "return abc;", "invalid return code \"abc\"" },
    { "return /x;", "invalid return code \"/x\"" },
    { "return http://x y;", "invalid return code \"http://x\"" },
    { "return 200 $nosuch;", "unknown \"nosuch\" variable" },
    { "return;", "invalid number of arguments in \"return\" directive" },
};

static void what_is_no_return_is_refused(void **state)
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
        STAGED(a_status_below_400_carries_its_text),
        STAGED(an_error_has_a_page_unless_a_text_is_given),
        STAGED(a_redirect_has_its_location),
        STAGED(the_port_of_a_redirect_is_the_local_one),
        STAGED(a_control_byte_in_a_location_is_refused),
        STAGED(status_444_answers_nobody),
        STAGED(the_servers_line_comes_before_the_locations_and_the_first_wins),
        STAGED(what_is_no_return_is_refused),
    };

    return cmocka_run_group_tests_name("return", tests, NULL, NULL);
}
