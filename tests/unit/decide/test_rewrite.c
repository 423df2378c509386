/* decide/rewrite: what is read and refused, the order of the steps, and what they say
 * (nginx-semantics 6.2, 6.3). That they do what NGINX's do is the matter of tests/diff. */
#include "conf/directive.h"
#include "unit/support.h"

static const struct {
    const char *line;
    unsigned column;
    const char *want;
} refused[] = {
    { "rewrite ^ \"\";", 11, "empty replacement" },
    { "rewrite ^ /x foo;", 14, "invalid parameter \"foo\"" },
    { "rewrite ^( /x;", 9, "pcre2_compile() failed: missing closing parenthesis in \"^(\"" },
    { "rewrite ^ /$nosuch;", 11, "unknown \"nosuch\" variable" },
    { "rewrite ^ /x?$;", 11, "invalid variable name" },
    { "rewrite ^;", 1, "invalid number of arguments in \"rewrite\" directive" },
    { "set v 1;", 5, "invalid variable name \"v\"" },
    { "set $ 1;", 5, "invalid variable name \"$\"" },
    { "set $1 x;", 5, "invalid variable name \"$1\"" },
    { "set $a-b x;", 5, "invalid variable name \"$a-b\"" },
    { "set ${a} x;", 5, "invalid variable name \"${a}\"" },
    { "set $uri x;", 5, "the duplicate \"uri\" variable" },
    { "set $http_x x;", 5, "the duplicate \"http_x\" variable" },
    { "set $limit_rate 1k;", 5, "\"$limit_rate\" is known, not supported yet" },
    { "set $a $b;", 8, "unknown \"b\" variable" },
    { "set $a;", 1, "invalid number of arguments in \"set\" directive" },
    { "break x;", 1, "invalid number of arguments in \"break\" directive" },
    { "if $uri { }", 4, "invalid condition \"$uri\"" },
    { "if ($uri { }", 4, "invalid condition \"($uri\"" },
    { "if () { }", 4, "invalid condition \"()\"" },
    { "if ( ) { }", 4, "invalid condition \"(\"" },
    { "if (uri = x) { }", 4, "invalid condition \"(uri\"" },
    { "if ($uri = ) { }", 4, "invalid condition \"($uri\"" },
    { "if ($uri = a b) { }", 4, "invalid condition \"($uri\"" },
    { "if ($uri foo x) { }", 10, "unexpected \"foo\" in condition" },
    { "if ($uri == x) { }", 10, "unexpected \"==\" in condition" },
    { "if ($uri -f x) { }", 10, "unexpected \"-f\" in condition" },
    { "if ($uri$args = x) { }", 4, "invalid condition \"($uri$args\"" },
    { "if (!$uri) { }", 4, "invalid condition \"(!$uri)\"" },
    { "if (-f) { }", 4, "invalid condition \"(-f)\"" },
    { "if (-g /x) { }", 4, "invalid condition \"(-g\"" },
    { "if (-f a b) { }", 4, "invalid condition \"(-f\"" },
    { "if (= x) { }", 4, "invalid condition \"(=\"" },
    { "if ($uri ~ \"x(\") { }", 12, "pcre2_compile() failed" },
    { "if ($nosuch) { }", 4, "unknown \"nosuch\" variable" },
    { "if ($uri) { if ($args) { } }", 13, "\"if\" directive is not allowed here" },
    { "if ($uri) { location /x { } }", 13, "\"location\" directive is not allowed here" },
    { "if ($uri);", 1, "directive \"if\" has no opening \"{\"" },
    { "if ($uri) { root /x; }", 13, "\"root\" directive is not allowed here" },
    { "location / { if ($uri) { index x; } }", 26, "\"index\" directive is not allowed here" },
    { "location / { if ($uri) { proxy_pass http://127.0.0.1/x; } }", 37,
      "\"proxy_pass\" cannot have URI part" },
    { "rewrite_log maybe;", 13, "invalid value \"maybe\" in \"rewrite_log\" directive" },
};

