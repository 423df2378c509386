/* Reads the clocks, and renders a second as text. The only file that asks the kernel for the time.
 * The C locale is never left, so strftime writes English. */
#include "base/clock.h"

#include <string.h>
#include <time.h>

enum { TEXT = 32 };

static int64_t read_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t clock_monotonic_ms(void)
{
    return (uint64_t)read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

static void print(const struct tm *t, const char *format, char ret_text[TEXT])
{
    if (strftime(ret_text, TEXT, format, t) == 0)
        ret_text[0] = '\0';
}

void http_date_print(int64_t second, char ret_text[TEXT])
{
    struct tm t;
    time_t when = (time_t)second;

    gmtime_r(&when, &t);
    print(&t, "%a, %d %b %Y %H:%M:%S GMT", ret_text);
}

void error_time_print(int64_t second, char ret_text[TEXT])
{
    struct tm t;
    time_t when = (time_t)second;

    localtime_r(&when, &t);
    print(&t, "%Y/%m/%d %H:%M:%S", ret_text);
}

void clock_set(struct clock *c, int64_t wall_ms)
{
    struct tm t;
    time_t second = (time_t)(wall_ms / 1000);

    c->wall_ms = wall_ms;
    if (second == c->second && c->http_date[0] != '\0')
        return;
    c->second = second;
    http_date_print(second, c->http_date);

    localtime_r(&second, &t);
    print(&t, "%d/%b/%Y:%H:%M:%S %z", c->local_time);
    print(&t, "%Y-%m-%dT%H:%M:%S%z", c->iso8601); /* +0000, but +00:00 is asked for: */
    size_t len = strlen(c->iso8601);
    if (len >= 2) {
        memmove(c->iso8601 + len - 1, c->iso8601 + len - 2, 3);
        c->iso8601[len - 2] = ':';
    }
}
