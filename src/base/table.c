/* Shared tables of records: what callers see. How a shard is kept, and mended, is table_shard.c.
 *
 *     key -> hash: upper half -> shard (its lock is held for the whole call)
 *                  lower half -> bucket -> chain of records
 *
 * A `change` runs under the lock, on a copy: it must neither wait nor take another lock. */
#include "base/table.h"

#include "base/table_shard.h"

#include <sys/mman.h>

enum { SHARD_WORTH = 256 /* records that make another shard worth it */ };

/* --- one key -------------------------------------------------------------------------------- */

/* `r`: the record of the key, NULL if there is none. False: no room. */
static bool store(struct locked *l, struct span key, struct table_record *r, struct span value)
{
    if (r != NULL) {
        shard_replace(l, r, value);
        shard_touch(l, r);
        return true;
    }
    r = l->broken ? NULL : shard_take(l, key);
    if (r == NULL)
        return l->broken; /* a broken shard loses it; it is mended for the next one */
    r->len = (uint32_t)value.len;
    if (value.len > 0)
        memcpy(record_value(l, r), value.at, value.len);
    shard_join(l, r);
    return true;
}

bool table_put(struct table *t, struct span key, struct span value)
{
    uint32_t *link;

    if (key.len != t->shape.key_size || value.len > t->shape.value_most)
        return false;
    struct locked l = shard_lock_for(t, key);
    bool stored = store(&l, key, shard_find(&l, key, &link), value);
    shard_unlock(&l);
    return stored;
}

bool table_get(struct table *t, struct span key, char *ret_value, size_t *ret_len)
{
    uint32_t *link;

    if (key.len != t->shape.key_size)
        return false;
    struct locked l = shard_lock_for(t, key);
    struct table_record *r = shard_find(&l, key, &link);
    if (r != NULL) {
        *ret_len = record_len(&l, r);
        memcpy(ret_value, record_value(&l, r), *ret_len);
    }
    shard_unlock(&l);
    return r != NULL;
}

bool table_remove(struct table *t, struct span key)
{
    uint32_t *link;

    if (key.len != t->shape.key_size)
        return false;
    struct locked l = shard_lock_for(t, key);
    struct table_record *r = shard_find(&l, key, &link);
    if (r != NULL)
        shard_release(&l, r, link);
    shard_unlock(&l);
    return r != NULL;
}

bool table_change(struct table *t, struct span key, struct table_change change)
{
    char value[TABLE_CHANGE_MOST] = { 0 };
    struct span all = { value, t->shape.value_most };
    uint32_t *link;
    bool done = true;

    if (key.len != t->shape.key_size || all.len > sizeof(value))
        return false;
    struct locked l = shard_lock_for(t, key);
    struct table_record *r = shard_find(&l, key, &link);
    if (r != NULL)
        memcpy(value, record_value(&l, r), record_len(&l, r));
    switch (change.fn(change.arg, value, r != NULL)) {
    case TABLE_LEAVE:
        break;
    case TABLE_STORE:
        done = store(&l, key, r, all);
        break;
    case TABLE_DROP:
        if (r != NULL)
            shard_release(&l, r, link);
        break;
    }
    shard_unlock(&l);
    return done;
}

/* --- all ------------------------------------------------------------------------------------ */

/* Walks memory instead of chains, so it asks the chain of the key whether the record counts. */
static void change_one(struct locked *l, struct table_record *r, struct table_change change)
{
    char value[TABLE_CHANGE_MOST] = { 0 };
    struct span key = { r->bytes, l->table->shape.key_size };
    uint32_t *link;

    l->bucket = (uint32_t)hash_keyed(&l->table->secret, key) % l->table->each;
    if (shard_find(l, key, &link) != r)
        return; /* a free one */
    memcpy(value, record_value(l, r), record_len(l, r));
    switch (change.fn(change.arg, value, true)) {
    case TABLE_LEAVE:
        break;
    case TABLE_STORE:
        shard_replace(l, r, (struct span){ value, l->table->shape.value_most });
        break;
    case TABLE_DROP:
        shard_release(l, r, link);
        break;
    }
}

void table_change_all(struct table *t, struct table_change change)
{
    if (t->shape.value_most > TABLE_CHANGE_MOST)
        return;
    for (uint32_t i = 0; i < t->shards; i++) {
        struct locked l = shard_lock(t, i);
        uint32_t used = l.shard->used;

        for (uint32_t index = 1; index <= used && index <= t->each && !l.broken; index++)
            change_one(&l, shard_record(&l, index), change);
        shard_unlock(&l);
    }
}

