#ifndef NET_BLOCK_H
#define NET_BLOCK_H

#include "base/span.h"

/* Receive buffers: one size, pooled per worker, counted references, charged to the budget. */
enum { BLOCK_SIZE = 16896 }; /* a TLS record with all around it: 16,384 + 512 */

struct block {
    struct block_pool *pool;
    struct block *next_idle;
    uint32_t refs;
    _Alignas(16) char data[BLOCK_SIZE];
};

struct block_pool {
    struct block *idle; /* owned */
    uint32_t idle_count;
    uint32_t live;
    struct budget *budget;
};

void block_pool_init(struct block_pool *p, struct budget *budget);
void block_pool_done(struct block_pool *p);
void block_pool_trim(struct block_pool *p);    /* once a second: surplus back to the heap */
struct block *block_get(struct block_pool *p); /* one reference; NULL: over the budget */
struct block *block_ref(struct block *b);
void block_unref(struct block *b); /* NULL is harmless */

/* Bytes that came, and what keeps them alive. Who takes bytes moves `data` and `size`. */
struct lease {
    char *data;
    uint32_t size;
    int32_t id;          /* of a ring's buffer (io_uring); < 0: a block */
    struct block *block; /* one reference is ours */
};

static inline struct span lease_span(const struct lease *l)
{
    return (struct span){ l->data, l->size };
}

static inline void lease_take(struct lease *l, size_t n)
{
    l->data += n;
    l->size -= (uint32_t)n;
}

void lease_done(struct lease *l); /* also of a zeroed one; leaves it zeroed */

#endif
