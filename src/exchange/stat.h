#ifndef EXCHANGE_STAT_H
#define EXCHANGE_STAT_H

#include "base/counters.h"
#include "exchange/worker.h"

/* What workers count together, each in its own cache lines: the numbers of `stub_status`. */
enum stat {
    STAT_ACCEPTED,
    STAT_HANDLED,
    STAT_REQUESTS,
    STAT_ACTIVE, /* from here on: what is now, not what ever was */
    STAT_READING,
    STAT_WRITING,
    STAT_WAITING,
    STATS
};

static inline void stat_add(struct worker *w, enum stat s, int by)
{
    if (w->shared.stats != NULL)
        counters_add(w->shared.stats, s, by);
}

#endif
