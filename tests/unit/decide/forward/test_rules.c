/* decide/forward/rules: lines of rules; what is refused, and at which word. */
#include "room.h"

static const struct {
    const char *lines, *said;
} cases[] = {
    { "rule allow;", "" },
    { "rule allow to=b.example:8080 if host a.example and port 80 443 and method GET \"get\";",
      "" },
    { "rule deny if host .a.example *.b.example c.d.example 127.1 [::1] plain literal; rule allow;",
      "" },
    { "rule deny if not client 10.0.0.0/8 and protocol http connect; rule allow;", "" },
    { "rule deny if address private 1.2.3.4 10.0.0.0/8 special own; rule allow;", "" },
    { "rule allow if method \"and\";", "" },
    { "rule allow if host \"plain\" and host \"if\";", "" },

    /* what this version does not do yet */
    { "rule redirect http://a/ if host a.b;", "2:6 \"redirect\" is known, not supported yet\n" },
    { "rule challenge;", "2:6 \"challenge\" is known, not supported yet\n" },
    { "rule set via=hq;", "2:6 \"set\" is known, not supported yet\n" },
    { "rule allow via=hq;", "2:12 \"via\" is known, not supported yet\n" },
    { "rule deny page=policy if host a.b.c;", "2:11 \"page\" is known, not supported yet\n" },
    { "rule deny \"message=a b\";", "2:11 \"message\" is known, not supported yet\n" },
    { "rule deny dry_run;", "2:11 \"dry_run\" is known, not supported yet\n" },
    { "rule allow if user any;", "2:15 \"user\" is known, not supported yet\n" },
    { "rule allow if client 10.0.0.1 and not time office;",
      "2:39 \"time\" is known, not supported yet\n" },
    { "rule allow if $http_x a;", "2:15 \"$http_x\" is known, not supported yet\n" },
    { "rule allow if sni a.b.c;", "2:15 \"sni\" is known, not supported yet\n" },
    { "rule allow if protocol socks5;", "2:24 \"socks5\" is known, not supported yet\n" },
    { "rule deny if host ~^ads;",
      "2:19 \"~^ads\": regular expressions are known, not supported yet\n" },
    { "deny_page default x.html;", "2:1 \"deny_page\" directive is known, not supported yet\n" },
    { "schedule office { all 0-24; }", "2:1 \"schedule\" directive is known, not supported yet\n" },

    /* nonsense */
    { "rule alow;", "2:6 unknown verdict \"alow\" [did you mean \"allow\"?]\n" },
    { "rule \"allow\";", "2:6 unknown verdict \"allow\" [did you mean \"allow\"?]\n" },
    { "rule allow anonimity=elite;",
      "2:12 unknown setting \"anonimity\" [did you mean \"anonymity\"?]\n" },
    { "rule allow host a.b;", "2:12 unknown setting \"host\"\n" },
    { "rule deny and host a.b;", "2:11 \"if\" is missing before \"and\"\n" },
    { "rule allow to;", "2:12 a value is missing: \"to=...\"\n" },
    { "rule allow to=;", "2:12 \"\" is no HOST[:PORT]\n" },
    { "rule allow to=a:0;", "2:12 \"a:0\" is no HOST[:PORT]\n" },
    { "rule allow to=a to=b;", "2:17 \"to=\" is duplicate\n" },
    { "rule deny to=a;", "2:11 \"to=\" goes with \"allow\" only\n" },
    { "rule allow if;", "2:12 a condition is missing here\n" },
    { "rule allow if host a.b.c and;", "2:26 a condition is missing here\n" },
    { "rule allow if and host a;", "2:15 a condition is missing here\n" },
    { "rule allow if not;", "2:15 a condition is missing here\n" },
    { "rule allow if hots a.b;", "2:15 unknown condition \"hots\" [did you mean \"host\"?]\n" },
    { "rule allow if \"host\" a.b;", "2:15 unknown condition \"host\" [did you mean \"host\"?]\n" },
    { "rule allow if xyzzy 1;", "2:15 unknown condition \"xyzzy\"\n" },
    { "rule allow if host;", "2:15 values are missing after \"host\"\n" },
    { "rule allow if host and port 80;", "2:15 values are missing after \"host\"\n" },
    { "rule allow if port 80 x;",
      "2:23 invalid port \"x\", expected a number from 1 to 65535, or A-B\n" },
    { "rule allow if protocol htp;",
      "2:24 \"htp\" is no protocol, expected \"http\" or \"connect\"\n" },
    { "rule allow if method \"a b\";", "2:22 \"a b\" is no method\n" },
    { "rule allow if client all;",
      "2:22 \"all\" is neither an address, nor a network, nor a range \"A-B\"\n" },
    { "rule allow if client a.example;",
      "2:22 \"a.example\" is neither an address, nor a network, nor a range \"A-B\"\n" },
    { "rule allow if address privat;",
      "2:23 \"privat\" is neither an address, nor a network, nor a range "
      "\"A-B\" [did you mean \"private\"?]\n" },
    { "rule allow if host a..b;", "2:20 \"a..b\" is no host name\n" },
    { "rule allow if host b\xc3\xbc.example;",
      "2:20 \"b\xc3\xbc.example\" has letters beyond ASCII, which is not supported yet; write its "
      "\"xn--\" form\n" },
    { "rule allow if category @a;", "2:24 category takes the name of a list, without \"@\"\n" },
    { "rule allow if host a.b.c port 443;",
      "2:26 \"and\" is missing before \"port\" (quote it if it is a value)\n" },
    { "rule allow if category l not client 10.0.0.1;",
      "2:26 \"and\" is missing before \"not\" (quote it if it is a value)\n" },
    { "rule allow if method GET path;",
      "2:26 \"and\" is missing before \"path\" (quote it if it is a value)\n" },
    { "rule allow if host @;", "2:20 the name of the list is missing\n" },

    /* hints */
    { "rule deny if host facebook.com www.facebook.com; rule allow;",
      "warn 2:14 \"facebook.com\" stands for that name alone: write \".facebook.com\" "
      "for all below it too\n" },
};

