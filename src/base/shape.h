#ifndef BASE_SHAPE_H
#define BASE_SHAPE_H

#include <stddef.h>
#include <stdint.h>

/* How memory is laid out that processes share: what is agreed on, and passed on, before anybody
 * maps it (base/zone.h). */

enum { TABLE_KEY_MOST = 64, TABLE_VALUE_MOST = 4096 };

struct table_shape {
    uint32_t key_size;   /* of each key: 1 to TABLE_KEY_MOST */
    uint32_t value_most; /* bytes, to TABLE_VALUE_MOST */
    enum table_full {
        TABLE_EVICTS, /* the one that was put, or changed, the longest time ago makes room */
        TABLE_REFUSES /* nothing new is taken */
    } full;
};

struct zone_shape {
    enum zone_kind { ZONE_TABLE, ZONE_COUNTERS } kind;
    struct table_shape table; /* of a table */
    uint32_t counters, slots; /* of counters: how many, and of how many processes */
    size_t size;              /* of a table: bytes */
};

#endif
