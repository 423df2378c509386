/* The pool of receive buffers. Owns the idle ones; the others belong to their references. */
#include "net/block.h"

#include "base/budget.h"
#include "net/must.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#    define POISONS 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define POISONS 1
#    endif
#endif

/* An idle block's bytes are nobody's: AddressSanitizer shall see who thinks otherwise. */
#ifdef POISONS
#    include <sanitizer/asan_interface.h>
static void close_block(struct block *b)
{
    __asan_poison_memory_region(b->data, sizeof(b->data));
}
static void open_block(struct block *b)
{
    __asan_unpoison_memory_region(b->data, sizeof(b->data));
}
#else
static void close_block(struct block *b)
{
    (void)b;
}
static void open_block(struct block *b)
{
    (void)b;
}
#endif

enum { KEEP_IDLE = 64, TRIM_AT_ONCE = 256 };

void block_pool_init(struct block_pool *p, struct budget *budget)
{
    *p = (struct block_pool){ .budget = budget };
}

static struct block *pop_idle(struct block_pool *p)
{
    struct block *b = p->idle;

    p->idle = b->next_idle;
    p->idle_count--;
    open_block(b);
    return b;
}

static void drop_idle(struct block_pool *p)
{
    free(pop_idle(p));
    budget_give(p->budget, sizeof(struct block));
}

void block_pool_done(struct block_pool *p)
{
    must(p->live == 0);
    while (p->idle != NULL)
        drop_idle(p);
}

void block_pool_trim(struct block_pool *p)
{
    uint32_t keep = KEEP_IDLE + p->live / 2;

    for (int i = 0; i < TRIM_AT_ONCE && p->idle_count > keep; i++)
        drop_idle(p);
}

static struct block *make(struct block_pool *p)
{
    if (!budget_take(p->budget, sizeof(struct block)))
        return NULL;
    struct block *b = malloc(sizeof(*b));
    if (b == NULL) {
        budget_give(p->budget, sizeof(struct block));
        return NULL;
    }
    b->pool = p;
    return b;
}

struct block *block_get(struct block_pool *p)
{
    struct block *b = p->idle != NULL ? pop_idle(p) : make(p);

    if (b == NULL)
        return NULL;
    b->next_idle = NULL;
    b->refs = 1;
    p->live++;
    return b;
}

struct block *block_ref(struct block *b)
{
    b->refs++;
    return b;
}

void block_unref(struct block *b)
{
    if (b == NULL || --b->refs > 0)
        return;

    struct block_pool *p = b->pool;
    p->live--;
    b->next_idle = p->idle;
    p->idle = b;
    p->idle_count++;
    close_block(b);
}

void lease_done(struct lease *l)
{
    block_unref(l->block);
    *l = (struct lease){ 0 };
}
