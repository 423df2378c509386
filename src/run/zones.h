#ifndef RUN_ZONES_H
#define RUN_ZONES_H

struct generation;
struct worker;

/* The memory of a generation's zones, before its modules start. Each is that of the worker's
 * generation before, if name, use and shape are the same; else the descriptor that was given for it
 * (in the order of g->zones; NULL: none were), else it is made here. One that cannot be had is
 * logged, and stays NULL. */
void zones_take(struct worker *w, struct generation *g, const int *fds);

#endif
