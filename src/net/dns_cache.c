/* The resolver's memory: a hash table with a secret key, and a ring in the order of use. Owns its
 * rows. */
#include "net/dns_cache.h"

#include "base/address.h"
#include "base/budget.h"
#include "base/span.h"
#include "net/dns.h"
#include "net/dns_wire.h"

#include <stdlib.h>

struct cached {
    struct link use;
    struct cached *next; /* in its bucket */
    uint64_t until;      /* fresh */
    uint64_t gone;       /* no use any more, not even stale */
    struct dns_name name;
    uint8_t fault; /* enum resolve_fault */
    uint8_t count;
    struct address addresses[];
};

void dns_cache_init(struct dns_cache *c, struct budget *budget)
{
    *c = (struct dns_cache){ .key = hash_key_new(), .budget = budget };
    link_init(&c->recent);
}

static struct cached **bucket_of(struct dns_cache *c, const struct dns_name *name)
{
    return &c->buckets[hash_keyed(&c->key, dns_name_span(name)) % DNS_CACHE_BUCKETS];
}

/* The pointer that leads to the row, or to the end of its bucket. */
static struct cached **place_of(struct dns_cache *c, const struct dns_name *name)
{
    struct cached **at = bucket_of(c, name);

    while (*at != NULL && !span_same(dns_name_span(&(*at)->name), dns_name_span(name)))
        at = &(*at)->next;
    return at;
}

static size_t size_of(unsigned addresses)
{
    return sizeof(struct cached) + addresses * sizeof(struct address);
}

static void drop(struct dns_cache *c, struct cached **at)
{
    struct cached *row = *at;

    *at = row->next;
    link_remove(&row->use);
    budget_give(c->budget, size_of(row->count));
    free(row);
    c->count--;
}

static void drop_oldest(struct dns_cache *c)
{
    struct cached *row = CONTAINER(c->recent.prev, struct cached, use);

    drop(c, place_of(c, &row->name));
}

void dns_cache_done(struct dns_cache *c)
{
    while (c->count > 0)
        drop_oldest(c);
}

/* The row of a name, asked for now. NULL: none that is of any use. */
static struct cached *use(struct dns_cache *c, const struct dns_name *name, uint64_t now)
{
    struct cached **at = place_of(c, name), *row = *at;

    if (row == NULL)
        return NULL;
    if (now >= row->gone) {
        drop(c, at);
        return NULL;
    }
    link_remove(&row->use);
    link_insert(&c->recent, &row->use);
    return row;
}

static bool tell(const struct cached *row, struct resolve_result *ret)
{
    ret->fault = (enum resolve_fault)row->fault;
    ret->count = row->count;
    memcpy(ret->addresses, row->addresses, row->count * sizeof(row->addresses[0]));
    return true;
}

bool dns_cache_find(struct dns_cache *c, const struct dns_name *name, uint64_t now,
                    struct resolve_result *ret)
{
    const struct cached *row = use(c, name, now);

    return row != NULL && now < row->until && tell(row, ret);
}

bool dns_cache_find_stale(struct dns_cache *c, const struct dns_name *name, uint64_t now,
                          struct resolve_result *ret)
{
    const struct cached *row = use(c, name, now);

    return row != NULL && row->fault == RESOLVE_FOUND && tell(row, ret);
}

bool dns_cache_renew(struct dns_cache *c, const struct dns_name *name, uint64_t now, uint64_t until,
                     struct resolve_result *ret)
{
    struct cached *row = use(c, name, now);

    if (row == NULL || row->fault != RESOLVE_FOUND)
        return false;
    if (until > row->until)
        row->until = until < row->gone ? until : row->gone;
    return tell(row, ret);
}

void dns_cache_put(struct dns_cache *c, const struct dns_name *name,
                   const struct resolve_result *found, uint64_t until)
{
    struct cached **at = place_of(c, name);

    if (*at != NULL)
        drop(c, at);
    if (c->count >= DNS_CACHE_MOST)
        drop_oldest(c);
    if (!budget_take(c->budget, size_of(found->count)))
        return;
    struct cached *row = calloc(1, size_of(found->count));
    if (row == NULL) {
        budget_give(c->budget, size_of(found->count));
        return;
    }
    row->until = until;
    row->gone = until + (found->fault == RESOLVE_FOUND ? DNS_CACHE_STALE_MS : 0);
    row->name = *name;
    row->fault = (uint8_t)found->fault;
    row->count = (uint8_t)found->count;
    memcpy(row->addresses, found->addresses, found->count * sizeof(found->addresses[0]));
    link_insert(&c->recent, &row->use);
    at = bucket_of(c, name);
    row->next = *at;
    *at = row;
    c->count++;
}
