/* What the resolver remembers, and how much at most. */
#include "base/budget.h"
#include "net/dns.h"
#include "net/dns_cache.h"
#include "net/dns_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct dns_cache cache;
static struct budget budget;
static struct resolve_result result;

static int setup(void **state)
{
    (void)state;
    budget = (struct budget){ .max = SIZE_MAX };
    result = (struct resolve_result){ .fault = RESOLVE_FOUND, .count = 1 };
    dns_cache_init(&cache, &budget);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dns_cache_done(&cache);
    assert_int_equal(budget.used, 0);
    return 0;
}

static struct dns_name numbered(unsigned n)
{
    char text[32];
    struct dns_name name;

    snprintf(text, sizeof(text), "n%u.example", n);
    assert_true(dns_name_read(span_of(text), &name));
    return name;
}

static void put(unsigned n, uint64_t until)
{
    struct dns_name name = numbered(n);

    result.addresses[0].scope = n; /* any mark will do */
    dns_cache_put(&cache, &name, &result, until);
}

static bool knows(unsigned n, uint64_t now)
{
    struct dns_name name = numbered(n);
    struct resolve_result found = { .count = 0 };

    if (!dns_cache_find(&cache, &name, now, &found))
        return false;
    assert_int_equal(found.fault, result.fault);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.addresses[0].scope, n);
    return true;
}

static void a_name_is_known_until_its_time(void **state)
{
    (void)state;
    put(1, 100);
    assert_true(knows(1, 99));
    assert_false(knows(2, 99));
    assert_false(knows(1, 100));
}

static bool knows_stale(unsigned n, uint64_t now)
{
    struct dns_name name = numbered(n);
    struct resolve_result found = { .count = 0 };

    return dns_cache_find_stale(&cache, &name, now, &found) && found.addresses[0].scope == n;
}

static bool renews(unsigned n, uint64_t now, uint64_t until)
{
    struct dns_name name = numbered(n);
    struct resolve_result found = { .count = 0 };

    return dns_cache_renew(&cache, &name, now, until, &found) && found.addresses[0].scope == n;
}

static void addresses_are_stale_for_a_day_then_gone(void **state)
{
    (void)state;
    put(1, 100);
    assert_true(knows_stale(1, 100 + DNS_CACHE_STALE_MS - 1));
    assert_int_equal(cache.count, 1);
    assert_false(knows_stale(1, 100 + DNS_CACHE_STALE_MS));
    assert_int_equal(cache.count, 0);
}

static void what_was_no_address_is_never_stale(void **state)
{
    (void)state;
    result.fault = RESOLVE_NO_NAME;
    result.count = 0;
    put(1, 100);
    assert_false(knows_stale(1, 99));
    assert_false(renews(1, 99, 200));
    assert_false(knows_stale(1, 100));
    assert_int_equal(cache.count, 0);
}

static void renewed_it_is_fresh_again_but_not_beyond_its_day(void **state)
{
    uint64_t last = 100 + DNS_CACHE_STALE_MS;
    (void)state;

    put(1, 100);
    assert_true(renews(1, 150, 200));
    assert_true(knows(1, 199));
    assert_false(knows(1, 200));
    assert_true(renews(1, last - 1, last + 1000));
    assert_true(knows(1, last - 1));
    assert_false(knows(1, last));
    assert_false(renews(1, last, last + 1000));
}

static void a_newer_result_replaces_the_older(void **state)
{
    (void)state;
    put(1, 100);
    result.fault = RESOLVE_SILENT;
    put(1, 200);
    assert_true(knows(1, 150));
    assert_int_equal(cache.count, 1);
}

static void a_flood_of_names_pushes_out_the_least_used(void **state)
{
    (void)state;
    put(0, 100);
    for (unsigned n = 1; n <= 3 * DNS_CACHE_MOST; n++) {
        put(n, 100);
        assert_true(cache.count <= DNS_CACHE_MOST);
        assert_true(knows(0, 50)); /* asked for again and again */
    }
    assert_int_equal(cache.count, DNS_CACHE_MOST);
    assert_true(knows(2 * DNS_CACHE_MOST + 2, 50));
    assert_false(knows(2 * DNS_CACHE_MOST, 50));
}

static void over_the_budget_nothing_is_kept(void **state)
{
    (void)state;
    put(1, 100);
    budget.max = budget.used;
    put(2, 100);
    assert_true(knows(1, 50));
    assert_false(knows(2, 50));
}

#define PLAIN(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_name_is_known_until_its_time),
        PLAIN(addresses_are_stale_for_a_day_then_gone),
        PLAIN(what_was_no_address_is_never_stale),
        PLAIN(renewed_it_is_fresh_again_but_not_beyond_its_day),
        PLAIN(a_newer_result_replaces_the_older),
        PLAIN(a_flood_of_names_pushes_out_the_least_used),
        PLAIN(over_the_budget_nothing_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
