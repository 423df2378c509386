#ifndef RUN_PIDFILE_H
#define RUN_PIDFILE_H

#include "base/span.h"

/* The pid file: there while the sockets listen. A small process that keeps the rights of who made
 * it waits for our end, however it comes, and removes the file: a worker that has become another
 * user could not. */
struct pidfile {
    int leash; /* closed at our end; -1: no file */
    int keeper;
};

int pidfile_write(struct span path, struct pidfile *ret); /* 0 or -errno */
/* Removes it, and waits until it is gone. */
void pidfile_remove(struct pidfile *p);

#endif
