#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/span.h"

/* The length of the well-formed UTF-8 character at the start of at least one byte; 0: there is
 * none. C1 controls (U+0080 to U+009F) are none: a terminal obeys them. */
size_t utf8_length(struct span s);

#endif
