/* The service from start to end: one worker in the foreground.
 *
 *     bundle -> generation -> sockets, logs, folders -> drop rights -> serve -> drain -> end
 */
#include "run/service.h"

#include "base/clock.h"
#include "base/link.h"
#include "base/random.h"
#include "exchange/exchange.h"
#include "fetch/tunnel.h"
#include "fetch/upstream/pool.h"
#include "log/access.h"
#include "log/error_log.h"
#include "log/sink.h"
#include "run/complaint.h"
#include "run/generation_build.h"
#include "run/main_settings.h"
#include "run/own_addresses.h"
#include "run/paths.h"
#include "run/pidfile.h"
#include "run/privileges.h"
#include "run/sandbox/sandbox.h"
#include "run/signals.h"
#include "run/sockets.h"
#include "serve/serve.h"
#include "tls/tls.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_FIBERS = 30000, SPARE_DESCRIPTORS = 32, CHECK_END_MS = 16, START_MS = 1000 };

struct service {
    struct worker worker;
    struct loop loop;
    struct error_logs error_logs;
    struct signals signals;
    struct timer end_check;
    struct timer ready_check;
    struct sockets sockets;
    struct pidfile pidfile;
    struct generation *generation;
    struct buf messages;
    const struct options *options;
    uint64_t give_up; /* ms: the end comes at the latest */
    bool ending;
};

static void print_messages(struct buf *messages)
{
    struct span text = buf_view(messages);

    if (text.len > 0)
        fwrite(text.at, 1, text.len, stderr);
    fflush(stderr);
    buf_clear(messages);
}

/* --- logs ----------------------------------------------------------------------------------- */

static bool complain_of_log(struct service *s, const struct log_failure *f)
{
    return complain_at(s->generation, f->place, &s->messages, "open() \"%.*s\" failed (%d: %s)",
                       (int)f->path.len, f->path.at, f->error, strerrordesc_np(f->error));
}

static bool open_error_logs(struct service *s)
{
    struct log_failure failure;

    return error_logs_open(&s->error_logs, s->generation, s->options->error_log, &failure) ||
           complain_of_log(s, &failure);
}

static bool try_access_logs(struct service *s)
{
    struct log_failure failure;

    return access_logs_try(s->generation, &failure) || complain_of_log(s, &failure);
}

static void reopen_logs(struct service *s)
{
    errlog_write(s->error_logs.main, LEVEL_NOTICE, 0, 0,
                 "signal %d (SIGUSR1) received, reopening logs", SIGUSR1);
    errlog_write(s->error_logs.main, LEVEL_NOTICE, 0, 0, "reopening logs");
    error_logs_reopen(&s->error_logs);
    sinks_reopen(&s->worker);
}

/* --- the end -------------------------------------------------------------------------------- */

static bool is_over(const struct service *s)
{
    bool starting = s->worker.generation->starting > 0; /* names that nobody waits for any more */

    return s->worker.live_connections == 0 && s->worker.live_tunnels == 0 &&
           s->worker.upstream_connections == 0 && (s->loop.fibers.live == 0 || starting);
}

static void check_end(struct timer *t)
{
    struct service *s = CONTAINER(t, struct service, end_check);

    pools_drain(&s->worker);
    if (is_over(s) || loop_now(&s->loop) >= s->give_up) {
        loop_stop(&s->loop);
        return;
    }
    timer_set(&s->loop.wheel, t, loop_now(&s->loop) + CHECK_END_MS);
}

static void on_idle(struct worker *w)
{
    (void)w; /* check_end sees it */
}

static void say_signal(struct service *s, int number, const char *effect)
{
    errlog_write(s->error_logs.main, LEVEL_NOTICE, 0, 0, "signal %d (SIG%s) received, %s", number,
                 sigabbrev_np(number), effect);
}

static void end(struct service *s, bool graceful)
{
    if (!s->ending) {
        s->ending = true;
        s->give_up = TIMER_NEVER;
        serve_drain(&s->worker, on_idle);
        timer_set(&s->loop.wheel, &s->end_check, loop_now(&s->loop) + CHECK_END_MS);
    }
    if (!graceful) {
        s->give_up = loop_now(&s->loop) + 5000;
        serve_abort(&s->worker);
        tunnels_stop(&s->worker);
    }
}

