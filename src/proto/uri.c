/* Request targets, cut into their parts, and the escaping of what we put into one.
 *
 *     origin      /path?args
 *     absolute    http://host:port/path?args
 *     authority   host:port                      CONNECT only
 *     asterisk    *
 *
 * Nothing is decoded here: path_normalise does that. */
#include "proto/uri.h"

#include "base/buf.h"
#include "proto/byte_class.h"

static void read_path(struct span rest, struct target *t)
{
    static const struct span root = SPAN("/");

    t->path = rest;
    t->has_args = span_cut(rest, '?', &t->path, &t->args);
    t->escaped = span_find(t->path, '%') < t->path.len || span_find(t->path, '+') < t->path.len;
    if (t->path.len == 0)
        t->path = root;
}

/* `http` and `https`: no other scheme is fetched here (TARG-15). */
static bool read_scheme(struct span raw, struct target *t, struct span *ret_rest)
{
    struct span scheme, rest;

    if (!span_cut(raw, ':', &scheme, &rest) || !span_starts(rest, "//"))
        return false;
    if (!span_is_caseless(scheme, "http") && !span_is_caseless(scheme, "https"))
        return false;
    t->scheme = scheme;
    *ret_rest = span_from(rest, 2);
    return true;
}

static bool read_absolute(struct span raw, struct target *t)
{
    struct span rest;
    struct host host;

    if (!read_scheme(raw, t, &rest))
        return false;
    size_t slash = span_find(rest, '/'), query = span_find(rest, '?');
    size_t end = slash < query ? slash : query;
    t->authority = span_first(rest, end);
    if (!host_parse(t->authority, &host))
        return false;
    read_path(span_from(rest, end), t);
    return true;
}

static bool read_authority(struct span raw, struct target *t)
{
    struct host host;

    t->authority = raw;
    return host_parse(raw, &host) && host.port != 0;
}

static bool read_target(struct span raw, bool connect, struct target *t)
{
    if (connect) {
        t->form = TARGET_AUTHORITY;
        return read_authority(raw, t);
    }
    if (raw.at[0] == '/') {
        t->form = TARGET_ORIGIN;
        read_path(raw, t);
        return true;
    }
    if (span_is(raw, "*")) {
        t->form = TARGET_ASTERISK;
        return true;
    }
    t->form = TARGET_ABSOLUTE;
    return read_absolute(raw, t);
}

bool target_parse(struct span raw, bool connect, struct target *ret)
{
    struct target found = { .form = TARGET_ORIGIN };

    if (raw.len == 0 || byte_run(raw, BYTE_TARGET) < raw.len || span_find(raw, '#') < raw.len)
        return false;
    if (!read_target(raw, connect, &found))
        return false;
    *ret = found;
    return true;
}

enum { IN_URI = 1 << ESCAPE_URI, IN_ARGS = 1 << ESCAPE_ARGS, BOTH = IN_URI | IN_ARGS };

static const uint8_t escapes[256] = {
    [0 ... ' '] = BOTH, ['"'] = BOTH,           ['#'] = BOTH, ['%'] = BOTH, ['&'] = IN_ARGS,
    ['+'] = IN_ARGS,    [';'] = IN_ARGS,        ['<'] = BOTH, ['>'] = BOTH, ['?'] = BOTH,
    ['\\'] = BOTH,      ['^'] = BOTH,           ['`'] = BOTH, ['{'] = BOTH, ['|'] = BOTH,
    ['}'] = BOTH,       [0x7f ... 0xff] = BOTH,
};

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static bool is_escaped(unsigned char c, enum escape_set set)
{
    return set == ESCAPE_COMPONENT ? !is_unreserved(c) : (escapes[c] & 1u << set) != 0;
}

void uri_escape(struct span s, enum escape_set set, struct buf *out)
{
    while (s.len > 0) {
        size_t plain = 0;

        while (plain < s.len && !is_escaped((unsigned char)s.at[plain], set))
            plain++;
        buf_add(out, span_first(s, plain));
        s = span_from(s, plain);
        if (s.len > 0) {
            unsigned char byte = (unsigned char)s.at[0];
            char text[3] = { '%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15] };

            buf_add(out, (struct span){ text, sizeof(text) });
            s = span_from(s, 1);
        }
    }
}
