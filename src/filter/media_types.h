#ifndef FILTER_MEDIA_TYPES_H
#define FILTER_MEDIA_TYPES_H

#include "conf/settings.h"

#include <stdbool.h>

struct exchange;

/* Which answers a filter touches: `gzip_types`, `sub_filter_types`. text/html always. */
struct media_types {
    struct conf_list names; /* of struct span, lower case */
    bool all;               /* `*` */
};

extern const struct conf_type media_types_type; /* field: struct media_types */

/* Is the answer's Content-Type among them? */
bool media_types_have(const struct media_types *types, const struct exchange *x);

#endif
