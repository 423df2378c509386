#ifndef EXCHANGE_RESPONSE_H
#define EXCHANGE_RESPONSE_H

#include "base/span.h"
#include "proto/fields.h"

struct response {
    uint16_t status; /* 0: not yet known */
    uint16_t given;  /* error_page: what is sent in place of the source's own status; 0: that one */
    bool accept_ranges;
    bool own_location;  /* Location is a path of ours made absolute */
    struct span reason; /* empty: the standard one */
    struct fields fields;
    uint64_t length;       /* LENGTH_UNKNOWN: until the source ends */
    int64_t last_modified; /* seconds; -1: unknown */
    uint64_t head_sent;    /* bytes handed to the kernel */
    uint64_t body_sent;    /* chunk framing counts */
    uint64_t sent;         /* both */
};
#define LENGTH_UNKNOWN UINT64_MAX

const char *status_reason(unsigned status); /* "Not Found"; unknown: "" */

#endif
