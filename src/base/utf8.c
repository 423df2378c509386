/* UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF. Owns nothing. */
#include "base/utf8.h"

size_t utf8_length(struct span s)
{
    unsigned char first = (unsigned char)s.at[0];
    size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (len < 2)
        return len;
    if (first > 0xf4 || len > s.len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if (((unsigned char)s.at[i] & 0xc0) != 0x80)
            return 0;
    unsigned char second = (unsigned char)s.at[1];
    if ((first == 0xc2 && second < 0xa0) || (first == 0xe0 && second < 0xa0) ||
        (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f))
        return 0;
    return len;
}
