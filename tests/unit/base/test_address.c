/* base/address: strict in, one spelling out. */
#include "base/address.h"
#include "unit/base/unit.h"

static const char *printed(const struct address *a)
{
    static char text[80];
    struct buf b;

    buf_init(&b, 80, NULL);
    address_print(a, &b);
    snprintf(text, sizeof(text), "%.*s", (int)buf_view(&b).len, buf_view(&b).at);
    buf_done(&b);
    return text;
}

static const struct {
    const char *in, *want; /* NULL: refused */
} cases[] = {
    { "192.0.2.1", "192.0.2.1:99" },
    { "192.0.2.1:80", "192.0.2.1:80" },
    { "0.0.0.0:1", "0.0.0.0:1" },
    { "[2001:DB8::1]", "[2001:db8::1]:99" },
    { "[2001:db8:0:0::1]:65535", "[2001:db8::1]:65535" },
    { "[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1" },
    { "", NULL },
    { ":80", NULL },
    { "192.0.2", NULL },
    { "192.0.2.1.", NULL },
    { "192.0.2.01", NULL },
    { "192.0.2.256", NULL },
    { "0x7f.0.0.1", NULL },
    { "2130706433", NULL },
    { " 192.0.2.1", NULL },
    { "192.0.2.1 ", NULL },
    { "192.0.2.1:", NULL },
    { "192.0.2.1:0", NULL },
    { "192.0.2.1:080", NULL },
    { "192.0.2.1:65536", NULL },
    { "192.0.2.1:80:81", NULL },
    { "192.0.2.1:+80", NULL },
    { "::1", NULL }, /* with a port possible, brackets are needed */
    { "[::1", NULL },
    { "[]", NULL },
    { "[::1]80", NULL },
    { "[::1]:", NULL },
    { "[192.0.2.1]", NULL },
    { "[fe80::1%eth0]", NULL },
    { "[::1]]:80", NULL },
    { "localhost:80", NULL },
};

static void every_case_keeps_its_promise(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address a = { .port = 7 };
        bool good = address_parse(span_of(cases[i].in), 99, &a);

        if (good != (cases[i].want != NULL))
            fail_msg("\"%s\": %s", cases[i].in, good ? "taken" : "refused");
        if (good)
            assert_string_equal(printed(&a), cases[i].want);
        else
            assert_int_equal(a.port, 7); /* untouched */
    }
}

static void a_zero_byte_ends_no_address(void **state)
{
    struct address a;

    (void)state;
    assert_false(address_parse_ip((struct span){ "192.0.2.1\0evil", 14 }, &a));
    assert_false(address_parse_ip((struct span){ "192.0.2.1\0", 10 }, &a));
    assert_true(address_parse_ip(span_of("2001:db8::1"), &a)); /* alone it needs no brackets */
    assert_true(address_parse_ip(span_of("[2001:db8::1]"), &a));
    assert_int_equal(a.port, 0);
}

static void an_address_survives_the_kernels_form(void **state)
{
    static const char *const texts[] = { "192.0.2.1:80", "[2001:db8::7]:443" };
    struct sockaddr_storage raw;
    struct sockaddr other = { .sa_family = AF_UNIX };
    struct address a, back;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(address_parse(span_of(texts[i]), 0, &a));
        a.scope = a.family == AF_INET6 ? 3 : 0;
        socklen_t len = address_to_sockaddr(&a, &raw);
        assert_int_equal(len, i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        assert_true(address_of_sockaddr((struct sockaddr *)&raw, &back));
        assert_memory_equal(&a, &back, sizeof(a)); /* every byte: it may be a hash key */
        assert_true(address_same(&a, &back));
    }
    assert_false(address_of_sockaddr(&other, &back));
    assert_int_equal(back.family, AF_UNSPEC);
}

static void the_port_belongs_to_the_whole_and_not_to_the_ip(void **state)
{
    struct address a, b;

    (void)state;
    address_parse(span_of("192.0.2.1:80"), 0, &a);
    address_parse(span_of("192.0.2.1:81"), 0, &b);
    assert_false(address_same(&a, &b));
    assert_true(address_same_ip(&a, &b));
    b.ip[3] = 2;
    assert_false(address_same_ip(&a, &b));
}

static void only_a_mapped_address_is_unmapped(void **state)
{
    struct address a, plain;

    (void)state;
    address_parse(span_of("[::ffff:192.0.2.1]:80"), 0, &a);
    plain = address_unmap(&a);
    assert_string_equal(printed(&plain), "192.0.2.1:80");
    address_parse(span_of("[::fffe:192.0.2.1]:80"), 0, &a);
    plain = address_unmap(&a);
    assert_int_equal(plain.family, AF_INET6);
    address_parse(span_of("10.0.0.1:80"), 0, &a);
    plain = address_unmap(&a);
    assert_true(address_same(&a, &plain));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_keeps_its_promise),
        cmocka_unit_test(a_zero_byte_ends_no_address),
        cmocka_unit_test(an_address_survives_the_kernels_form),
        cmocka_unit_test(the_port_belongs_to_the_whole_and_not_to_the_ip),
        cmocka_unit_test(only_a_mapped_address_is_unmapped),
    };

    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
