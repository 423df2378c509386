/* A process that serves. Owns its loop and all that serves on it.
 *
 *     FRESH --first order--> DROPPED --swap--> SERVES --worker_end--> ENDS --is_over--> loop_stop
 *
 * Rights are dropped once, for good, before the first configuration is parsed. The descriptors of
 * an order are taken out of it one by one as they find their owner; order_done closes the rest. */
#include "run/worker.h"

#include "base/budget.h"
#include "base/buf.h"
#include "base/errlog.h"
#include "base/hash.h"
#include "base/link.h"
#include "base/pattern.h"
#include "exchange/generation.h"
#include "exchange/run.h"
#include "fetch/tunnel.h"
#include "fetch/upstream/pool.h"
#include "log/failure.h"
#include "log/sink.h"
#include "net/offload.h"
#include "run/bundle.h"
#include "run/generation_build.h"
#include "run/manifest.h"
#include "run/own_addresses.h"
#include "run/privileges.h"
#include "serve/serve.h"
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MOST_FIBERS = 30000,
    SPARE_DESCRIPTORS = 32,
    CHECK_MS = 16,
    NAMES_MS = 1000, /* upstream names are waited for */
    ABORT_MS = 5000,
    MOST_FAILURE = 64 * 1024
};

/* --- an order ------------------------------------------------------------------------------- */

static void fail(struct worker_process *p, struct span reason)
{
    order_done(&p->order);
    p->on_answer(p, reason);
}

__attribute__((format(printf, 2, 3))) static void failf(struct worker_process *p,
                                                        const char *format, ...)
{
    char text[256];
    struct buf whole;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_init(&whole, 512, NULL);
    buf_addf(&whole, "bifrons: [emerg] %s\n", text);
    fail(p, buf_view(&whole));
    buf_done(&whole);
}

/* The logs of the order, each as often as it is asked for. */
static int give_log(struct log_opener *o, const char *path, struct log_file *ret)
{
    const struct worker_process *p = CONTAINER(o, struct worker_process, opener);
    const struct order_list *logs = &p->order.logs;

    for (uint32_t i = 0; i < logs->count; i++) {
        uint32_t number = logs->items[i].number;

        if (number >= p->manifest->head.logs || strcmp(p->manifest->logs[number].path, path) != 0)
            continue;
        *ret = (struct log_file){ .fd = fcntl(logs->fds[i], F_DUPFD_CLOEXEC, 3),
                                  .may_block = logs->items[i].id != 0 };
        return ret->fd < 0 ? -errno : 0;
    }
    return -ENODATA;
}

/* worker_connections, but never more than there are descriptors for, less some for files. */
static uint32_t most_connections(uint64_t asked)
{
    struct rlimit limit = { .rlim_cur = 1024 };

    getrlimit(RLIMIT_NOFILE, &limit);
    uint64_t descriptors = limit.rlim_cur;
    uint64_t most =
        descriptors > 2 * SPARE_DESCRIPTORS ? descriptors - SPARE_DESCRIPTORS : SPARE_DESCRIPTORS;
    if (asked == 0 || asked > most)
        asked = most;
    return (uint32_t)(asked < UINT32_MAX ? asked : UINT32_MAX);
}

/* What is done once, with the rights that we were started with. */
static bool become_worker(struct worker_process *p, struct buf *messages)
{
    const struct order_seed *seed = &p->order.seed;
    struct worker *w = &p->worker;

    w->shared.slot = p->order.place;
    memcpy(w->shared.secret, seed->secret, sizeof(w->shared.secret));
    snprintf(w->shared.token, sizeof(w->shared.token), "%02x%02x%02x%02x", seed->token[0],
             seed->token[1], seed->token[2], seed->token[3]);
    privileges_raise_descriptors(&p->manifest->head.rights, messages);
    privileges_choose_cpus(p->manifest, p->order.slot);
    return privileges_drop(p->manifest, messages) &&
           sandbox_enter(p->manifest, &p->sandbox, messages);
}

void worker_take_order(struct worker_process *p, struct order *o)
{
    struct buf messages;

    if (p->stage == WORKER_ENDS) {
        order_done(o);
        return;
    }
    if (builder_is_busy(&p->builder)) { /* a reload came while we were starting */
        order_done(&p->waiting);
        p->waiting = *o;
        order_init(o);
        return;
    }
    order_done(&p->order);
    p->order = *o;
    order_init(o);
    manifest_free(&p->manifest);
    p->manifest = bundle_manifest(p->order.bundle);
    if (p->manifest == NULL) {
        failf(p, "the bundle cannot be read");
        return;
    }
    buf_init(&messages, MOST_FAILURE, NULL);
    bool good = p->stage != WORKER_FRESH || become_worker(p, &messages);
    if (good && p->stage == WORKER_FRESH)
        p->stage = WORKER_DROPPED;
    if (good && messages.len > 0)
        fprintf(stderr, "%.*s", (int)messages.len, messages.data);
    int failed = good ? builder_start(&p->builder, p->order.bundle) : 0;
    if (!good)
        fail(p, buf_view(&messages));
    else
        p->order.bundle = -1;
    buf_done(&messages);
    if (failed < 0)
        failf(p, "no thread to read the configuration (%d: %s)", -failed, strerrordesc_np(-failed));
}

