/* Shared tables of records, addressed by index.
 *
 *     head | shard ... | buckets: index ... | record ...
 *
 * Each shard owns a run of buckets and a run of records as long. A record is in one bucket's chain
 * and in the shard's line by age, or in its chain of free ones. Indexes are counted from 1 within
 * the shard, 0 is none; one that leads outside (another process wrote it) drops the shard's
 * records. Owns the mapping. */
#include "base/table.h"

#include "base/hash.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

enum { SHARDS_MOST = 16, SHARD_WORTH = 256 /* records that make another shard worth it */ };

struct table_shard {
    pthread_mutex_t lock;
    uint32_t oldest, newest; /* by age */
    uint32_t free;           /* chained by `next` */
    uint32_t used;           /* records from here on were never touched: no memory yet */
    uint32_t count;
};

struct table_head {
    struct table_shape shape;
    struct hash_key hash_key;
    uint32_t shards;
    uint32_t each;      /* records of a shard, and buckets */
    size_t record_size; /* with its key and value */
    struct table_shard shard[SHARDS_MOST];
    /* then the buckets of all shards, then their records */
};

struct table_record {
    uint32_t next; /* in its bucket, or among the free ones */
    uint32_t older, newer;
    uint32_t bucket;
    uint32_t len;
    char bytes[]; /* key, then value */
};

/* One shard, locked: where its parts lie. */
struct locked {
    struct table_head *head;
    struct table_shard *shard;
    uint32_t *buckets;
    char *records;
    uint32_t bucket; /* of the key */
    bool broken;     /* an index led outside */
};

static size_t align(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

static struct table_record *record_at(struct locked *l, uint32_t index)
{
    if (index > l->head->each) {
        l->broken = true;
        return NULL;
    }
    return index == 0 ? NULL
                      : (struct table_record *)(l->records + (index - 1) * l->head->record_size);
}

static uint32_t index_of(const struct locked *l, const struct table_record *r)
{
    return (uint32_t)((size_t)((const char *)r - l->records) / l->head->record_size) + 1;
}

/* Empty, and what was there is wiped. */
static void clear(struct locked *l)
{
    struct table_shard *s = l->shard;
    uint32_t used = s->used < l->head->each ? s->used : l->head->each;

    if (used > 0) {
        explicit_bzero(l->records, used * l->head->record_size);
        memset(l->buckets, 0, l->head->each * sizeof(uint32_t));
    }
    s->oldest = s->newest = s->free = s->used = s->count = 0;
}

static struct locked shard_at(const struct table *t, uint32_t number)
{
    struct table_head *h = t->head;
    char *buckets = (char *)t->head + align(sizeof(*h));
    char *records = buckets + align((size_t)h->shards * h->each * sizeof(uint32_t));

    return (struct locked){
        .head = h,
        .shard = &h->shard[number],
        .buckets = (uint32_t *)buckets + (size_t)number * h->each,
        .records = records + (size_t)number * h->each * h->record_size,
    };
}

/* A holder that died: what it left is not looked at. */
static void lock(struct locked *l)
{
    if (pthread_mutex_lock(&l->shard->lock) == EOWNERDEAD) {
        clear(l);
        pthread_mutex_consistent(&l->shard->lock);
    }
}

static void unlock(struct locked *l)
{
    if (l->broken)
        clear(l);
    pthread_mutex_unlock(&l->shard->lock);
}

static struct locked lock_for(const struct table *t, struct span key)
{
    uint64_t hash = hash_keyed(&t->head->hash_key, key);
    struct locked l = shard_at(t, (uint32_t)(hash >> 32) % t->head->shards);

    l.bucket = (uint32_t)hash % t->head->each;
    lock(&l);
    return l;
}

/* --- chains --------------------------------------------------------------------------------- */

/* `*ret_link` is what leads to it. A chain that is longer than the shard is broken. */
static struct table_record *find(struct locked *l, struct span key, uint32_t **ret_link)
{
    uint32_t *link = &l->buckets[l->bucket];

    for (uint32_t steps = 0; steps <= l->head->each; steps++) {
        struct table_record *r = record_at(l, *link);

        if (r == NULL || memcmp(r->bytes, key.at, key.len) == 0) {
            *ret_link = link;
            return r;
        }
        link = &r->next;
    }
    l->broken = true;
    return NULL;
}

static void leave_line(struct locked *l, struct table_record *r)
{
    struct table_record *older = record_at(l, r->older), *newer = record_at(l, r->newer);

    *(older != NULL ? &older->newer : &l->shard->oldest) = r->newer;
    *(newer != NULL ? &newer->older : &l->shard->newest) = r->older;
}

static void join_line(struct locked *l, struct table_record *r)
{
    struct table_record *newest = record_at(l, l->shard->newest);

    r->older = l->shard->newest;
    r->newer = 0;
    *(newest != NULL ? &newest->newer : &l->shard->oldest) = index_of(l, r);
    l->shard->newest = index_of(l, r);
}

static void release(struct locked *l, struct table_record *r, uint32_t *link)
{
    *link = r->next;
    leave_line(l, r);
    explicit_bzero(r, l->head->record_size);
    r->next = l->shard->free;
    l->shard->free = index_of(l, r);
    l->shard->count--;
}

static void evict_oldest(struct locked *l)
{
    struct table_record *oldest = record_at(l, l->shard->oldest);
    uint32_t own = l->bucket, *link;

    if (oldest == NULL || oldest->bucket >= l->head->each) {
        l->broken = true;
        return;
    }
    l->bucket = oldest->bucket;
    if (find(l, (struct span){ oldest->bytes, l->head->shape.key_size }, &link) == oldest)
        release(l, oldest, link);
    else
        l->broken = true;
    l->bucket = own;
}

/* NULL: the shard is broken. */
static struct table_record *take_free(struct locked *l)
{
    if (l->shard->free == 0 && l->shard->used < l->head->each)
        return record_at(l, ++l->shard->used);
    if (l->shard->free == 0)
        evict_oldest(l);
    struct table_record *r = l->broken ? NULL : record_at(l, l->shard->free);
    if (r == NULL)
        l->broken = true;
    else
        l->shard->free = r->next;
    return r;
}

/* A record for the key, in its place. NULL: the shard is broken. */
static struct table_record *add(struct locked *l, struct span key)
{
    struct table_record *r = take_free(l);

    if (r == NULL)
        return NULL;
    l->shard->count++;
    memcpy(r->bytes, key.at, key.len);
    r->bucket = l->bucket;
    r->next = l->buckets[l->bucket];
    l->buckets[l->bucket] = index_of(l, r);
    join_line(l, r);
    return r;
}

/* --- outside -------------------------------------------------------------------------------- */

bool table_put(struct table *t, struct span key, struct span value)
{
    const struct table_shape *shape = &t->head->shape;
    uint32_t *link;

    if (key.len != shape->key_size || value.len > shape->value_most)
        return false;
    struct locked l = lock_for(t, key);
    struct table_record *r = find(&l, key, &link);
    if (r != NULL)
        release(&l, r, link);
    r = l.broken ? NULL : add(&l, key);
    if (r != NULL) {
        if (value.len > 0)
            memcpy(r->bytes + key.len, value.at, value.len);
        r->len = (uint32_t)value.len;
    }
    unlock(&l);
    return true;
}

bool table_get(struct table *t, struct span key, char *ret_value, size_t *ret_len)
{
    uint32_t *link;

    if (key.len != t->head->shape.key_size)
        return false;
    struct locked l = lock_for(t, key);
    const struct table_record *r = find(&l, key, &link);
    uint32_t len = r != NULL ? *(const volatile uint32_t *)&r->len : UINT32_MAX; /* once */
    bool found = len <= l.head->shape.value_most;
    if (found) {
        memcpy(ret_value, r->bytes + key.len, len);
        *ret_len = len;
    }
    unlock(&l);
    return found;
}

bool table_remove(struct table *t, struct span key)
{
    uint32_t *link;

    if (key.len != t->head->shape.key_size)
        return false;
    struct locked l = lock_for(t, key);
    struct table_record *r = find(&l, key, &link);
    if (r != NULL)
        release(&l, r, link);
    unlock(&l);
    return r != NULL;
}

uint32_t table_room(const struct table *t)
{
    return t->head->shards * t->head->each;
}

uint32_t table_count(struct table *t)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < t->head->shards; i++) {
        struct locked l = shard_at(t, i);

        lock(&l);
        count += l.shard->count;
        unlock(&l);
    }
    return count;
}

