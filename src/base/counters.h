#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers that several processes keep together without a lock: each writes its own, in cache lines
 * of its own, by plain stores; whoever reads adds them up. A sum is no picture of one moment. */
struct counters {
    char *memory; /* the mapping's */
    uint32_t each, slots;
};

enum { COUNTERS_MOST = 64, COUNTERS_SLOTS_MOST = 1024 };

/* Zeroed memory is a set of counters at zero: 0 if the numbers make no sense. */
size_t counters_bytes(uint32_t each, uint32_t slots);
/* False: `size` is not what they take. */
bool counters_view(struct counters *c, uint32_t each, uint32_t slots, void *memory, size_t size);
/* Those of one process, to be written by it alone (counters_add). */
uint64_t *counters_own(const struct counters *c, uint32_t slot);
uint64_t counters_sum(const struct counters *c, uint32_t counter);

static inline void counters_add(uint64_t *own, uint32_t counter, int64_t by)
{
    uint64_t now = __atomic_load_n(&own[counter], __ATOMIC_RELAXED);

    __atomic_store_n(&own[counter], now + (uint64_t)by, __ATOMIC_RELAXED);
}

#endif