static int take_sockets(struct worker_process *p)
{
    const struct order_list *list = &p->order.sockets;
    struct serve_socket *sockets = calloc(list->count + 1, sizeof(*sockets));

    if (sockets == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < list->count; i++) {
        sockets[i] =
            (struct serve_socket){ list->fds[i], list->items[i].number, list->items[i].id };
        list->fds[i] = -1;
    }
    int failed = serve_listen(&p->worker, sockets, list->count);
    free(sockets);
    return failed;
}

/* Takes the zones of the order; without all of them the worker would count for itself alone. */
static int begin_generation(struct worker_process *p, struct generation *g)
{
    struct order_list *zones = &p->order.zones;

    if (zones->count != g->zones.len)
        return -EPROTO;
    generation_swap(&p->worker, g, zones->fds);
    for (uint32_t i = 0; i < zones->count; i++)
        zones->fds[i] = -1; /* their takers' now */
    order_list_done(zones);
    return 0;
}

/* The new generation is whole: from here on it is what new exchanges begin with. */
static int swap(struct worker_process *p, struct generation *g)
{
    struct log_failure failure;
    struct worker *w = &p->worker;

    if (!error_logs_open(&p->error_logs, g, span_of(p->manifest->head.standard_log), &failure)) {
        generation_unref(&g);
        return -failure.error;
    }
    w->log = p->error_logs.main;
    if (p->stage == WORKER_DROPPED)
        sandbox_say(&p->sandbox, w->log);
    w->budget.max = p->manifest->head.ceiling.worker.budget;
    sinks_limit(w, p->manifest->head.ceiling.worker.lines);
    w->most_connections = most_connections(p->manifest->head.connections);
    int failed = begin_generation(p, g);
    if (failed < 0) {
        generation_unref(&g);
        return failed;
    }
    error_logs_reopen(&p->error_logs);
    sinks_reopen(w);
    order_list_done(&p->order.logs);
    return take_sockets(p);
}

static void on_built(struct builder *b, struct generation *g, struct buf *messages)
{
    struct worker_process *p = CONTAINER(b, struct worker_process, builder);

    if (p->stage == WORKER_ENDS || p->waiting.bundle >= 0) { /* nobody wants it any more */
        struct order next = p->waiting;

        generation_unref(&g);
        order_init(&p->waiting);
        if (next.bundle >= 0)
            worker_take_order(p, &next);
        return;
    }
    if (g == NULL) {
        fail(p, buf_view(messages));
        return;
    }
    int failed = swap(p, g);
    if (failed < 0) {
        failf(p, "the worker cannot serve (%d: %s)", -failed, strerrordesc_np(-failed));
        return;
    }
    p->stage = WORKER_SERVES;
    p->since = loop_now(&p->loop);
    timer_set(&p->loop.wheel, &p->ready_check, loop_now(&p->loop));
}

/* Upstream names may still be on their way. */
static void check_ready(struct timer *t)
{
    struct worker_process *p = CONTAINER(t, struct worker_process, ready_check);

    if (p->worker.generation->starting > 0 && loop_now(&p->loop) < p->since + NAMES_MS)
        timer_set(&p->loop.wheel, t, loop_now(&p->loop) + CHECK_MS);
    else
        p->on_answer(p, (struct span){ NULL, 0 });
}

/* --- logs ----------------------------------------------------------------------------------- */

void worker_take_logs(struct worker_process *p, struct order_list *logs)
{
    order_list_done(&p->order.logs);
    p->order.logs = *logs;
    *logs = (struct order_list){ .count = 0 };
    if (p->stage < WORKER_SERVES)
        return;
    error_logs_reopen(&p->error_logs);
    sinks_reopen(&p->worker);
    if (!builder_is_busy(&p->builder))
        order_list_done(&p->order.logs);
}

void worker_reopen_logs(struct worker_process *p)
{
    p->error_logs.opener = p->worker.sinks->opener = NULL;
    error_logs_reopen(&p->error_logs);
    sinks_reopen(&p->worker);
    p->error_logs.opener = p->worker.sinks->opener = &p->opener;
}

/* --- the end -------------------------------------------------------------------------------- */

