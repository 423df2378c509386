/* base/cidr: networks and ranges. */
#include "base/address.h"
#include "base/cidr.h"
#include "base/random.h"
#include "unit/base/unit.h"

static const struct {
    const char *net, *address;
    bool has;
} cases[] = {
    { "192.0.2.0/24", "192.0.2.0", true },
    { "192.0.2.0/24", "192.0.2.255", true },
    { "192.0.2.0/24", "192.0.3.0", false },
    { "192.0.2.77/24", "192.0.2.1", true }, /* bits below the mask are dropped */
    { "10.0.0.0/9", "10.127.255.255", true },
    { "10.0.0.0/9", "10.128.0.0", false },
    { "0.0.0.0/0", "255.255.255.255", true },
    { "0.0.0.0/0", "2001:db8::1", false },
    { "192.0.2.1/32", "192.0.2.2", false },
    { "192.0.2.1", "192.0.2.1", true },
    { "192.0.2.1", "192.0.2.0", false },
    { "192.0.2.0/24", "::ffff:192.0.2.9", true }, /* a mapped client is IPv4 */
    { "::/0", "2001:db8::1", true },
    { "::/0", "192.0.2.1", false },
    { "2001:db8::/33", "2001:db8:7fff::1", true },
    { "2001:db8::/33", "2001:db8:8000::", false },
    { "2001:db8::1/128", "2001:db8::1", true },
    { "2001:db8::1/128", "2001:db8::2", false },
    { "all", "192.0.2.1", true },
    { "all", "2001:db8::1", true },
    { "192.0.2.5-192.0.2.9", "192.0.2.5", true },
    { "192.0.2.5-192.0.2.9", "192.0.2.9", true },
    { "192.0.2.5-192.0.2.9", "192.0.2.4", false },
    { "192.0.2.5-192.0.2.9", "192.0.2.10", false },
    { "192.0.1.255-192.0.2.0", "192.0.2.0", true },
    { "2001:db8::1-2001:db8::ffff", "2001:db8::abc", true },
    { "192.0.2.5-192.0.2.9", "2001:db8::1", false },
};

static void membership_keeps_its_promise(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cidr net;
        struct address a;

        assert_true(cidr_parse_range(span_of(cases[i].net), &net));
        assert_true(address_parse_ip(span_of(cases[i].address), &a));
        if (cidr_has(&net, &a) != cases[i].has)
            fail_msg("%s in %s: %d", cases[i].address, cases[i].net, !cases[i].has);
    }
}

static const char *const malformed[] = {
    "",
    "/",
    "/24",
    "192.0.2.0/",
    "192.0.2.0/33",
    "192.0.2.0/08",
    "192.0.2.0/+8",
    "192.0.2.0/24/8",
    "192.0.2.0/24 ",
    "2001:db8::/129",
    "192.0.2/24",
    "All",
    "any",
    "192.0.2.9-192.0.2.5",
    "192.0.2.5-",
    "-192.0.2.5",
    "192.0.2.5-2001:db8::1",
    "192.0.2.0/24-192.0.3.0",
    "1.2.3.4-5.6.7.8-9.9.9.9",
};

static void what_is_no_network_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        struct cidr net = { .family = 77 };

        if (cidr_parse_range(span_of(malformed[i]), &net) || net.family != 77)
            fail_msg("\"%s\" was taken, or touched the output", malformed[i]);
    }
    struct cidr net;
    assert_false(
        cidr_parse(span_of("192.0.2.5-192.0.2.9"), &net)); /* ranges only where asked for */
}

static void a_mask_agrees_with_arithmetic(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 32; bits++) {
        uint32_t base, other, mask = bits == 0 ? 0 : ~0u << (32 - bits);
        struct cidr net;
        char text[40];

        for (int i = 0; i < 50; i++) {
            random_bytes(&base, sizeof(base));
            random_bytes(&other, sizeof(other));
            if (i % 2 == 0) /* so that both answers happen */
                other = (base & mask) | (other & ~mask);
            struct address a = { .family = AF_INET,
                                 .ip = { (uint8_t)(other >> 24), (uint8_t)(other >> 16),
                                         (uint8_t)(other >> 8), (uint8_t)other } };
            snprintf(text, sizeof(text), "%u.%u.%u.%u/%u", base >> 24, base >> 16 & 255,
                     base >> 8 & 255, base & 255, bits);
            assert_true(cidr_parse(span_of(text), &net));
            assert_int_equal(cidr_has(&net, &a), (base & mask) == (other & mask));
        }
    }
}

static void a_net_lies_inside_another_or_does_not(void **state)
{
    static const struct {
        const char *inner, *outer;
        bool inside;
    } pairs[] = {
        { "10.1.0.0/16", "10.0.0.0/8", true },
        { "10.0.0.0/8", "10.0.0.0/8", true },
        { "10.0.0.0/8", "10.1.0.0/16", false },
        { "9.255.255.255-10.0.0.1", "10.0.0.0/8", false },
        { "10.0.0.1", "all", true },
        { "all", "10.0.0.0/8", false },
        { "all", "all", true },
        { "::/0", "0.0.0.0/0", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct cidr inner, outer;

        assert_true(cidr_parse_range(span_of(pairs[i].inner), &inner));
        assert_true(cidr_parse_range(span_of(pairs[i].outer), &outer));
        if (cidr_inside(&inner, &outer) != pairs[i].inside)
            fail_msg("%s inside %s: %d", pairs[i].inner, pairs[i].outer, !pairs[i].inside);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(membership_keeps_its_promise),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(a_mask_agrees_with_arithmetic),
        cmocka_unit_test(a_net_lies_inside_another_or_does_not),
    };

    return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}
