#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/span.h"

/* What a parser says of the bytes so far. */
enum parse {
    PARSE_OK,   /* whole; outputs are set */
    PARSE_MORE, /* a good start: call again with all the bytes so far and more */
    PARSE_BAD   /* never, whatever follows; outputs untouched */
};

/* The only way over bytes that a peer sent: it cannot leave them. Copy it to try and go back. */
struct cursor {
    const char *at;
    const char *end;
};

static inline struct cursor cursor_of(struct span s)
{
    return (struct cursor){ s.at, s.at + s.len };
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline struct span cursor_rest(const struct cursor *c)
{
    return (struct span){ c->at, cursor_left(c) };
}

/* The next byte, 0-255, or -1 at the end. */
static inline int cursor_peek(const struct cursor *c)
{
    return c->at < c->end ? (unsigned char)*c->at : -1;
}

static inline int cursor_next(struct cursor *c)
{
    return c->at < c->end ? (unsigned char)*c->at++ : -1;
}

static inline bool cursor_eat_byte(struct cursor *c, char byte)
{
    if (c->at >= c->end || *c->at != byte)
        return false;
    c->at++;
    return true;
}

/* Passes `text` if it stands there whole; else does not move. */
bool cursor_eat(struct cursor *c, const char *text);
/* Passes what precedes `stop` and `stop` itself. False: no `stop`; does not move. */
bool cursor_until(struct cursor *c, char stop, struct span *ret_word);
/* The next `n` bytes. False: there are fewer; does not move. */
bool cursor_take(struct cursor *c, size_t n, struct span *ret_bytes);
/* Network order. False: too few bytes; does not move. */
bool cursor_u8(struct cursor *c, uint8_t *ret_value);
bool cursor_u16(struct cursor *c, uint16_t *ret_value);
bool cursor_u24(struct cursor *c, uint32_t *ret_value);
bool cursor_u32(struct cursor *c, uint32_t *ret_value);
/* Digits up to the first other byte: at least one, no leading zero (but for 0 itself), at most
 * `max`. False: not so; does not move. */
bool cursor_decimal(struct cursor *c, uint64_t max, uint64_t *ret_value);

#endif
