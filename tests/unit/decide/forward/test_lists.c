/* decide/forward/lists: what stands in a list, where it is in force, and how exceptions win. */
#include "room.h"

static const struct {
    const char *lines, *said;
} cases[] = {
    { "list a { x.example; .y.example; 10.0.0.0/8; 192.0.2.1; except b.y.example "
      "10.1.0.0/16; plain; }\n"
      "rule deny if host @a and category a; rule allow if client @a;",
      "" },
    { "list a { ~ads; }", "2:10 \"~ads\": regular expressions are known, not supported yet\n" },
    { "list a { a.example/path; }",
      "2:10 \"a.example/path\": prefixes of URLs are known, not supported yet\n" },
    { "list a { file x.txt domains; except_file y cidr; }",
      "2:10 \"file\" is known, not supported yet\n2:30 \"except_file\" is known, not "
      "supported yet\n" },
    { "list a { b.example c.example; }", "2:20 one value a line: end \"b.example\" with \";\"\n" },
    { "list a { except; }", "2:10 values are missing after \"except\"\n" },
    { "list a { b.example { } }", "2:10 no block may stand in a list\n" },
    { "list a { b..c; }", "2:10 \"b..c\" is no host name\n" },
    { "list a { } list a { }", "2:17 duplicate list \"a\"\n" },
    { "rule allow if host @social;", "2:20 unknown list \"social\"\n" },
    { "list social { a.example; } rule allow if category socail;",
      "2:51 unknown list \"socail\" [did you mean \"social\"?]\n" },
    { "list names { a.example; } rule allow if client @names;",
      "2:48 the list \"names\" holds no addresses\n" },
    { "list none { except a.example; } rule allow if host @none;",
      "2:52 the list \"none\" is empty\n" },
};

static void every_list_is_read_or_refused_at_its_word(void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *said = room_rules(*state, cases[i].lines);

        if (!span_is(span_of(said), cases[i].said))
            fail_msg("%s\n said: %swant: %s", cases[i].lines, said, cases[i].said);
    }
}

static void the_list_of_the_block_wins_over_that_outside(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_read(r, "list far { a.example; }\n"
                                     "list near { b.example; }\n"
                                     "forward { listen 127.0.0.1:1; tunnel_peek off;\n"
                                     "  rule allow if host @far @near;\n"
                                     "  list near { c.example; }\n"
                                     "}\n"),
                        "");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
    assert_int_equal(room_get(r, "http://b.example/"), 403);
    assert_int_equal(room_get(r, "http://c.example/"), 0);
}

static void a_list_may_stand_after_the_block_that_uses_it(void **state)
{
    struct room *r = *state;

    assert_string_equal(
        room_read(r, "forward { listen 127.0.0.1:1; tunnel_peek off; rule allow if host @l; }\n"
                     "list l { a.example; }"),
        "");
    assert_int_equal(room_get(r, "http://a.example/"), 0);
}

static void exceptions_win_within_their_list(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "list n { .a.example; except .ok.a.example; }\n"
                                      "list l { 198.51.0.0/16; except 198.51.9.9; }\n"
                                      "rule deny if category l n; rule allow;"),
                        "");
    assert_int_equal(room_get(r, "http://a.example/"), 403);
    assert_string_equal(room_variable(r, "forward_category"), "n");
    assert_int_equal(room_get(r, "http://x.ok.a.example/"), 0);
    assert_int_equal(room_get(r, "http://198.51.1.1/"), 403);
    assert_int_equal(room_get(r, "http://198.51.9.9/"), 0);
}

static void a_category_with_addresses_is_judged_again_for_each_candidate(void **state)
{
    struct room *r = *state;

    assert_string_equal(room_rules(r, "list l { 198.41.0.0/16; bad.example; except 198.41.9.9; }\n"
                                      "rule deny if category l; rule allow;"),
                        "");
    assert_int_equal(room_get(r, "http://fine.example/"), 0);
    assert_true(room_dial(r, "8.8.8.8:80"));
    assert_int_equal(room_get(r, "http://fine.example/"), 0);
    assert_false(room_dial(r, "198.41.1.1:80"));
    assert_int_equal(r->x.fault, FAULT_HTTP_REQUEST_DENIED);
    assert_string_equal(room_variable(r, "forward_stage"), "address");
    assert_string_equal(room_variable(r, "forward_category"), "l");
    assert_int_equal(room_get(r, "http://fine.example/"), 0);
    assert_true(room_dial(r, "198.41.9.9:80"));
    assert_int_equal(room_get(r, "http://bad.example/"), 0); /* an exception may still come */
    assert_true(room_dial(r, "198.41.9.9:80"));
    assert_int_equal(room_get(r, "http://bad.example/"), 0);
    assert_false(room_dial(r, "8.8.8.8:80"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_is_read_or_refused_at_its_word),
        cmocka_unit_test(the_list_of_the_block_wins_over_that_outside),
        cmocka_unit_test(a_list_may_stand_after_the_block_that_uses_it),
        cmocka_unit_test(exceptions_win_within_their_list),
        cmocka_unit_test(a_category_with_addresses_is_judged_again_for_each_candidate),
    };

    return cmocka_run_group_tests(tests, room_open, room_close);
}
