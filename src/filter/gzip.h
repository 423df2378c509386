#ifndef FILTER_GZIP_H
#define FILTER_GZIP_H

#include "base/span.h"

/* `gzip` and its kin: answers leave compressed for clients that say they can read them. */
extern const struct module gzip_module;

/* --- for tests ------------------------------------------------------------------------------ */

/* Accept-Encoding names gzip, and its weight is not zero; `*` and `x-gzip` count for nothing. */
bool gzip_is_accepted(struct span accept_encoding);
/* Internet Explorer 4 to 6, without the service pack that mended it. */
bool gzip_is_msie6(struct span user_agent);

#endif
