/* decide/server: the server by name, per listener (nginx-semantics 3.2). */
#include "unit/support.h"

static const char *chosen(struct stage *s, unsigned listener, const char *host)
{
    char head[400];

    snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    struct exchange *x = stage_exchange(s, head);
    if (x->response.status != 0)
        return "refused";
    x->listener = stage_listener(s, listener);
    x->server = x->listener->fallback;
    stage_phases(x, PHASE_POST_READ);
    return x->server->label.at;
}

static void a_name_chooses_whatever_its_case_port_or_dot(void **state)
{
    struct stage *s = *state;

    assert_string_equal(
        stage_load(s, "server { listen 80; server_name first.example; }\n"
                      "server { listen 80; server_name Second.EXAMPLE alias.example.; }\n"),
        "");
    assert_string_equal(chosen(s, 0, "second.example"), "second.example");
    assert_string_equal(chosen(s, 0, "SECOND.example"), "second.example");
    assert_string_equal(chosen(s, 0, "second.example:8080"), "second.example");
    assert_string_equal(chosen(s, 0, "second.example."), "second.example");
    assert_string_equal(chosen(s, 0, "alias.example"),
                        "second.example"); /* called by its first name */
    assert_string_equal(chosen(s, 0, "x.second.example"), "first.example");
    assert_string_equal(chosen(s, 0, "unknown"), "first.example");
    assert_string_equal(chosen(s, 0, ""), "refused");
}

static void the_default_server_is_asked_for_or_the_first(void **state)
{
    struct stage *s = *state;

    assert_string_equal(
        stage_load(s, "server { listen 80; listen 81 default_server; server_name a; }\n"
                      "server { listen 80 default_server; listen 81; server_name b; }\n"),
        "");
    assert_string_equal(chosen(s, 0, "zzz"), "b");
    assert_string_equal(chosen(s, 1, "zzz"), "a");
    assert_string_equal(chosen(s, 0, "a"), "a");
}

static void names_hold_for_the_listener_alone(void **state)
{
    struct stage *s = *state;

    assert_string_equal(
        stage_load(s,
                   "server { listen 80; server_name a; }\nserver { listen 81; server_name b; }\n"),
        "");
    assert_string_equal(chosen(s, 0, "b"), "a");
    assert_string_equal(chosen(s, 1, "a"), "b");
}

