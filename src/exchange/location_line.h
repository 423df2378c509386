#ifndef EXCHANGE_LOCATION_LINE_H
#define EXCHANGE_LOCATION_LINE_H

#include "base/span.h"

struct conf_node;

/* The first line of a `location` block, for whoever finds it and whoever stands in it. */

enum location_kind {
    LOCATION_PREFIX,
    LOCATION_CARET, /* `^~`: a prefix that asks no expression */
    LOCATION_EXACT,
    LOCATION_EXPRESSION,
    LOCATION_NAMED
};

struct location_line {
    struct span path; /* without the modifier; of an expression: its text. Lives with the node */
    enum location_kind kind;
    bool caseless; /* of an expression */
};

/* False: the modifier (word 1) is none. A modifier may also stand right before the path. */
bool location_line_read(const struct conf_node *node, struct location_line *ret);

#endif
