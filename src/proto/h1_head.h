#ifndef PROTO_H1_HEAD_H
#define PROTO_H1_HEAD_H

#include "base/cursor.h"
#include "base/span.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/h1.h"

/* What the parsers of requests and responses share: lines, fields, framing. Private to h1_*.c. */
struct h1_head {
    struct cursor c;
    const struct h1_limits *limits;
    enum h1_fault fault;
    bool capped; /* `c` ends where the head's limit ends, not where the bytes do */
};

/* The bytes in which the head must end. */
struct h1_head h1_head_of(struct span in, const struct h1_limits *limits);

static inline enum parse h1_bad(struct h1_head *h, enum h1_fault fault)
{
    h->fault = fault;
    return PARSE_BAD;
}

/* The end of the line that begins here may not lie beyond. */
static inline const char *h1_line_stop(const struct h1_head *h)
{
    return cursor_left(&h->c) < h->limits->line ? h->c.end : h->c.at + h->limits->line;
}

/* The line from `start` does not end before `stop`: is there hope? */
enum parse h1_ran_out(struct h1_head *h, const char *start, const char *stop,
                      enum h1_fault too_long);
/* CR LF at `at`: goes behind it. Else `other`, or H1_BAD_LINE_END at one of the two. */
enum parse h1_line_end(struct h1_head *h, const char *at, const char *stop, enum h1_fault other);
enum { H1_VERSION_LENGTH = 8 };
/* `HTTP/D.M` in the eight bytes at `at`. False: something else. */
bool h1_read_version(const char *at, unsigned *ret_major, unsigned *ret_minor);
/* All field lines and the empty line; `fields` is filled. */
enum parse h1_read_fields(struct h1_head *h, struct fields *fields, enum field_origin origin);

/* What the fields say of the body and of the connection. */
struct h1_meaning {
    const struct field *length;
    const struct field *coding;
    const struct field *expect;
    const struct field *host;
    uint32_t options;     /* enum h1_option, of Connection */
    enum framing framing; /* BODY_NONE: neither Content-Length nor Transfer-Encoding */
    uint64_t bytes;       /* BODY_LENGTH */
};

enum h1_option { H1_CLOSE = 1, H1_KEEP_ALIVE = 2 };

/* `request`: fields that may stand once are counted (nginx-semantics 4.3). */
enum h1_fault h1_understand(const struct fields *fields, unsigned minor, bool request,
                            struct h1_meaning *ret);
bool h1_keeps_alive(const struct h1_meaning *m, unsigned minor);

#endif