static void what_is_wrong_is_said_at_its_word(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        char text[200], place[40];

        snprintf(text, sizeof(text), "server {\n%s\n}", refused[i].line);
        snprintf(place, sizeof(place), "\n/etc/test.conf:2:%u\n", refused[i].column);
        const char *said = stage_load(*state, text);
        if (strstr(said, refused[i].want) == NULL || strstr(said, place) == NULL)
            fail_msg("%s: want %s at %u:\n%s", refused[i].line, refused[i].want, refused[i].column,
                     said);
    }
}

static void a_replacement_that_can_only_fail_is_warned_of(void **state)
{
    assert_has(stage_load(*state, "server { rewrite ^ x; }"),
               "a path that does not begin with \"/\" is answered with 500");
    assert_string_equal(
        stage_load(*state, "access_log off; server { rewrite ^ $uri; rewrite ^ http://x; }"), "");
}

/* Runs the rewrite phases of `lines` for `path`, location search included. */
static struct exchange *run(struct stage *s, const char *lines, const char *path)
{
    stage_server(s, lines);
    struct exchange *x = stage_get(s, path);
    stage_phases(x, PHASE_REWRITE);
    return x;
}

static const char *uri_of(struct exchange *x)
{
    return arena_cstr(&x->arena, x->request.uri);
}

/* Blocks are read behind the other lines of their block, and must not run behind them. */
static void steps_run_in_the_order_of_the_file(void **state)
{
    struct exchange *x = run(*state,
                             "set $v a; if ($v = a) { set $v \"${v}b\"; } set $v \"${v}c\";\n"
                             "if ($v = abc) { set $v \"${v}d\"; } set $v \"${v}e\";",
                             "/");

    assert_string_equal(stage_variable(x, "v"), "abcde");
    x = run(*state,
            "location / { set $v a; if ($v) { set $v \"${v}b\"; break; set $v no; }\n"
            "set $v never; }",
            "/");
    assert_string_equal(stage_variable(x, "v"), "ab");
}

static void an_if_block_stands_for_its_location(void **state)
{
    struct exchange *x =
        run(*state, "location / { sendfile off; if ($arg_a) { sendfile on; } }", "/?a=1");

    assert_true(x->core->tcp.sendfile);
    assert_int_equal(x->block->context, CTX_IF);
    x = run(*state, "location / { sendfile off; if ($arg_a) { sendfile on; } }", "/");
    assert_false(x->core->tcp.sendfile);
    assert_int_equal(x->block->context, CTX_LOCATION);
    x = run(*state, "if ($arg_a) { set $v 1; }", "/?a=1");
    assert_ptr_equal(x->block, x->server);
    assert_string_equal(stage_variable(x, "v"), "1");
}

static void a_changed_path_is_searched_again(void **state)
{
    struct exchange *x = run(*state, "location / { rewrite ^/a(.*)$ /b$1?q=$1; }", "/ax?o=1");

    assert_int_equal(x->redirected, RESTART_LOCATION);
    assert_string_equal(uri_of(x), "/bx");
    assert_string_equal(stage_variable(x, "args"), "q=x&o=1");
    assert_true(exchange_is_internal(x));
    assert_int_equal(x->request.path_use, PATH_IN_LOCATION);
    x = run(*state, "location / { rewrite ^/a(.*)$ /b$1 break; }", "/ax");
    assert_int_equal(x->redirected, RESTART_NOT);
    assert_int_equal(x->request.path_use, PATH_ALONE);
    x = run(*state, "location /c/ { } rewrite ^ /b;", "/a"); /* no location: once is enough */
    assert_int_equal(x->redirected, RESTART_NOT);
    assert_string_equal(uri_of(x), "/b");
}

static void each_decision_has_its_place(void **state)
{
    struct exchange *x =
        run(*state, "rewrite ^/a$ /b;\nlocation / {\nif ($uri = /b) {\nbreak;\n}\n}", "/a");
    const char *why = stage_variable(x, "decided_by");

    assert_has(why, "; rewrite ^/a$ at /etc/test.conf:5; location / at /etc/test.conf:6; "
                    "if ($uri = /b) at /etc/test.conf:7; break at /etc/test.conf:8");
    x = run(*state, "if ($arg_a) {\nreturn 403;\n}", "/?a=1");
    assert_has(stage_variable(x, "decided_by"),
               "; if ($arg_a) at /etc/test.conf:5; return at /etc/test.conf:6");
}

