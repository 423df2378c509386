#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else owns: a place and a length, not ended by a zero. Who hands one out says
 * beside it how long the bytes live. */
struct span {
    const char *at;
    size_t len;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The span of a string literal; also in constant initialisers. */
#define SPAN(literal)                   \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }

static inline struct span span_of(const char *text)
{
    return (struct span){ text, text ? strlen(text) : 0 };
}

static inline bool span_same(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool span_is(struct span s, const char *text)
{
    return span_same(s, span_of(text));
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool span_same_caseless(struct span a, struct span b); /* ASCII letters only, as all below */
bool span_is_caseless(struct span s, const char *text);
bool span_starts(struct span s, const char *text);
bool span_starts_caseless(struct span s, const char *text);
bool span_ends(struct span s, const char *text);
/* As far as the shorter of the two goes, they are equal. */
bool span_agrees(struct span s, const char *text);

/* Takes `last` off the end; false (and unchanged) if something else stands there. */
bool span_chop(struct span *s, char last);
/* The place of `c`, or `s.len`. */
size_t span_find(struct span s, char c);
/* Splits at the first `c`, which belongs to neither part. False: no `c`, outputs untouched. */
bool span_cut(struct span s, char c, struct span *ret_head, struct span *ret_tail);
/* Without SP and HTAB at both ends (RFC 9110 5.6.3: OWS). */
struct span span_trim(struct span s);
/* What remains after the first `n` bytes (none, if there are fewer). */
static inline struct span span_from(struct span s, size_t n)
{
    return n < s.len ? (struct span){ s.at + n, s.len - n } : (struct span){ s.at + s.len, 0 };
}
/* The first `n` bytes, or all. */
static inline struct span span_first(struct span s, size_t n)
{
    return (struct span){ s.at, n < s.len ? n : s.len };
}
/* A string for a library call. False if it does not fit or holds a zero byte: `1.2.3.4\0evil` is no
 * address. `ret_text` is touched only on success. */
bool span_to_cstr(struct span s, size_t size, char *ret_text);

/* One member of a comma list (RFC 9110 5.6.1), trimmed, empty ones skipped; false at the end. */
bool span_next_member(struct span *list, struct span *ret_member);

#endif
