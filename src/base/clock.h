#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* The time of one turn of the loop, and the texts that headers and logs need of it, rendered at
 * most once a second. */
struct clock {
    int64_t wall_ms;     /* since 1970 */
    int64_t second;      /* that of the texts */
    char http_date[32];  /* Tue, 24 Nov 2026 20:36:27 GMT (RFC 9110 5.6.7) */
    char local_time[32]; /* 24/Nov/2026:20:36:27 +0000 */
    char iso8601[32];    /* 2026-11-24T20:36:27+00:00 */
};

enum { HTTP_DATE_LENGTH = 29 };

uint64_t clock_monotonic_ms(void);
int64_t clock_wall_ms(void);
void clock_set(struct clock *c, int64_t wall_ms);
/* Writes 29 bytes and a zero. */
void http_date_print(int64_t second, char ret_text[32]);
/* `2026/11/24 20:36:27`, local time, 19 bytes and a zero. */
void error_time_print(int64_t second, char ret_text[32]);

#endif
