#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

/* What a worker may hold of bytes whose number peers choose (DESIGN 7.11). Buffers ask and may be
 * refused; arenas only charge, since what they hold is capped at the input. Near the maximum new
 * work is answered with 503. */
struct budget {
    size_t used;
    size_t max;
    size_t refuse_in; /* tests: the request so many from now is refused; 0: none */
};

static inline bool budget_take(struct budget *b, size_t bytes)
{
    if (b == NULL)
        return true;
    if (b->refuse_in > 0 && --b->refuse_in == 0)
        return false;
    if (b->used > b->max || bytes > b->max - b->used)
        return false;
    b->used += bytes;
    return true;
}

static inline void budget_charge(struct budget *b, size_t bytes)
{
    if (b != NULL)
        b->used += bytes;
}

static inline void budget_give(struct budget *b, size_t bytes)
{
    if (b != NULL)
        b->used -= bytes;
}

/* Too little for new work: an eighth is left to what runs already. */
static inline bool budget_spent(const struct budget *b)
{
    return b != NULL && b->used >= b->max - b->max / 8;
}

#endif
