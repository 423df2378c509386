#ifndef EXCHANGE_RUN_H
#define EXCHANGE_RUN_H

#include "exchange/source.h"
#include "net/io.h"

struct client;
struct exchange;
struct worker;

/* The life of an exchange, for whoever drives one: a session, a rehearsal, the end of a tunnel. */

/* Taken from the worker's pool, zeroed but for its arena; with a reference to the worker's
 * generation. NULL: over the budget. */
struct exchange *exchange_new(struct worker *w, struct client *client);
void exchange_pool_free(struct worker *w);

/* A malformed head is IO_OK with `x->response.status` preset: the log sees it. Ends `x`. */
enum after exchange_run(struct exchange *x);
/* The same phases for `bifrons explain`, of an exchange with a trace: nothing is sent, nobody is
 * asked. Afterwards x->response is the answer, as far as it is known: status 0 is not. exchange_end
 * follows. */
void exchange_rehearse(struct exchange *x);
/* Called by exchange_run, but for a tunnel, whose lines are a draft. Runs the loggers, closes the
 * source. */
void exchange_end(struct exchange *x, enum io io);

#endif
