#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include "net/io.h"

#include <stdint.h>

struct loop;

/* What would block a worker (hashing a password, reading a cold file) runs in one of a few threads
 * of the loop, and the fiber that asked sleeps meanwhile.
 *
 *     offload() -> queue -> a thread calls fn(arg) -> the fiber goes on
 *
 * `fn` shares nothing with the loop but `arg`: no fiber, socket, pool, log or generation of
 * ours. */

enum { OFFLOAD_THREADS = 32, OFFLOAD_QUEUE = 65536 }; /* NGINX's */

/* IO_OK: `fn` has been called. A full queue is waited for: IO_TIMEOUT, IO_CANCELLED mean that
 * it was not, and never will be. Once `fn` is queued nothing but its end wakes the fiber, whatever
 * the deadline. IO_FAILED: no thread could be made. */
enum io offload(struct loop *l, void (*fn)(void *arg), void *arg, uint64_t deadline);
/* How many threads there may be, and calls that wait for one; both at least 1. Also of a pool that
 * is at work: surplus threads end when they are idle. */
void offload_limits(struct loop *l, uint32_t threads, uint32_t queue);
/* Nobody waits for it any more. A turn of the loop and loop_done follow. */
void offload_stop(struct loop *l);

#endif