static void an_empty_name_is_for_requests_without_host(void **state)
{
    struct stage *s = *state;

    assert_string_equal(
        stage_load(s, "server { listen 80; server_name a; }\n"
                      "server { listen 80; server_name \"\" nameless; return 204; }\n"),
        "");
    struct exchange *x = stage_exchange(s, "GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(stage_phases(x, PHASE_REWRITE), ANSWER);
    assert_int_equal(x->response.status, 204);
    assert_string_equal(chosen(s, 0, "nameless"), ""); /* called by its first name */
}

static void of_two_servers_with_one_name_the_first_has_it(void **state)
{
    struct stage *s = *state;
    const char *said = stage_load(s, "server { listen 80; server_name x; }\n"
                                     "server { listen 80; server_name a a; return 201; }\n"
                                     "server { listen 80; server_name b A; return 202; }\n");

    assert_has(said,
               "[warn] conflicting server name \"a\" on 0.0.0.0:80, ignored in /etc/test.conf:3");
    assert_has_not(said, "test.conf:2"); /* the same name twice in one server is no conflict */
    struct exchange *x = stage_exchange(s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    stage_phases(x, PHASE_REWRITE);
    assert_int_equal(x->response.status, 201);
}

static void thousands_of_names_are_each_found(void **state)
{
    enum { MANY = 3000 };
    struct stage *s = *state;
    char *text = malloc(MANY * 64), name[32];
    size_t len = 0;

    for (int i = 0; i < MANY; i++)
        len +=
            (size_t)snprintf(text + len, 64, "server { listen 80; server_name n%d.example; }\n", i);
    assert_string_equal(stage_load(s, text), "");
    free(text);
    for (int i = 0; i < MANY; i += 7) {
        struct listener *l = stage_listener(s, 0);

        snprintf(name, sizeof(name), "n%d.example", i);
        assert_string_equal(l->find(l, span_of(name), &s->worker, NULL)->label.at, name);
    }
}

static void the_choice_is_noted_with_its_place(void **state)
{
    struct exchange *x;

    assert_string_equal(stage_load(*state,
                                   "server { listen 80; server_name a; }\n\n"
                                   "  server { listen 80; server_name b; location /x { } }\n"),
                        "");
    x = stage_exchange(*state, "GET /x HTTP/1.1\r\nHost: b\r\n\r\n");
    stage_phases(x, PHASE_FIND);
    assert_string_equal(stage_variable(x, "decided_by"),
                        "server b at /etc/test.conf:3; location /x at /etc/test.conf:3");
}

static void a_name_is_sought_by_kind(void **state)
{
    static const struct {
        const char *host, *want;
    } asks[] = {
        { "a.example", "exact" },
        { "x.a.example", "*.a.example" },
        { "x.y.a.example", "*.a.example" },
        { "deep.x.a.example", "*.x.a.example" },
        { "x.a.example.", "*.a.example" },
        { "X.A.EXAMPLE:80", "*.a.example" },
        { "dot.example", "dot.example" },
        { "x.dot.example", "dot.example" },
        { "www.net", "www.*" },
        { "www.x.y", "www.x.*" },
        { "www.y.z", "www.*" },
        { "www.a.example", "*.a.example" },
        { "www", "~^w" },
        { "wx", "~^w" },
        { "xdot.example", "default" },
        { "both77", "~^both(?<n>\\d+)$" },
        { "upper", "~^UPPER$" },
        { "example", "default" },
        { "[::1]", "default" },
        { ".", "refused" },
    };
    struct stage *s = *state;

    assert_string_equal(stage_load(s, "server { listen 80; server_name default; }\n"
                                      "server { listen 80; server_name *.a.example; }\n"
                                      "server { listen 80; server_name *.x.a.example; }\n"
                                      "server { listen 80; server_name exact a.example; }\n"
                                      "server { listen 80; server_name .dot.example; }\n"
                                      "server { listen 80; server_name ~^both(?<n>\\d+)$; }\n"
                                      "server { listen 80; server_name www.*; }\n"
                                      "server { listen 80; server_name www.x.*; }\n"
                                      "server { listen 80; server_name ~^w; }\n"
                                      "server { listen 80; server_name ~^UPPER$; }\n"
                                      "server { listen 80; server_name ~both; }\n"),
                        "");
    for (size_t i = 0; i < COUNT(asks); i++) {
        const char *got = chosen(s, 0, asks[i].host);

        if (strcmp(got, asks[i].want) != 0)
            fail_msg("%s: %s, want %s", asks[i].host, got, asks[i].want);
    }
}

static void groups_of_the_name_are_variables(void **state)
{
    struct stage *s = *state;

    assert_string_equal(
        stage_load(s,
                   "add_header A \"$user|$Rest|$1|$2|$3|$10\";\n"
                   "server { listen 80; server_name \"~^(?<user>[a-z]+)\\.(?<rest>x)?(.*)$\"; }"),
        "");
    struct exchange *x = stage_exchange(s, "GET / HTTP/1.1\r\nHost: ann.b.example\r\n\r\n");
    stage_phases(x, PHASE_POST_READ);
    assert_string_equal(stage_variable(x, "user"), "ann");
    assert_string_equal(stage_variable(x, "rest"), ""); /* took no part, as in NGINX: empty */
    x = stage_exchange(s, "GET / HTTP/1.1\r\nHost: b\r\n\r\n");
    stage_phases(x, PHASE_POST_READ);
    assert_string_equal(stage_variable(x, "user"), "-"); /* nothing matched */
}

static void an_expression_at_its_limit_is_an_error_of_ours(void **state)
{
    char head[400] = "GET / HTTP/1.1\r\nHost: ";
    struct stage *s = *state;

    assert_string_equal(stage_load(s, "server { listen 80; server_name \"~^(a+)+$\"; }\n"
                                      "server { listen 80; server_name other; }\n"),
                        "");
    memset(head + strlen(head), 'a', 200);
    strncat(head, ".b\r\n\r\n", 10);
    struct exchange *x = stage_exchange(s, head);
    assert_int_equal(stage_phases(x, PHASE_POST_READ), REFUSE);
    assert_int_equal(x->response.status, 500);
    assert_has(stage_log(s), "[error]");
    assert_has(stage_log(s), "\"^(a+)+$\" was given up");
}

static void this_machine_has_a_name(void **state)
{
    char name[256] = "";

    assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
    for (char *c = name; *c != '\0'; c++)
        *c = ascii_lower(*c);
    assert_string_equal(stage_load(*state, "server { listen 80; server_name a; }\n"
                                           "server { listen 80; server_name $hostname; }\n"),
                        "");
    assert_string_equal(chosen(*state, 0, name), name);
}

static const struct {
    const char *name, *want;
} odd[] = {
    { "*", "server name \"*\" is invalid" },
    { "*.", "server name \"*.\" is invalid" },
    { "*a.b", "server name \"*a.b\" is invalid" },
    { ".", "server name \".\" is invalid" },
    { "w*.a", "invalid server name or wildcard \"w*.a\"" },
    { "a.*.b", "invalid server name or wildcard \"a.*.b\"" },
    { "*.a.*", "invalid server name or wildcard \"*.a.*\"" },
    { "a..b", "invalid server name or wildcard \"a..b\"" },
    { "\"~\"", "empty regex in server name \"~\"" },
    { "\"~(a\"", "pcre2_compile() failed: missing closing parenthesis in \"(a\"" },
    { "\"~a[z-a]b\"", "range out of order in character class in \"a[z-a]b\" at \"a]b\"" },
    { "\"~(?<uri>a)\"", "the duplicate \"uri\" variable" },
};

static void odd_names_are_refused_at_their_place(void **state)
{
    for (size_t i = 0; i < COUNT(odd); i++) {
        char text[100];

        snprintf(text, sizeof(text), "server { server_name ok %s; }", odd[i].name);
        const char *said = stage_load(*state, text);
        assert_has(said, odd[i].want);
        assert_has(said, " in /etc/test.conf:1\n/etc/test.conf:1:25\n");
    }
    assert_has(stage_load(*state, "server { server_name a/b; }"),
               "[warn] server name \"a/b\" has suspicious symbols");
}

static void a_wildcard_in_two_servers_is_a_conflict(void **state)
{
    assert_has(stage_load(*state, "server { listen 80; server_name *.a b.*; }\n"
                                  "server { listen 80; server_name .a; }\n"
                                  "server { listen 80; server_name b.*; }\n"),
               "[warn] conflicting server name \"*.a\" on 0.0.0.0:80, ignored");
    assert_has(stage_load(*state, "server { listen 80; server_name b.*; }\n"
                                  "server { listen 80; server_name b.*; }\n"),
               "conflicting server name \"b.*\" on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(a_name_chooses_whatever_its_case_port_or_dot),
        STAGED(the_default_server_is_asked_for_or_the_first),
        STAGED(names_hold_for_the_listener_alone),
        STAGED(an_empty_name_is_for_requests_without_host),
        STAGED(of_two_servers_with_one_name_the_first_has_it),
        STAGED(thousands_of_names_are_each_found),
        STAGED(the_choice_is_noted_with_its_place),
        STAGED(a_name_is_sought_by_kind),
        STAGED(groups_of_the_name_are_variables),
        STAGED(an_expression_at_its_limit_is_an_error_of_ours),
        STAGED(this_machine_has_a_name),
        STAGED(odd_names_are_refused_at_their_place),
        STAGED(a_wildcard_in_two_servers_is_a_conflict),
    };

    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
