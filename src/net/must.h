#ifndef NET_MUST_H
#define NET_MUST_H

#include <stdbool.h>
#include <stdlib.h>

/* An invariant of our own that no peer can break; a worker in which it is broken ends. */
static inline void must(bool holds)
{
    if (!holds)
        abort();
}

#endif
