#ifndef PROTO_ESCAPE_H
#define PROTO_ESCAPE_H

#include "base/span.h"

struct buf;

/* Text of others inside markup of ours; for JSON: base/json.h. */

/* For HTML and XML: as text or within double quotes. A control byte becomes `?`. */
void escape_html(struct span text, struct buf *out);

#endif
