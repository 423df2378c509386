#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/* Texts inside JSON (RFC 8259). */

/* What stands between the quotes: `"`, `\` and control bytes are escaped, all else stays. */
void json_add_text(struct span text, struct buf *out);
/* With its quotes, and right whatever the bytes are: in a text that is no UTF-8, each byte above
 * 0x7f stands for the character of its number. */
void json_add_string(struct span text, struct buf *out);

#endif
