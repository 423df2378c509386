#ifndef LOG_ESCAPE_H
#define LOG_ESCAPE_H

#include "base/span.h"

struct buf;

/* How a value stands in a line (`escape=` of log_format). In each of them it stays on its line.
 * `set` false: the variable has no value. */

/* `\xHH` for `"`, `\` and all that is not printable ASCII; `-` where nothing is set. */
void escape_default(struct span value, bool set, struct buf *out);
/* For inside a string of JSON: what is no UTF-8 stands as `\u00HH` for each byte. */
void escape_json(struct span value, bool set, struct buf *out);
/* As it is, but for what ends a line or a text: `\n`, `\r` and `\0` as `\xHH`. */
void escape_none(struct span value, bool set, struct buf *out);

#endif
