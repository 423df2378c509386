/* base/pattern: expressions that compile or say why, groups, names, and the limit. */
#include "base/pattern.h"
#include "unit.h"

#include <time.h>

static struct pattern *made(const char *text, bool caseless)
{
    char reason[PATTERN_REASON] = "";
    size_t at = 0;
    struct pattern *p = pattern_new(span_of(text), caseless, reason, &at);

    if (p == NULL)
        fail_msg("%s: %s at %zu", text, reason, at);
    return p;
}

static const struct {
    const char *text, *subject;
    bool caseless;
    const char *whole, *first; /* NULL: no match; "-": took no part */
} matches[] = {
    { "^/a(.*)$", "/abc", false, "/abc", "bc" },
    { "^/a(.*)$", "/xabc", false, NULL, NULL },
    { "^/A", "/abc", false, NULL, NULL },
    { "^/A", "/abc", true, "/a", "-" },
    { "b", "abc", false, "b", "-" },
    { "(x)?b", "abc", false, "b", "-" },
    { "()b", "abc", false, "b", "" },
    { "", "", false, "", "-" },
    { "^.$", "\xff", false, "\xff", "-" },         /* bytes, not characters */
    { "\\.php$", "/x.php\n", false, ".php", "-" }, /* PCRE's `$`; control bytes get no request */
};

static void a_match_gives_its_groups(void **state)
{
    struct pattern_room *room = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT(matches); i++) {
        struct pattern *p = made(matches[i].text, matches[i].caseless);
        struct pattern_groups groups;
        enum pattern_verdict verdict =
            pattern_match(p, &room, span_of(matches[i].subject), &groups);

        assert_int_equal(verdict, matches[i].whole != NULL ? PATTERN_MATCH : PATTERN_NO);
        if (verdict == PATTERN_MATCH) {
            struct span first = pattern_group(&groups, 1);

            assert_true(span_is(pattern_group(&groups, 0), matches[i].whole));
            assert_true(first.at == NULL ? strcmp(matches[i].first, "-") == 0
                                         : span_is(first, matches[i].first));
        }
        pattern_free(&p);
    }
    pattern_room_free(&room);
}

static void names_are_known_with_their_groups(void **state)
{
    struct pattern *p = made("^(?<user>[a-z]+)-(\\d+)-(?P<rest>.*)$", false);
    struct pattern_room *room = NULL;
    struct pattern_groups groups;
    unsigned rest, user;

    (void)state;
    assert_int_equal(pattern_group_count(p), 3);
    assert_int_equal(pattern_name_count(p), 2);
    assert_true(span_is(pattern_name(p, 0, &rest), "rest"));
    assert_true(span_is(pattern_name(p, 1, &user), "user"));
    assert_int_equal(pattern_match(p, &room, span_of("ann-7-x-y"), &groups), PATTERN_MATCH);
    assert_true(span_is(pattern_group(&groups, user), "ann"));
    assert_true(span_is(pattern_group(&groups, 2), "7"));
    assert_true(span_is(pattern_group(&groups, rest), "x-y"));
    pattern_free(&p);
    pattern_room_free(&room);
}

static void what_does_not_compile_says_why_and_where(void **state)
{
    char reason[PATTERN_REASON], many[PATTERN_MOST_GROUPS * 2 + 1];
    size_t at;

    (void)state;
    assert_null(pattern_new(span_of("(a"), false, reason, &at));
    assert_string_equal(reason, "missing closing parenthesis");
    assert_int_equal(at, 2);
    assert_null(pattern_new(span_of("a[z-a]b"), false, reason, &at));
    assert_string_equal(reason, "range out of order in character class");
    assert_int_equal(at, 4);
    for (unsigned i = 0; i < PATTERN_MOST_GROUPS; i++)
        memcpy(many + (size_t)2 * i, "()", 3);
    assert_null(pattern_new(span_of(many), false, reason, &at));
    assert_string_equal(reason, "too many groups");
}

/* TARG-36: the steps end it, not the subject's length. */
static void an_expression_that_backtracks_ends_at_the_limit(void **state)
{
    static const char *const texts[] = { "^/(a+)+$", "^/(a|aa)+$", "^/(.*a){20}$" };
    struct pattern_room *room = NULL;
    char subject[5003];

    (void)state;
    memset(subject, 'a', sizeof(subject));
    subject[0] = '/';
    memcpy(subject + sizeof(subject) - 2, "b", 2);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct pattern *p = made(texts[i], false);
        struct pattern_groups groups;

        assert_int_equal(pattern_match(p, &room, span_of(subject), &groups), PATTERN_LIMIT);
        assert_int_equal(pattern_match(p, &room, span_of("/a"), &groups),
                         i < 2 ? PATTERN_MATCH : PATTERN_NO);
        pattern_free(&p);
    }
    pattern_room_free(&room);
}

/* TARG-36: each run of letters costs 2^14 steps, and there are hundreds of them. */
static void many_places_to_begin_share_the_steps(void **state)
{
    struct pattern *p = made("(a+)+$", false), *walk = made("/(.*)\\.php$", false);
    struct pattern_room *room = NULL;
    struct pattern_groups groups;
    char subject[8193];

    (void)state;
    for (size_t i = 0; i < sizeof(subject); i++)
        subject[i] = i % 15 == 0 ? '/' : 'a';
    memcpy(subject + sizeof(subject) - 8, ".php/no", 8);
    assert_int_equal(pattern_match(p, &room, span_of(subject), &groups), PATTERN_LIMIT);
    assert_int_equal(pattern_match(walk, &room, span_of(subject), &groups), PATTERN_NO);
    subject[1000] = '\0';
    assert_int_equal(pattern_match(walk, &room, span_of(subject), &groups), PATTERN_NO);
    pattern_free(&p);
    pattern_free(&walk);
    pattern_room_free(&room);
}

