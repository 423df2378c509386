/* The life of a master:
 *
 *     start workers -> all READY: pid file, `listening` lines -> wait for signals, frames, deaths
 *                   -> QUIT, TERM: workers end, the last one ends us
 */
#include "run/master.h"

#include "base/buf.h"
#include "run/notify.h"
#include "run/options.h"
#include "run/supply.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_RECORD = 1536, KILL_AFTER_MS = 6000 };

uint64_t master_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void master_log(const struct master *m, enum level level, int error, const char *format, ...)
{
    char text[LONGEST_RECORD];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    errlog_write(m->logs.main, level, 0, error, "%s", text);
}

/* --- start and end -------------------------------------------------------------------------- */

void master_is_ready(struct master *m)
{
    const struct manifest *manifest = m->supply->manifest;
    int failed = m->options->quick ? 0 : pidfile_write(span_of(manifest->head.pid), &m->pidfile);

    m->state = MASTER_SERVES;
    if (failed < 0) {
        struct buf messages;

        buf_init(&messages, 64 * 1024, NULL);
        pidfile_complain(manifest, failed, &messages);
        terminal_say(&m->terminal, buf_view(&messages));
        buf_done(&messages);
        master_stop(m, MASTER_FAILED);
        return;
    }
    supply_announce(m->supply, NULL);
    notify_ready();
    terminal_ready(&m->terminal);
}

void master_stop(struct master *m, enum master_state how)
{
    if (m->state == MASTER_FAILED || (m->state >= MASTER_QUITS && how <= m->state))
        return;
    m->state = how;
    notify("STOPPING=1");
    reload_stop(m);
    supply_close_sockets(m->supply);
    children_end(m, how == MASTER_QUITS);
    m->kill_at = how == MASTER_QUITS ? UINT64_MAX : master_now() + KILL_AFTER_MS;
}

/* --- waiting -------------------------------------------------------------------------------- */

static struct pollfd *poll_list(const struct master *m, nfds_t *ret_count)
{
    nfds_t count = 1;

    for (const struct child *c = m->children; c != NULL; c = c->next)
        count++;
    struct pollfd *list = calloc(count, sizeof(*list));
    if (list == NULL)
        abort();
    list[0] = (struct pollfd){ .fd = m->signals, .events = POLLIN };
    nfds_t i = 1;
    for (const struct child *c = m->children; c != NULL; c = c->next)
        list[i++] = (struct pollfd){ .fd = c->channel, .events = POLLIN };
    *ret_count = count;
    return list;
}

static void hear(struct master *m, int channel)
{
    for (struct child *c = m->children; c != NULL; c = c->next)
        if (c->channel == channel) {
            children_hear(m, c);
            return;
        }
}

/* Until something happens, or `until` (ms). */
static void wait_for_something(struct master *m, uint64_t until)
{
    nfds_t count;
    struct pollfd *list = poll_list(m, &count);
    uint64_t now = master_now(), left = until > now ? until - now : 0;
    int ready = poll(list, count, left > 60000 ? -1 : (int)left);

    if (until != UINT64_MAX && left > 60000)
        ready = poll(list, count, 60000);
    /* Signals first: a TERM for all of a group is no crash of workers. */
    if (ready > 0 && list[0].revents != 0)
        master_signals_take(m);
    for (nfds_t i = 1; ready > 0 && i < count; i++)
        if (list[i].revents != 0)
            hear(m, list[i].fd);
    free(list);
}

static void serve(struct master *m)
{
    while (m->state < MASTER_QUITS || m->children != NULL) {
        uint64_t until = UINT64_MAX;

        if (m->state < MASTER_QUITS)
            until = children_start(m);
        else if (m->kill_at <= master_now())
            children_kill(m);
        else
            until = m->kill_at;
        wait_for_something(m, until);
    }
}

int master_run(const struct options *o, const struct bundle_request *request, struct supply *s,
               const struct terminal *terminal)
{
    struct master *m = calloc(1, sizeof(*m));

    if (m == NULL)
        abort();
    m->options = o;
    m->request = *request;
    m->supply = s;
    m->pidfile = (struct pidfile){ .leash = -1, .lock = -1 };
    m->terminal = *terminal;
    m->reload.reader = (struct reader){ .bundle = -1, .said = -1 };
    supply_open_errors(s, &m->logs);
    m->signals = master_signals_open();
    if (m->signals < 0) {
        fprintf(stderr, "bifrons: [emerg] signalfd() failed (%d: %s)\n", -m->signals,
                strerrordesc_np(-m->signals));
        return 1;
    }
    serve(m);
    int code = m->state == MASTER_FAILED ? 1 : 0;
    master_log(m, LEVEL_NOTICE, 0, "exit");
    pidfile_remove(&m->pidfile);
    supply_free(&m->supply);
    error_logs_close(&m->logs);
    close(m->signals);
    free(m);
    return code;
}
