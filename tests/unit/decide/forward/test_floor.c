/* decide/forward/floor: each row of the table of forward-semantics 4.2, its first and last address,
 * and the neighbours just outside. */
#include "base/cidr.h"
#include "decide/forward/floor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct standing stand(const char *text)
{
    struct address a;

    assert_true(address_parse_ip(span_of(text), &a));
    return floor_stand(&a, false);
}

static const struct {
    const char *word, *first, *last, *before, *after; /* NULL: no public neighbour there */
} rows[] = {
    { "unspecified", "0.0.0.0", "0.255.255.255", NULL, "1.0.0.0" },
    { "loopback", "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0" },
    { "private", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0" },
    { "private", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0" },
    { "private", "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0" },
    { "shared", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0" },
    { "linklocal", "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0" },
    { "metadata", "169.254.169.254", "169.254.169.254", NULL, NULL },
    { "metadata", "168.63.129.16", "168.63.129.16", "168.63.129.15", "168.63.129.17" },
    { "metadata", "100.100.100.200", "100.100.100.200", NULL, NULL },
    { "metadata", "192.0.0.192", "192.0.0.192", NULL, NULL },
    { "protocol", "192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0" },
    { "protocol", "192.31.196.0", "192.31.196.255", "192.31.195.255", "192.31.197.0" },
    { "protocol", "192.52.193.0", "192.52.193.255", "192.52.192.255", "192.52.194.0" },
    { "protocol", "192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0" },
    { "protocol", "192.175.48.0", "192.175.48.255", "192.175.47.255", "192.175.49.0" },
    { "documentation", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0" },
    { "documentation", "198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0" },
    { "documentation", "203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0" },
    { "benchmark", "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0" },
    { "multicast", "224.0.0.0", "239.255.255.255", "223.255.255.255", NULL },
    { "reserved", "240.0.0.0", "255.255.255.255", NULL, NULL },

    { "unspecified", "::", "::", NULL, NULL },
    { "loopback", "::1", "::1", NULL, NULL },
    { "private", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "private", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "linklocal", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "metadata", "fd00:ec2::254", "fd00:ec2::254", NULL, NULL },
    { "metadata", "fd20:ce::254", "fd20:ce::254", NULL, NULL },
    { "metadata", "fd00:c1::a9fe:a9fe", "fd00:c1::a9fe:a9fe", NULL, NULL },
    { "protocol", "2001:100::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, "2001:200::" },
    { "protocol", "2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "protocol", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
      "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::" },
    { "protocol", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "protocol", "100::", "100::ffff:ffff:ffff:ffff", NULL, NULL },
    { "protocol", "100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", NULL, NULL },
    { "protocol", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "documentation", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
      "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::" },
    { "documentation", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
      "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::" },
    { "benchmark", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "multicast", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "reserved", "::1:0:0:1", "::fffe:0:0:1", NULL, NULL },
    { "reserved", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", NULL, NULL },
    { "reserved", "8000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL },
    { "transition", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::" },
    { "transition", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
      "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
};

static void each_range_is_refused_from_its_first_to_its_last_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *ends[] = { rows[i].first, rows[i].last };

        for (size_t k = 0; k < COUNT(ends); k++) {
            struct standing s = stand(ends[k]);

            if (!span_is(span_of(rows[i].word), floor_word_name(s.word)))
                fail_msg("%s: %s, expected %s", ends[k], floor_word_name(s.word), rows[i].word);
            assert_true(s.words >> FLOOR_SPECIAL & 1);
        }
    }
}

static void the_neighbours_just_outside_are_public(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *near[] = { rows[i].before, rows[i].after };

        for (size_t k = 0; k < COUNT(near); k++)
            if (near[k] != NULL && stand(near[k]).word != FLOOR_NONE)
                fail_msg("%s: %s", near[k], floor_word_name(stand(near[k]).word));
    }
}

static const struct {
    const char *address, *word;
} wrapped[] = {
    { "::ffff:127.0.0.1", "loopback" },   { "::ffff:7f00:1", "loopback" },
    { "::ffff:0:127.0.0.1", "loopback" }, { "::127.0.0.1", "loopback" },
    { "64:ff9b::7f00:1", "loopback" },    { "64:ff9b::a9fe:a9fe", "metadata" },
    { "64:ff9b:1::a00:1", "protocol" },   { "::ffff:10.0.0.1", "private" },
    { "2002:7f00:1::", "transition" },    { "2002:a00:1::1", "transition" },
    { "2001:0:7f00:1::", "transition" },  { "::ffff:8.8.8.8", "public" },
    { "64:ff9b::808:808", "public" },     { "::ffff:0.0.0.0", "unspecified" },
    { "2606:4700::1", "public" },         { "::2", "unspecified" },
};

static void an_ipv4_address_in_an_ipv6_form_is_judged_as_ipv4(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrapped); i++)
        if (!span_is(span_of(wrapped[i].word), floor_word_name(stand(wrapped[i].address).word)))
            fail_msg("%s: %s", wrapped[i].address, floor_word_name(stand(wrapped[i].address).word));
}

static const struct {
    const char *address;
    bool own;
    const char *net; /* a network, or a word */
    bool opens;
} openings[] = {
    { "10.8.1.1", false, "10.8.0.0/16", true },
    { "10.8.1.1", false, "10.0.0.0/8", true },
    { "10.8.1.1", false, "0.0.0.0/0", false },
    { "10.8.1.1", false, "10.0.0.0/7", false },
    { "10.8.1.1", false, "10.9.0.0/16", false },
    { "10.8.1.1", false, "private", true },
    { "10.8.1.1", false, "special", true },
    { "10.8.1.1", false, "loopback", false },
    { "10.8.1.1", true, "private", false },
    { "10.8.1.1", true, "special", false },
    { "10.8.1.1", true, "10.8.0.0/16", false },
    { "10.8.1.1", true, "10.8.1.1", true },
    { "10.8.1.1", true, "own", true },
    { "169.254.169.254", false, "169.254.0.0/16", false },
    { "169.254.169.254", false, "linklocal", false },
    { "169.254.169.254", false, "special", false },
    { "169.254.169.254", false, "metadata", true },
    { "169.254.169.254", false, "169.254.169.254", true },
    { "169.254.1.1", false, "169.254.0.0/16", true },
    { "fd00::1", false, "fd00::/8", true },
    { "fd00::1", false, "8000::/1", false },
    { "::ffff:10.8.1.1", false, "10.8.0.0/16", true },
    { "127.0.0.1", true, "own", true },
    { "127.0.0.1", true, "loopback", true },
    { "127.0.0.1", true, "127.0.0.0/8", true },
    { "127.0.0.1", false, "own", false },
    { "203.0.114.1", true, "own", true },
    { "203.0.114.1", true, "203.0.114.0/24", false },
};

static void only_what_names_a_range_from_within_opens_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(openings); i++) {
        struct address a;
        struct cidr net;
        enum floor_word word;
        bool opens;

        assert_true(address_parse_ip(span_of(openings[i].address), &a));
        struct standing s = floor_stand(&a, openings[i].own);
        if (floor_word_parse(span_of(openings[i].net), &word))
            opens = floor_word_opens(&s, word);
        else
            opens = cidr_parse(span_of(openings[i].net), &net) && floor_net_opens(&s, &net);
        if (opens != openings[i].opens)
            fail_msg("%s by %s", openings[i].address, openings[i].net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_range_is_refused_from_its_first_to_its_last_address),
        cmocka_unit_test(the_neighbours_just_outside_are_public),
        cmocka_unit_test(an_ipv4_address_in_an_ipv6_form_is_judged_as_ipv4),
        cmocka_unit_test(only_what_names_a_range_from_within_opens_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
