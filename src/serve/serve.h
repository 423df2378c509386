#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include <stdbool.h>
#include <stdint.h>

struct address;
struct generation;
struct listener;
struct worker;

/* The client's side of a worker: accepts on sockets that somebody else has bound, and serves. */

/* A listening socket that somebody else has bound. */
struct serve_socket {
    int fd;
    uint32_t number; /* listener->socket, in the newest generation; several may share one */
    uint32_t id;     /* the same socket has the same one in every generation */
};

int serve_start(struct worker *w); /* without sockets; 0 or -errno */
/* From now on these are served, by the newest generation. Those that are served already go on, and
 * their descriptors are closed; all others are taken over. A socket that is not named any more is
 * closed, and what came by it ends when it is idle. 0 or -errno: a new one could not be served. */
int serve_listen(struct worker *w, const struct serve_socket *sockets, unsigned count);
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
