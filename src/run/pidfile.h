#ifndef RUN_PIDFILE_H
#define RUN_PIDFILE_H

#include "base/span.h"

#include <sys/types.h>

/* The pid file: there while the sockets listen. */
struct pidfile {
    char path[1024]; /* empty: no file */
    pid_t owner;     /* whose number stands in it */
    int leash;       /* of the keeper, closed at our end; -1: there is none */
    pid_t keeper;
};

int pidfile_write(struct span path, struct pidfile *ret); /* 0 or -errno */
/* Has it removed by a small process that keeps the rights which we have now, when our end comes: a
 * process that has become another user could not. 0 or -errno. */
int pidfile_guard(struct pidfile *p);
/* Removes it, if it is still ours, and waits until it is gone. */
void pidfile_remove(struct pidfile *p);

#endif
