#ifndef EXCHANGE_VARIABLE_H
#define EXCHANGE_VARIABLE_H

#include "base/span.h"

struct exchange;

/* A variable is one name, or a family: `http_` with what follows as argument (lower case). The
 * families say whether values may be credentials, which no log shows (DESIGN 7.12). */
enum variable_family {
    NO_FAMILY,
    LATE, /* no family; its value changes until the end, that of a tunnel, too: exchange/draft.h
             says what its `get` may read */
    FAMILY,
    FAMILY_OF_FIELDS, /* the argument names a header field, and the field says it */
    FAMILY_OF_SECRETS
};

struct variable {
    const char *name; /* a family's ends with `_` */
    enum variable_family family;
    /* False: unset. The value lives until the exchange ends. */
    bool (*get)(struct exchange *x, struct span arg, struct span *ret);
    const char *help;
};

static inline bool variable_is_family(const struct variable *v)
{
    return v->family != NO_FAMILY && v->family != LATE;
}

#endif
