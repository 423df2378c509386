#ifndef PROTO_BASE64_H
#define PROTO_BASE64_H

#include "base/span.h"

struct buf;

/* RFC 4648 4, with or without padding at the end. False: a byte that does not belong there; `out`
 * may have grown. */
bool base64_decode(struct span text, struct buf *out);
/* With padding. */
void base64_encode(struct span bytes, struct buf *out);

#endif
