#ifndef PROTO_H1_H
#define PROTO_H1_H

#include "base/cursor.h"
#include "base/span.h"
#include "proto/framing.h"

struct fields;

/* HTTP/1 heads (RFC 9112), read strictly, for both sides the same way. Stateless: call again with
 * all bytes so far. Spans point into `in`. What is ambiguous is refused, and no switch relaxes
 * that. */

/* Why a head is bad. The status and the sentence for the log come from one table. */
enum h1_fault {
    H1_FINE,
    H1_BAD_LINE_END, /* bare LF or CR */
    H1_BAD_METHOD,
    H1_BAD_TARGET,
    H1_BAD_VERSION,
    H1_VERSION_UNSUPPORTED, /* 505 */
    H1_BAD_STATUS_LINE,
    H1_BAD_FIELD_NAME,
    H1_BAD_FIELD_VALUE,
    H1_FOLDED,
    H1_LINE_TOO_LONG,   /* 414 */
    H1_FIELD_TOO_LONG,  /* 494 */
    H1_TOO_MANY_FIELDS, /* 494 */
    H1_HEAD_TOO_LONG,   /* 494 */
    H1_BAD_LENGTH,
    H1_TWO_LENGTHS,
    H1_LENGTH_AND_CODING,
    H1_BAD_CODING,     /* 400 */
    H1_UNKNOWN_CODING, /* 501: one single unknown coding, alone or before `chunked` */
    H1_CODING_IN_10,   /* Transfer-Encoding in HTTP/1.0 */
    H1_REPEATED,       /* a field that may stand once: nginx-semantics 4.3 */
    H1_BAD_EXPECT,     /* 417 */
    H1_EMPTY_LINES,    /* two or more before the request line */
    H1_NO_HOST,        /* HTTP/1.1 without Host */
    H1_FAULTS
};
/* Of an answer to a client; 494 (error_page knows it) is sent and logged as 400. An upstream's
 * fault is 502. */
unsigned h1_fault_status(enum h1_fault fault);
/* Goes on from `client sent ` or `upstream sent `. */
const char *h1_fault_text(enum h1_fault fault);

struct h1_limits {
    uint32_t line;   /* bytes of a first line or a field line, with its CRLF */
    uint32_t head;   /* all of it */
    uint32_t fields; /* max_headers */
};

struct h1_request {
    struct span method;
    struct span target;
    uint8_t minor; /* HTTP/1.minor; above 1 is read as 1 */
    enum framing framing;
    uint64_t length; /* BODY_LENGTH */
    bool keep_alive; /* by version and Connection (RFC 9112 9.3); close wins */
    bool expects;    /* Expect: 100-continue, in HTTP/1.1 */
};

/* `fields` (emptied first) gets the fields, origin FROM_CLIENT. One empty line before the request
 * is skipped. PARSE_BAD: `ret_fault`; and what could be read of method and target is in `ret` for
 * the log (else empty spans). PARSE_MORE never outlives a limit. Outputs but those are untouched
 * unless PARSE_OK. */
enum parse h1_request_parse(struct span in, const struct h1_limits *limits, struct fields *fields,
                            struct h1_request *ret, size_t *ret_taken, enum h1_fault *ret_fault);

struct h1_response {
    uint16_t status;
    uint8_t minor;
    struct span reason;
    enum framing framing; /* as if to a GET; 1xx, 204, 304: BODY_NONE */
    uint64_t length;
    bool has_length; /* a Content-Length was there (to be relayed for HEAD and 304) */
    bool keep_alive; /* by version and Connection alone: BODY_CLOSE ends it all the same */
};

/* Origin FROM_UPSTREAM. Transfer-Encoding in an HTTP/1.0 answer is bad (RESP-04). */
enum parse h1_response_parse(struct span in, const struct h1_limits *limits, struct fields *fields,
                             struct h1_response *ret, size_t *ret_taken, enum h1_fault *ret_fault);

#endif