/* QUIT lets what runs come to its end; TERM and INT end it; USR1 opens the logs anew. */
static void on_signal(struct signals *signals, int number)
{
    struct service *s = signals->arg;

    switch (number) {
    case SIGUSR1:
        reopen_logs(s);
        break;
    case SIGHUP: /* NGINX's others: a new configuration, a new binary, workers that leave */
    case SIGUSR2:
    case SIGWINCH:
        say_signal(s, number, "not supported yet");
        break;
    case SIGQUIT:
        say_signal(s, number, "shutting down");
        end(s, true);
        break;
    default:
        say_signal(s, number, "exiting");
        end(s, false);
    }
}

/* --- the worker ----------------------------------------------------------------------------- */

static void make_token(char token[9])
{
    unsigned char raw[4];

    random_bytes(raw, sizeof(raw));
    snprintf(token, 9, "%02x%02x%02x%02x", raw[0], raw[1], raw[2], raw[3]);
}

/* Half of what the machine has: a peer may not drive it into swapping. */
static size_t memory_for_peers(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);

    return pages > 0 && size > 0 ? (size_t)pages / 2 * (size_t)size : SIZE_MAX / 2;
}

static bool start_worker(struct service *s)
{
    struct worker *w = &s->worker;
    uint64_t descriptors =
        privileges_raise_descriptors(main_settings_of(s->generation), &s->messages);
    uint64_t connections = main_settings_of(s->generation)->worker_connections;

    w->loop = &s->loop;
    w->log = s->error_logs.main;
    w->budget = (struct budget){ .max = memory_for_peers() };
    w->hash_key = hash_key_new();
    link_init(&w->tunnels);
    make_token(w->token);
    worker_note_own_addresses(w);
    uint64_t most =
        descriptors > 2 * SPARE_DESCRIPTORS ? descriptors - SPARE_DESCRIPTORS : SPARE_DESCRIPTORS;
    if (connections == 0 || connections > most)
        connections = most;
    w->most_connections = (uint32_t)(connections < UINT32_MAX ? connections : UINT32_MAX);
    int failed = loop_init_epoll(&s->loop, MOST_FIBERS, &w->budget);
    if (failed < 0) {
        buf_addf(&s->messages, "bifrons: [emerg] epoll failed (%d: %s)\n", -failed,
                 strerrordesc_np(-failed));
        return false;
    }
    error_logs_watch(&s->error_logs, &s->loop);
    sinks_start(w);
    pools_start(w);
    generation_swap(w, s->generation);
    return sinks_failure(w) == NULL || complain_of_log(s, sinks_failure(w));
}

/* Upstream names may still be on their way; the service waits a second for them (DESIGN 2). */
static void check_ready(struct timer *t)
{
    struct service *s = CONTAINER(t, struct service, ready_check);

    if (s->worker.generation->starting > 0 && loop_now(&s->loop) < s->give_up) {
        timer_set(&s->loop.wheel, t, loop_now(&s->loop) + CHECK_END_MS);
        return;
    }
    sockets_announce(s->worker.generation, &s->sockets);
}

static bool start_serving(struct service *s)
{
    const struct placed_path *pid = &main_settings_of(s->generation)->pid;
    int failed;

    failed = signals_start(&s->signals, &s->loop, on_signal, s);
    int unwritten = failed == 0 && !s->options->quick ? pidfile_write(pid->path, &s->pidfile) : 0;
    if (unwritten < 0)
        return complain_at(s->generation, pid->place, &s->messages,
                           "open() \"%.*s\" failed (%d: %s)", (int)pid->path.len, pid->path.at,
                           -unwritten, strerrordesc_np(-unwritten));
    struct sandbox_request sandbox = {
        .error_log = error_logs_standard(s->generation, s->options->error_log),
        .log = s->error_logs.main,
    };
    if (!privileges_drop(s->generation, &s->messages) ||
        !sandbox_enter(s->generation, &sandbox, &s->messages))
        return false;
    if (failed == 0)
        failed = serve_start(&s->worker, s->sockets.fds, s->sockets.count);
    if (failed < 0)
        buf_addf(&s->messages, "bifrons: [emerg] the worker cannot start (%d: %s)\n", -failed,
                 strerrordesc_np(-failed));
    return failed == 0;
}

static void say_goodbye(struct service *s)
{
    const struct worker *w = &s->worker;

    errlog_write(s->error_logs.main, LEVEL_INFO, 0, 0,
                 "exit: %llu exchanges, %u connections, %u tunnels, %u fibers, "
                 "%u pooled upstream connections, "
                 "%u upstream connections",
                 (unsigned long long)w->exchanges, w->live_connections, w->live_tunnels,
                 s->loop.fibers.live, w->pooled_connections, w->upstream_connections);
}

