/* Log files: lines gather during a turn of the loop and leave together at its end. Owns the
 * descriptors. */
#include "log/sink.h"

#include "base/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_WAITING = 1024 * 1024, FLUSH_AT = 64 * 1024 };

struct log_sink {
    struct log_sink *next;
    struct log_sinks *all;
    struct buf lines;
    uint64_t complained; /* ms: a failure is said once a second */
    size_t whole;        /* bytes of whole lines in `lines` */
    int fd;
    uint32_t path_length;
    char path[];
};

static void say(struct log_sink *s, int error)
{
    struct worker *w = s->all->worker;
    uint64_t now = loop_now(w->loop);

    if (s->complained != 0 && now - s->complained < 1000)
        return;
    s->complained = now;
    errlog_write(w->log, LEVEL_ALERT, 0, error, "write() to \"%s\" failed", s->path);
}

static void flush(struct log_sink *s)
{
    struct span left = { s->lines.data, s->whole };

    while (left.len > 0) {
        ssize_t sent = write(s->fd, left.at, left.len);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0) {
            say(s, errno);
            break;
        }
        left = span_from(left, (size_t)sent);
    }
    buf_drop(&s->lines, s->whole);
    s->lines.failed = false;
    s->whole = 0;
}

static void at_turn_end(struct turn_end *e)
{
    struct log_sinks *all = CONTAINER(e, struct log_sinks, flush);

    for (struct log_sink *s = all->first; s != NULL; s = s->next)
        if (s->whole > 0)
            flush(s);
}

void sinks_start(struct worker *w)
{
    w->sinks = calloc(1, sizeof(*w->sinks));
    if (w->sinks == NULL)
        abort();
    w->sinks->worker = w;
    w->sinks->flush.fn = at_turn_end;
}

static int open_path(const char *path)
{
    if (strcmp(path, "/dev/stdout") == 0)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (strcmp(path, "/dev/stderr") == 0 || strcmp(path, "stderr") == 0)
        return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
}

struct log_sink *sink_open(struct worker *w, struct span path, int *ret_error)
{
    struct log_sink *s = w->sinks->first;

    while (s != NULL && !span_same((struct span){ s->path, s->path_length }, path))
        s = s->next;
    if (s != NULL)
        return s;
    s = calloc(1, sizeof(*s) + path.len + 1);
    if (s == NULL)
        abort();
    memcpy(s->path, path.at, path.len);
    s->path_length = (uint32_t)path.len;
    s->fd = open_path(s->path);
    if (s->fd < 0) {
        *ret_error = -errno;
        free(s);
        return NULL;
    }
    s->all = w->sinks;
    buf_init(&s->lines, MOST_WAITING, NULL);
    s->next = w->sinks->first;
    w->sinks->first = s;
    return s;
}

struct buf *sink_buffer(struct log_sink *s)
{
    if (s->whole >= FLUSH_AT)
        flush(s);
    return &s->lines;
}

void sink_line(struct log_sink *s)
{
    if (s->lines.failed) { /* a line too long for the buffer is lost alone */
        s->lines.failed = false;
        s->lines.len = s->whole;
        return;
    }
    s->whole = s->lines.len;
    loop_at_turn_end(s->all->worker->loop, &s->all->flush);
}

void sinks_flush(struct worker *w)
{
    if (w->sinks != NULL)
        at_turn_end(&w->sinks->flush);
}

void sinks_note_failure(struct worker *w, struct span path, int error)
{
    w->sinks->failed = path;
    w->sinks->error = error;
    errlog_write(w->log, LEVEL_EMERG, 0, error, "open() \"%.*s\" failed", (int)path.len, path.at);
}

bool sinks_good(const struct worker *w, struct buf *messages)
{
    const struct log_sinks *all = w->sinks;

    if (all->error != 0)
        buf_addf(messages, "bifrons: [emerg] open() \"%.*s\" failed (%d: %s)\n",
                 (int)all->failed.len, all->failed.at, all->error, strerrordesc_np(all->error));
    return all->error == 0;
}

void sinks_free(struct worker *w)
{
    sinks_flush(w);
    while (w->sinks != NULL && w->sinks->first != NULL) {
        struct log_sink *dead = w->sinks->first;

        w->sinks->first = dead->next;
        buf_done(&dead->lines);
        close(dead->fd);
        free(dead);
    }
    free(w->sinks);
    w->sinks = NULL;
}
