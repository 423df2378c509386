/* A shard of a shared table: buckets, the line by age, free records; and how all of them are made
 * anew when the process that held the lock has died, or wrote nonsense.
 *
 *     insert:   fill a free record -> WHOLE -> chain it
 *     replace:  value to the journal, WHOLE -> value to its record -> journal FREE
 *     release:  FREE -> unchain it, wipe it
 *
 * So at each moment the records that are WHOLE are the truth, with the journal's value if that is
 * WHOLE; chains are only the way to them. Indexes are read once and checked each time. */
#include "base/table_shard.h"

#include "base/hash.h"
#include "base/shape.h"
#include "base/span.h"

#include <errno.h>

size_t table_align(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

/* Others may write it while we look: the compiler reads it once. */
static uint32_t load(const uint32_t *at)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void set_state(struct table_record *r, uint32_t state)
{
    __atomic_store_n(&r->state, state, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* what follows comes after it, too */
}

static struct table_record *record_of(const struct locked *l, uint32_t index)
{
    return (struct table_record *)(l->records + (size_t)(index - 1) * l->table->record_size);
}

struct table_record *shard_record(struct locked *l, uint32_t index)
{
    if (index > l->table->each) {
        l->broken = true;
        return NULL;
    }
    return index == 0 ? NULL : record_of(l, index);
}

static struct table_record *journal_of(const struct locked *l)
{
    return record_of(l, l->table->each + 1);
}

static uint32_t index_of(const struct locked *l, const struct table_record *r)
{
    return (uint32_t)((size_t)((const char *)r - l->records) / l->table->record_size) + 1;
}

char *record_value(const struct locked *l, struct table_record *r)
{
    return r->bytes + l->table->shape.key_size;
}

uint32_t record_len(const struct locked *l, const struct table_record *r)
{
    uint32_t len = load(&r->len);

    return len < l->table->shape.value_most ? len : l->table->shape.value_most;
}

static struct span key_of(const struct locked *l, const struct table_record *r)
{
    return (struct span){ r->bytes, l->table->shape.key_size };
}

static struct locked shard_at(const struct table *t, uint32_t number)
{
    char *buckets = (char *)t->head + table_align(sizeof(struct table_head));
    char *records = buckets + table_align((size_t)t->shards * t->each * sizeof(uint32_t));

    return (struct locked){
        .table = t,
        .shard = &t->head->shard[number],
        .buckets = (uint32_t *)buckets + (size_t)number * t->each,
        .records = records + (size_t)number * (t->each + 1) * t->record_size,
    };
}

struct locked shard_lock(const struct table *t, uint32_t number)
{
    struct locked l = shard_at(t, number);

    if (pthread_mutex_lock(&l.shard->lock) == EOWNERDEAD) {
        shard_repair(&l);
        pthread_mutex_consistent(&l.shard->lock);
    }
    return l;
}

struct locked shard_lock_for(const struct table *t, struct span key)
{
    uint64_t hash = hash_keyed(&t->secret, key);
    struct locked l = shard_lock(t, (uint32_t)(hash >> 32) % t->shards);

    l.bucket = (uint32_t)hash % t->each;
    return l;
}

void shard_unlock(struct locked *l)
{
    if (l->broken)
        shard_repair(l);
    pthread_mutex_unlock(&l->shard->lock);
}

/* --- chains --------------------------------------------------------------------------------- */

/* A chain that is longer than the shard is broken. */
struct table_record *shard_find(struct locked *l, struct span key, uint32_t **ret_link)
{
    uint32_t *link = &l->buckets[l->bucket];

    for (uint32_t steps = 0; steps <= l->table->each; steps++) {
        struct table_record *r = shard_record(l, load(link));

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
    uint32_t before = load(&r->older), after = load(&r->newer);
    struct table_record *older = shard_record(l, before), *newer = shard_record(l, after);

    *(older != NULL ? &older->newer : &l->shard->oldest) = after;
    *(newer != NULL ? &newer->older : &l->shard->newest) = before;
}

static void join_line(struct locked *l, struct table_record *r)
{
    uint32_t last = load(&l->shard->newest);
    struct table_record *newest = shard_record(l, last);

    r->older = last;
    r->newer = 0;
    *(newest != NULL ? &newest->newer : &l->shard->oldest) = index_of(l, r);
    l->shard->newest = index_of(l, r);
}

void shard_touch(struct locked *l, struct table_record *r)
{
    if (load(&l->shard->newest) == index_of(l, r))
        return;
    leave_line(l, r);
    join_line(l, r);
}

static void put_free(struct locked *l, struct table_record *r)
{
    r->next = l->shard->free;
    l->shard->free = index_of(l, r);
}

void shard_release(struct locked *l, struct table_record *r, uint32_t *link)
{
    set_state(r, RECORD_FREE);
    *link = load(&r->next);
    leave_line(l, r);
    explicit_bzero(r, l->table->record_size);
    put_free(l, r);
    l->shard->count--;
}

static void evict_oldest(struct locked *l)
{
    struct table_record *oldest = shard_record(l, load(&l->shard->oldest));
    uint32_t own = l->bucket, *link;
    uint32_t bucket = oldest != NULL ? load(&oldest->bucket) : UINT32_MAX;

    if (bucket >= l->table->each) {
        l->broken = true;
        return;
    }
    l->bucket = bucket;
    if (shard_find(l, key_of(l, oldest), &link) == oldest)
        shard_release(l, oldest, link);
    else
        l->broken = true;
    l->bucket = own;
}

struct table_record *shard_take(struct locked *l, struct span key)
{
    struct table_shard *s = l->shard;
    uint32_t used = load(&s->used);
    struct table_record *r;

    if (s->free == 0 && used < l->table->each) {
        s->used = used + 1;
        r = record_of(l, used + 1);
    } else {
        if (s->free == 0 && l->table->shape.full == TABLE_REFUSES)
            return NULL;
        if (s->free == 0)
            evict_oldest(l);
        r = l->broken ? NULL : shard_record(l, load(&s->free));
        if (r == NULL) {
            l->broken = true;
            return NULL;
        }
        s->free = load(&r->next);
    }
    memcpy(r->bytes, key.at, key.len);
    return r;
}

static void chain(struct locked *l, struct table_record *r)
{
    l->shard->count++;
    r->bucket = l->bucket;
    r->next = l->buckets[l->bucket];
    l->buckets[l->bucket] = index_of(l, r);
    join_line(l, r);
}

void shard_join(struct locked *l, struct table_record *r)
{
    set_state(r, RECORD_WHOLE);
    chain(l, r);
}

static void copy_value(struct locked *l, struct table_record *r, struct span value)
{
    r->len = (uint32_t)value.len;
    if (value.len > 0)
        memcpy(record_value(l, r), value.at, value.len);
    explicit_bzero(record_value(l, r) + value.len, l->table->shape.value_most - value.len);
}

void shard_replace(struct locked *l, struct table_record *r, struct span value)
{
    struct table_record *journal = journal_of(l);

    copy_value(l, journal, value);
    journal->next = index_of(l, r);
    set_state(journal, RECORD_WHOLE);
    copy_value(l, r, value);
    set_state(journal, RECORD_FREE);
    explicit_bzero(record_value(l, journal), value.len);
}

/* --- repair --------------------------------------------------------------------------------- */

/* A value that was on its way arrives. */
static void end_journal(struct locked *l)
{
    struct table_record *journal = journal_of(l);
    struct table_record *r =
        load(&journal->state) == RECORD_WHOLE ? shard_record(l, load(&journal->next)) : NULL;

    if (r != NULL)
        copy_value(l, r, (struct span){ record_value(l, journal), record_len(l, journal) });
    explicit_bzero(journal, l->table->record_size);
}

static void chain_anew(struct locked *l, struct table_record *r)
{
    uint32_t *link;

    l->bucket = (uint32_t)hash_keyed(&l->table->secret, key_of(l, r)) % l->table->each;
    if (load(&r->state) == RECORD_WHOLE && load(&r->len) <= l->table->shape.value_most &&
        shard_find(l, key_of(l, r), &link) == NULL) {
        chain(l, r);
        return;
    }
    explicit_bzero(r, l->table->record_size);
    put_free(l, r);
}

/* The line by age becomes that of the indexes. */
void shard_repair(struct locked *l)
{
    struct table_shard *s = l->shard;
    uint32_t own = l->bucket, used = load(&s->used);

    used = used < l->table->each ? used : l->table->each;
    end_journal(l);
    memset(l->buckets, 0, l->table->each * sizeof(uint32_t));
    s->oldest = s->newest = s->free = s->count = 0;
    s->used = used;
    for (uint32_t i = 1; i <= used; i++)
        chain_anew(l, record_of(l, i));
    l->bucket = own;
    l->broken = false;
}

void shard_wipe(struct locked *l)
{
    struct table_shard *s = l->shard;
    uint32_t used = load(&s->used);

    used = used < l->table->each ? used : l->table->each;
    if (used > 0) {
        explicit_bzero(l->records, used * l->table->record_size);
        explicit_bzero(journal_of(l), l->table->record_size);
        memset(l->buckets, 0, l->table->each * sizeof(uint32_t));
    }
    s->oldest = s->newest = s->free = s->used = s->count = 0;
}
