#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/span.h"

struct buf;

/* Texts inside JSON (RFC 8259). */

/* What stands between the quotes, right whatever the bytes are: one that belongs to no character
 * stands for the character of its number. */
void json_add_text(struct span value, struct buf *out);
void json_add_string(struct span value, struct buf *out); /* with its quotes */

#endif
