#ifndef LOG_GZIP_MEMBER_H
#define LOG_GZIP_MEMBER_H

#include "base/span.h"

struct buf;

/* Appends the text as one gzip member (RFC 1952): members behind one another are one file. `level`:
 * 1 to 9. False: no memory, and nothing was appended. */
bool gzip_member_add(struct span text, int level, struct buf *out);

#endif
