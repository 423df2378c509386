#ifndef RUN_MASTER_H
#define RUN_MASTER_H

#include "base/errlog.h"
#include "base/span.h"
#include "log/error_log.h"
#include "run/bundle.h"
#include "run/manifest.h"
#include "run/pidfile.h"
#include "run/reader.h"
#include "run/terminal.h"

/* The master: reads no peer's byte. It has configurations read, holds what they need (sockets,
 * logs, bundle), starts workers and gives them orders, and does what signals ask for.
 *
 *     master.c            its life: start, wait, end
 *     master_signals.c    what signals ask for
 *     master_children.c   workers: start, frames, death, back-off
 *     master_reload.c     a configuration takes the place of another
 *     master_upgrade.c    a binary takes the place of ours
 */

struct child {
    struct child *next;
    pid_t pid;
    int channel;     /* owned; -1: closed */
    unsigned slot;   /* which of the workers it is */
    unsigned place;  /* in zones: of no other child, as long as there are enough */
    uint64_t serial; /* of the order that it was given */
    uint64_t ready;  /* ms: when it first answered; 0: not yet */
    enum child_state {
        CHILD_ORDERED, /* it has not answered yet */
        CHILD_SERVES,
        CHILD_LEAVES /* it was asked to end */
    } state;
};

struct slot {          /* a place for a worker */
    unsigned failures; /* deaths in a row */
    uint64_t again;    /* ms: when the next one is started; 0: one is there */
};

struct reload {
    struct reader reader;
    struct supply *before; /* the one that was replaced, until all workers have answered */
    bool again;            /* one more was asked for meanwhile */
    /* Whoever asked, or NULL; an empty failure: it is done. */
    void (*answer)(void *arg, struct span failure);
    void *arg;
};

struct master {
    const struct options *options;
    struct bundle_request request;
    struct supply *supply; /* what workers get orders from; owned */
    struct error_logs logs;
    struct pidfile pidfile;
    struct child *children;
    struct slot slots[MOST_WORKERS];
    struct reload reload;
    struct upgrade {
        pid_t pid;    /* of the new binary's master; 0: there is none */
        bool resting; /* without workers: the new binary's serve (WINCH) */
    } upgrade;
    int signals; /* a signalfd */
    enum master_state {
        MASTER_STARTS, /* not all workers have answered yet */
        MASTER_SERVES,
        MASTER_QUITS, /* workers drain */
        MASTER_STOPS, /* workers are to end at once */
        MASTER_FAILED /* as STOPS, and the exit code is 1 */
    } state;
    uint64_t kill_at; /* ms: those that still live are killed */
    struct terminal terminal;
};

/* Runs until a signal ends it. The supply is taken over. The exit code. */
int master_run(const struct options *o, const struct bundle_request *request, struct supply *s,
               const struct terminal *terminal);

/* --- master.c ------------------------------------------------------------------------------- */

uint64_t master_now(void); /* ms, monotonic */
void master_log(const struct master *m, enum level level, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* All workers have answered for the first time. */
void master_is_ready(struct master *m);
void master_stop(struct master *m, enum master_state how);

/* --- master_signals.c ----------------------------------------------------------------------- */

int master_signals_open(void); /* a signalfd, or -errno */
void master_signals_take(struct master *m);

/* --- master_children.c ---------------------------------------------------------------------- */

/* Starts what is missing and due. Returns when to look again; UINT64_MAX: never. */
uint64_t children_start(struct master *m);
/* The channel has something. */
void children_hear(struct master *m, struct child *c);
/* Collects those that have died; `on_other` gets whatever is no worker. */
void children_bury(struct master *m);
/* The newest order for all of them. */
void children_order(struct master *m);
void children_send_logs(struct master *m);
void children_end(struct master *m, bool graceful);
void children_kill(struct master *m);
/* Asks those to end whose places there are no more. */
void children_leave_surplus(struct master *m);
/* Do all workers that there should be serve with the newest order? */
bool children_are_ready(const struct master *m);

/* --- master_reload.c ------------------------------------------------------------------------ */

/* Has the configuration read anew. What becomes of it is logged, and told to `answer` (or NULL). */
void master_reload(struct master *m, void (*answer)(void *arg, struct span failure), void *arg);
/* The reader has ended. */
void reload_read(struct master *m, int status);
/* A worker has answered, or one has gone. */
void reload_check(struct master *m);
/* A worker could not do what it was told. */
void reload_failed(struct master *m, struct span failure);
void reload_stop(struct master *m);

/* --- master_upgrade.c ----------------------------------------------------------------------- */

void upgrade_begin(struct master *m);
/* The new binary's master has ended. */
void upgrade_ended(struct master *m, int status);
/* Workers leave, and no new ones are started; or they are again. */
void upgrade_rest(struct master *m, bool rest);

#endif
