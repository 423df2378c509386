/* exchange/template: literals and variables in turn; names are looked up while the configuration is
 * read. */
#include "unit/support.h"

/* The value of a template, as `return 200 TEXT` sends it. */
static const char *value(struct stage *s, const char *text, const char *head)
{
    char line[1000];
    struct part part;

    snprintf(line, sizeof(line), "return 200 \"%s\";", text);
    stage_server(s, line);
    struct exchange *x = stage_exchange(s, head);
    assert_int_equal(stage_phases(x, PHASE_REWRITE), ANSWER);
    return x->source->ops->read(x->source, &part) == IO_OK ? arena_cstr(&x->arena, part.bytes) : "";
}

static const char head[] =
    "GET /a%20b?one=1&Two=2&one=3 HTTP/1.1\r\nHost: A.example:81\r\nX-A: 1\r\nx-a: 2\r\n"
    "Cookie: k=v; K2=w ;k=z\r\nCookie: c=2\r\nProxy-Authorization: Basic eDp5\r\n\r\n";

static const struct {
    const char *text, *want;
} values[] = {
    { "plain", "plain" },
    { "", "" },
    { "$uri", "/a b" },
    { "${uri}x", "/a bx" },
    { "$uri.$args", "/a b.one=1&Two=2&one=3" },
    { "<$host>", "<a.example>" },
    { "$HOST$Host", "a.examplea.example" },
    { "$request_uri$is_args", "/a%20b?one=1&Two=2&one=3?" },
    { "$arg_one$arg_two$arg_TWO$arg_none.", "122." },
    { "$http_x_a|$http_host|$http_none|", "1, 2|A.example:81||" },
    { "$cookie_k|$cookie_k2|$cookie_c|$cookie_none|$http_cookie", "v|w |2||k=v; K2=w ;k=z; c=2" },
    { "$http_proxy_authorization", "" },
    { "$remote_addr:$remote_port", "192.0.2.7:40000" },
    { "$server_addr:$server_port", "0.0.0.0:80" },
    { "$scheme$https", "http" },
    { "$request_method $server_protocol $request",
      "GET HTTP/1.1 GET /a%20b?one=1&Two=2&one=3 HTTP/1.1" },
    { "$server_name $document_uri $query_string", "a.example /a b one=1&Two=2&one=3" },
    { "$content_length$content_type$remote_user", "" },
    { "$status $bytes_sent $body_bytes_sent", "200 0 0" },
    { "$msec", "1767225700.000" }, /* the fake loop's wall clock, 100 s after its start */
    { "$proxy_host$proxy_port$upstream_addr$upstream_http_x", "" },
    { "$proxy_add_x_forwarded_for", "192.0.2.7" },
};

static void a_value_is_made_of_literals_and_variables(void **state)
{
    for (size_t i = 0; i < COUNT(values); i++) {
        const char *got = value(*state, values[i].text, head);

        if (strcmp(got, values[i].want) != 0)
            fail_msg("%s: \"%s\", want \"%s\"", values[i].text, got, values[i].want);
    }
}

static const struct {
    const char *line;
    unsigned column;
    const char *want;
} refused[] = {
    { "return 200 $nosuch;", 12, "unknown \"nosuch\" variable" },
    { "return 200 ${noSuch};", 12, "unknown \"nosuch\" variable" },
    { "return 200 a$;", 12, "invalid variable name" },
    { "return 200 \"$ b\";", 12, "invalid variable name" },
    { "return 200 $$uri;", 12, "invalid variable name" },
    { "return 200 \"${uri\";", 12, "the closing bracket in \"uri\" variable is missing" },
    { "return 200 \"${uri x}\";", 12, "the closing bracket in \"uri\" variable is missing" },
    { "return 200 \"${}\";", 12, "invalid variable name" },
    { "return 200 $http_;", 12, "unknown \"http_\" variable" },
    { "return 200 $0;", 12, "unknown \"0\" variable" },
    { "return 200 ${1};", 12, "unknown \"1\" variable" },
    { "return https://x/$a;", 8, "unknown \"a\" variable" },
    { "add_header A $b;", 14, "unknown \"b\" variable" },
    { "index a b$c d;", 9, "unknown \"c\" variable" },
};

