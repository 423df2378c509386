/* Where lines gather, and how they leave:
 *
 *     sink_buffer, sink_line -> lines -> (a gzip member ->) ready -> write
 *                                  turn's end | full | flush= | reopen, exit
 *
 * Owns the descriptors. */
#include "log/sink.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "base/link.h"
#include "base/log_file.h"
#include "exchange/generation.h"
#include "exchange/worker.h"
#include "log/gzip_member.h"
#include "log/syslog.h"
#include "net/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MOST_WAITING = 1024 * 1024,
    FLUSH_AT = 64 * 1024,
    RETRY_MS = 100,
    MOST_PASSING = 64,
    LONGEST_FOLDER = 1024,
    KEPT_ROOM = 2 * FLUSH_AT
};

struct log_sink {
    struct log_sink *next;
    struct log_sinks *all;
    struct buf lines;
    size_t whole;        /* bytes of whole lines in `lines` */
    struct buf ready;    /* gzip: members that wait to be written */
    struct timer due;    /* flush=, or the next try of a pipe that was full */
    uint64_t complained; /* ms: a failure is said once a second; 0: all is well */
    uint64_t lost;       /* lines since then */
    struct log_file to;  /* or the socket to `syslog` */
    struct sink_options {
        size_t buffer;
        uint64_t flush;
        int gzip;
    } options;
    struct syslog *syslog; /* owned; NULL: a file */
    uint32_t users;        /* lines of generations, drafts of tunnels */
    uint32_t path_length;
    char path[];
};

/* --- what is lost --------------------------------------------------------------------------- */

/* With the number of lines that were lost since it was said last. */
static void say(struct log_sink *s, int error)
{
    struct worker *w = s->all->worker;
    uint64_t now = loop_now(w->loop);

    if (s->complained != 0 && now - s->complained < 1000)
        return;
    s->complained = now;
    errlog_write(w->log, LEVEL_ALERT, 0, error, "%s \"%s\" failed, lines lost: %llu",
                 s->syslog != NULL ? "send() to" : "write() to", s->path,
                 (unsigned long long)s->lost);
    s->lost = 0;
}

/* What could not be written can be again. A name that a peer made is used once, and has no news. */
static void say_well(struct log_sink *s)
{
    struct worker *w = s->all->worker;

    if (s->complained == 0 || s->users == 0 || loop_now(w->loop) - s->complained < 1000)
        return;
    s->complained = 0;
    errlog_write(w->log, LEVEL_NOTICE, 0, 0, "\"%s\" is written again, lines lost: %llu", s->path,
                 (unsigned long long)s->lost);
    s->lost = 0;
}

static uint64_t count_lines(struct span text)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    return lines;
}

/* --- leaving -------------------------------------------------------------------------------- */

static void try_later(struct log_sink *s)
{
    struct loop *loop = s->all->worker->loop;

    timer_set(&loop->wheel, &s->due, loop_now(loop) + RETRY_MS);
}

/* Text on its way: how much of it is done with, written or lost. What a full pipe does not take
 * stays. */
static size_t put(struct log_sink *s, struct span text)
{
    size_t done = 0, written;

    while (done < text.len) {
        int failed = log_file_write(&s->to, span_from(text, done), &written);

        if (failed == -EAGAIN) {
            try_later(s);
            return done;
        }
        if (failed < 0) {
            s->lost += s->options.gzip > 0 ? 1 : count_lines(span_from(text, done));
            say(s, -failed);
            return text.len;
        }
        done += written;
    }
    if (done > 0)
        say_well(s);
    return done;
}

/* What a burst took is given back: else every sink would keep its largest for ever. */
static void shrink(const struct log_sink *s, struct buf *b)
{
    if (b->len > 0 || b->room <= KEPT_ROOM + 2 * s->options.buffer)
        return;
    size_t max = b->max;
    struct budget *budget = b->budget;

    buf_done(b);
    buf_init(b, max, budget);
}

static void put_ready(struct log_sink *s)
{
    buf_drop(&s->ready, put(s, buf_view(&s->ready)));
    shrink(s, &s->ready);
}

static void compress_lines(struct log_sink *s, size_t len)
{
    struct span text = { s->lines.data, len };

    if (!gzip_member_add(text, s->options.gzip, &s->ready)) {
        s->ready.failed = false; /* it is full, or there is no memory: what is in it stays */
        s->lost += count_lines(text);
        say(s, ENOBUFS);
    }
    buf_drop(&s->lines, len);
    put_ready(s);
}

/* The first `len` bytes, which are whole lines, leave. */
static void leave(struct log_sink *s, size_t len)
{
    size_t done = len;

    if (s->options.gzip > 0) {
        compress_lines(s, len);
    } else {
        done = put(s, (struct span){ s->lines.data, len });
        buf_drop(&s->lines, done);
    }
    s->whole -= done;
    shrink(s, &s->lines);
}

static void flush(struct log_sink *s)
{
    timer_unset(&s->all->worker->loop->wheel, &s->due);
    if (s->ready.len > 0)
        put_ready(s);
    if (s->whole > 0)
        leave(s, s->whole);
}

