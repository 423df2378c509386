/* decide/forward/names: how hosts are written, and which of many sets have one. */
#include "base/arena.h"
#include "decide/forward/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static int open_arena(void **state)
{
    static struct arena arena;

    arena_init(&arena, 65536, NULL);
    *state = &arena;
    return 0;
}

static int close_arena(void **state)
{
    arena_done(*state);
    return 0;
}

static const struct {
    const char *text, *name;
    enum reach reach;
} good[] = {
    { "a.example", "a.example", REACH_ITSELF },
    { ".a.example", "a.example", REACH_BOTH },
    { "*.a.example", "a.example", REACH_BELOW },
    { "A.EXAMPLE.", "a.example", REACH_ITSELF },
    { ".XN--BCHER-KVA.example.", "xn--bcher-kva.example", REACH_BOTH },
    { "intranet", "intranet", REACH_ITSELF },
    { "under_score.example", "under_score.example", REACH_ITSELF },
    { ".com", "com", REACH_BOTH },
};

static void names_are_read_without_case_and_outer_dots(void **state)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct name_pattern p;
        const char *fault = name_read(span_of(good[i].text), *state, &p);

        if (fault != NULL || !span_is(p.name, good[i].name) || p.reach != good[i].reach)
            fail_msg("%s: %s", good[i].text, fault ? fault : "read as another");
    }
}

static void any_notation_of_an_address_is_that_address(void **state)
{
    static const char *const loopbacks[] = { "127.0.0.1",  "127.1",  "2130706433", "0x7f000001",
                                             "0177.0.0.1", "0x7f.1", "127.0.0.1.", "0x7F.0.0x0.1" };
    struct name_pattern p;

    for (size_t i = 0; i < COUNT(loopbacks); i++) {
        if (name_read(span_of(loopbacks[i]), *state, &p) != NULL || p.name.len != 0)
            fail_msg("%s is no address", loopbacks[i]);
        assert_memory_equal(p.address.ip, "\x7f\0\0\1", 4);
    }
    assert_null(name_read(span_of("[2001:db8::1]"), *state, &p));
    assert_int_equal(p.address.family, AF_INET6);
}

static void what_is_no_name_is_refused_with_a_reason(void **state)
{
    static const char *const bad[] = { "",
                                       ".",
                                       "a..b",
                                       "*",
                                       "a.*",
                                       "a.*.b",
                                       "**.a",
                                       "a b",
                                       "a/b",
                                       "%61.b",
                                       "b\xc3\xbc.example",
                                       "1.2.3.256",
                                       "a.0x7f.",
                                       "1.2.3.4.5",
                                       ".1.2.3.4",
                                       "a.example..",
                                       "u@a" };
    struct name_pattern p;

    for (size_t i = 0; i < COUNT(bad); i++)
        if (name_read(span_of(bad[i]), *state, &p) == NULL)
            fail_msg("\"%s\" was read", bad[i]);
}

static bool covers(struct arena *arena, const char *outer, const char *inner)
{
    struct name_pattern o, i;

    assert_null(name_read(span_of(outer), arena, &o));
    assert_null(name_read(span_of(inner), arena, &i));
    return name_covers(&o, &i);
}

static void a_pattern_covers_what_it_always_matches_too(void **state)
{
    assert_true(covers(*state, ".a.b", "a.b"));
    assert_true(covers(*state, ".a.b", "x.a.b"));
    assert_true(covers(*state, ".a.b", "*.x.a.b"));
    assert_true(covers(*state, "*.a.b", "x.a.b"));
    assert_false(covers(*state, "*.a.b", "a.b"));
    assert_false(covers(*state, "*.a.b", ".a.b"));
    assert_false(covers(*state, "a.b", ".a.b"));
    assert_false(covers(*state, ".a.b", "xa.b"));
    assert_true(covers(*state, "127.1", "127.0.0.1"));
    assert_false(covers(*state, ".a.b", "127.0.0.1"));
}

static bool matches(struct arena *arena, const char *pattern, const char *host)
{
    struct name_pattern p;
    uint64_t bits[2];

    assert_null(name_read(span_of(pattern), arena, &p));
    struct name_entry entry = { p.name, p.reach, 70 };
    const struct names *n = names_build(&entry, 1, 71, arena);
    assert_int_equal(names_words(n), 2);
    names_look(n, span_of(host), bits);
    assert_int_equal(bits[0], 0);
    return bits[1] >> 6 & 1;
}

static void whole_labels_match(void **state)
{
    assert_true(matches(*state, ".example.com", "example.com"));
    assert_true(matches(*state, ".example.com", "a.example.com"));
    assert_true(matches(*state, ".example.com", "a.b.c.example.com"));
    assert_false(matches(*state, ".example.com", "evilexample.com"));
    assert_false(matches(*state, ".example.com", "example.com.evil.net"));
    assert_false(matches(*state, ".example.com", "com"));
    assert_true(matches(*state, "example.com", "example.com"));
    assert_false(matches(*state, "example.com", "a.example.com"));
    assert_false(matches(*state, "*.example.com", "example.com"));
    assert_true(matches(*state, "*.example.com", "a.example.com"));
    assert_false(matches(*state, "example.com", ""));
}

static void many_names_in_many_sets_are_kept_apart(void **state)
{
    enum { NAMES = 20000, SETS = 100 };
    struct name_entry *entries = test_calloc(NAMES, sizeof(*entries));
    uint64_t bits[SETS / 64 + 1];
    char text[64];

    for (unsigned i = 0; i < NAMES; i++) {
        int len = snprintf(text, sizeof(text), "h%u.d%u.example", i, i % 1000);
        entries[i] = (struct name_entry){ arena_copy(*state, (struct span){ text, (size_t)len }),
                                          i % 2 ? REACH_ITSELF : REACH_BELOW, i % SETS };
    }
    const struct names *n = names_build(entries, NAMES, SETS, *state);
    for (unsigned i = 0; i < NAMES; i += 7) {
        snprintf(text, sizeof(text), "%sh%u.d%u.example", i % 2 ? "" : "x.y.", i, i % 1000);
        names_look(n, span_of(text), bits);
        for (unsigned set = 0; set < SETS; set++)
            assert_int_equal(bits[set / 64] >> (set % 64) & 1, set == i % SETS);
    }
    test_free(entries);
}

static void a_name_in_several_sets_sets_a_bit_for_each(void **state)
{
    struct name_entry entries[] = {
        { SPAN("a.example"), REACH_ITSELF, 0 },
        { SPAN("a.example"), REACH_BOTH, 1 },
        { SPAN("a.example"), REACH_BELOW, 2 },
        { SPAN("example"), REACH_BELOW, 3 },
    };
    uint64_t bits;
    const struct names *n = names_build(entries, COUNT(entries), 4, *state);

    names_look(n, span_of("a.example"), &bits);
    assert_int_equal(bits, 1 << 0 | 1 << 1 | 1 << 3);
    names_look(n, span_of("b.a.example"), &bits);
    assert_int_equal(bits, 1 << 1 | 1 << 2 | 1 << 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_without_case_and_outer_dots),
        cmocka_unit_test(any_notation_of_an_address_is_that_address),
        cmocka_unit_test(what_is_no_name_is_refused_with_a_reason),
        cmocka_unit_test(a_pattern_covers_what_it_always_matches_too),
        cmocka_unit_test(whole_labels_match),
        cmocka_unit_test(many_names_in_many_sets_are_kept_apart),
        cmocka_unit_test(a_name_in_several_sets_sets_a_bit_for_each),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
