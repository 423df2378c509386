#ifndef PROTO_ESCAPE_H
#define PROTO_ESCAPE_H

#include "base/buf.h"

/* Text of others inside markup of ours. */

/* For HTML and XML: as text or within double quotes. A control byte becomes `?`. */
void escape_html(struct span text, struct buf *out);
/* Inside the quotes of a JSON string: what is no UTF-8 becomes U+FFFD. */
void escape_json(struct span text, struct buf *out);

#endif