static void on_due(struct timer *t)
{
    flush(CONTAINER(t, struct log_sink, due));
}

static void sink_free(struct log_sink *s)
{
    timer_unset(&s->all->worker->loop->wheel, &s->due);
    buf_done(&s->lines);
    buf_done(&s->ready);
    log_file_close(&s->to);
    free(s->syslog);
    free(s);
}

/* Sinks of paths that requests make: for one turn, or until there are too many of them. */
static void end_passing(struct log_sinks *all)
{
    while (all->passing != NULL) {
        struct log_sink *s = all->passing;

        all->passing = s->next;
        flush(s);
        all->complained = s->complained;
        sink_free(s);
    }
    all->passing_count = 0;
}

static void at_turn_end(struct turn_end *e)
{
    struct log_sinks *all = CONTAINER(e, struct log_sinks, flush);

    for (struct log_sink *s = all->first; s != NULL; s = s->next)
        if (s->whole > 0 && s->options.buffer == 0 && !timer_is_set(&s->due))
            flush(s);
    end_passing(all);
}

/* --- opening -------------------------------------------------------------------------------- */

void sinks_start(struct worker *w)
{
    w->sinks = calloc(1, sizeof(*w->sinks));
    if (w->sinks == NULL)
        abort();
    w->sinks->worker = w;
    w->sinks->flush.fn = at_turn_end;
    w->sinks->budget.max = w->sinks->limit = SINKS_MOST;
}

void sinks_limit(struct worker *w, size_t bytes)
{
    w->sinks->budget.max += bytes;
    w->sinks->budget.max -= w->sinks->limit;
    w->sinks->limit = bytes;
}

static size_t budget_of(size_t buffer)
{
    return 4 * buffer; /* two, growing by halves */
}

size_t sinks_buffers(const struct generation *g)
{
    const struct sink_spec *all = g->logs.buffered.items;
    size_t bytes = 0;

    for (uint32_t i = 0; i < g->logs.buffered.len; i++)
        bytes += budget_of(all[i].buffer);
    return bytes;
}

static struct log_sink *find(struct log_sink *list, struct span path)
{
    while (list != NULL && !span_same((struct span){ list->path, list->path_length }, path))
        list = list->next;
    return list;
}

static int open_target(struct log_opener *opener, const struct sink_spec *spec, const char *path,
                       struct log_file *ret)
{
    char folder[LONGEST_FOLDER];
    int fd;

    if (spec->syslog != NULL) {
        fd = syslog_open(spec->syslog);
        *ret = (struct log_file){ .fd = fd };
        return fd < 0 ? fd : 0;
    }
    if (spec->fixed == 0)
        return log_file_get(opener, path, ret);
    if (!span_to_cstr(span_first(spec->path, spec->fixed), sizeof(folder), folder))
        return -ENAMETOOLONG;
    return log_file_open_beneath(folder, path + spec->fixed, ret);
}

static struct log_sink *sink_new(struct worker *w, const struct sink_spec *spec, int *ret_error)
{
    struct log_sink *s = calloc(1, sizeof(*s) + spec->path.len + 1);

    if (s == NULL)
        abort();
    memcpy(s->path, spec->path.at, spec->path.len);
    s->path_length = (uint32_t)spec->path.len;
    int failed = open_target(w->sinks->opener, spec, s->path, &s->to);
    if (failed < 0) {
        *ret_error = failed;
        free(s);
        return NULL;
    }
    if (spec->syslog != NULL) {
        s->syslog = malloc(sizeof(*s->syslog));
        if (s->syslog == NULL)
            abort();
        *s->syslog = *spec->syslog;
    }
    s->all = w->sinks;
    s->due.on_time = on_due;
    buf_init(&s->lines, MOST_WAITING, &w->sinks->budget);
    buf_init(&s->ready, MOST_WAITING, &w->sinks->budget);
    return s;
}

/* Lines of all generations share a sink by path: a reload loses nothing of what gathers in it. */
struct log_sink *sink_open(struct worker *w, const struct sink_spec *spec, int *ret_error)
{
    struct log_sink *s = find(w->sinks->first, spec->path);

    if (s == NULL) {
        s = sink_new(w, spec, ret_error);
        if (s == NULL)
            return NULL;
        s->next = w->sinks->first;
        w->sinks->first = s;
    }
    s->users++;
    if (spec->buffer > 0) {
        w->sinks->budget.max += budget_of(spec->buffer) - budget_of(s->options.buffer);
        s->options = (struct sink_options){ spec->buffer, spec->flush, spec->gzip };
        s->lines.max = s->ready.max = MOST_WAITING + spec->buffer;
    }
    return s;
}

void sinks_unbuffer(struct worker *w)
{
    for (struct log_sink *s = w->sinks->first; s != NULL; s = s->next) {
        flush(s);
        w->sinks->budget.max -= budget_of(s->options.buffer);
        s->options = (struct sink_options){ .buffer = 0 };
        s->lines.max = s->lines.len > MOST_WAITING ? s->lines.len : MOST_WAITING;
        s->ready.max = s->ready.len > MOST_WAITING ? s->ready.len : MOST_WAITING;
    }
}