static bool is_over(const struct worker_process *p)
{
    const struct worker *w = &p->worker;
    /* names that nobody waits for any more */
    bool starting = w->generation != NULL && w->generation->starting > 0;

    return w->live_connections == 0 && w->live_tunnels == 0 && w->upstream_connections == 0 &&
           !builder_is_busy(&p->builder) && (p->loop.fibers.live == 0 || starting);
}

/* Connections are cut; fibers see it and end. What has not ended ABORT_MS later is left as it is
 * (leave_as_it_is). */
static void abort_all(struct worker_process *p)
{
    p->give_up = loop_now(&p->loop) + ABORT_MS;
    serve_abort(&p->worker);
    tunnels_stop(&p->worker);
}

static void check_end(struct timer *t)
{
    struct worker_process *p = CONTAINER(t, struct worker_process, end_check);
    uint64_t now = loop_now(&p->loop), patience = p->manifest->head.shutdown_ms;

    pools_drain(&p->worker);
    if (is_over(p) || now >= p->give_up) {
        loop_stop(&p->loop);
        return;
    }
    if (p->give_up == TIMER_NEVER && patience > 0 && now >= p->since + patience)
        abort_all(p);
    timer_set(&p->loop.wheel, t, now + CHECK_MS);
}

static void on_idle(struct worker *w)
{
    (void)w; /* check_end sees it */
}

void worker_end(struct worker_process *p, bool graceful)
{
    if (p->manifest == NULL) { /* nothing was begun */
        p->stage = WORKER_ENDS;
        loop_stop(&p->loop);
        return;
    }
    if (p->stage != WORKER_ENDS) {
        p->stage = WORKER_ENDS;
        timer_unset(&p->loop.wheel, &p->ready_check);
        p->since = loop_now(&p->loop);
        p->give_up = TIMER_NEVER;
        serve_drain(&p->worker, on_idle);
        timer_set(&p->loop.wheel, &p->end_check, loop_now(&p->loop) + CHECK_MS);
    }
    if (!graceful)
        abort_all(p);
}

static void say_goodbye(const struct worker_process *p)
{
    const struct worker *w = &p->worker;

    errlog_write(w->log, LEVEL_INFO, 0, 0,
                 "exit: %llu exchanges, %u connections, %u tunnels, %u fibers, "
                 "%u pooled upstream connections, %u upstream connections",
                 (unsigned long long)w->exchanges, w->live_connections, w->live_tunnels,
                 p->loop.fibers.live, w->pooled_connections, w->upstream_connections);
}

/* Its time was over while fibers still slept: what they hold cannot be taken apart. */
__attribute__((noreturn)) static void leave_as_it_is(struct worker_process *p, int failed)
{
    sinks_flush(&p->worker);
    error_logs_close(&p->error_logs);
    _exit(failed == 0 ? 0 : 1);
}

/* --- its life ------------------------------------------------------------------------------- */

int worker_open(struct worker_process *p,
                void (*on_answer)(struct worker_process *p, struct span failure), void *arg)
{
    struct worker *w = &p->worker;

    tls_process_init();
    order_init(&p->order);
    order_init(&p->waiting);
    p->on_answer = on_answer;
    p->arg = arg;
    p->opener.open = give_log;
    p->error_logs.opener = &p->opener;
    p->ready_check.on_time = check_ready;
    p->end_check.on_time = check_end;
    w->loop = &p->loop;
    w->budget.max = SIZE_MAX / 2; /* until there is a configuration */
    w->hash_key = hash_key_new();
    link_init(&w->tunnels);
    worker_note_own_addresses(w);
    int failed = loop_init_epoll(&p->loop, MOST_FIBERS, &w->budget);
    if (failed < 0)
        return failed;
    error_logs_watch(&p->error_logs, &p->loop);
    sinks_start(w);
    w->sinks->opener = &p->opener;
    pools_start(w);
    failed = serve_start(w);
    return failed < 0 ? failed : builder_open(&p->builder, &p->loop, on_built);
}

int worker_run(struct worker_process *p)
{
    int failed = loop_run(&p->loop);

    say_goodbye(p);
    if (p->loop.fibers.live > 0 || p->worker.live_connections > 0 || builder_is_busy(&p->builder))
        leave_as_it_is(p, failed);
    return failed == 0 ? 0 : 1;
}

void worker_close(struct worker_process *p)
{
    struct worker *w = &p->worker;

    error_logs_watch(&p->error_logs, NULL);
    builder_close(&p->builder);
    offload_stop(&p->loop);
    loop_turn(&p->loop, 0);
    generation_unref(&w->generation);
    exchange_pool_free(w);
    serve_free(w);
    pools_free(w);
    pattern_room_free(&w->pattern_room);
    sinks_free(w);
    free(w->own.at);
    loop_done(&p->loop);
    order_done(&p->order);
    order_done(&p->waiting);
    manifest_free(&p->manifest);
    error_logs_close(&p->error_logs);
}
