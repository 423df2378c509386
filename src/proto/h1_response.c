/* The head of a response (RFC 9112 4):
 *
 *     HTTP/1.M SP 3DIGIT [ SP reason ] CR LF  fields  CR LF
 *
 * An upstream is read as strictly as a client. */
#include "base/cursor.h"
#include "base/span.h"
#include "proto/byte_class.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/h1.h"
#include "proto/h1_head.h"

enum { STATUS_LENGTH = 3, LINE_START = H1_VERSION_LENGTH + 1 + STATUS_LENGTH };

static bool read_digits(const char *at, unsigned *ret_status)
{
    unsigned status = 0;

    for (unsigned i = 0; i < STATUS_LENGTH; i++) {
        if (!byte_is(at[i], BYTE_DIGIT))
            return false;
        status = status * 10 + (unsigned)(at[i] - '0');
    }
    *ret_status = status;
    return status >= 100;
}

/* The reason, or nothing at all (RESP-22). */
static enum parse read_reason(struct h1_head *h, const char *at, const char *stop,
                              struct span *ret_reason)
{
    const char *end = at;

    if (at < stop && *at == ' ') {
        at = end = at + 1;
        while (end < stop && byte_is(*end, BYTE_TEXT))
            end++;
    }
    *ret_reason = (struct span){ at, (size_t)(end - at) };
    return h1_line_end(h, end, stop, H1_BAD_STATUS_LINE);
}

static enum parse read_status_line(struct h1_head *h, struct h1_response *r)
{
    const char *start = h->c.at, *stop = h1_line_stop(h);
    size_t left = (size_t)(stop - start);
    unsigned major, minor, status;

    if (left < LINE_START)
        return span_agrees((struct span){ start, left }, "HTTP/1.")
                   ? h1_ran_out(h, start, stop, H1_LINE_TOO_LONG)
                   : h1_bad(h, H1_BAD_STATUS_LINE);
    if (!h1_read_version(start, &major, &minor) || major != 1 || start[H1_VERSION_LENGTH] != ' ' ||
        !read_digits(start + H1_VERSION_LENGTH + 1, &status))
        return h1_bad(h, H1_BAD_STATUS_LINE);

    enum parse parse = read_reason(h, start + LINE_START, stop, &r->reason);
    r->minor = minor > 0;
    r->status = (uint16_t)status;
    return parse == PARSE_MORE ? h1_ran_out(h, start, stop, H1_LINE_TOO_LONG) : parse;
}

static bool has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

static enum h1_fault understand(const struct fields *fields, struct h1_response *r)
{
    struct h1_meaning m;
    enum h1_fault fault = h1_understand(fields, r->minor, false, &m);

    if (fault != H1_FINE)
        return fault;
    r->framing = m.framing == BODY_NONE ? BODY_CLOSE : m.framing;
    if (has_no_body(r->status))
        r->framing = BODY_NONE;
    r->has_length = m.length != NULL;
    r->length = m.bytes;
    r->keep_alive = h1_keeps_alive(&m, r->minor);
    return H1_FINE;
}

static enum parse read_head(struct h1_head *h, struct fields *fields, struct h1_response *r)
{
    enum parse parse = read_status_line(h, r);

    if (parse == PARSE_OK)
        parse = h1_read_fields(h, fields, FROM_UPSTREAM);
    if (parse != PARSE_OK)
        return parse;
    enum h1_fault fault = understand(fields, r);
    return fault == H1_FINE ? PARSE_OK : h1_bad(h, fault);
}

enum parse h1_response_parse(struct span in, const struct h1_limits *limits, struct fields *fields,
                             struct h1_response *ret, size_t *ret_taken, enum h1_fault *ret_fault)
{
    struct h1_head h = h1_head_of(in, limits);
    struct h1_response found = { .minor = 0 };

    fields->count = 0;
    enum parse parse = read_head(&h, fields, &found);
    if (parse == PARSE_OK) {
        *ret = found;
        *ret_taken = (size_t)(h.c.at - in.at);
    } else if (parse == PARSE_BAD) {
        *ret_fault = h.fault;
    }
    return parse;
}
