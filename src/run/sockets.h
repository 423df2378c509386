#ifndef RUN_SOCKETS_H
#define RUN_SOCKETS_H

#include "exchange/generation.h"

/* Binds what a generation listens on. */
struct sockets {
    int *fds; /* owned; by listener->socket */
    unsigned count;
};

/* Tries an address that is in use five times, every 500 ms, as NGINX does (not when only testing).
 * False: messages say why, with the place of the `listen`; nothing stays open. */
bool sockets_open(const struct generation *g, bool test, struct sockets *ret, struct buf *messages);
/* `listening ADDRESS` on standard output, in the order of the configuration. */
void sockets_announce(const struct generation *g, const struct sockets *s);
void sockets_close(struct sockets *s);

#endif
