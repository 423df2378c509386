/* The head of a request (RFC 9112 3):
 *
 *     [ CR LF ]  method SP target SP HTTP/1.M CR LF  fields  CR LF
 *
 * One pass; each step below moves the cursor behind what it has read, or says why not. */
#include "base/cursor.h"
#include "base/span.h"
#include "proto/byte_class.h"
#include "proto/fields.h"
#include "proto/h1.h"
#include "proto/h1_head.h"

/* One empty line is left over by some old clients after a body (RFC 9112 2.2). */
static enum parse skip_empty_line(struct h1_head *h)
{
    const char *start = h->c.at;
    int first = cursor_peek(&h->c);

    if (first != '\r' && first != '\n')
        return PARSE_OK;
    enum parse parse = h1_line_end(h, start, h->c.end, H1_BAD_LINE_END);
    if (parse == PARSE_MORE)
        return h1_ran_out(h, start, h->c.end, H1_LINE_TOO_LONG);
    first = cursor_peek(&h->c);
    if (parse == PARSE_OK && (first == '\r' || first == '\n'))
        return h1_bad(h, H1_EMPTY_LINES);
    return parse;
}

/* A word of one class, and the single space behind it. */
static enum parse read_word(struct h1_head *h, const char *stop, unsigned class,
                            struct span *ret_word)
{
    const char *at = h->c.at;

    while (at < stop && byte_is(*at, class))
        at++;
    *ret_word = (struct span){ h->c.at, (size_t)(at - h->c.at) };
    if (at == stop)
        return PARSE_MORE;
    if (ret_word->len == 0 || *at != ' ')
        return PARSE_BAD;
    h->c.at = at + 1;
    return PARSE_OK;
}

/* What stands where the space behind the target should be. */
static enum h1_fault fault_behind_target(struct span target)
{
    char c = target.at[target.len];

    if (c == '\n')
        return H1_BAD_LINE_END;
    return c == '\r' && target.len > 0 ? H1_BAD_VERSION : H1_BAD_TARGET; /* HTTP/0.9 had none */
}

static enum h1_fault fault_of_version(unsigned major)
{
    if (major == 1)
        return H1_FINE;
    return major > 1 ? H1_VERSION_UNSUPPORTED : H1_BAD_VERSION;
}

/* `HTTP/1.1 CR LF`. Before all of it is there: may it still become that? */
static enum parse read_version(struct h1_head *h, const char *stop, uint8_t *ret_minor)
{
    struct span rest = { h->c.at, (size_t)(stop - h->c.at) };
    unsigned major, minor;

    if (rest.len < H1_VERSION_LENGTH)
        return span_agrees(rest, "HTTP/") ? PARSE_MORE : h1_bad(h, H1_BAD_VERSION);
    if (!h1_read_version(rest.at, &major, &minor))
        return h1_bad(h, H1_BAD_VERSION);
    enum parse parse = h1_line_end(h, rest.at + H1_VERSION_LENGTH, stop, H1_BAD_VERSION);
    if (parse != PARSE_OK)
        return parse;
    if (fault_of_version(major) != H1_FINE)
        return h1_bad(h, fault_of_version(major));
    *ret_minor = minor > 0;
    return PARSE_OK;
}

static enum parse read_request_line(struct h1_head *h, struct h1_request *r)
{
    const char *start = h->c.at, *stop = h1_line_stop(h);
    struct span target;
    enum parse parse = read_word(h, stop, BYTE_METHOD, &r->method);

    if (parse == PARSE_MORE)
        return h1_ran_out(h, start, stop, H1_BAD_METHOD);
    if (parse == PARSE_BAD)
        return h1_bad(h, H1_BAD_METHOD);

    parse = read_word(h, stop, BYTE_TARGET, &r->target);
    target = r->target;
    if (parse == PARSE_BAD)
        return h1_bad(h, fault_behind_target(target));
    if (parse == PARSE_OK)
        parse = read_version(h, stop, &r->minor);
    return parse == PARSE_MORE ? h1_ran_out(h, start, stop, H1_LINE_TOO_LONG) : parse;
}

/* `100-continue` and nothing else (FLOW-13 to FLOW-15); HTTP/1.0 has no such thing. */
static enum h1_fault understand_expect(const struct h1_meaning *m, struct h1_request *r)
{
    if (m->expect == NULL || r->minor == 0)
        return H1_FINE;
    r->expects = span_is_caseless(m->expect->value, "100-continue");
    return r->expects ? H1_FINE : H1_BAD_EXPECT;
}

static enum h1_fault understand(const struct fields *fields, struct h1_request *r)
{
    struct h1_meaning m;
    enum h1_fault fault = h1_understand(fields, r->minor, true, &m);

    if (fault != H1_FINE)
        return fault;
    if (r->minor > 0 && m.host == NULL)
        return H1_NO_HOST;
    r->framing = m.framing;
    r->length = m.bytes;
    r->keep_alive = h1_keeps_alive(&m, r->minor);
    return understand_expect(&m, r);
}

static enum parse read_head(struct h1_head *h, struct fields *fields, struct h1_request *r)
{
    enum parse parse = skip_empty_line(h);

    if (parse == PARSE_OK)
        parse = read_request_line(h, r);
    if (parse == PARSE_OK)
        parse = h1_read_fields(h, fields, FROM_CLIENT);
    if (parse != PARSE_OK)
        return parse;
    enum h1_fault fault = understand(fields, r);
    return fault == H1_FINE ? PARSE_OK : h1_bad(h, fault);
}

enum parse h1_request_parse(struct span in, const struct h1_limits *limits, struct fields *fields,
                            struct h1_request *ret, size_t *ret_taken, enum h1_fault *ret_fault)
{
    struct h1_head h = h1_head_of(in, limits);
    struct h1_request found = { .minor = 0 };

    fields->count = 0;
    enum parse parse = read_head(&h, fields, &found);
    if (parse == PARSE_OK) {
        *ret = found;
        *ret_taken = (size_t)(h.c.at - in.at);
    } else if (parse == PARSE_BAD) {
        ret->method = found.method;
        ret->target = found.target;
        *ret_fault = h.fault;
    }
    return parse;
}