static void rewrite_log_tells_what_happens(void **state)
{
    struct stage *s = *state;

    run(s, "rewrite_log on; rewrite ^/x /y; rewrite ^/a(.*)$ /b$1?c; rewrite ^/b http://h/;",
        "/az");
    assert_has(stage_log(s), "[notice]");
    assert_has(stage_log(s), "\"^/x\" does not match \"/az\"");
    assert_has(stage_log(s), "\"^/a(.*)$\" matches \"/az\"");
    assert_has(stage_log(s), "rewritten data: \"/bz\", args: \"c\"");
    assert_has(stage_log(s), "rewritten redirect: \"http://h/?c\"");
}

static void without_rewrite_log_nothing_is_told(void **state)
{
    struct stage *s = *state;

    run(s, "rewrite ^/x /y; if ($uri ~ z) { rewrite_log on; } if ($uri ~ a) { }", "/az");
    assert_has_not(stage_log(s), "matches");
}

static unsigned count(const char *text, const char *part)
{
    unsigned found = 0;

    while ((text = strstr(text, part)) != NULL) {
        found++;
        text += strlen(part);
    }
    return found;
}

static void an_uninitialized_variable_is_warned_of_once(void **state)
{
    struct stage *s = *state;
    struct exchange *x =
        run(s, "location /set { set $v 1; } location / { if ($v) { } return 200 \"$v$v\"; }", "/");

    assert_int_equal(count(stage_log(s), "[warn] "), 1);
    assert_has(stage_log(s), "using uninitialized \"v\" variable");
    assert_string_equal(stage_variable(x, "v"), "");
}

static void the_warning_can_be_left_out(void **state)
{
    run(*state, "uninitialized_variable_warn off; if ($arg_a) { set $v 1; } return 200 $v;", "/");
    assert_has_not(stage_log(*state), "uninitialized");
}

/* A pattern that runs out of steps must not read as one that does not match. */
static void an_expression_that_is_given_up_is_500(void **state)
{
    static const char *const lines[] = {
        "if ($arg_a ~ \"^(a+)+$\") { return 200; } return 201;",
        "if ($arg_a !~ \"^(a+)+$\") { return 200; } return 201;",
        "set $args $arg_a; rewrite \"^/(a+)+$\" /x; return 201;",
    };
    char path[200];

    for (size_t i = 0; i < COUNT(lines); i++) {
        const char *repeated = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";

        snprintf(path, sizeof(path), "/%s?a=%s", repeated, repeated);
        struct exchange *x = run(*state, lines[i], path);
        assert_int_equal(x->response.status, 500);
    }
    assert_has(stage_log(*state), "was given up with");
}

static const struct {
    const char *line, *path;
    unsigned status;
    const char *said;
} failures[] = {
    { "rewrite ^ $arg_a;", "/", 500, "the rewritten URI has a zero length" },
    { "rewrite ^ $arg_a;", "/?a=x", 500, "the rewritten URI \"x\" does not begin with \"/\"" },
    { "rewrite ^ $arg_a;", "/?a=/x", 0, "" },
    { "location / { rewrite ^ $arg_a break; }", "/?a=http://h/", 500, "does not begin with" },
};

static void a_path_begins_with_a_slash(void **state)
{
    for (size_t i = 0; i < COUNT(failures); i++) {
        struct exchange *x = run(*state, failures[i].line, failures[i].path);

        assert_int_equal(x->response.status, failures[i].status);
        assert_has(stage_log(*state), failures[i].said);
    }
}

