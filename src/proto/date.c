/* The dates of HTTP (RFC 9110 5.6.7): one that is written, two that old programs still write.
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT
 *     Sunday, 06-Nov-94 08:49:37 GMT
 *     Sun Nov  6 08:49:37 1994
 *
 * Whether the day of the week belongs to the date is not checked. Knows no clock, so two digits of
 * a year are 1970 to 2069. */
#include "proto/date.h"

#include "base/cursor.h"

struct date {
    unsigned year;
    unsigned month; /* 1 to 12 */
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
};

enum { FIRST_SHORT_YEAR = 70 };

static const char *const days[] = { "Monday", "Tuesday",  "Wednesday", "Thursday",
                                    "Friday", "Saturday", "Sunday" };
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool eat_number(struct cursor *c, unsigned digits, unsigned *ret_value)
{
    unsigned value = 0;
    struct span text;

    if (!cursor_take(c, digits, &text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.at[i] - '0');
    }
    *ret_value = value;
    return true;
}

static bool eat_month(struct cursor *c, unsigned *ret_month)
{
    struct span name;

    if (!cursor_take(c, 3, &name))
        return false;
    for (unsigned i = 0; i < 12; i++)
        if (memcmp(months + (size_t)i * 3, name.at, 3) == 0) {
            *ret_month = i + 1;
            return true;
        }
    return false;
}

static bool eat_time(struct cursor *c, struct date *d)
{
    return eat_number(c, 2, &d->hour) && cursor_eat(c, ":") && eat_number(c, 2, &d->minute) &&
           cursor_eat(c, ":") && eat_number(c, 2, &d->second);
}

static bool eat_fixed(struct cursor *c, struct date *d)
{
    return cursor_eat(c, ", ") && eat_number(c, 2, &d->day) && cursor_eat(c, " ") &&
           eat_month(c, &d->month) && cursor_eat(c, " ") && eat_number(c, 4, &d->year) &&
           cursor_eat(c, " ") && eat_time(c, d) && cursor_eat(c, " GMT");
}

static bool eat_rfc850(struct cursor *c, struct date *d)
{
    if (!cursor_eat(c, ", ") || !eat_number(c, 2, &d->day) || !cursor_eat(c, "-") ||
        !eat_month(c, &d->month) || !cursor_eat(c, "-") || !eat_number(c, 2, &d->year) ||
        !cursor_eat(c, " ") || !eat_time(c, d) || !cursor_eat(c, " GMT"))
        return false;
    d->year += d->year < FIRST_SHORT_YEAR ? 2000 : 1900;
    return true;
}

static bool eat_asctime(struct cursor *c, struct date *d)
{
    if (!cursor_eat(c, " ") || !eat_month(c, &d->month) || !cursor_eat(c, " "))
        return false;
    unsigned digits = cursor_eat(c, " ") ? 1 : 2;
    return eat_number(c, digits, &d->day) && cursor_eat(c, " ") && eat_time(c, d) &&
           cursor_eat(c, " ") && eat_number(c, 4, &d->year);
}

/* The first word decides: a whole day name is RFC 850's, three letters with a comma the preferred
 * form. */
static bool eat_date(struct cursor *c, struct date *d)
{
    for (size_t i = 0; i < COUNT(days); i++) {
        struct span whole = span_of(days[i]), rest = cursor_rest(c);

        if (rest.len < 4 || memcmp(whole.at, rest.at, 3) != 0)
            continue;
        if (cursor_eat(c, days[i]))
            return eat_rfc850(c, d);
        struct span word;
        return cursor_take(c, 3, &word) &&
               (cursor_peek(c) == ',' ? eat_fixed(c, d) : eat_asctime(c, d));
    }
    return false;
}

static bool exists(const struct date *d)
{
    static const uint8_t length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);

    return d->day >= 1 && d->day <= length[d->month - 1] + (unsigned)(leap && d->month == 2) &&
           d->hour < 24 && d->minute < 60 && d->second <= 60; /* a leap second */
}

/* Days since 1970-01-01; years are counted from March, so that the odd day is their last. */
static int64_t day_number(const struct date *d)
{
    int64_t year = (int64_t)d->year - (d->month <= 2) + 400; /* year 0's January too is positive */
    unsigned month = (d->month + 9) % 12;
    int64_t day = (153 * month + 2) / 5 + d->day - 1;

    return year * 365 + year / 4 - year / 100 + year / 400 + day - 719468 - 146097;
}

bool http_date_parse(struct span text, int64_t *ret_second)
{
    struct cursor c = cursor_of(text);
    struct date d = { .year = 0 };

    if (!eat_date(&c, &d) || cursor_left(&c) > 0 || !exists(&d))
        return false;
    *ret_second = day_number(&d) * 86400 + d.hour * 3600 + d.minute * 60 + d.second;
    return true;
}
