/* A worker of a master.
 *
 *     frames: SEED SOCKETS LOGS ZONES BUNDLE -> worker_take_order -> READY | FAILED
 *             LOGS REOPEN              -> worker_take_logs
 *             QUIT, STOP, or the end of the master -> worker_end
 *
 * Signals of its own mean what NGINX's workers take them for: QUIT ends gracefully, TERM and INT at
 * once. HUP, USR2 and WINCH are the master's business, and so is USR1: logs are opened there. */
#include "run/worker_role.h"

#include "base/link.h"
#include "base/span.h"
#include "net/sock.h"
#include "run/channel.h"
#include "run/order.h"
#include "run/signals.h"
#include "run/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct role {
    struct worker_process process;
    struct signals signals;
    struct sock channel;
    struct order coming; /* gathered frame by frame */
};

static void answer(struct worker_process *p, struct span failure)
{
    const struct role *r = p->arg;
    struct frame f = { .kind = failure.len > 0 ? FRAME_FAILED : FRAME_READY };

    f.serial = p->order.serial;
    if (failure.len > 0)
        memcpy(f.text, failure.at, failure.len < FRAME_TEXT ? failure.len : FRAME_TEXT - 1);
    channel_send(r->channel.fd, &f, NULL); /* a master that is gone hears nothing */
}

/* What the master says is obeyed to the letter, or there is no master. */
static void obey(struct role *r, const struct frame *f, const int *fds)
{
    switch ((enum frame_kind)f->kind) {
    case FRAME_SEED:
    case FRAME_SOCKETS:
    case FRAME_LOGS:
    case FRAME_ZONES:
    case FRAME_BUNDLE:
        if (!channel_take(f, fds, &r->coming))
            worker_end(&r->process, false);
        else if (f->kind == FRAME_BUNDLE)
            worker_take_order(&r->process, &r->coming);
        break;
    case FRAME_REOPEN:
        worker_take_logs(&r->process, &r->coming.logs);
        break;
    case FRAME_QUIT:
        worker_end(&r->process, true);
        break;
    case FRAME_STOP:
    case FRAME_READY:
    case FRAME_FAILED:
        worker_end(&r->process, false);
        break;
    }
}

static void on_closed(struct sock *s)
{
    (void)s;
}

static void on_frames(struct sock *s)
{
    struct role *r = CONTAINER(s, struct role, channel);
    int fds[FRAME_MOST];
    struct frame f;
    int failed;

    while ((failed = channel_receive(s->fd, &f, fds)) == 0)
        obey(r, &f, fds);
    if (failed != -EAGAIN) /* the master is gone: what runs comes to its end */
        worker_end(&r->process, true);
}

static void on_signal(struct signals *signals, int number)
{
    struct role *r = signals->arg;

    switch (number) {
    case SIGQUIT:
        worker_end(&r->process, true);
        break;
    case SIGTERM:
    case SIGINT:
        worker_end(&r->process, false);
        break;
    default:
        break;
    }
}

int worker_role(int channel)
{
    struct role *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return 1;
    order_init(&r->coming);
    int failed = worker_open(&r->process, answer, r);
    if (failed == 0)
        failed = signals_start(&r->signals, &r->process.loop, on_signal, r);
    if (failed == 0)
        failed = sock_open(&r->process.loop, &r->channel, channel, SOCK_KIND_EVENT);
    if (failed < 0) {
        fprintf(stderr, "bifrons: [emerg] the worker cannot start (%d: %s)\n", -failed,
                strerrordesc_np(-failed));
        return 2;
    }
    r->channel.on[SIDE_READ].fn = on_frames;
    int code = worker_run(&r->process);
    signals_stop(&r->signals);
    sock_close(&r->channel, false, on_closed);
    worker_close(&r->process);
    order_done(&r->coming);
    free(r);
    return code;
}
