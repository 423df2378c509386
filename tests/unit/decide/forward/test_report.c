/* decide/forward/report: the variables of the forward face. */
#include "room.h"

static void the_variables_say_what_was_asked_and_decided(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "list social { .s.example; }\nlist games { .g.example; }\n"
                                      "rule deny if category games social and not port 81;\n"
                                      "rule allow if host .example;"),
                        "");
    assert_int_equal(room_get(r, "http://WWW.S.example:8080/a/b?secret=1"), 403);
    assert_string_equal(room_variable(r, "forward_protocol"), "http");
    assert_string_equal(room_variable(r, "forward_host"), "www.s.example");
    assert_string_equal(room_variable(r, "forward_port"), "8080");
    assert_string_equal(room_variable(r, "forward_url"), "http://www.s.example:8080/a/b");
    assert_string_equal(room_variable(r, "forward_to"), "-");
    assert_string_equal(room_variable(r, "forward_verdict"), "deny");
    assert_string_equal(room_variable(r, "forward_rule"), "office.conf:4");
    assert_string_equal(room_variable(r, "forward_stage"), "request");
    assert_string_equal(room_variable(r, "forward_reason"), "category social, not port 81");
    assert_string_equal(room_variable(r, "forward_category"), "social");
    assert_string_equal(room_variable(r, "forward_address"), "-");

    assert_int_equal(room_connect(r, "a.example:443"), 0);
    assert_string_equal(room_variable(r, "forward_protocol"), "connect");
    assert_string_equal(room_variable(r, "forward_url"), "a.example:443");
    assert_string_equal(room_variable(r, "forward_verdict"), "allow");
    assert_string_equal(room_variable(r, "forward_reason"), "host .example");
    assert_string_equal(room_variable(r, "forward_category"), "-");
    room_dial(r, "8.8.8.8");
    assert_string_equal(room_variable(r, "forward_address"), "8.8.8.8");
    assert_string_equal(room_variable(r, "forward_stage"), "request");
}

static void addresses_stand_in_brackets_in_urls(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow;"), "");
    room_get(r, "http://[2001:db8::1]/x");
    assert_string_equal(room_variable(r, "forward_host"), "2001:db8::1");
    assert_string_equal(room_variable(r, "forward_url"), "http://[2001:db8::1]/x");
    room_connect(r, "[2001:db8::1]:443");
    assert_string_equal(room_variable(r, "forward_url"), "[2001:db8::1]:443");
}

static void of_a_malformed_request_there_is_an_error_and_no_host(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule allow;"), "");
    assert_int_equal(room_get(r, "https://a.example/"), 400);
    assert_string_equal(room_variable(r, "forward_verdict"), "error");
    assert_string_equal(room_variable(r, "forward_host"), "-");
    assert_string_equal(room_variable(r, "forward_rule"), "-");
    assert_string_equal(room_variable(r, "forward_reason"), "https through a proxy: use CONNECT");
}

static void what_a_rule_shows_is_bounded_and_without_control_bytes(void **state)
{
    struct room *r = *state;
    char rules[2048];
    size_t len = 0;

    len += (size_t)snprintf(rules, sizeof(rules), "rule deny if host");
    for (unsigned i = 0; i < 60; i++)
        len += (size_t)snprintf(rules + len, sizeof(rules) - len, " h%u.a.example", i);
    snprintf(rules + len, sizeof(rules) - len,
             ";\nrule deny if method \"GET\" and\n\thost b.c.example;rule allow;");
    assert_string_equal(room_rules(r, rules), "");
    assert_int_equal(room_get(r, "http://b.c.example/"), 403);
    assert_string_equal(room_explanation(r),
                        "denied by office.conf:3: rule deny if method GET and host b.c.example");
    assert_int_equal(room_get(r, "http://h59.a.example/"), 403);
    const char *shown = room_explanation(r);
    assert_true(strlen(shown) < 400 && span_ends(span_of(shown), "..."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_variables_say_what_was_asked_and_decided),
        cmocka_unit_test(addresses_stand_in_brackets_in_urls),
        cmocka_unit_test(of_a_malformed_request_there_is_an_error_and_no_host),
        cmocka_unit_test(what_a_rule_shows_is_bounded_and_without_control_bytes),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
