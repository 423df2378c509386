/* One process that serves, for development: it gives itself the one order that it ever gets. What
 * needs a master, a reload or another binary, it does not do. */
#include "run/single.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "base/span.h"
#include "run/notify.h"
#include "run/options.h"
#include "run/order.h"
#include "run/pidfile.h"
#include "run/signals.h"
#include "run/supply.h"
#include "run/terminal.h"
#include "run/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct single {
    struct worker_process process;
    struct signals signals;
    struct pidfile pidfile;
    struct supply *supply; /* owned */
    struct terminal terminal;
    int code;
};

static void say_signal(struct single *s, int number, const char *effect)
{
    errlog_write(s->process.worker.log, LEVEL_NOTICE, 0, 0, "signal %d (SIG%s) received, %s",
                 number, sigabbrev_np(number), effect);
}

static void on_signal(struct signals *signals, int number)
{
    struct single *s = signals->arg;

    switch (number) {
    case SIGUSR1:
        say_signal(s, number, "reopening logs");
        errlog_write(s->process.worker.log, LEVEL_NOTICE, 0, 0, "reopening logs");
        worker_reopen_logs(&s->process);
        break;
    case SIGHUP:
    case SIGUSR2:
    case SIGWINCH:
        say_signal(s, number, "ignored: there is no master process");
        break;
    case SIGQUIT:
        say_signal(s, number, "shutting down");
        worker_end(&s->process, true);
        break;
    default:
        say_signal(s, number, "exiting");
        worker_end(&s->process, false);
    }
}

static void on_answer(struct worker_process *p, struct span failure)
{
    struct single *s = p->arg;

    if (failure.len > 0) {
        terminal_say(&s->terminal, failure);
        s->code = 1;
        worker_end(p, false);
        return;
    }
    supply_announce(s->supply, NULL);
    supply_close_sockets(s->supply);
    notify_ready();
    terminal_ready(&s->terminal);
}

/* Written with the rights that we were started with, and removed with them. */
static bool write_pidfile(struct single *s)
{
    const struct manifest *m = s->supply->manifest;
    int failed = pidfile_write(span_of(m->head.pid), &s->pidfile);
    struct buf messages;

    if (failed == 0 && geteuid() == 0)
        failed = pidfile_guard(&s->pidfile);
    if (failed == 0)
        return true;
    buf_init(&messages, 64 * 1024, NULL);
    pidfile_complain(m, failed, &messages);
    terminal_say(&s->terminal, buf_view(&messages));
    buf_done(&messages);
    return false;
}

static bool start(struct single *s)
{
    int failed = worker_open(&s->process, on_answer, s);
    struct order order;

    if (failed == 0)
        failed = signals_start(&s->signals, &s->process.loop, on_signal, s);
    if (failed < 0) {
        fprintf(stderr, "bifrons: [emerg] the worker cannot start (%d: %s)\n", -failed,
                strerrordesc_np(-failed));
        return false;
    }
    supply_order(s->supply, 0, 0, &order);
    worker_take_order(&s->process, &order);
    return true;
}

int single_run(const struct options *o, struct supply *supply, const struct terminal *terminal)
{
    struct single *s = calloc(1, sizeof(*s));

    if (s == NULL)
        abort();
    s->supply = supply;
    s->terminal = *terminal;
    s->pidfile = (struct pidfile){ .leash = -1, .lock = -1 };
    if ((!o->quick && !write_pidfile(s)) || !start(s)) {
        pidfile_remove(&s->pidfile);
        _exit(1); /* half a worker has nothing that must be kept */
    }
    int code = worker_run(&s->process);
    signals_stop(&s->signals);
    worker_close(&s->process);
    pidfile_remove(&s->pidfile);
    supply_free(&s->supply);
    code = s->code != 0 ? s->code : code;
    free(s);
    return code;
}
