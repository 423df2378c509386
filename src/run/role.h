#ifndef RUN_ROLE_H
#define RUN_ROLE_H

#include <stdbool.h>
#include <sys/types.h>

/* The roles of a process. A child is the same binary, started anew by exec: its addresses are its
 * own, and it has nothing but what it is sent over its channel. */
enum role { ROLE_MASTER, ROLE_WORKER };

/* Starts it, with its end of the channel. Its pid, or -errno. */
pid_t role_start(enum role role, int channel);
/* Are we such a child? Then it runs to its end; `ret_code` is the exit code. */
bool role_run(int argc, char **argv, int *ret_code);

#endif
