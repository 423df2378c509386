/* base/buf: a maximum, and a failure that stays. */
#include "base/budget.h"
#include "base/buf.h"
#include "base/span.h"
#include "unit/base/unit.h"

static void the_maximum_can_be_filled_and_not_passed(void **state)
{
    static const size_t maxima[] = { 1, 5, 255, 256, 257, 1000 };
    char bytes[1001];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    for (size_t i = 0; i < COUNT(maxima); i++) {
        struct buf b;

        buf_init(&b, maxima[i], NULL);
        for (size_t n = 0; n < maxima[i]; n++)
            buf_add_byte(&b, 'x');
        assert_true(buf_ok(&b));
        assert_int_equal(buf_view(&b).len, maxima[i]);
        buf_add_byte(&b, 'y');
        assert_false(buf_ok(&b));
        buf_done(&b);

        buf_init(&b, maxima[i], NULL);
        buf_add(&b, (struct span){ bytes, maxima[i] + 1 });
        if (buf_ok(&b))
            fail_msg("a buffer of %zu took %zu", maxima[i], maxima[i] + 1);
        buf_done(&b);
    }
}

static void a_failure_stays_until_it_is_cleared(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 300, NULL);
    buf_adds(&b, "half of ");
    assert_false(buf_reserve(&b, SIZE_MAX));
    buf_adds(&b, "a message");
    assert_false(buf_ok(&b));
    assert_null(buf_view(&b).at);
    assert_int_equal(buf_view(&b).len, 0);
    assert_false(buf_reserve(&b, 1));
    buf_clear(&b);
    buf_adds(&b, "whole");
    assert_span(buf_view(&b), "whole");
    buf_done(&b);
}

static void after_its_end_every_use_is_refused(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100, NULL);
    buf_adds(&b, "x");
    buf_done(&b);
    buf_adds(&b, "x");
    assert_false(buf_ok(&b));
    assert_int_equal(buf_view(&b).len, 0);
    buf_done(&b);
    struct buf zeroed = { 0 };
    buf_done(&zeroed);
}

static void the_budget_is_charged_for_room_and_gets_it_back(void **state)
{
    struct budget budget = { .max = 1000 };
    struct buf b, other;

    (void)state;
    buf_init(&b, 100000, &budget);
    assert_int_equal(budget.used, 0);
    buf_adds(&b, "x");
    assert_int_equal(budget.used, b.room);
    for (int i = 0; i < 300; i++)
        buf_adds(&b, "x");
    assert_true(buf_ok(&b));
    assert_int_equal(budget.used, b.room);
    buf_init(&other, 100000, &budget);
    for (int i = 0; i < 1000; i++)
        buf_add_byte(&other, 'x');
    assert_false(buf_ok(&other)); /* the budget's maximum, not its own */
    assert_true(budget.used <= budget.max);
    buf_done(&other);
    buf_done(&b);
    assert_int_equal(budget.used, 0);
}

static void numbers_are_printed_without_leading_zeros(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000, NULL);
    buf_add_decimal(&b, 0);
    buf_add_byte(&b, ' ');
    buf_add_decimal(&b, UINT64_MAX);
    buf_add_byte(&b, ' ');
    buf_add_hex(&b, 0);
    buf_add_byte(&b, ' ');
    buf_add_hex(&b, 0xdeadbeefcafef00d);
    assert_span(buf_view(&b), "0 18446744073709551615 0 deadbeefcafef00d");
    buf_done(&b);
}

static void a_print_of_a_kibibyte_fails_and_one_less_does_not(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5000, NULL);
    buf_addf(&b, "%1023s", "x");
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 1023);
    buf_addf(&b, "%1024s", "x");
    assert_false(buf_ok(&b));
    buf_done(&b);
}

static void drop_takes_from_the_front(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100, NULL);
    buf_adds(&b, "abcdef");
    buf_drop(&b, 4);
    assert_span(buf_view(&b), "ef");
    buf_drop(&b, 0);
    assert_span(buf_view(&b), "ef");
    buf_drop(&b, 3);
    assert_int_equal(b.len, 0);
    buf_adds(&b, "again");
    assert_span(buf_view(&b), "again");
    buf_done(&b);
}

static void reserved_room_may_be_written_by_the_caller(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000, NULL);
    assert_true(buf_reserve(&b, 1000));
    memset(b.data, 'x', 1000);
    b.len = 1000;
    assert_int_equal(buf_view(&b).len, 1000);
    assert_false(buf_reserve(&b, 1));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_maximum_can_be_filled_and_not_passed),
        cmocka_unit_test(a_failure_stays_until_it_is_cleared),
        cmocka_unit_test(after_its_end_every_use_is_refused),
        cmocka_unit_test(the_budget_is_charged_for_room_and_gets_it_back),
        cmocka_unit_test(numbers_are_printed_without_leading_zeros),
        cmocka_unit_test(a_print_of_a_kibibyte_fails_and_one_less_does_not),
        cmocka_unit_test(drop_takes_from_the_front),
        cmocka_unit_test(reserved_room_may_be_written_by_the_caller),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
