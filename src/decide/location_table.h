#ifndef DECIDE_LOCATION_TABLE_H
#define DECIDE_LOCATION_TABLE_H

#include "base/span.h"
#include "conf/settings.h"
#include "exchange/location_line.h"

struct conf;

/* Locations by path, sorted: for decide/location.c. */

struct location {
    struct span path; /* of an expression: its text; ended by a zero */
    const struct conf_block *block;
    const struct location_settings *inner; /* nested locations; NULL: none */
    const struct expression *expression;
    struct place place;
    int32_t shorter; /* index of its longest proper prefix; -1: none */
    enum location_kind kind;
};

struct location_table { /* sorted by path */
    struct location *at;
    uint32_t count;
};

static inline bool location_is_prefix(const struct location *l)
{
    return l->kind == LOCATION_PREFIX || l->kind == LOCATION_CARET;
}

/* Those of the lines that are prefixes, or exact. False: two are the same, and that was said. */
bool location_table_build(struct conf *conf, const struct conf_list *lines, bool exact,
                          struct location_table *ret);
/* NULL: none. */
const struct location *location_table_equal(const struct location_table *t, struct span path);
const struct location *location_table_prefix(const struct location_table *t, struct span path);
/* `path/`, if it answers for `path` with a redirect. */
const struct location *location_table_slashed(const struct location_table *t, struct span path);

#endif
