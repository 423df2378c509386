#ifndef RUN_INHERIT_H
#define RUN_INHERIT_H

#include <stdbool.h>

struct buf;
struct supply;

/* Has a master started us, which we are to follow? */
bool inherit_has_master(void);

/* Listening sockets that somebody else has bound for us: the master that we are to follow (by
 * $BIFRONS, as NGINX does by $NGINX), or a service manager ($LISTEN_FDS, if $LISTEN_PID is us).
 *
 * A supply of nothing but sockets, for supply_new to begin with. True and NULL: there are none.
 * False: what was promised is not there; messages say it. */
bool inherit_sockets(struct supply **ret, struct buf *messages);
/* The text for $BIFRONS: descriptors, and which socket of the supply each is. */
void inherit_write(const struct supply *s, struct buf *out);

#endif
