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
    assert_string_equal(chosen(s, 0, "nameless"), "nameless");
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
        assert_string_equal(l->find(l, span_of(name))->label.at, name);
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

static void names_of_later_versions_are_refused(void **state)
{
    static const char *const names[] = { "*.a", ".a", "a.*", "~^a$", "$hostname" };

    for (size_t i = 0; i < COUNT(names); i++) {
        char text[100];

        snprintf(text, sizeof(text), "server { server_name ok %s; }", names[i]);
        const char *said = stage_load(*state, text);
        assert_has(said, "known, not supported yet in /etc/test.conf:1\n/etc/test.conf:1:25\n");
    }
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
        STAGED(names_of_later_versions_are_refused),
    };

    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
