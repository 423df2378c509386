#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

/* Memory of one life: given piece by piece, taken back at once. There are four: of a generation, a
 * worker, a connection, an exchange; a pointer in a longer-lived object never points into a
 * shorter-lived arena. Small allocations abort when memory is refused, so what a peer can multiply
 * is capped at the input; sizes that a peer chooses go through a `buf`. */
struct arena {
    struct arena_chunk *chunks; /* owned; the newest first */
    char *at;
    size_t left;
    size_t chunk_size;
    bool grows;
    struct budget *budget; /* charged by chunk; NULL: none */
};

/* `chunk_size`: bytes asked of the heap at a time; a larger piece gets a chunk of its own. */
void arena_init(struct arena *a, size_t chunk_size, struct budget *budget);
/* For what grows with the configuration: each chunk is twice the last one, up to a huge page. Ten
 * thousand servers are then built in a tenth of the time, most of which went into page faults. */
void arena_init_growing(struct arena *a);
void arena_done(struct arena *a);
/* Everything given is dead; the first chunk is kept for the next life. */
void arena_clear(struct arena *a);

void *arena_slow(struct arena *a, size_t size);

/* Aligned to 16 bytes, not zeroed; never NULL. */
static inline void *arena_alloc(struct arena *a, size_t size)
{
    size_t rounded = (size + (size == 0) + 15) & ~(size_t)15;

    if (rounded < size || rounded > a->left)
        return arena_slow(a, size);
    void *piece = a->at;
    a->at += rounded;
    a->left -= rounded;
    return piece;
}

static inline void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

/* A copy that lives as long as the arena. */
struct span arena_copy(struct arena *a, struct span bytes);
/* The same, ended by a zero byte that `len` does not count. */
char *arena_cstr(struct arena *a, struct span bytes);

#endif
