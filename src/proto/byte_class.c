/* The classes of bytes that HTTP/1 text is made of. Each row is disjoint from all others. */
#include "proto/byte_class.h"

enum {
    VISIBLE = BYTE_TARGET | BYTE_TEXT,
    TOKEN = VISIBLE | BYTE_TOKEN,
    IN_HOST = TOKEN | BYTE_HOST,
    LETTER = IN_HOST | BYTE_PLAIN | BYTE_LETTER
};

const uint8_t byte_classes[256] = {
    ['\t'] = BYTE_TEXT,
    [' '] = BYTE_TEXT,
    ['!'] = IN_HOST,
    ['"'] = VISIBLE,
    ['#'] = TOKEN,
    ['$'] = IN_HOST,
    ['%'] = TOKEN,
    ['&'] = IN_HOST,
    ['\''] = IN_HOST,
    ['('] = VISIBLE | BYTE_HOST,
    [')'] = VISIBLE | BYTE_HOST,
    ['*'] = IN_HOST,
    ['+'] = IN_HOST,
    [','] = VISIBLE,
    ['-'] = IN_HOST | BYTE_PLAIN | BYTE_METHOD,
    ['.'] = IN_HOST,
    ['/'] = VISIBLE,
    ['0' ... '9'] = IN_HOST | BYTE_PLAIN | BYTE_DIGIT,
    [':'] = VISIBLE,
    [';'] = VISIBLE | BYTE_HOST,
    ['<'] = VISIBLE,
    ['='] = VISIBLE | BYTE_HOST,
    ['>' ... '@'] = VISIBLE,
    ['A' ... 'Z'] = LETTER | BYTE_METHOD,
    ['[' ... ']'] = VISIBLE,
    ['^'] = TOKEN,
    ['_'] = IN_HOST | BYTE_METHOD,
    ['`'] = TOKEN,
    ['a' ... 'z'] = LETTER,
    ['{'] = VISIBLE,
    ['|'] = TOKEN,
    ['}'] = VISIBLE,
    ['~'] = IN_HOST,
    [0x80 ... 0xff] = VISIBLE,
};
