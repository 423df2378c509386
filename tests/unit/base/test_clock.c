/* base/clock: the texts of a second. */
#include "base/clock.h"
#include "unit/base/unit.h"

#include <time.h>

enum { WHEN = 1795552587 }; /* Tue, 24 Nov 2026 20:36:27 GMT */

static void in_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static void each_text_has_its_form(void **state)
{
    struct clock c = { 0 };
    char text[32];

    (void)state;
    in_zone("UTC");
    clock_set(&c, (int64_t)WHEN * 1000 + 999);
    assert_string_equal(c.http_date, "Tue, 24 Nov 2026 20:36:27 GMT");
    assert_int_equal(strlen(c.http_date), HTTP_DATE_LENGTH);
    assert_string_equal(c.local_time, "24/Nov/2026:20:36:27 +0000");
    assert_string_equal(c.iso8601, "2026-11-24T20:36:27+00:00");
    assert_int_equal(c.wall_ms, (int64_t)WHEN * 1000 + 999);
    error_time_print(WHEN, text);
    assert_string_equal(text, "2026/11/24 20:36:27");
}

static void only_headers_are_in_gmt(void **state)
{
    struct clock c = { 0 };
    char text[32];

    (void)state;
    in_zone("XYZ-05:30"); /* east of Greenwich */
    clock_set(&c, (int64_t)WHEN * 1000);
    assert_string_equal(c.http_date, "Tue, 24 Nov 2026 20:36:27 GMT");
    assert_string_equal(c.local_time, "25/Nov/2026:02:06:27 +0530");
    assert_string_equal(c.iso8601, "2026-11-25T02:06:27+05:30");
    error_time_print(WHEN, text);
    assert_string_equal(text, "2026/11/25 02:06:27");
    in_zone("UTC");
}

static void texts_follow_the_second_back_and_forth(void **state)
{
    struct clock c = { 0 };

    (void)state;
    clock_set(&c, 0); /* a machine without a battery begins here */
    assert_string_equal(c.http_date, "Thu, 01 Jan 1970 00:00:00 GMT");
    clock_set(&c, 1000);
    assert_string_equal(c.http_date, "Thu, 01 Jan 1970 00:00:01 GMT");
    clock_set(&c, 1999);
    assert_string_equal(c.http_date, "Thu, 01 Jan 1970 00:00:01 GMT");
    clock_set(&c, 999);
    assert_string_equal(c.http_date, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void the_monotonic_clock_goes_on(void **state)
{
    uint64_t before = clock_monotonic_ms();

    (void)state;
    assert_true(clock_monotonic_ms() >= before);
    assert_true(clock_wall_ms() > (int64_t)1700000000 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_text_has_its_form),
        cmocka_unit_test(only_headers_are_in_gmt),
        cmocka_unit_test(texts_follow_the_second_back_and_forth),
        cmocka_unit_test(the_monotonic_clock_goes_on),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
