#ifndef PROTO_RANGE_H
#define PROTO_RANGE_H

#include "base/span.h"

/* The Range field (RFC 9110 14.2) with NGINX's arithmetic (nginx-semantics 6.9). */
enum range { RANGE_WHOLE, RANGE_PARTS, RANGE_UNSATISFIABLE };

struct range_part {
    uint64_t first;
    uint64_t last; /* inclusive */
};

/* `length`: of the whole body. RANGE_PARTS: `ret_count` parts, 1 to `most`, in request order. More
 * than `most`, or parts that sum up to more than the length, or an empty body: RANGE_WHOLE. Without
 * RANGE_PARTS what `ret` holds means nothing. */
enum range range_parse(struct span value, uint64_t length, struct range_part *ret, unsigned most,
                       unsigned *ret_count);

/* If-None-Match, If-Match: does the list name this tag? `weak`: the weak comparison (RFC
 * 9110 8.8.3.2). `*` matches. */
bool etag_list_has(struct span list, struct span etag, bool weak);

#endif
