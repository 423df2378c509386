/* The path that locations match: each %XX decoded once, then dot segments resolved and slashes
 * merged.
 *
 *     /a/./b/%2e%2e/c//d   ->   /a/c/d
 *
 * A decoded slash is a slash, a decoded `?`, `#` or `%` an ordinary byte. The result begins
 * with a slash, holds no dot segment and no control byte, and is not longer than what it is of. */
#include "base/buf.h"
#include "base/cursor.h"
#include "base/span.h"
#include "proto/byte_class.h"
#include "proto/uri.h"

/* The path so far; it is our memory, with room for all that can come. */
struct path {
    char *at;
    size_t len;
    size_t segment; /* where the last one begins, behind its slash */
    bool merge;
};

/* One byte of the path, decoded. -1: bad escape, or a control byte. */
static int next_byte(struct cursor *c)
{
    int byte = cursor_next(c);

    if (byte == '%') {
        int high = hex_value(cursor_next(c)), low = hex_value(cursor_next(c));

        if (high < 0 || low < 0)
            return -1;
        byte = high << 4 | low;
    }
    return byte < ' ' || byte == 0x7f ? -1 : byte;
}

/* A segment is whole: at a slash, or at the end. False: above the root. */
static bool end_segment(struct path *p)
{
    struct span last = { p->at + p->segment, p->len - p->segment };

    if (span_is(last, ".")) {
        p->len = p->segment;
    } else if (span_is(last, "..")) {
        if (p->segment <= 1)
            return false;
        size_t up = p->segment - 1; /* on the slash that ends the segment above */
        while (p->at[up - 1] != '/')
            up--;
        p->len = p->segment = up;
    }
    return true;
}

static bool add_byte(struct path *p, char byte)
{
    if (byte != '/') {
        p->at[p->len++] = byte;
        return true;
    }
    size_t before = p->len;

    if (!end_segment(p))
        return false;
    if (p->len < before || (p->merge && p->len == p->segment))
        return true; /* the slash in front of what went is there already */
    p->at[p->len++] = '/';
    p->segment = p->len;
    return true;
}

static bool build(struct path *p, struct cursor c)
{
    cursor_next(&c); /* the first slash */
    p->at[0] = '/';
    p->len = p->segment = 1;
    while (cursor_left(&c) > 0) {
        int byte = next_byte(&c);

        if (byte < 0 || !add_byte(p, (char)byte))
            return false;
    }
    return end_segment(p);
}

bool path_normalise(struct span raw, bool merge_slashes, struct buf *out)
{
    if (raw.len == 0 || raw.at[0] != '/' || !buf_reserve(out, raw.len))
        return false;
    struct path p = { .at = out->data + out->len, .merge = merge_slashes };

    if (!build(&p, cursor_of(raw)))
        return false;
    out->len += p.len;
    return true;
}

static bool is_dots(struct span s)
{
    return span_is(s, ".") || span_is(s, "..");
}

bool path_has_dots(struct span path)
{
    struct span part;

    while (span_cut(path, '/', &part, &path))
        if (is_dots(part))
            return true;
    return is_dots(path);
}

bool path_is_normal(struct span raw, bool merge_slashes)
{
    size_t segment = 1;

    if (raw.len == 0 || raw.at[0] != '/')
        return false;
    for (size_t i = 1; i < raw.len; i++) {
        char byte = raw.at[i];

        if (byte == '%' || !byte_is(byte, BYTE_TEXT) || byte == '\t')
            return false;
        if (byte != '/')
            continue;
        if ((merge_slashes && i == segment) ||
            is_dots((struct span){ raw.at + segment, i - segment }))
            return false;
        segment = i + 1;
    }
    return !is_dots(span_from(raw, segment));
}
