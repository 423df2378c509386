/* base/cursor: the only way over bytes that a peer sent. */
#include "base/cursor.h"
#include "unit/base/unit.h"

static void the_end_is_minus_one_and_bytes_are_unsigned(void **state)
{
    struct cursor c = cursor_of((struct span){ "\xff\0", 2 });

    (void)state;
    assert_int_equal(cursor_peek(&c), 0xff);
    assert_int_equal(cursor_next(&c), 0xff);
    assert_int_equal(cursor_next(&c), 0);
    assert_int_equal(cursor_next(&c), -1);
    assert_int_equal(cursor_peek(&c), -1);
    assert_false(cursor_eat_byte(&c, '\0'));
    assert_int_equal(cursor_left(&c), 0);
}

static void what_is_not_there_moves_nothing(void **state)
{
    struct cursor c = cursor_of(span_of("PROX"));
    struct span word = span_of("untouched");
    uint32_t number = 7;
    uint8_t byte = 7;

    (void)state;
    assert_false(cursor_eat(&c, "PROXY"));
    assert_false(cursor_eat_byte(&c, 'X'));
    assert_false(cursor_until(&c, ' ', &word));
    assert_false(cursor_take(&c, 5, &word));
    assert_false(cursor_take(&c, SIZE_MAX, &word));
    assert_span(word, "untouched");
    assert_int_equal(cursor_left(&c), 4);
    assert_true(cursor_u24(&c, &number));
    assert_false(cursor_u16(&c, &(uint16_t){ 0 }));
    assert_false(cursor_u32(&c, &number));
    assert_int_equal(number, 'P' << 16 | 'R' << 8 | 'O');
    assert_true(cursor_u8(&c, &byte));
    assert_int_equal(byte, 'X');
    assert_false(cursor_u8(&c, &byte));
    assert_int_equal(byte, 'X');
}

static void numbers_are_in_network_order(void **state)
{
    struct cursor c = cursor_of((struct span){ "\x80\xff\xfe\x01\x02\x03\x04", 7 });
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;

    (void)state;
    assert_true(cursor_u8(&c, &u8) && cursor_u16(&c, &u16) && cursor_u32(&c, &u32));
    assert_int_equal(u8, 0x80);
    assert_int_equal(u16, 0xfffe);
    assert_int_equal(u32, 0x01020304);
}

static void until_passes_the_stop_too(void **state)
{
    struct cursor c = cursor_of(span_of("a b"));
    struct span word;

    (void)state;
    assert_true(cursor_until(&c, ' ', &word));
    assert_span(word, "a");
    assert_span(cursor_rest(&c), "b");
    assert_true(cursor_take(&c, 1, &word));
    assert_true(cursor_take(&c, 0, &word));
    assert_int_equal(word.len, 0);
}

static const struct {
    const char *promise, *in;
    uint64_t max;
    bool good;
    uint64_t value;
    size_t taken;
} decimals[] = {
    { "zero", "0", 10, true, 0, 1 },
    { "digits end at another byte", "80x", 100, true, 80, 2 },
    { "the maximum itself", "65535", 65535, true, 65535, 5 },
    { "one more", "65536", 65535, false, 0, 0 },
    { "a digit above a small maximum", "9", 5, false, 0, 0 },
    { "the largest number", "18446744073709551615", UINT64_MAX, true, UINT64_MAX, 20 },
    { "beyond 64 bits", "18446744073709551616", UINT64_MAX, false, 0, 0 },
    { "far beyond 64 bits", "99999999999999999999999", UINT64_MAX, false, 0, 0 },
    { "a leading zero", "080", 100, false, 0, 0 },
    { "two zeros", "00", 100, false, 0, 0 },
    { "no digit", "", 100, false, 0, 0 },
    { "a sign", "+1", 100, false, 0, 0 },
    { "a space before", " 1", 100, false, 0, 0 },
};

static void a_decimal_keeps_its_promise(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(decimals); i++) {
        struct cursor c = cursor_of(span_of(decimals[i].in));
        uint64_t value = 0;
        bool good = cursor_decimal(&c, decimals[i].max, &value);
        size_t taken = strlen(decimals[i].in) - cursor_left(&c);

        if (good != decimals[i].good || value != decimals[i].value || taken != decimals[i].taken)
            fail_msg("%s: %d, %llu, %zu taken", decimals[i].promise, good,
                     (unsigned long long)value, taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_minus_one_and_bytes_are_unsigned),
        cmocka_unit_test(what_is_not_there_moves_nothing),
        cmocka_unit_test(numbers_are_in_network_order),
        cmocka_unit_test(until_passes_the_stop_too),
        cmocka_unit_test(a_decimal_keeps_its_promise),
    };

    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