static void every_line_is_read_or_refused_at_its_word(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *said = room_rules(*state, cases[i].lines);

        if (!span_is(span_of(said), cases[i].said))
            fail_msg("%s\n said: %swant: %s", cases[i].lines, said, cases[i].said);
    }
}

static void errors_of_several_rules_come_together(void **state)
{
    assert_string_equal(room_rules(*state, "rule alow;\nrule allow if port 0 99999;"),
                        "2:6 unknown verdict \"alow\" [did you mean \"allow\"?]\n"
                        "3:20 invalid port \"0\", expected a number from 1 to 65535, or A-B\n"
                        "3:22 invalid port \"99999\", expected a number from 1 to 65535, or A-B\n");
}

static void when_puts_its_conditions_before_each_rule_inside_and_keeps_the_order(void **state)
{
    struct room *r = *state;

    assert_string_equal(
        room_rules(r, "rule deny if host .x.example;\n"
                      "when client 127.0.0.1 {\n"
                      "    when host .a.example { rule deny if port 81; rule allow; }\n"
                      "    rule allow if host b.example;\n"
                      "}\n"
                      "rule allow if host c.example;"),
        "");
    assert_int_equal(room_get(r, "http://www.a.example/"), 0);
    assert_string_equal(room_variable(r, "forward_rule"), "office.conf:4");
    assert_int_equal(room_get(r, "http://www.a.example:81/"), 403);
    assert_int_equal(room_get(r, "http://b.example/"), 0);
    assert_int_equal(room_get(r, "http://c.example/"), 0);
    assert_int_equal(room_get(r, "http://d.example/"), 403);
    assert_int_equal(room_ask_from(r, "127.0.0.2", "GET http://b.example/ HTTP/1.0\r\n\r\n"), 403);
    assert_int_equal(room_ask_from(r, "127.0.0.2", "GET http://c.example/ HTTP/1.0\r\n\r\n"), 0);
}

static void when_takes_only_rules_and_is_nested_four_deep_at_most(void **state)
{
    assert_string_equal(
        room_rules(*state, "when port 80 { listen 1; }"),
        "2:16 \"listen\": only \"rule VERDICT ...;\" and \"when CONDITION { }\" may stand in a "
        "\"when\"\n");
    assert_string_equal(room_rules(*state,
                                   "when port 1 { when port 1 { when port 1 { when port 1 {\n"
                                   "when port 1 { rule allow; } } } } }"),
                        "3:1 \"when\" is nested too deep, at most 4\n");
    assert_string_equal(room_rules(*state, "when hots a { rule allow; }"),
                        "2:6 unknown condition \"hots\" [did you mean \"host\"?]\n");
    assert_string_equal(room_rules(*state, "when port 80 { } rule allow;"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_is_read_or_refused_at_its_word),
        cmocka_unit_test(errors_of_several_rules_come_together),
        cmocka_unit_test(when_puts_its_conditions_before_each_rule_inside_and_keeps_the_order),
        cmocka_unit_test(when_takes_only_rules_and_is_nested_four_deep_at_most),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
