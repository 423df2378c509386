/* Counters in shared memory: a run of whole cache lines for each process. */
#include "base/counters.h"

enum { LINE = 64 };

static size_t bytes_of_slot(uint32_t each)
{
    return (each * sizeof(uint64_t) + LINE - 1) / LINE * LINE;
}

size_t counters_bytes(uint32_t each, uint32_t slots)
{
    if (each == 0 || each > COUNTERS_MOST || slots == 0 || slots > COUNTERS_SLOTS_MOST)
        return 0;
    return bytes_of_slot(each) * slots;
}

bool counters_view(struct counters *c, uint32_t each, uint32_t slots, void *memory, size_t size)
{
    if (size == 0 || counters_bytes(each, slots) != size)
        return false;
    *c = (struct counters){ memory, each, slots };
    return true;
}

uint64_t *counters_own(const struct counters *c, uint32_t slot)
{
    return (uint64_t *)(c->memory + (slot % c->slots) * bytes_of_slot(c->each));
}

uint64_t counters_sum(const struct counters *c, uint32_t counter)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < c->slots; i++)
        sum += __atomic_load_n(&counters_own(c, i)[counter], __ATOMIC_RELAXED);
    return sum;
}
