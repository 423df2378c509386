#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include "base/span.h"

/* Where the texts come from: the disk while a bundle is made, the bundle everywhere else. So the
 * same code builds settings in both places, and a worker never opens a file. */
enum conf_kind {
    CONF_TEXT,  /* configuration */
    CONF_BYTES, /* any file, as it is */
    CONF_CHAIN, /* certificates: arrives as DER (tls/pem.h) */
    CONF_KEY    /* a private key: arrives as DER; sensitive */
};

enum { CONF_REASON = 256 };

struct conf_source {
    /* 0, or -errno with a reason in words (empty: that of errno). Bytes live as long as the
     * source. */
    int (*load)(struct conf_source *s, struct span path, enum conf_kind kind, struct span *ret,
                char ret_reason[CONF_REASON]);
    /* The files that match a pattern, sorted; each is one line ended by \n in `ret`, which is good
     * until the next call. 0 or -errno. */
    int (*glob)(struct conf_source *s, struct span pattern, struct span *ret);
};

#endif
