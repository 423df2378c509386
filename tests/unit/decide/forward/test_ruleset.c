/* decide/forward/ruleset: the order of rules, later conditions, and rules that nothing reaches. */
#include "room.h"

static void the_first_rule_that_matches_decides(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule deny if host .a.example and port 81;\n"
                                      "rule allow if host x.a.example y.a.example;\n"
                                      "rule deny if host .a.example;\n"
                                      "rule allow if host .example;"),
                        "");
    assert_int_equal(room_get(r, "http://x.a.example:81/"), 403);
    assert_string_equal(room_variable(r, "forward_rule"), "office.conf:2");
    assert_int_equal(room_get(r, "http://x.a.example/"), 0);
    assert_string_equal(room_variable(r, "forward_rule"), "office.conf:3");
    assert_int_equal(room_get(r, "http://z.a.example/"), 403);
    assert_string_equal(room_variable(r, "forward_rule"), "office.conf:4");
    assert_int_equal(room_get(r, "http://b.example/"), 0);
    assert_int_equal(room_get(r, "http://b.net/"), 403);
    assert_string_equal(room_variable(r, "forward_rule"), "default");
    assert_string_equal(room_explanation(r), "denied by default: no rule allows it");
}

static void a_deny_by_address_waits_for_the_address(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "rule deny if address 8.0.0.0/8;\nrule allow;"), "");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_false(room_dial(r, "8.8.8.8"));
    assert_string_equal(room_explanation(r),
                        "denied by office.conf:2: rule deny if address 8.0.0.0/8");
    assert_true(room_dial(r, "9.9.9.9"));
    assert_string_equal(room_variable(r, "forward_rule"), "office.conf:3");
    assert_string_equal(room_explanation(r), "-");
}

static void an_allow_by_address_goes_on_to_be_confirmed(void **state)
{
    struct room *r = *state;

    assert_string_equal(
        room_rules(r, "rule allow if host db.example and port 5432 and address 10.8.0.0/16;\n"
                      "rule allow if host .example;"),
        "");
    assert_int_equal(room_connect(r, "db.example:5432"), 0);
    assert_string_equal(room_variable(r, "forward_verdict"), "error"); /* not yet decided */
    assert_true(room_dial(r, "10.8.1.1"));
    assert_string_equal(room_variable(r, "forward_verdict"), "allow");
    assert_string_equal(room_variable(r, "forward_address"), "10.8.1.1");
    assert_int_equal(room_connect(r, "db.example:5432"), 0);
    assert_false(room_dial(r, "8.8.8.8")); /* the second rule decides, and names no port */
    assert_string_equal(room_variable(r, "forward_rule"), "floor:port");
    assert_int_equal(room_connect(r, "db.example:443"), 0);
    assert_false(room_dial(r, "10.8.1.1"));
    assert_string_equal(room_variable(r, "forward_rule"), "floor:address");
    assert_true(room_dial(r, "8.8.8.8"));
}

static void none_left_is_told_by_the_first_ones_rule(void **state)
{
    struct room *r = *state;

    assert_string_equal(
        room_rules(r, "rule deny if address 8.0.0.0/8;\nrule deny if address 9.0.0.0/8;\n"
                      "rule allow;"),
        "");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_false(room_dial(r, "9.9.9.9"));
    assert_false(room_dial(r, "8.8.8.8"));
    assert_false(room_dial(r, "127.0.0.1"));
    assert_int_equal(r->x.fault, FAULT_HTTP_REQUEST_DENIED);
    assert_string_equal(room_variable(r, "forward_rule"), "office.conf:3");
    assert_string_equal(room_variable(r, "forward_reason"), "address 9.0.0.0/8");
}

static const struct {
    const char *lines;
    unsigned by; /* the line that decides before the last one; 0: it can be reached */
} reach[] = {
    { "rule allow;\nrule deny;", 2 },
    { "rule deny;\nrule allow if host a.b.c;", 2 },
    { "rule allow if host .a.b.c;\nrule deny if host x.a.b.c;", 2 },
    { "rule allow if host x.a.b.c;\nrule deny if host .a.b.c;", 0 },
    { "rule allow if host a.b.c;\nrule deny if host a.b.c and port 80;", 2 },
    { "rule allow if host a.b.c and port 80;\nrule deny if host a.b.c;", 0 },
    { "rule allow if client 10.0.0.0/8;\nrule deny if client 10.1.0.0/16 10.2.0.1;", 2 },
    { "rule allow if client 10.0.0.0/8;\nrule deny if client 10.1.0.0/16 11.2.0.1;", 0 },
    { "rule allow if not client 10.0.0.0/8;\nrule deny if not client 10.0.0.0/7;", 2 },
    { "rule allow if not client 10.0.0.0/8;\nrule deny if client 11.0.0.0/8;", 0 },
    { "rule allow if port 80-90;\nrule deny if port 85;", 2 },
    { "rule allow if port 80-90;\nrule deny if port 85 91;", 0 },
    { "rule allow if method GET POST;\nrule deny if method POST and host a.b.c;", 2 },
    { "rule allow if protocol http;\nrule deny if protocol connect;", 0 },
    { "list l { a.b.c; } rule allow if category l;\nrule deny if category l and port 80;", 2 },
    { "list l { a.b.c; } rule allow if host @l;\nrule deny if category l;", 0 },
    { "rule allow if address private;\nrule deny if address private;", 2 },
    { "rule allow if address private own;\nrule deny if address own and port 80;", 2 },
    { "rule allow if host literal plain;\nrule deny if host 1.2.3.4;", 2 },
    { "rule allow if host plain;\nrule deny if host 1.2.3.4;", 0 },
    { "rule allow if host 127.1;\nrule deny if host 127.0.0.1;", 2 },
    { "when port 80 {\nrule allow; }\nrule deny if port 80 and host a.b.c;", 3 },
};

static void a_rule_that_nothing_reaches_is_refused(void **state)
{
    char want[128];

    for (size_t i = 0; i < COUNT(reach); i++) {
        const char *said = room_rules(*state, reach[i].lines);

        snprintf(want, sizeof(want),
                 "this rule cannot be reached: the one in /etc/office.conf:%u decides before it\n",
                 reach[i].by);
        bool refused = span_ends(span_of(said), want);
        if (refused != (reach[i].by > 0) || (!refused && !span_is(span_of(said), "")))
            fail_msg("%s\n said: %s", reach[i].lines, said);
    }
}

static void many_rules_are_read_and_judged(void **state)
{
    enum { RULES = 1000 };
    struct room *r = *state;
    static char text[RULES * 64];
    size_t len = 0;
    char url[64];

    len += (size_t)snprintf(text, sizeof(text), "forward { listen 127.0.0.1:1; tunnel_peek off;\n");
    for (unsigned i = 0; i < RULES; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "rule %s if host .h%u.example;\n",
                                i % 2 ? "deny" : "allow", i);
    snprintf(text + len, sizeof(text) - len, "}\n");
    assert_string_equal(room_read(r, text), "");
    for (unsigned i = 0; i < RULES; i += 111) {
        snprintf(url, sizeof(url), "http://www.h%u.example/", i);
        assert_int_equal(room_get(r, url), i % 2 ? 403 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_matches_decides),
        cmocka_unit_test(a_deny_by_address_waits_for_the_address),
        cmocka_unit_test(an_allow_by_address_goes_on_to_be_confirmed),
        cmocka_unit_test(none_left_is_told_by_the_first_ones_rule),
        cmocka_unit_test(a_rule_that_nothing_reaches_is_refused),
        cmocka_unit_test(many_rules_are_read_and_judged),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