struct log_sink *sink_ref(struct log_sink *s)
{
    s->users++;
    return s;
}

void sink_unref(struct log_sink **ref)
{
    struct log_sink *s = *ref, **at;

    *ref = NULL;
    if (s == NULL || --s->users > 0)
        return;
    flush(s);
    at = &s->all->first;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->all->budget.max -= budget_of(s->options.buffer);
    sink_free(s);
}

struct log_sink *sink_pass(struct worker *w, struct span path, size_t fixed)
{
    struct log_sinks *all = w->sinks;
    struct log_sink *s = find(all->first, path);
    struct sink_spec spec = { .path = path, .fixed = fixed };
    int error = 0;

    if (s == NULL)
        s = find(all->passing, path);
    if (s != NULL)
        return s;
    if (all->passing_count >= MOST_PASSING)
        end_passing(all);
    s = sink_new(w, &spec, &error);
    if (s != NULL) {
        s->complained = all->complained;
        s->next = all->passing;
        all->passing = s;
        all->passing_count++;
        loop_at_turn_end(w->loop, &all->flush);
    } else if (all->complained == 0 || loop_now(w->loop) - all->complained >= 1000) {
        all->complained = loop_now(w->loop);
        errlog_write(w->log, LEVEL_CRIT, 0, -error, "open() \"%.*s\" failed", (int)path.len,
                     path.at);
    }
    return s;
}

static void reopen(struct log_sink *s)
{
    struct log_file anew;
    int failed = log_file_get(s->all->opener, s->path, &anew);

    if (failed == -ENODATA)
        return;
    if (failed < 0) {
        errlog_write(s->all->worker->log, LEVEL_EMERG, 0, -failed, "open() \"%s\" failed", s->path);
        return;
    }
    log_file_close(&s->to);
    s->to = anew;
}

void sinks_reopen(struct worker *w)
{
    sinks_flush(w);
    for (struct log_sink *s = w->sinks->first; s != NULL; s = s->next)
        if (s->syslog == NULL && !log_file_is_ours(s->path))
            reopen(s);
}

/* --- lines ---------------------------------------------------------------------------------- */

struct buf *sink_buffer(struct log_sink *s)
{
    if (s->options.buffer == 0 && s->whole >= FLUSH_AT && !timer_is_set(&s->due))
        flush(s);
    return &s->lines;
}

static void send_record(struct log_sink *s)
{
    struct span text = buf_view(&s->lines);
    int failed;

    span_chop(&text, '\n');
    failed = syslog_send(s->to.fd, s->syslog, s->all->worker->loop->clock.local_time, text);
    buf_clear(&s->lines);
    if (failed < 0) {
        s->lost++;
        say(s, -failed);
    }
}

/* What does not fit behind the others pushes them out; a line longer than the buffer goes alone. */
static void line_to_buffer(struct log_sink *s)
{
    const struct sink_options *o = &s->options;
    struct loop *loop = s->all->worker->loop;
    size_t before = s->whole;

    s->whole = s->lines.len;
    if (s->whole > o->buffer && before > 0)
        leave(s, before);
    if (s->whole > o->buffer)
        leave(s, s->whole);
    if (s->whole > 0 && o->flush > 0 && !timer_is_set(&s->due))
        timer_set(&loop->wheel, &s->due, loop_now(loop) + o->flush);
}

void sink_line(struct log_sink *s)
{
    if (s->lines.failed) { /* too long for the buffer, or a pipe that nobody empties */
        s->lines.failed = false;
        s->lines.len = s->whole;
        s->lost++;
        say(s, ENOBUFS);
        return;
    }
    if (s->syslog != NULL) {
        send_record(s);
    } else if (s->options.buffer > 0) {
        line_to_buffer(s);
    } else {
        s->whole = s->lines.len;
        loop_at_turn_end(s->all->worker->loop, &s->all->flush);
    }
}

/* --- the end -------------------------------------------------------------------------------- */

void sinks_flush(struct worker *w)
{
    if (w->sinks == NULL)
        return;
    for (struct log_sink *s = w->sinks->first; s != NULL; s = s->next)
        flush(s);
    end_passing(w->sinks);
}

void sinks_note_failure(struct worker *w, struct log_failure failure)
{
    w->sinks->failed = failure;
    errlog_write(w->log, LEVEL_EMERG, 0, failure.error, "open() \"%.*s\" failed",
                 (int)failure.path.len, failure.path.at);
}

const struct log_failure *sinks_failure(const struct worker *w)
{
    return w->sinks->failed.error != 0 ? &w->sinks->failed : NULL;
}

void sinks_free(struct worker *w)
{
    sinks_flush(w);
    while (w->sinks != NULL && w->sinks->first != NULL) {
        struct log_sink *dead = w->sinks->first;

        w->sinks->first = dead->next;
        sink_free(dead);
    }
    free(w->sinks);
    w->sinks = NULL;
}
