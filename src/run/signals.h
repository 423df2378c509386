#ifndef RUN_SIGNALS_H
#define RUN_SIGNALS_H

#include "net/sock.h"

/* Signals as bytes on a socket of the loop. Handlers run on a stack of their own, never on a
 * fiber's. */
struct signals {
    struct sock sock;
    void (*on_signal)(struct signals *s, int number);
    void *arg;
    int write_end;
};

/* TERM, INT, QUIT, USR1. SIGPIPE, XFSZ and HUP are ignored. 0 or -errno. One per process. */
int signals_start(struct signals *s, struct loop *l, void (*on_signal)(struct signals *, int),
                  void *arg);
void signals_stop(struct signals *s);

#endif
