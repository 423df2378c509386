#ifndef EXCHANGE_TURN_H
#define EXCHANGE_TURN_H

#include "exchange/exchange.h"
#include "exchange/worker.h"
#include "net/io.h"
#include "net/loop.h"

/* The turn of the loop in which an exchange is served. Filters, which know no sockets, have the
 * loop's clock, its blocks and fiber_yield from here. */

/* ms of the loop's clock. */
static inline uint64_t exchange_now(const struct exchange *x)
{
    return loop_now(x->worker->loop);
}
/* So many ms from now. */
static inline uint64_t deadline_in(const struct exchange *x, uint64_t ms)
{
    return exchange_now(x) + ms;
}

/* So many ms pass. IO_OK; IO_CANCELLED: the client left meanwhile. */
enum io exchange_sleep(struct exchange *x, uint64_t ms);

#endif
