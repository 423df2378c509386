#ifndef PROTO_BYTE_CLASS_H
#define PROTO_BYTE_CLASS_H

#include "base/span.h"

/* What a byte may be part of, as bits: one table for all parsers of HTTP/1 text. */
enum byte_class {
    BYTE_TOKEN = 1,   /* tchar (RFC 9110 5.6.2) */
    BYTE_PLAIN = 2,   /* letter, digit, hyphen: field names that everybody understands */
    BYTE_METHOD = 4,  /* A-Z, `_`, `-` */
    BYTE_TARGET = 8,  /* from 0x21 up, but 0x7f */
    BYTE_TEXT = 16,   /* HTAB, and from 0x20 up, but 0x7f: field values, reason phrases */
    BYTE_HOST = 32,   /* of a registered name (RFC 3986 3.2.2) without `%` and `,` */
    BYTE_DIGIT = 64,  /* 0-9 */
    BYTE_LETTER = 128 /* a-z, A-Z */
};

extern const uint8_t byte_classes[256];

static inline bool byte_is(char c, unsigned classes)
{
    return (byte_classes[(unsigned char)c] & classes) != 0;
}

/* How many bytes at the start of `s` are of one of the classes. */
static inline size_t byte_run(struct span s, unsigned classes)
{
    size_t n = 0;

    while (n < s.len && byte_is(s.at[n], classes))
        n++;
    return n;
}

/* The value of a hexadecimal digit; -1: none. */
static inline int hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    int lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
