/* The chunked coding as a table: a state for each place in the grammar, a row of what may follow
 * there (RFC 9112 7.1).
 *
 *     SIZE [ BWS ; BWS name [ BWS = BWS ( token | quoted ) ] ]* CR LF   data CR LF     any number
 *     0... [ extensions ] CR LF
 *     [ name : value CR LF ]*                                                          trailers
 *     CR LF
 *
 * Extensions and trailers are checked to the byte, because other readers differ in how they pass
 * over what they do not understand; then they are dropped. Data are never copied: they are spans of
 * the caller's bytes. */
#include "proto/chunked.h"

#include "proto/byte_class.h"

enum { MOST_DIGITS = 16, LONGEST_SIZE_LINE = 256, MOST_EXTENSIONS = 4096 };
enum { LONGEST_TRAILER_LINE = 8192, MOST_TRAILER_BYTES = 32768, MOST_TRAILERS = 1000 };

enum kind {
    CONTROL,
    HEX,
    WORD,
    BLANK,
    SEMICOLON,
    EQUALS,
    QUOTE,
    BACKSLASH,
    COLON,
    TEXT,
    CR,
    LF,
    KINDS
};

/* Where nothing else stands: CONTROL below 0x20, and for 0x7f. */
static const uint8_t kinds[256] = {
    ['\t'] = BLANK,         ['\n'] = LF,          ['\r'] = CR,
    [' '] = BLANK,          ['!'] = WORD,         ['"'] = QUOTE,
    ['#' ... '\''] = WORD,  ['('] = TEXT,         [')'] = TEXT,
    ['*'] = WORD,           ['+'] = WORD,         [','] = TEXT,
    ['-'] = WORD,           ['.'] = WORD,         ['/'] = TEXT,
    ['0' ... '9'] = HEX,    [':'] = COLON,        [';'] = SEMICOLON,
    ['<'] = TEXT,           ['='] = EQUALS,       ['>' ... '@'] = TEXT,
    ['A' ... 'F'] = HEX,    ['G' ... 'Z'] = WORD, ['['] = TEXT,
    ['\\'] = BACKSLASH,     [']'] = TEXT,         ['^' ... '`'] = WORD,
    ['a' ... 'f'] = HEX,    ['g' ... 'z'] = WORD, ['{'] = TEXT,
    ['|'] = WORD,           ['}'] = TEXT,         ['~'] = WORD,
    [0x80 ... 0xff] = TEXT,
};

/* The order matters: the line of a size, with its extensions; the data; the trailers; the end. */
enum state {
    BAD,
    SIZE_START,
    SIZE,
    BEHIND, /* blanks behind a size or a value: only `;` may follow */
    EXT_START,
    EXT_NAME,
    EXT_NAMED,
    EXT_EQUALS,
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPE,
    EXT_UNQUOTED,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LINE_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    END,
    STATES
};

/* What is not named is BAD. */
static const uint8_t table[STATES][KINDS] = {
    [SIZE_START] = { [HEX] = SIZE },
    [SIZE] = { [HEX] = SIZE, [BLANK] = BEHIND, [SEMICOLON] = EXT_START, [CR] = SIZE_LF },
    [BEHIND] = { [BLANK] = BEHIND, [SEMICOLON] = EXT_START },
    [EXT_START] = { [BLANK] = EXT_START, [HEX] = EXT_NAME, [WORD] = EXT_NAME },
    [EXT_NAME] = { [HEX] = EXT_NAME,
                   [WORD] = EXT_NAME,
                   [BLANK] = EXT_NAMED,
                   [EQUALS] = EXT_EQUALS,
                   [SEMICOLON] = EXT_START,
                   [CR] = SIZE_LF },
    [EXT_NAMED] = { [BLANK] = EXT_NAMED, [EQUALS] = EXT_EQUALS, [SEMICOLON] = EXT_START },
    [EXT_EQUALS] = { [BLANK] = EXT_EQUALS, [HEX... WORD] = EXT_TOKEN, [QUOTE] = EXT_QUOTED },
    [EXT_TOKEN] = { [HEX] = EXT_TOKEN,
                    [WORD] = EXT_TOKEN,
                    [BLANK] = BEHIND,
                    [SEMICOLON] = EXT_START,
                    [CR] = SIZE_LF },
    [EXT_QUOTED] = { [HEX... EQUALS] = EXT_QUOTED,
                     [QUOTE] = EXT_UNQUOTED,
                     [BACKSLASH] = EXT_ESCAPE,
                     [COLON... TEXT] = EXT_QUOTED },
    [EXT_ESCAPE] = { [HEX... TEXT] = EXT_QUOTED },
    [EXT_UNQUOTED] = { [BLANK] = BEHIND, [SEMICOLON] = EXT_START, [CR] = SIZE_LF },
    [SIZE_LF] = { [LF] = DATA },
    [DATA_CR] = { [CR] = DATA_LF },
    [DATA_LF] = { [LF] = SIZE_START },
    [LINE_START] = { [HEX] = TRAILER_NAME, [WORD] = TRAILER_NAME, [CR] = END_LF },
    [TRAILER_NAME] = { [HEX] = TRAILER_NAME, [WORD] = TRAILER_NAME, [COLON] = TRAILER_VALUE },
    [TRAILER_VALUE] = { [HEX... TEXT] = TRAILER_VALUE, [CR] = TRAILER_LF },
    [TRAILER_LF] = { [LF] = LINE_START },
    [END_LF] = { [LF] = END },
};

