/* The lines that requests and responses have in common: field lines and line ends.
 *
 *     name ":" OWS value OWS CR LF       any number
 *     CR LF
 *
 * This is the hot path: a table look-up per byte of a name, eight bytes at a time of a value. */
#include "base/cursor.h"
#include "base/span.h"
#include "proto/byte_class.h"
#include "proto/fields.h"
#include "proto/h1.h"
#include "proto/h1_head.h"

#include <endian.h>

struct h1_head h1_head_of(struct span in, const struct h1_limits *limits)
{
    return (struct h1_head){
        .c = cursor_of(span_first(in, limits->head)),
        .limits = limits,
        .capped = in.len >= limits->head,
    };
}

enum parse h1_ran_out(struct h1_head *h, const char *start, const char *stop,
                      enum h1_fault too_long)
{
    if ((size_t)(stop - start) >= h->limits->line)
        return h1_bad(h, too_long);
    return h->capped ? h1_bad(h, H1_HEAD_TOO_LONG) : PARSE_MORE;
}

enum parse h1_line_end(struct h1_head *h, const char *at, const char *stop, enum h1_fault other)
{
    if (stop - at >= 2 && at[0] == '\r' && at[1] == '\n') {
        h->c.at = at + 2;
        return PARSE_OK;
    }
    if (at == stop || (stop - at == 1 && *at == '\r'))
        return PARSE_MORE;
    return h1_bad(h, *at == '\r' || *at == '\n' ? H1_BAD_LINE_END : other);
}

bool h1_read_version(const char *at, unsigned *ret_major, unsigned *ret_minor)
{
    if (memcmp(at, "HTTP/", 5) != 0 || !byte_is(at[5], BYTE_DIGIT) || at[6] != '.' ||
        !byte_is(at[7], BYTE_DIGIT))
        return false;
    *ret_major = (unsigned)(at[5] - '0');
    *ret_minor = (unsigned)(at[7] - '0');
    return true;
}

/* Of eight bytes at once: how many precede the first that is under 0x20, or 0x7f; 8: all. The
 * subtractions borrow only from bytes behind such a one, so the first mark is right. */
static inline unsigned before_control(const char *at)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    v = le64toh(v);
    uint64_t del = v ^ (ones * 0x7f);
    uint64_t marks = (((v - ones * 0x20) & ~v) | ((del - ones) & ~del)) & highs;
    return marks != 0 ? (unsigned)__builtin_ctzll(marks) / 8 : 8;
}

/* The first byte that no value may hold, or `stop`. */
static inline const char *value_end(const char *at, const char *stop)
{
    while (stop - at >= 8) {
        unsigned good = before_control(at);

        at += good;
        if (good < 8 && *at != '\t')
            return at;
        at += good < 8;
    }
    while (at < stop && byte_is(*at, BYTE_TEXT))
        at++;
    return at;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* From behind the colon to the next line. `ret_value`: trimmed. */
static enum parse read_value(struct h1_head *h, const char *at, const char *stop,
                             struct span *ret_value)
{
    while (at < stop && is_blank(*at))
        at++;
    const char *end = value_end(at, stop);
    enum parse parse = h1_line_end(h, end, stop, H1_BAD_FIELD_VALUE);

    if (parse != PARSE_OK)
        return parse;
    while (end > at && is_blank(end[-1]))
        end--;
    *ret_value = (struct span){ at, (size_t)(end - at) };
    return PARSE_OK;
}

static enum h1_fault fault_of_name(const char *at)
{
    if (is_blank(*at))
        return H1_FOLDED;
    return *at == '\n' ? H1_BAD_LINE_END : H1_BAD_FIELD_NAME;
}

static inline enum parse read_field(struct h1_head *h, struct fields *fields,
                                    enum field_origin origin)
{
    const char *start = h->c.at, *stop = h1_line_stop(h), *at = start;
    unsigned all = BYTE_PLAIN, class;
    struct span value;

    while (at < stop && (class = byte_classes[(unsigned char)*at]) & BYTE_TOKEN) {
        all &= class;
        at++;
    }
    if (at == stop)
        return h1_ran_out(h, start, stop, H1_FIELD_TOO_LONG);
    if (at == start || *at != ':')
        return h1_bad(h, at == start ? fault_of_name(at) : H1_BAD_FIELD_NAME);

    enum parse parse = read_value(h, at + 1, stop, &value);
    if (parse == PARSE_MORE)
        return h1_ran_out(h, start, stop, H1_FIELD_TOO_LONG);
    if (parse == PARSE_BAD)
        return parse;
    if (fields->count >= h->limits->fields)
        return h1_bad(h, H1_TOO_MANY_FIELDS);
    struct span name = { start, (size_t)(at - start) };
    fields_add(fields, name, value, origin)->invalid = all == 0;
    return PARSE_OK;
}

enum parse h1_read_fields(struct h1_head *h, struct fields *fields, enum field_origin origin)
{
    while (cursor_peek(&h->c) != '\r') {
        enum parse parse = read_field(h, fields, origin);

        if (parse != PARSE_OK)
            return parse;
    }
    const char *start = h->c.at;
    enum parse parse = h1_line_end(h, start, h->c.end, H1_BAD_LINE_END);
    return parse == PARSE_MORE ? h1_ran_out(h, start, h->c.end, H1_FIELD_TOO_LONG) : parse;
}
