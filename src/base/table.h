#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/span.h"

/* A hash table of fixed-size records in memory that processes can share: one mapping, everything in
 * it addressed by index, a robust lock for each of its shards. Full: the record that was put first
 * makes room. What a process that died left half done in a shard is dropped, with all of that
 * shard.
 *
 * Keys are hashed with a secret; records are copied out, never pointed to; what is removed or
 * replaced is wiped, and nothing of it gets into a core dump. */

enum { TABLE_KEY_MOST = 64, TABLE_VALUE_MOST = 4096 };

struct table_shape {
    uint32_t key_size;   /* of each key: 1 to TABLE_KEY_MOST */
    uint32_t value_most; /* bytes, to TABLE_VALUE_MOST */
};

struct table {
    struct table_head *head; /* owned: the mapping */
    size_t size;
};

/* What so many records take. */
size_t table_bytes(const struct table_shape *shape, uint32_t records);
/* As many records as fit into `bytes`. False: not even one does, or memory was refused. */
bool table_init(struct table *t, const struct table_shape *shape, size_t bytes);
void table_done(struct table *t); /* also of a zeroed one; leaves it zeroed */

/* Adds, or replaces the value of the same key. False: a key or value of the wrong size. */
bool table_put(struct table *t, struct span key, struct span value);
/* Copies the value; `ret_value` has room for value_most. False: not there. */
bool table_get(struct table *t, struct span key, char *ret_value, size_t *ret_len);
/* False: it was not there. */
bool table_remove(struct table *t, struct span key);

uint32_t table_room(const struct table *t); /* records that fit */
uint32_t table_count(struct table *t);      /* records that are there; no picture of one moment */

#endif