uint32_t table_room(const struct table *t)
{
    return t->shards * t->each;
}

uint32_t table_count(struct table *t)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < t->shards; i++) {
        struct locked l = shard_lock(t, i);

        count += l.shard->count;
        shard_unlock(&l);
    }
    return count;
}

void table_wipe(struct table *t)
{
    for (uint32_t i = 0; i < t->shards; i++) {
        struct locked l = shard_lock(t, i);

        shard_wipe(&l);
        shard_unlock(&l);
    }
}

void table_digest(const struct table *t, struct span key, char ret[TABLE_DIGEST])
{
    uint64_t halves[2] = { hash_keyed(&t->digests[0], key), hash_keyed(&t->digests[1], key) };

    _Static_assert(sizeof(halves) == TABLE_DIGEST, "a digest is two hashes");
    memcpy(ret, halves, sizeof(halves));
}

/* --- life ----------------------------------------------------------------------------------- */

enum { FIXED = sizeof(struct table_head) + 32 /* and what aligning takes */ };

static size_t record_size(const struct table_shape *shape)
{
    return table_align(sizeof(struct table_record) + shape->key_size + shape->value_most);
}

/* Of divide() the reverse, but for rounding: that may lay out a few records less. */
size_t table_bytes(const struct table_shape *shape, uint32_t records)
{
    uint32_t shards = records / SHARD_WORTH;

    shards = shards < 1 ? 1 : shards > SHARDS_MOST ? SHARDS_MOST : shards;
    return FIXED + records * (record_size(shape) + sizeof(uint32_t)) +
           shards * record_size(shape); /* journals */
}

/* How the memory is divided. */
static bool divide(struct table *t, const struct table_shape *shape, size_t size)
{
    size_t record = record_size(shape);
    size_t room = size > FIXED ? (size - FIXED) / (record + sizeof(uint32_t)) : 0;
    size_t shards = room / SHARD_WORTH;

    shards = shards < 1 ? 1 : shards > SHARDS_MOST ? SHARDS_MOST : shards;
    if (shape->key_size == 0 || shape->key_size > TABLE_KEY_MOST ||
        shape->value_most > TABLE_VALUE_MOST || room == 0 || room / shards >= UINT32_MAX / 2)
        return false;
    room = (size - FIXED) > shards * record
               ? (size - FIXED - shards * record) / (record + sizeof(uint32_t))
               : 0;
    *t = (struct table){ .shape = *shape,
                         .size = size,
                         .record_size = record,
                         .shards = (uint32_t)shards,
                         .each = (uint32_t)(room / shards) };
    return t->each > 0;
}

/* Robust: whoever takes it after its owner has died is told so, and repairs (shard_lock). */
static bool lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;

    if (pthread_mutexattr_init(&attributes) != 0)
        return false;
    bool good = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
                pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
                pthread_mutex_init(lock, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return good;
}

bool table_lay(const struct table_shape *shape, void *memory, size_t size)
{
    struct table_head *head = memory;
    struct table t;

    if (!divide(&t, shape, size))
        return false;
    head->shape = *shape;
    head->size = size;
    head->secret = hash_key_new();
    for (uint32_t i = 0; i < t.shards; i++)
        if (!lock_init(&head->shard[i].lock))
            return false;
    return true;
}

static bool same_shape(const struct table_shape *a, const struct table_shape *b)
{
    return a->key_size == b->key_size && a->value_most == b->value_most && a->full == b->full;
}

bool table_view(struct table *t, const struct table_shape *shape, void *memory, size_t size)
{
    struct table_head *head = memory;

    if (!divide(t, shape, size) || head->size != size || !same_shape(&head->shape, shape))
        return false;
    t->head = head;
    t->secret = head->secret;
    for (uint64_t i = 0; i < 4; i++)
        t->digests[i / 2].k[i % 2] =
            hash_keyed(&t->secret, (struct span){ (const char *)&i, sizeof(i) });
    return true;
}

bool table_init(struct table *t, const struct table_shape *shape, size_t bytes)
{
    struct table made;

    if (!divide(&made, shape, bytes))
        return false;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    madvise(memory, bytes, MADV_DONTDUMP);
    if (!table_lay(shape, memory, bytes) || !table_view(t, shape, memory, bytes)) {
        munmap(memory, bytes);
        return false;
    }
    return true;
}

void table_done(struct table *t)
{
    if (t->head == NULL)
        return;
    table_wipe(t);
    munmap(t->head, t->size);
    *t = (struct table){ .head = NULL };
}