/* INJ-01: a variable's value is written into a Location only if it holds no control byte. */
static void a_control_byte_in_a_redirect_is_refused(void **state)
{
    static const char *const lines[] = { "rewrite ^ http://x/$v redirect;", "return 302 /$v;" };
    static const char *const directives[] = { "rewrite", "return" };

    for (size_t i = 0; i < COUNT(lines); i++) {
        char text[200], want[100];

        snprintf(text, sizeof(text), "set $v \"a\r\nSet-Cookie: s=1\"; %s", lines[i]);
        struct exchange *x = run(*state, text, "/");
        assert_int_equal(x->response.status, 500);
        assert_string_equal(stage_answer(x, "Location"), "-");
        snprintf(want, sizeof(want), "a control byte in the Location of \"%s\" was refused",
                 directives[i]);
        assert_has(stage_log(*state), want);
    }
}

/* A name that the client chose asks about what lies below the root, and nowhere else. */
static void a_file_test_does_not_climb(void **state)
{
    static const struct {
        const char *path, *want;
    } asks[] = {
        { "/?p=self", "yes" },         { "/?p=../proc/self", "no" }, { "/?p=self/../self", "no" },
        { "/?p=self/..", "no" },       { "/?p=..", "no" },           { "/?p=", "yes" },
        { "/?p=nonexistent.d", "no" },
    };

    for (size_t i = 0; i < COUNT(asks); i++) {
        struct exchange *x = run(*state,
                                 "root /proc; set $r no;\n"
                                 "if (-e $document_root/$arg_p) { set $r yes; }",
                                 asks[i].path);

        if (strcmp(stage_variable(x, "r"), asks[i].want) != 0)
            fail_msg("%s: %s", asks[i].path, stage_variable(x, "r"));
    }
    struct exchange *x = run(*state,
                             "root /proc/self/../self; if (-d $document_root/$arg_p) { "
                             "set $r yes; } if (-d /proc/self/../self/$arg_p) { set $r "
                             "\"${r}!\"; }",
                             "/?p=task");
    assert_string_equal(stage_variable(x, "r"), "yes!");
}

static void a_value_has_a_longest(void **state)
{
    char text[600];

    snprintf(text, sizeof(text),
             "set $v \"$http_x\"; set $v \"$v$v$v$v\"; set $v \"$v$v$v$v\"; set $v \"$v$v$v$v\";\n"
             "set $v \"$v$v$v$v\"; set $v \"$v$v$v$v\"; set $v \"$v$v$v$v\"; set $v \"$v$v$v$v\";\n"
             "return 200 \"never\";");
    stage_server(*state, text);
    struct exchange *x =
        stage_exchange(*state, "GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789abcdef\r\n\r\n");
    stage_phases(x, PHASE_REWRITE);
    assert_int_equal(x->response.status, 500);
    assert_has(stage_log(*state), "what a rewrite directive makes is too long");
}

/* Fields lie in buffers that others use again before the exchange ends. */
static void a_set_value_is_a_copy(void **state)
{
    stage_server(*state, "set $v $request_uri;");
    struct exchange *x = stage_get(*state, "/a");
    struct span value;

    stage_phases(x, PHASE_REWRITE);
    assert_true(variable_value(x, span_of("v"), &value));
    assert_true(span_is(value, "/a"));
    assert_ptr_not_equal(value.at, x->request.target.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(what_is_wrong_is_said_at_its_word),
        STAGED(a_replacement_that_can_only_fail_is_warned_of),
        STAGED(steps_run_in_the_order_of_the_file),
        STAGED(an_if_block_stands_for_its_location),
        STAGED(a_changed_path_is_searched_again),
        STAGED(each_decision_has_its_place),
        STAGED(rewrite_log_tells_what_happens),
        STAGED(without_rewrite_log_nothing_is_told),
        STAGED(an_uninitialized_variable_is_warned_of_once),
        STAGED(the_warning_can_be_left_out),
        STAGED(an_expression_that_is_given_up_is_500),
        STAGED(a_path_begins_with_a_slash),
        STAGED(a_control_byte_in_a_redirect_is_refused),
        STAGED(a_file_test_does_not_climb),
        STAGED(a_value_has_a_longest),
        STAGED(a_set_value_is_a_copy),
    };

    return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL);
}
