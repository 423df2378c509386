/* The dates of HTTP, in their three forms. */
#include "proto_test.h"

#include "base/clock.h"
#include "proto/date.h"

struct row {
    const char *promise, *text;
    int64_t want; /* NONE: no date */
};

enum { NONE = -1 };

static const struct row rows[] = {
    { "the preferred form", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
    { "asctime", "Sun Nov  6 08:49:37 1994", 784111777 },
    { "asctime with two digits", "Wed Nov 16 08:49:37 1994", 784975777 },
    { "the first second", "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
    { "before the first second", "Wed, 31 Dec 1969 23:59:58 GMT", -2 },
    { "year 1900", "Mon, 01 Jan 1900 00:00:00 GMT", -2208988800 },
    { "beyond 32 bits", "Sun, 07 Feb 2106 06:28:16 GMT", 4294967296 },
    { "the last year", "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
    { "a leap day", "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800 },
    { "a leap day of a whole century", "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
    { "a leap second", "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
    { "two digits from 70 on are of the last century", "Thursday, 01-Jan-70 00:00:00 GMT", 0 },
    { "two digits up to 69 are of this one", "Tuesday, 01-Jan-69 00:00:00 GMT", 3124224000 },
    { "the day of the week is not checked", "Mon, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "RESP-45 nothing", "", NONE },
    { "RESP-45 nonsense", "Sun, 99 Foo 99999", NONE },
    { "no leap day", "Wed, 29 Feb 2023 00:00:00 GMT", NONE },
    { "no leap day in 1900", "Thu, 29 Feb 1900 00:00:00 GMT", NONE },
    { "day 31 of a short month", "Wed, 31 Apr 2024 00:00:00 GMT", NONE },
    { "day 0", "Wed, 00 Apr 2024 00:00:00 GMT", NONE },
    { "hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", NONE },
    { "minute 60", "Sun, 06 Nov 1994 08:60:00 GMT", NONE },
    { "second 61", "Sun, 06 Nov 1994 08:00:61 GMT", NONE },
    { "another zone", "Sun, 06 Nov 1994 08:49:37 EST", NONE },
    { "no zone", "Sun, 06 Nov 1994 08:49:37", NONE },
    { "bytes behind", "Sun, 06 Nov 1994 08:49:37 GMT ", NONE },
    { "a blank before", " Sun, 06 Nov 1994 08:49:37 GMT", NONE },
    { "another day", "Son, 06 Nov 1994 08:49:37 GMT", NONE },
    { "another month", "Sun, 06 Nop 1994 08:49:37 GMT", NONE },
    { "a month in small letters", "Sun, 06 nov 1994 08:49:37 GMT", NONE },
    { "one digit of a day", "Sun, 6 Nov 1994 08:49:37 GMT", NONE },
    { "a sign", "Sun, +6 Nov 1994 08:49:37 GMT", NONE },
    { "a number", "784111777", NONE },
    { "three letters", "Sun", NONE },
};

static void keeps_its_promise(void **state)
{
    const struct row *row = *state;
    int64_t second = 7;
    bool ok = http_date_parse(span_of(row->text), &second);

    if (ok != (row->want != NONE) || second != (ok ? row->want : 7))
        fail_msg("%s: %d, %lld", row->promise, ok, (long long)second);
}

static void a_date_that_was_printed_is_read_as_itself(void **state)
{
    char text[32];

    (void)state;
    for (int64_t second = -100000000; second < 9000000000; second += 86400 * 11 + 12345) {
        int64_t got = 0;

        http_date_print(second, text);
        assert_true(http_date_parse(span_of(text), &got));
        assert_int_equal(got, second);
        for (size_t len = 0; len < HTTP_DATE_LENGTH; len++)
            assert_false(http_date_parse((struct span){ text, len }, &got));
    }
}

int main(void)
{
    static struct suite s;

    ADD_TABLE(&s, rows, keeps_its_promise);
    ADD_TEST(&s, a_date_that_was_printed_is_read_as_itself);
    return run_suite("date", &s);
}
