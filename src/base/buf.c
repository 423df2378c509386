/* A growable buffer with a maximum and a sticky failure. Owns its bytes. */
#include "base/buf.h"

#include "base/budget.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_ROOM = 256, LONGEST_PRINT = 1024 };

void buf_init(struct buf *b, size_t max, struct budget *budget)
{
    *b = (struct buf){ .max = max, .budget = budget };
}

void buf_done(struct buf *b)
{
    free(b->data);
    budget_give(b->budget, b->room);
    *b = (struct buf){ .failed = true };
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static bool grow(struct buf *b, size_t room)
{
    if (!budget_take(b->budget, room - b->room))
        return false;
    char *data = realloc(b->data, room);
    if (data == NULL) {
        budget_give(b->budget, room - b->room);
        return false;
    }
    b->data = data;
    b->room = room;
    return true;
}

bool buf_reserve(struct buf *b, size_t more)
{
    size_t room = b->room > 0 ? b->room : b->max < FIRST_ROOM ? b->max : FIRST_ROOM;

    if (b->failed || more > b->max - b->len) {
        b->failed = true;
        return false;
    }
    while (room < b->len + more)
        room = room > b->max / 2 ? b->max : room * 2;
    if (room > b->room && !grow(b, room))
        b->failed = true;
    return !b->failed;
}

void buf_add_decimal(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_add(b, (struct span){ digits + at, sizeof(digits) - at });
}

void buf_add_hex(struct buf *b, uint64_t value)
{
    char digits[16];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value > 0);
    buf_add(b, (struct span){ digits + at, sizeof(digits) - at });
}

void buf_addf(struct buf *b, const char *format, ...)
{
    char text[LONGEST_PRINT];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(text))
        b->failed = true;
    else
        buf_add(b, (struct span){ text, (size_t)len });
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}
