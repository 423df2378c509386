/* base/span: bytes that somebody else owns. */
#include "unit/base/unit.h"

static void the_empty_span_is_equal_to_every_empty_span(void **state)
{
    struct span none = { NULL, 0 };

    (void)state;
    assert_true(span_same(none, span_of("")));
    assert_true(span_is(none, ""));
    assert_int_equal(span_of(NULL).len, 0);
    assert_true(span_same_caseless(none, none));
}

static void only_ascii_letters_lose_their_case(void **state)
{
    (void)state;
    assert_true(span_is_caseless(span_of("Content-TYPE"), "cOnTent-type"));
    assert_false(span_is_caseless(span_of("a["), "a{")); /* 0x5b and 0x7b differ by the same bit */
    assert_false(span_is_caseless(span_of("@"), "`"));
    assert_false(span_is_caseless(span_of("\xc4"), "\xe4"));
    assert_false(span_is_caseless(span_of("ab"), "abc"));
}

static void a_beginning_may_not_be_longer_than_the_whole(void **state)
{
    (void)state;
    assert_true(span_starts(span_of("/api/v1"), "/api/"));
    assert_true(span_starts(span_of("x"), ""));
    assert_false(span_starts(span_of("/ap"), "/api"));
    assert_true(span_starts_caseless(span_of("BYTES=1"), "bytes="));
    assert_false(span_starts_caseless(span_of("BYTE"), "bytes="));
    assert_true(span_ends(span_of("a.b"), ".b"));
    assert_false(span_ends(span_of("b"), ".b"));
}

static void spans_agree_as_far_as_the_shorter_goes(void **state)
{
    (void)state;
    assert_true(span_agrees(span_of("PRO"), "PROXY"));
    assert_true(span_agrees(span_of("PROXY TCP4"), "PROXY"));
    assert_true(span_agrees(span_of(""), "PROXY"));
    assert_false(span_agrees(span_of("PRX"), "PROXY"));
}

static void chop_takes_one_byte_or_leaves_all(void **state)
{
    struct span s = span_of("a\r\r"), empty = span_of("");

    (void)state;
    assert_true(span_chop(&s, '\r'));
    assert_span(s, "a\r");
    assert_false(span_chop(&s, 'a'));
    assert_int_equal(s.len, 2);
    assert_false(span_chop(&empty, 'a'));
}

static void cut_belongs_to_neither_part(void **state)
{
    struct span head = span_of("untouched"), tail = span_of("untouched");

    (void)state;
    assert_false(span_cut(span_of("abc"), '=', &head, &tail));
    assert_span(head, "untouched");
    assert_span(tail, "untouched");
    assert_true(span_cut(span_of("a=b=c"), '=', &head, &tail));
    assert_span(head, "a");
    assert_span(tail, "b=c");
    assert_true(span_cut(span_of("a="), '=', &head, &tail));
    assert_span(tail, "");
    assert_int_equal(span_find((struct span){ NULL, 0 }, 'x'), 0);
}

static void trim_takes_spaces_and_tabs_alone(void **state)
{
    (void)state;
    assert_span(span_trim(span_of(" \t a b\t ")), "a b");
    assert_span(span_trim(span_of("\r\na\v")), "\r\na\v");
    assert_span(span_trim(span_of(" \t ")), "");
}

static void parts_never_leave_the_whole(void **state)
{
    struct span s = span_of("abc");

    (void)state;
    assert_span(span_from(s, 1), "bc");
    assert_int_equal(span_from(s, 9).len, 0);
    assert_ptr_equal(span_from(s, 9).at, s.at + 3);
    assert_span(span_first(s, 9), "abc");
    assert_span(span_first(s, 2), "ab");
}

static void a_string_for_a_library_holds_no_zero_byte(void **state)
{
    char text[8] = "before";

    (void)state;
    assert_false(span_to_cstr((struct span){ "1.2\0evil", 4 }, sizeof(text), text));
    assert_string_equal(text, "before");
    assert_false(span_to_cstr(span_of("12345678"), sizeof(text), text)); /* no room for the zero */
    assert_string_equal(text, "before");
    assert_true(span_to_cstr(span_of("1234567"), sizeof(text), text));
    assert_string_equal(text, "1234567");
    assert_true(span_to_cstr((struct span){ NULL, 0 }, sizeof(text), text));
    assert_string_equal(text, "");
}

static void members_of_a_list_come_trimmed_without_empty_ones(void **state)
{
    static const char *const want[] = { "close", "keep-alive", "a b" };
    struct span list = span_of(",, close ,\tkeep-alive,  ,a b,"), member;
    size_t n = 0;

    (void)state;
    while (span_next_member(&list, &member))
        assert_span(member, n < COUNT(want) ? want[n++] : "no more");
    assert_int_equal(n, COUNT(want));
    assert_false(span_next_member(&list, &member));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_span_is_equal_to_every_empty_span),
        cmocka_unit_test(only_ascii_letters_lose_their_case),
        cmocka_unit_test(a_beginning_may_not_be_longer_than_the_whole),
        cmocka_unit_test(spans_agree_as_far_as_the_shorter_goes),
        cmocka_unit_test(chop_takes_one_byte_or_leaves_all),
        cmocka_unit_test(cut_belongs_to_neither_part),
        cmocka_unit_test(trim_takes_spaces_and_tabs_alone),
        cmocka_unit_test(parts_never_leave_the_whole),
        cmocka_unit_test(a_string_for_a_library_holds_no_zero_byte),
        cmocka_unit_test(members_of_a_list_come_trimmed_without_empty_ones),
    };

    return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