static void an_error_stands_at_the_word(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        char text[200], place[60];

        snprintf(text, sizeof(text), "server {\n%s\n}", refused[i].line);
        snprintf(place, sizeof(place), "%s in /etc/test.conf:2\n/etc/test.conf:2:%u\n",
                 refused[i].want, refused[i].column);
        assert_has(stage_load(*state, text), place);
    }
}

static void a_name_has_a_longest(void **state)
{
    char text[300], name[80];

    memset(name, 'a', sizeof(name));
    snprintf(text, sizeof(text), "server { return 200 $http_%.59s; }", name);
    assert_string_equal(stage_load(*state, text), "");
    snprintf(text, sizeof(text), "server { return 200 $http_%.60s; }", name);
    assert_has(stage_load(*state, text), "invalid variable name");
}

static void a_single_variable_is_not_copied(void **state)
{
    stage_server(*state, "return 200 $request_uri;");
    struct exchange *x = stage_get(*state, "/a");
    struct part part;

    stage_phases(x, PHASE_REWRITE);
    assert_int_equal(x->source->ops->read(x->source, &part), IO_OK);
    assert_ptr_equal(part.bytes.at, x->request.target.at);
}

static void the_request_id_stays_the_same_for_the_exchange(void **state)
{
    stage_server(*state, "");
    struct exchange *x = stage_get(*state, "/");
    char first[40];

    snprintf(first, sizeof(first), "%s", stage_variable(x, "request_id"));
    assert_int_equal(strlen(first), 32);
    assert_int_equal(strspn(first, "0123456789abcdef"), 32);
    assert_string_equal(stage_variable(x, "request_id"), first);
    x = stage_get(*state, "/");
    assert_string_not_equal(stage_variable(x, "request_id"), first);
}

static void an_unset_variable_differs_from_an_empty_one(void **state)
{
    stage_server(*state, "");
    struct exchange *x = stage_exchange(*state, "GET /? HTTP/1.1\r\nHost: a\r\nEmpty:\r\n\r\n");

    assert_string_equal(stage_variable(x, "http_empty"), "");
    assert_string_equal(stage_variable(x, "http_missing"), "-");
    assert_string_equal(stage_variable(x, "nosuch"), "-");
    assert_true(variable_exists(x->generation, span_of("http_x")));
    assert_false(variable_exists(x->generation, span_of("nosuch")));
}

static void times_follow_the_loop(void **state)
{
    struct stage *s = *state;

    stage_server(s, "");
    struct exchange *x = stage_get(s, "/");
    assert_string_equal(stage_variable(x, "request_time"), "0.000");
    x->started -= 12345;
    assert_string_equal(stage_variable(x, "request_time"), "12.345");
    setenv("TZ", "UTC", 1);
    clock_set(&s->loop.clock, (int64_t)1795552587 * 1000);
    assert_string_equal(stage_variable(x, "time_local"), "24/Nov/2026:20:36:27 +0000");
    assert_string_equal(stage_variable(x, "time_iso8601"), "2026-11-24T20:36:27+00:00");
}

/* Names of groups are known in the whole file, above their line too; each request starts without.
 */
static void names_that_the_configuration_declares_are_variables(void **state)
{
    struct stage *s = *state;
    struct part part;

    stage_server(s,
                 "add_header A $who;\n"
                 "location ~ ^/(?<Who>[a-z]+)(\\d)?$ { return 200 \"<$WHO|$1|$2|$3|$1x$10>\"; }");
    struct exchange *x = stage_get(s, "/ann7");
    assert_int_equal(stage_phases(x, PHASE_REWRITE), ANSWER);
    assert_int_equal(x->source->ops->read(x->source, &part), IO_OK);
    assert_true(span_is(part.bytes, "<ann|ann|7||annxann0>"));
    x = stage_get(s, "/");
    stage_phases(x, PHASE_REWRITE);
    assert_string_equal(stage_variable(x, "who"), "-");
    assert_string_equal(stage_variable(x, "nosuch"), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(a_value_is_made_of_literals_and_variables),
        STAGED(an_error_stands_at_the_word),
        STAGED(names_that_the_configuration_declares_are_variables),
        STAGED(a_name_has_a_longest),
        STAGED(a_single_variable_is_not_copied),
        STAGED(the_request_id_stays_the_same_for_the_exchange),
        STAGED(an_unset_variable_differs_from_an_empty_one),
        STAGED(times_follow_the_loop),
    };

    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
