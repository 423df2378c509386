#ifndef PROTO_DATE_H
#define PROTO_DATE_H

#include "base/span.h"

/* RFC 9110 5.6.7: the preferred form, and the two obsolete ones. False: no such date. Seconds since
 * 1970. */
bool http_date_parse(struct span text, int64_t *ret_second);

#endif
