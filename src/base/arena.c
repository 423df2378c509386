/* An arena: chunks from the heap, or huge pages, given piece by piece. Owns its chunks. */
#include "base/arena.h"

#include "base/budget.h"
#include "base/os.h"

#include <stdlib.h>

enum { FIRST_OF_GROWING = 32 << 10 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    bool huge; /* a huge page, not of the heap */
    _Alignas(16) char data[];
};

static const size_t HUGE_ROOM = OS_HUGE_PAGE - sizeof(struct arena_chunk);

void arena_init(struct arena *a, size_t chunk_size, struct budget *budget)
{
    *a = (struct arena){ .chunk_size = chunk_size, .budget = budget };
}

void arena_init_growing(struct arena *a)
{
    *a = (struct arena){ .chunk_size = FIRST_OF_GROWING, .grows = true };
}

static void drop_until(struct arena *a, struct arena_chunk *last)
{
    while (a->chunks != last) {
        struct arena_chunk *dead = a->chunks;

        a->chunks = dead->older;
        budget_give(a->budget, dead->size);
        if (dead->huge)
            os_huge_page_free(dead);
        else
            free(dead);
    }
}

void arena_done(struct arena *a)
{
    drop_until(a, NULL);
    a->at = NULL;
    a->left = 0;
}

void arena_clear(struct arena *a)
{
    struct arena_chunk *first = a->chunks;

    while (first != NULL && first->older != NULL)
        first = first->older;
    if (first != NULL && first->size != a->chunk_size)
        first = NULL;
    drop_until(a, first);
    a->at = first ? first->data : NULL;
    a->left = first ? first->size : 0;
}

static struct arena_chunk *chunk_new(size_t room)
{
    bool huge = room == HUGE_ROOM;
    struct arena_chunk *chunk = huge ? os_huge_page() : malloc(sizeof(*chunk) + room);

    if (chunk == NULL)
        abort();
    chunk->size = room;
    chunk->huge = huge;
    return chunk;
}

void *arena_slow(struct arena *a, size_t size)
{
    size_t rounded = (size + (size == 0) + 15) & ~(size_t)15;
    size_t room = rounded > a->chunk_size ? rounded : a->chunk_size;

    if (rounded < size || room > SIZE_MAX - sizeof(struct arena_chunk))
        abort();
    struct arena_chunk *chunk = chunk_new(room);
    budget_charge(a->budget, room);
    chunk->older = a->chunks;
    a->chunks = chunk;
    if (a->grows && a->chunk_size < HUGE_ROOM)
        a->chunk_size = a->chunk_size * 2 < HUGE_ROOM ? a->chunk_size * 2 : HUGE_ROOM;
    a->at = chunk->data + rounded;
    a->left = room - rounded;
    return chunk->data;
}

struct span arena_copy(struct arena *a, struct span bytes)
{
    if (bytes.len == 0)
        return (struct span){ "", 0 };
    return (struct span){ memcpy(arena_alloc(a, bytes.len), bytes.at, bytes.len), bytes.len };
}

char *arena_cstr(struct arena *a, struct span bytes)
{
    char *text = arena_alloc(a, bytes.len + 1);

    if (bytes.len > 0)
        memcpy(text, bytes.at, bytes.len);
    text[bytes.len] = '\0';
    return text;
}