/* --- life ----------------------------------------------------------------------------------- */

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

enum { FIXED = sizeof(struct table_head) + 32 /* and what aligning takes */ };

static size_t record_size(const struct table_shape *shape)
{
    return align(sizeof(struct table_record) + shape->key_size + shape->value_most);
}

size_t table_bytes(const struct table_shape *shape, uint32_t records)
{
    return FIXED + records * (record_size(shape) + sizeof(uint32_t));
}

bool table_init(struct table *t, const struct table_shape *shape, size_t bytes)
{
    size_t record = record_size(shape);
    size_t room = bytes > FIXED ? (bytes - FIXED) / (record + sizeof(uint32_t)) : 0;
    size_t shards = room / SHARD_WORTH;

    shards = shards < 1 ? 1 : shards > SHARDS_MOST ? SHARDS_MOST : shards;
    if (shape->key_size == 0 || shape->key_size > TABLE_KEY_MOST ||
        shape->value_most > TABLE_VALUE_MOST || room == 0 || room / shards >= UINT32_MAX)
        return false;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    madvise(memory, bytes, MADV_DONTDUMP);
    *t = (struct table){ memory, bytes };
    t->head->shape = *shape;
    t->head->hash_key = hash_key_new();
    t->head->shards = (uint32_t)shards;
    t->head->each = (uint32_t)(room / shards);
    t->head->record_size = record;
    bool good = true;
    for (uint32_t i = 0; i < shards && good; i++)
        good = lock_init(&t->head->shard[i].lock);
    if (!good)
        table_done(t);
    return good;
}

void table_done(struct table *t)
{
    if (t->head == NULL)
        return;
    for (uint32_t i = 0; i < t->head->shards; i++) {
        struct locked l = shard_at(t, i);

        clear(&l);
    }
    munmap(t->head, t->size);
    *t = (struct table){ NULL, 0 };
}
