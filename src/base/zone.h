#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/counters.h"
#include "base/shape.h"
#include "base/table.h"

/* Shared memory with a shape: a table, or counters. Whoever makes it (the master) passes the
 * descriptor on; everybody maps it. Two zones are the same one, across processes and reloads, if
 * whoever passes them says so by name, and their shapes are equal. */

/* A mapping, counted: the last one who holds it unmaps it. */
struct zone {
    uint32_t refs;
    int fd; /* owned: to be passed on */
    struct zone_shape shape;
    void *memory; /* owned */
    size_t size;
    union {
        struct table table;
        struct counters counters;
    };
};

size_t zone_size(const struct zone_shape *shape); /* bytes of memory */
bool zone_same_shape(const struct zone_shape *a, const struct zone_shape *b);
/* A descriptor of new memory of that shape, whose size nobody can change; or -errno. `name` is for
 * people who look into /proc. */
int zone_make(const struct zone_shape *shape, const char *name);
/* Maps what zone_make made, perhaps elsewhere. Takes the descriptor over, also when it fails: NULL,
 * it has not that shape, or memory was refused. */
struct zone *zone_open(const struct zone_shape *shape, int fd);
struct zone *zone_ref(struct zone *z);
void zone_unref(struct zone **z);

#endif
