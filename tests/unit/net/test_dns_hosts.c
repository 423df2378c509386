/* The texts of /etc/hosts and resolv.conf. */
#include "net/dns_hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "net/dns.h"
#include "net/dns_wire.h"

static unsigned find(const char *text, const char *name, uint16_t family, struct address *ret)
{
    struct hosts h;
    struct dns_name wanted;

    assert_int_equal(hosts_init(&h, span_of(text)), 0);
    assert_true(dns_name_read(span_of(name), &wanted));
    unsigned count = hosts_find(&h, &wanted, family, 4, ret);
    hosts_done(&h);
    return count;
}

static const char HOSTS[] = "# a comment\n"
                            "127.0.0.1\tlocalhost  LoopBack # and one\r\n"
                            "::1 localhost ip6-localhost\n"
                            "\n"
                            "   10.0.0.1 intranet intranet.example.\n"
                            "10.0.0.2 intranet\n"
                            "fe80::1%lo0 scoped\n"
                            "10.0.0.300 wrong\n"
                            "10.0.0.3\n"
                            "10.0.0.4 b\xc3\xbc bad/name last";

static void a_name_has_all_its_addresses_in_order(void **state)
{
    struct address a[4];

    (void)state;
    assert_int_equal(find(HOSTS, "intranet", AF_INET, a), 2);
    assert_int_equal(a[0].ip[3], 1);
    assert_int_equal(a[1].ip[3], 2);
    assert_int_equal(a[0].port, 0);
    assert_int_equal(find(HOSTS, "intranet", AF_INET6, a), 0);
    assert_int_equal(find(HOSTS, "localhost", AF_INET6, a), 1);
    assert_int_equal(a[0].ip[15], 1);
}

static void names_are_found_in_any_case_and_with_a_dot(void **state)
{
    struct address a[4];

    (void)state;
    assert_int_equal(find(HOSTS, "INTRANET.example", AF_INET, a), 1);
    assert_int_equal(find(HOSTS, "loopback", AF_INET, a), 1);
    assert_int_equal(find(HOSTS, "last", AF_INET, a), 1);
}

static void bad_lines_and_comments_are_skipped(void **state)
{
    static const char *const names[] = { "scoped", "wrong", "and", "one", "comment", "10.0.0.3" };
    struct address a[4];

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(find(HOSTS, names[i], AF_INET, a), 0);
    assert_int_equal(find("", "a", AF_INET, a), 0);
    assert_int_equal(find("\n\n#", "a", AF_INET, a), 0);
}

static void ten_thousand_names_are_found(void **state)
{
    struct buf text;
    struct hosts h;

    (void)state;
    buf_init(&text, 1 << 20, NULL);
    for (int i = 0; i < 10000; i++)
        buf_addf(&text, "10.0.%d.%d n%d.example\n", i / 256, i % 256, i);
    assert_int_equal(hosts_init(&h, buf_view(&text)), 0);
    buf_done(&text); /* the table has its own copy */
    for (int i = 0; i < 10000; i++) {
        struct dns_name name;
        struct address a;
        char word[32];

        snprintf(word, sizeof(word), "n%d.example", i);
        assert_true(dns_name_read(span_of(word), &name));
        assert_int_equal(hosts_find(&h, &name, AF_INET, 1, &a), 1);
        assert_int_equal(a.ip[2] * 256 + a.ip[3], i);
    }
    hosts_done(&h);
}

static void name_servers_are_read_from_resolv_conf(void **state)
{
    static const char text[] = "# comment\n"
                               "search corp.example\n"
                               "nameserver 127.0.0.53\n"
                               "nameserver\t2001:db8::53 ; and a comment\n"
                               "nameserver fe80::1%eth0\n"
                               "nameserver nonsense\n"
                               "nameserver\n"
                               "nameservers 192.0.2.1\n"
                               "options edns0\n"
                               " nameserver 192.0.2.2";
    struct address a[RESOLVER_MOST_SERVERS];

    (void)state;
    assert_int_equal(resolv_conf_servers(span_of(text), a), 3);
    assert_int_equal(a[0].port, 53);
    assert_int_equal(a[0].ip[3], 53);
    assert_int_equal(a[1].family, AF_INET6);
    assert_int_equal(a[2].ip[3], 2);
}

static void eight_name_servers_are_the_most(void **state)
{
    struct address a[RESOLVER_MOST_SERVERS];
    struct buf text;

    (void)state;
    buf_init(&text, 4096, NULL);
    for (int i = 0; i < 20; i++)
        buf_addf(&text, "nameserver 192.0.2.%d\n", i);
    assert_int_equal(resolv_conf_servers(buf_view(&text), a), RESOLVER_MOST_SERVERS);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_all_its_addresses_in_order),
        cmocka_unit_test(names_are_found_in_any_case_and_with_a_dot),
        cmocka_unit_test(bad_lines_and_comments_are_skipped),
        cmocka_unit_test(ten_thousand_names_are_found),
        cmocka_unit_test(name_servers_are_read_from_resolv_conf),
        cmocka_unit_test(eight_name_servers_are_the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