void chunked_init(struct chunked *c)
{
    *c = (struct chunked){
        .state = SIZE_START,
        .trailer_most = MOST_TRAILER_BYTES,
        .trailers_most = MOST_TRAILERS,
    };
}

void chunked_limit_trailers(struct chunked *c, uint32_t bytes, uint32_t lines)
{
    c->trailer_most = bytes;
    c->trailers_most = lines;
}

static bool add_digit(struct chunked *c, char byte)
{
    c->left = c->left << 4 | (unsigned)hex_value((unsigned char)byte);
    return ++c->digits <= MOST_DIGITS && c->left <= INT64_MAX;
}

/* Where a line of a size has ended. */
static enum state begin_data(struct chunked *c)
{
    c->line = c->digits = 0;
    return c->left > 0 ? DATA : LINE_START;
}

/* Bytes of a line with a size, and bytes of trailers, have their maxima. */
static bool within_limits(struct chunked *c, enum state next)
{
    if (next <= DATA) {
        c->extension += next >= BEHIND && next < SIZE_LF;
        return ++c->line <= LONGEST_SIZE_LINE && c->extension <= MOST_EXTENSIONS;
    }
    if (next < LINE_START || next > TRAILER_LF)
        return true;
    c->trailers += next == LINE_START;
    bool fits = ++c->line <= LONGEST_TRAILER_LINE && ++c->trailer <= c->trailer_most &&
                c->trailers <= c->trailers_most;
    if (next == LINE_START)
        c->line = 0;
    return fits;
}

static enum state step(struct chunked *c, char byte)
{
    enum state next = table[c->state][kinds[(unsigned char)byte]];

    if (next == BAD || !within_limits(c, next) || (next == SIZE && !add_digit(c, byte)))
        return BAD;
    return next == DATA ? begin_data(c) : next;
}

static void take_data(struct chunked *c, struct span rest, struct span *ret_data)
{
    *ret_data = c->left < rest.len ? span_first(rest, (size_t)c->left) : rest;
    c->left -= ret_data->len;
    if (c->left == 0)
        c->state = DATA_CR;
}

enum chunk chunked_next(struct chunked *c, struct span in, struct span *ret_data, size_t *ret_taken)
{
    struct span rest = in;

    while (rest.len > 0 && c->state != DATA && c->state != END && c->state != BAD) {
        c->state = step(c, rest.at[0]);
        rest = span_from(rest, 1);
    }
    if (c->state == BAD)
        return CHUNK_BAD;
    enum chunk chunk = c->state == END ? CHUNK_END : CHUNK_MORE;
    if (c->state == DATA && rest.len > 0) {
        chunk = CHUNK_DATA;
        take_data(c, rest, ret_data);
        rest = span_from(rest, ret_data->len);
    }
    *ret_taken = in.len - rest.len;
    return chunk;
}

uint64_t chunked_left(const struct chunked *c)
{
    return c->state == DATA ? c->left : 0;
}

size_t chunk_head(uint64_t size, char ret_text[CHUNK_HEAD_MOST])
{
    unsigned digits = 1;

    while (digits < MOST_DIGITS && size >> (4 * digits) > 0)
        digits++;
    for (unsigned i = 0; i < digits; i++)
        ret_text[i] = "0123456789abcdef"[size >> (4 * (digits - 1 - i)) & 15];
    ret_text[digits] = '\r';
    ret_text[digits + 1] = '\n';
    return digits + 2;
}
