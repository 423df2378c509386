#ifndef RUN_WORKER_H
#define RUN_WORKER_H

#include "base/log_file.h"
#include "base/span.h"
#include "exchange/worker.h"
#include "log/error_log.h"
#include "net/loop.h"
#include "net/timer.h"
#include "run/builder.h"
#include "run/order.h"
#include "run/sandbox/sandbox.h"

struct manifest;

/* A process that serves: takes orders, and ends when it is told to. Who gives them (the master,
 * over a channel; or the same process) is not its business.
 *
 *     order -> [first: rights are dropped] -> a generation is built, in a thread
 *           -> logs, sockets, swap -> names of upstreams, 1 s at most -> answer
 */
struct worker_process {
    struct worker worker;
    struct loop loop;
    struct error_logs error_logs;
    struct builder builder;
    struct order order;        /* the last one; without what was taken out of it */
    struct order waiting;      /* came while that one was being built; bundle -1: none */
    struct manifest *manifest; /* of it; owned */
    struct sandbox_report sandbox;
    struct log_opener opener; /* gives the logs of the order */
    struct timer ready_check, end_check;
    uint64_t since, give_up; /* ms: when the generation was swapped in, or the end began */
    enum worker_stage {
        WORKER_FRESH,   /* with the rights that we were started with */
        WORKER_DROPPED, /* without them, and nothing to serve yet */
        WORKER_SERVES,
        WORKER_ENDS
    } stage;
    /* The answer to an order: `failure` is empty, or says why nothing has changed. */
    void (*on_answer)(struct worker_process *p, struct span failure);
    void *arg; /* of whoever gives the orders */
};

/* 0 or -errno. */
int worker_open(struct worker_process *p,
                void (*on_answer)(struct worker_process *p, struct span failure), void *arg);
/* Takes the order over. While one is being built the newest other waits; one that was overtaken
 * gets no answer. */
void worker_take_order(struct worker_process *p, struct order *o);
/* Takes over logs that were opened anew. */
void worker_take_logs(struct worker_process *p, struct order_list *logs);
/* Opens them with the rights that are left. */
void worker_reopen_logs(struct worker_process *p);
/* Graceful: what runs comes to its end, for at most worker_shutdown_timeout; else it is ended. */
void worker_end(struct worker_process *p, bool graceful);
/* Serves until the end. The exit code. What still runs when its time is over cannot be taken apart:
 * then the process ends here. */
int worker_run(struct worker_process *p);
void worker_close(struct worker_process *p); /* after worker_run */

#endif
