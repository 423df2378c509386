/* decide/forward/nets: sets of networks, joined and searched. */
#include "base/address.h"
#include "base/arena.h"
#include "base/cidr.h"
#include "decide/forward/nets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
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

/* A set of the words of `text`. */
static struct nets set_of(struct arena *arena, const char *text)
{
    struct cidr *all = arena_alloc(arena, 64 * sizeof(*all));
    struct nets n = { .given = { .items = all, .room = 64 } };
    struct span rest = span_of(text), word;

    while (rest.len > 0) {
        if (!span_cut(rest, ' ', &word, &rest)) {
            word = rest;
            rest.len = 0;
        }
        assert_true(nets_parse(word, &all[n.given.len++]));
    }
    nets_finish(&n, arena);
    return n;
}

static bool has(struct arena *arena, const char *set, const char *text)
{
    struct nets n = set_of(arena, set);
    struct address a;

    assert_true(address_parse_ip(span_of(text), &a));
    return nets_has(&n, &a);
}

static void a_set_has_what_lies_in_one_of_its_networks(void **state)
{
    static const char set[] =
        "10.0.0.0/8 192.168.1.1-192.168.1.9 2001:db8::/32 10.1.0.0/16 1.2.3.4";

    assert_true(has(*state, set, "10.0.0.0"));
    assert_true(has(*state, set, "10.255.255.255"));
    assert_false(has(*state, set, "11.0.0.0"));
    assert_false(has(*state, set, "9.255.255.255"));
    assert_true(has(*state, set, "192.168.1.9"));
    assert_false(has(*state, set, "192.168.1.10"));
    assert_true(has(*state, set, "1.2.3.4"));
    assert_true(has(*state, set, "2001:db8:ffff::1"));
    assert_false(has(*state, set, "2001:db9::"));
    assert_false(has(*state, "", "1.2.3.4"));
    assert_false(has(*state, "::/0", "1.2.3.4"));
}

static void forms_that_wrap_ipv4_mean_ipv4(void **state)
{
    assert_true(has(*state, "::ffff:10.1.2.3", "10.1.2.3"));
    assert_true(has(*state, "::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_true(has(*state, "64:ff9b::a01:203", "10.1.2.3"));
    assert_true(has(*state, "::1", "::1"));
}

static void neighbours_join(void **state)
{
    assert_int_equal(set_of(*state, "10.0.0.0/9 10.128.0.0/9 11.0.0.0/8").sorted_count, 1);
    assert_int_equal(set_of(*state, "10.0.0.0/8 12.0.0.0/8").sorted_count, 2);
    assert_int_equal(set_of(*state, "10.0.0.1-10.0.0.9 10.0.0.5-10.0.0.20 10.0.0.2").sorted_count,
                     1);
    assert_int_equal(set_of(*state, "255.255.255.255 0.0.0.0 ffff::/16 ::/16").sorted_count, 4);
}

static bool covers(struct arena *arena, const char *outer, const char *inner)
{
    struct nets o = set_of(arena, outer), i = set_of(arena, inner);

    return nets_cover(&o, &i);
}

static void a_set_covers_another_if_it_has_each_address_of_it(void **state)
{
    assert_true(covers(*state, "10.0.0.0/8", "10.1.0.0/16 10.2.2.2"));
    assert_true(covers(*state, "10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8"));
    assert_false(covers(*state, "10.1.0.0/16", "10.0.0.0/8"));
    assert_false(covers(*state, "10.0.0.0/8", "10.1.0.0/16 ::1"));
    assert_true(covers(*state, "10.0.0.0/8", ""));
}

static bool is_everyone(struct arena *arena, const char *text)
{
    struct nets n = set_of(arena, text);

    return nets_is_everyone(&n);
}

static void everyone_is_all_of_a_family_in_whatever_pieces(void **state)
{
    assert_true(is_everyone(*state, "0.0.0.0/0"));
    assert_true(is_everyone(*state, "::/0"));
    assert_true(is_everyone(*state, "10.0.0.1 128.0.0.0/1 0.0.0.0/1"));
    assert_true(is_everyone(*state, "0.0.0.0-255.255.255.255"));
    assert_false(is_everyone(*state, "0.0.0.1-255.255.255.255"));
    assert_false(is_everyone(*state, "10.0.0.0/8"));
    assert_false(is_everyone(*state, ""));
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const bad[] = { "",
                                       "all",
                                       "10.0.0",
                                       "10.0.0.0/33",
                                       "a.example",
                                       "::/129",
                                       "10.0.0.9-10.0.0.1",
                                       "10.0.0.1-::1",
                                       "10.0.0.0/8-10.1.0.0/8" };
    struct cidr net;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (nets_parse(span_of(bad[i]), &net))
            fail_msg("\"%s\" was read", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_has_what_lies_in_one_of_its_networks),
        cmocka_unit_test(forms_that_wrap_ipv4_mean_ipv4),
        cmocka_unit_test(neighbours_join),
        cmocka_unit_test(a_set_covers_another_if_it_has_each_address_of_it),
        cmocka_unit_test(everyone_is_all_of_a_family_in_whatever_pieces),
        cmocka_unit_test(what_is_no_network_is_refused),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
