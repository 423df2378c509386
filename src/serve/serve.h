#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "exchange/generation.h"
#include "exchange/worker.h"

/* The client's side of a worker: accepts on sockets that somebody else has bound, and serves. */

/* `fds[i]` is the socket number i of the generation's listeners; taken over. 0 or -errno. */
int serve_start(struct worker *w, const int *fds, unsigned count);
/* No new connections, no keep-alive; parked connections are closed. `on_idle` comes once, when none
 * is left. */
void serve_drain(struct worker *w, void (*on_idle)(struct worker *w));
/* Closes every connection now: fibers are cancelled. `on_idle` comes as above. */
void serve_abort(struct worker *w);
void serve_free(struct worker *w); /* after on_idle */

/* The hooks of PHASE_ACCEPT. False: the connection is reset before anything was read of it. */
bool serve_may_come(const struct generation *g, const struct listener *l,
                    const struct address *client);

#endif
