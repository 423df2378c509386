#ifndef RUN_PIDFILE_H
#define RUN_PIDFILE_H

#include "base/span.h"

#include <sys/types.h>

struct buf;
struct manifest;

/* The pid file: there while the sockets listen. */
struct pidfile {
    char path[1024]; /* empty: no file */
    pid_t owner;     /* whose number stands in it */
    int lock;        /* held open: says that the owner lives; -1: none */
    int leash;       /* of the keeper, closed at our end; -1: there is none */
    pid_t keeper;
};

/* 0 or -errno; -EBUSY: the one whose number stands there lives. */
int pidfile_write(struct span path, struct pidfile *ret);
/* Why it could not be written, with the line that names it. */
void pidfile_complain(const struct manifest *m, int failed, struct buf *messages);
/* To another name. False: errno says why. */
bool pidfile_move(struct pidfile *p, const char *path);
/* Whose number stands in the file, if that process lives and still holds it. 0 or -errno; -EINVAL:
 * no number, -ESRCH: it does not live. `ret_pid` is set in the last case, too. */
int pidfile_read(const char *path, pid_t *ret_pid);
/* Has it removed by a small process that keeps the rights which we have now, when our end comes: a
 * process that has become another user could not. 0 or -errno. */
int pidfile_guard(struct pidfile *p);
/* Removes it, if it is still ours, and waits until it is gone. */
void pidfile_remove(struct pidfile *p);

#endif
