#ifndef EXCHANGE_CARRIED_H
#define EXCHANGE_CARRIED_H

#include "base/span.h"

struct exchange;
struct field;

/* Header fields of an answer that was given up for an internal redirect and still go to the client:
 * WWW-Authenticate of a 401 that was replaced, Set-Cookie beside X-Accel-Redirect ... */

/* Copies the field: the source that it came from is about to go. Content-Type and Accept-Ranges are
 * kept once, all others are added; a Location is one of ours. */
void carried_add(struct exchange *x, const struct field *f);
/* Puts them in front of the fields of the answer that is sent. */
void carried_apply(struct exchange *x);
/* The media type of an answer of ours: the one carried, else by the path's extension. */
struct span exchange_type(struct exchange *x);

#endif
