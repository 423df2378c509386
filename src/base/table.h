#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/hash.h"
#include "base/shape.h"
#include "base/span.h"

/* A hash table of fixed-size records in memory that processes share: everything in it addressed by
 * index, a robust lock for each of its shards. What a process that died left half done is undone or
 * done to its end: of the other records of the shard none is lost.
 *
 * Keys are hashed with a secret; values are copied in and out, never pointed to; what is removed or
 * replaced is wiped, and nothing of it gets into a core dump. */

enum { TABLE_CHANGE_MOST = 512, TABLE_DIGEST = 16 };

/* A process's view. How the memory is divided it works out itself: whatever another process writes
 * there, no index leads out of it. */
struct table {
    struct table_shape shape;
    struct hash_key secret, digests[2];
    struct table_head *head; /* the memory */
    size_t size;
    size_t record_size;
    uint32_t shards, each; /* `each`: records of a shard, and buckets */
};

/* What so many records take. */
size_t table_bytes(const struct table_shape *shape, uint32_t records);
/* Lays a table out in zeroed memory that is shared, as many records as fit. False: not even one
 * does, or the shape is none. The memory is the caller's. */
bool table_lay(const struct table_shape *shape, void *memory, size_t size);
/* A view of a table that was laid out with this shape and size. False: it is not one. */
bool table_view(struct table *t, const struct table_shape *shape, void *memory, size_t size);
void table_wipe(struct table *t); /* drops all records */

/* Memory of its own, for processes that are forked from this one. */
bool table_init(struct table *t, const struct table_shape *shape, size_t bytes);
void table_done(struct table *t); /* also of a zeroed one; leaves it zeroed */

/* Adds, or replaces the value of the same key. False: a key or value of the wrong size, or no room
 * for it. */
bool table_put(struct table *t, struct span key, struct span value);
/* Copies the value; `ret_value` has room for value_most. False: not there. */
bool table_get(struct table *t, struct span key, char *ret_value, size_t *ret_len);
/* False: it was not there. */
bool table_remove(struct table *t, struct span key);

enum table_verdict {
    TABLE_LEAVE, /* as it is; not there: it is not added */
    TABLE_STORE, /* the copy, all value_most bytes of it; not there: it is added */
    TABLE_DROP
};
/* Looks at a copy of the value, zeroed if the key is not there, and says what becomes of it. Under
 * the shard's lock: it neither waits nor logs nor calls the table. */
struct table_change {
    enum table_verdict (*fn)(void *arg, char *value, bool found);
    void *arg;
};
/* One value, of a shape whose values have at most TABLE_CHANGE_MOST bytes. False: it was to be
 * stored, and there is no room. */
bool table_change(struct table *t, struct span key, struct table_change change);
/* All values, one after the other. */
void table_change_all(struct table *t, struct table_change change);

/* A key of any length as one of TABLE_DIGEST bytes. Two keys have the same digest by accident
 * alone, and nobody outside can find such a pair. */
void table_digest(const struct table *t, struct span key, char ret[TABLE_DIGEST]);

uint32_t table_room(const struct table *t); /* records that fit */
uint32_t table_count(struct table *t);      /* records that are there; no picture of one moment */

#endif