/* Its time was over while fibers still slept: what they hold cannot be taken apart. */
__attribute__((noreturn)) static void leave_as_it_is(struct service *s, int failed)
{
    say_goodbye(s);
    sinks_flush(&s->worker);
    error_logs_close(&s->error_logs);
    pidfile_remove(&s->pidfile);
    _exit(failed == 0 ? 0 : 1);
}

static void end_worker(struct service *s)
{
    struct worker *w = &s->worker;

    say_goodbye(s);
    error_logs_watch(&s->error_logs, NULL);
    signals_stop(&s->signals);
    loop_turn(&s->loop, 0);
    generation_unref(&w->generation);
    exchange_pool_free(w);
    serve_free(w);
    pools_free(w);
    pattern_room_free(&w->pattern_room);
    sinks_free(w);
    free(w->own.at);
    loop_done(&s->loop);
    pidfile_remove(&s->pidfile);
}

/* --- commands ------------------------------------------------------------------------------- */

/* The settings, from a bundle and by way of a bundle alone. */
static bool build(struct service *s, const struct bundle_request *request)
{
    int bundle = bundle_build(request, &s->messages);

    if (bundle < 0)
        return false;
    if (!s->options->quiet || s->options->task != TASK_TEST)
        print_messages(&s->messages);
    buf_clear(&s->messages);
    s->generation = generation_build(bundle, &s->messages);
    close(bundle);
    return s->generation != NULL;
}

static bool prepare(struct service *s, const struct bundle_request *request, bool test)
{
    struct folder_request folders = { .prefix = request->prefix, .pid = !s->options->quick };

    if (!build(s, request))
        return false;
    folders.error_log = error_logs_standard(s->generation, s->options->error_log);
    return privileges_make_folders(s->generation, &folders, &s->messages) && open_error_logs(s) &&
           (!test || try_access_logs(s)) &&
           sockets_open(s->generation, test, &s->sockets, &s->messages);
}

static struct service *service_new(const struct options *o)
{
    struct service *s = calloc(1, sizeof(*s));

    if (s == NULL)
        abort();
    s->options = o;
    s->pidfile.leash = -1;
    buf_init(&s->messages, 1024 * 1024, NULL);
    s->end_check.on_time = check_end;
    s->ready_check.on_time = check_ready;
    tls_process_init();
    return s;
}

static int service_free(struct service *s, bool good)
{
    print_messages(&s->messages);
    buf_done(&s->messages);
    free(s->sockets.fds);
    error_logs_close(&s->error_logs);
    free(s);
    return good ? 0 : 1;
}

int service_run(const struct options *o)
{
    struct service *s = service_new(o);
    struct bundle_request request = paths_of(o);

    if (!prepare(s, &request, false)) {
        generation_unref(&s->generation);
        return service_free(s, false);
    }
    if (!start_worker(s) || !start_serving(s)) {
        print_messages(&s->messages);
        pidfile_remove(&s->pidfile);
        _exit(1); /* half a worker has nothing that must be kept */
    }
    print_messages(&s->messages);
    s->give_up = loop_now(&s->loop) + START_MS;
    timer_set(&s->loop.wheel, &s->ready_check, loop_now(&s->loop));
    int failed = loop_run(&s->loop);
    if (s->loop.fibers.live > 0 || s->worker.live_connections > 0)
        leave_as_it_is(s, failed);
    end_worker(s);
    return service_free(s, failed == 0);
}

int service_test(const struct options *o)
{
    struct service *s = service_new(o);
    struct bundle_request request = paths_of(o);

    bool good = prepare(s, &request, true);
    print_messages(&s->messages);
    if (good && !o->quiet && !main_settings_of(s->generation)->sandbox.on)
        fputs("bifrons: sandbox: off\n", stderr);
    if (good && !o->quiet)
        fprintf(stderr,
                "bifrons: the configuration file %.*s syntax is ok\n"
                "bifrons: configuration file %.*s test is successful\n",
                (int)request.file.len, request.file.at, (int)request.file.len, request.file.at);
    if (!good)
        fprintf(stderr, "bifrons: configuration file %.*s test failed\n", (int)request.file.len,
                request.file.at);
    sockets_close(&s->sockets);
    generation_unref(&s->generation);
    return service_free(s, good);
}
