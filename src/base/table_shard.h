#ifndef BASE_TABLE_SHARD_H
#define BASE_TABLE_SHARD_H

#include "base/table.h"

#include <pthread.h>

/* Between table.c and table_shard.c: one shard and its records, in memory that others write, too.
 *
 *     head | shard ... | buckets: index ... | record ...
 *
 * Each shard owns a run of buckets, a run of records as long, and one record more, its journal.
 * Indexes are counted from 1 within the shard, 0 is none. */

enum { SHARDS_MOST = 16 };

struct table_shard {
    pthread_mutex_t lock;
    uint32_t oldest, newest; /* by age */
    uint32_t free;           /* chained by `next` */
    uint32_t used;           /* records beyond were never touched: no memory yet */
    uint32_t count;
};

struct table_head {
    struct table_shape shape;
    struct hash_key secret;
    uint64_t size;
    struct table_shard shard[SHARDS_MOST];
    /* then the buckets of all shards, then their records */
};

/* WHOLE is the last thing that is written of a record, and the first that is taken back. */
enum { RECORD_FREE = 0, RECORD_WHOLE = 0x5a6f6e65 };

struct table_record {
    uint32_t state;
    uint32_t next; /* in its bucket, or among the free ones; of the journal: whose value it holds */
    uint32_t older, newer;
    uint32_t bucket;
    uint32_t len;
    char bytes[]; /* key, then value */
};

/* One shard, locked: where its parts lie. */
struct locked {
    const struct table *table;
    struct table_shard *shard;
    uint32_t *buckets;
    char *records;
    uint32_t bucket; /* of the key */
    bool broken;     /* an index led outside, or in a circle */
};

size_t table_align(size_t n);
struct locked shard_lock(const struct table *t, uint32_t number);
struct locked shard_lock_for(const struct table *t, struct span key);
void shard_unlock(struct locked *l); /* a broken one is repaired first */

/* The record of the index, if there is one. */
struct table_record *shard_record(struct locked *l, uint32_t index);
/* `*ret_link` is what leads to it. NULL: it is not there, or the shard is broken. */
struct table_record *shard_find(struct locked *l, struct span key, uint32_t **ret_link);
/* With its key and no value, not yet WHOLE. NULL: no room, or the shard is broken. */
struct table_record *shard_take(struct locked *l, struct span key);
/* The taken record is whole: it is found from now on. */
void shard_join(struct locked *l, struct table_record *r);
/* Another value, whole or not at all, whenever we die. */
void shard_replace(struct locked *l, struct table_record *r, struct span value);
void shard_release(struct locked *l, struct table_record *r, uint32_t *link);
void shard_touch(struct locked *l, struct table_record *r); /* the newest */
/* Everything but the records is made anew of the records that are whole. */
void shard_repair(struct locked *l);
void shard_wipe(struct locked *l);

char *record_value(const struct locked *l, struct table_record *r);
/* Read once, and never more than fits. */
uint32_t record_len(const struct locked *l, const struct table_record *r);

#endif
