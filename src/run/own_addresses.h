#ifndef RUN_OWN_ADDRESSES_H
#define RUN_OWN_ADDRESSES_H

struct worker;

/* Fills w->own: no client is led to them (forward-semantics 4.2). Whoever ends the worker
 * frees them. */
void worker_note_own_addresses(struct worker *w);

#endif
