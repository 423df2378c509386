#ifndef EXCHANGE_TYPES_H
#define EXCHANGE_TYPES_H

#include "base/span.h"

/* Media types by file extension: the built-in table, or that of a `types { }` block. */
struct types_table {
    const struct type_entry *entries; /* sorted by extension */
    uint32_t count;
};

extern const struct conf_type types_block; /* field: const struct types_table * */

/* Of the last segment of a path (nginx-semantics 4.2); empty: none known. `table` NULL: the
 * built-in one. */
struct span types_find(const struct types_table *table, struct span path);

#endif