/* The same without machine code, where a system forbids it. */
/* Each place is a walk to the end, which no limit of PCRE2's ends: half a second for 31 KiB. */
static void walks_from_all_places_of_a_long_subject_end_in_time(void **state)
{
    static const char *const texts[] = { "(a|b)+[0-9]", "(?:a|b)*[0-9]", "(a|[b-z])+[0-9]" };
    struct pattern_room *room = NULL;
    static char subject[31 * 1024 + 1];

    (void)state;
    memset(subject, 'a', sizeof(subject) - 1);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct pattern *p = made(texts[i], false);
        struct pattern_groups groups;
        clock_t began = clock();

        assert_int_equal(pattern_match(p, &room, span_of(subject), &groups), PATTERN_LIMIT);
        assert_true(clock() - began < CLOCKS_PER_SEC / 5);
        pattern_free(&p);
    }
    pattern_room_free(&room);
}

static const struct {
    const char *text, *tail;
    size_t whole; /* bytes of the match; SIZE_MAX: none */
} at_ends[] = {
    { "x", "x", 1 },        { "(?<=a)x$", "x", 1 },  { "\\Bx\\b", "x", 1 },
    { "ax", "x", 2 },       { "^x", "x", SIZE_MAX }, { "\\Gx", "x", SIZE_MAX },
    { ".*x", "x", 20001 },  { "$", "", 0 },          { "a(*COMMIT)x", "x", SIZE_MAX },
    { "y", "x", SIZE_MAX },
};

/* Turns are nobody's business but ours: what stands before a place is still seen. */
static void a_match_at_the_end_of_a_long_subject_is_found(void **state)
{
    struct pattern_room *room = NULL;
    static char subject[20100];

    (void)state;
    for (size_t i = 0; i < COUNT(at_ends); i++) {
        struct pattern *p = made(at_ends[i].text, false);
        struct pattern_groups groups;

        memset(subject, 'a', 20000);
        strcpy(subject + 20000, at_ends[i].tail);
        enum pattern_verdict verdict = pattern_match(p, &room, span_of(subject), &groups);
        if ((verdict == PATTERN_MATCH) != (at_ends[i].whole != SIZE_MAX) ||
            (verdict == PATTERN_MATCH && pattern_group(&groups, 0).len != at_ends[i].whole))
            fail_msg("%s: %d", at_ends[i].text, (int)verdict);
        pattern_free(&p);
    }
    pattern_room_free(&room);
}

static void the_interpreter_has_limits_too(void **state)
{
    struct pattern *p = made("(*NO_JIT)^/(a+)+$", false);
    struct pattern_room *room = NULL;
    struct pattern_groups groups;
    char subject[5003];

    (void)state;
    memset(subject, 'a', sizeof(subject));
    subject[0] = '/';
    memcpy(subject + sizeof(subject) - 2, "b", 2);
    assert_int_equal(pattern_match(p, &room, span_of(subject), &groups), PATTERN_LIMIT);
    subject[sizeof(subject) - 2] = 'a';
    assert_int_equal(pattern_match(p, &room, span_of(subject), &groups), PATTERN_MATCH);
    pattern_free(&p);
    pattern_room_free(&room);
}

static void bytes_that_are_no_utf_8_are_given_up_where_it_is_wanted(void **state)
{
    struct pattern *p = made("(*UTF)^/.$", false);
    struct pattern_room *room = NULL;
    struct pattern_groups groups;

    (void)state;
    assert_int_equal(pattern_match(p, &room, span_of("/\xc3\xa9"), &groups), PATTERN_MATCH);
    assert_int_equal(pattern_match(p, &room, span_of("/\xff"), &groups), PATTERN_LIMIT);
    pattern_free(&p);
    pattern_room_free(&room);
}

static void a_long_subject_alone_is_no_reason_to_give_up(void **state)
{
    static const char *const texts[] = { "^/(?:a|b)*c$", "^/(.*)c$", "^(/[^/]*)+$", "(.)*c" };
    struct pattern_room *room = NULL;
    char subject[8193];

    (void)state;
    memset(subject, 'a', sizeof(subject));
    subject[0] = '/';
    memcpy(subject + sizeof(subject) - 2, "c", 2);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct pattern *p = made(texts[i], false);
        struct pattern_groups groups;

        assert_int_equal(pattern_match(p, &room, span_of(subject), &groups), PATTERN_MATCH);
        pattern_free(&p);
    }
    pattern_room_free(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_match_gives_its_groups),
        cmocka_unit_test(names_are_known_with_their_groups),
        cmocka_unit_test(what_does_not_compile_says_why_and_where),
        cmocka_unit_test(an_expression_that_backtracks_ends_at_the_limit),
        cmocka_unit_test(many_places_to_begin_share_the_steps),
        cmocka_unit_test(the_interpreter_has_limits_too),
        cmocka_unit_test(walks_from_all_places_of_a_long_subject_end_in_time),
        cmocka_unit_test(a_match_at_the_end_of_a_long_subject_is_found),
        cmocka_unit_test(bytes_that_are_no_utf_8_are_given_up_where_it_is_wanted),
        cmocka_unit_test(a_long_subject_alone_is_no_reason_to_give_up),
    };

    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
