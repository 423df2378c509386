/* Walking over bytes that a peer sent. Owns nothing. */
#include "base/cursor.h"

bool cursor_eat(struct cursor *c, const char *text)
{
    if (!span_starts(cursor_rest(c), text))
        return false;
    c->at += strlen(text);
    return true;
}

bool cursor_until(struct cursor *c, char stop, struct span *ret_word)
{
    struct span rest = cursor_rest(c);
    size_t at = span_find(rest, stop);

    if (at == rest.len)
        return false;
    *ret_word = span_first(rest, at);
    c->at += at + 1;
    return true;
}

bool cursor_take(struct cursor *c, size_t n, struct span *ret_bytes)
{
    if (n > cursor_left(c))
        return false;
    *ret_bytes = (struct span){ c->at, n };
    c->at += n;
    return true;
}

static bool read_number(struct cursor *c, size_t bytes, uint32_t *ret_value)
{
    struct span digits;
    uint32_t value = 0;

    if (!cursor_take(c, bytes, &digits))
        return false;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)digits.at[i];
    *ret_value = value;
    return true;
}

bool cursor_u8(struct cursor *c, uint8_t *ret_value)
{
    uint32_t value;

    if (!read_number(c, 1, &value))
        return false;
    *ret_value = (uint8_t)value;
    return true;
}

bool cursor_u16(struct cursor *c, uint16_t *ret_value)
{
    uint32_t value;

    if (!read_number(c, 2, &value))
        return false;
    *ret_value = (uint16_t)value;
    return true;
}

bool cursor_u24(struct cursor *c, uint32_t *ret_value)
{
    return read_number(c, 3, ret_value);
}

bool cursor_u32(struct cursor *c, uint32_t *ret_value)
{
    return read_number(c, 4, ret_value);
}

bool cursor_decimal(struct cursor *c, uint64_t max, uint64_t *ret_value)
{
    const char *p = c->at;
    uint64_t value = 0;

    for (; p < c->end && *p >= '0' && *p <= '9'; p++) {
        unsigned digit = (unsigned)(*p - '0');

        if (value > (max - digit) / 10 || digit > max)
            return false;
        value = value * 10 + digit;
    }
    if (p == c->at || (*c->at == '0' && p - c->at > 1))
        return false;
    c->at = p;
    *ret_value = value;
    return true;
}
