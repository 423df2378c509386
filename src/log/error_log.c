/* error_log (nginx-semantics 2):
 *
 *     line: FILE, level --\
 *     line: FILE, level --+--> error_file: descriptor or syslog, what was lost
 *
 * Lines lie in the generation arena; a file lives as long as a line names it. */
#include "log/error_log.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/errlog_file.h"
#include "base/link.h"
#include "base/log_file.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "log/failure.h"
#include "log/syslog.h"
#include "net/loop.h"

#include <errno.h>
#include <stdlib.h>

enum { SAY_AFTER_MS = 1000 };

struct error_line {
    struct errlog log;           /* `file` and `next` are set when it is opened */
    struct span path;            /* `stderr`, absolute, or what syslog is told */
    const struct syslog *syslog; /* NULL: a file */
    struct place place;          /* line 0: the standard one */
};

struct error_log_settings {
    struct conf_list lines; /* of struct error_line */
};

struct error_file {
    struct errlog_file file;
    struct error_file *next;
    struct error_logs *all;
    uint32_t users;       /* lines of generations, and of the process */
    struct syslog syslog; /* a copy: outlives generations */
    char path[];
};

/* --- rows ----------------------------------------------------------------------------------- */

static bool read_target(struct conf_call *call, struct error_line *line)
{
    struct span path = conf_word(call, 1);

    if (span_starts(path, "memory:"))
        return conf_refuse(call, 1, "\"%s\" is known, not supported yet",
                           arena_cstr(conf_arena(call), path));
    if (!span_starts(path, "syslog:")) {
        line->path = span_is(path, "stderr") ? path : conf_prefix_path(call, path);
        return true;
    }
    struct syslog *to = arena_zalloc(conf_arena(call), sizeof(*to));
    line->path = path;
    line->syslog = to;
    return syslog_read(call, 1, to);
}

static bool refuse_level(struct conf_call *call)
{
    static const char *const levels[] = { "debug", "info",  "notice", "warn", "error",
                                          "crit",  "alert", "emerg",  NULL };

    conf_refuse(call, 2, "invalid log level \"%s\"",
                arena_cstr(conf_arena(call), conf_word(call, 2)));
    return conf_suggest_one_of(call, 2, levels);
}

static bool set_error_log(struct conf_call *call, void *field)
{
    struct error_line line = { .log.level = LEVEL_ERROR, .place = conf_place(call, 0) };
    struct generation *g = conf_user(call);

    if (!read_target(call, &line))
        return false;
    if (conf_count(call) > 2 && !level_parse(conf_word(call, 2), &line.log.level))
        return refuse_level(call);
    struct placed_path noted = { line.path, line.place };
    if (line.place.line > 0 && line.syslog == NULL && !span_is(line.path, "stderr"))
        generation_list_add(g, &g->logs.paths, &noted, sizeof(noted));
    return conf_list_add(call, field, &line, sizeof(line));
}

static const struct conf_type error_line = { .set = set_error_log,
                                             .size = sizeof(struct conf_list),
                                             .many = true };

static const struct directive directives[] = {
    { "error_log", CTX_MAIN | CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_FORWARD, 1, 2, &error_line,
      offsetof(struct error_log_settings, lines), "logs/error.log error", WHOLE,
      "where errors go, and from which level on", 0, NULL },
    {},
};

static const struct conf_list *lines_of(const struct generation *g, const struct conf_block *block)
{
    const struct error_log_settings *own = settings_in(block, module_index(g, &error_log_module));

    return &own->lines;
}

/* NULL: to those of the process. */
static const struct errlog *log_of(const struct generation *g, const struct conf_block *block)
{
    const struct error_line *lines = lines_of(g, block)->items;

    return lines[0].log.file != NULL ? &lines[0].log : NULL;
}

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    const struct error_log_settings *own = settings;
    struct generation *g = conf_user_of(conf);

    (void)block;
    generation_list_add(g, &g->logs.errors, &own->lines, sizeof(own->lines));
    return true;
}

static bool init(struct generation *g, struct conf *conf, void *settings)
{
    (void)conf, (void)settings;
    g->logs.of = log_of;
    return true;
}

/* --- files ---------------------------------------------------------------------------------- */

/* The record keeps its own time, as with NGINX. */
static int send_record(struct errlog_file *f, enum level level, struct span record)
{
    struct syslog to = CONTAINER(f, struct error_file, file)->syslog;
    struct clock now = { .second = -1 };

    clock_set(&now, clock_wall_ms());
    to.severity = (unsigned)level - 1;
    return syslog_send(f->to.fd, &to, now.local_time, record);
}

static void on_missing(struct errlog_file *f)
{
    struct error_logs *logs = CONTAINER(f, struct error_file, file)->all;

    if (logs->loop != NULL && !timer_is_set(&logs->due))
        timer_set(&logs->loop->wheel, &logs->due, loop_now(logs->loop) + SAY_AFTER_MS);
}

static void on_due(struct timer *t)
{
    struct error_logs *logs = CONTAINER(t, struct error_logs, due);

    for (struct error_file *f = logs->files; f != NULL; f = f->next)
        if (!errlog_settle(&f->file))
            on_missing(&f->file); /* nobody reads it: asked again */
}

void error_logs_watch(struct error_logs *logs, struct loop *loop)
{
    if (logs->loop != NULL)
        timer_unset(&logs->loop->wheel, &logs->due);
    logs->loop = loop;
    logs->due.on_time = on_due;
}

static int open_syslog(struct error_file *f, const struct syslog *to)
{
    int fd = syslog_open(to);

    f->syslog = *to;
    f->file.send = send_record;
    f->file.to = (struct log_file){ .fd = fd };
    return fd < 0 ? fd : 0;
}

/* By the path as it is written: one descriptor for all lines that name it. */
static int file_get(struct error_logs *logs, const struct error_line *line,
                    struct errlog_file **ret)
{
    struct error_file *f = logs->files;

    while (f != NULL && !span_is(line->path, f->path))
        f = f->next;
    if (f == NULL) {
        f = calloc(1, sizeof(*f) + line->path.len + 1);
        if (f == NULL)
            abort();
        f->all = logs;
        f->file.on_missing = on_missing;
        memcpy(f->path, line->path.at, line->path.len);
        int failed = line->syslog != NULL ? open_syslog(f, line->syslog)
                                          : log_file_get(logs->opener, f->path, &f->file.to);
        if (failed < 0) {
            free(f);
            return failed;
        }
        f->next = logs->files;
        logs->files = f;
    }
    f->users++;
    *ret = &f->file;
    return 0;
}

static void file_free(struct error_file *f)
{
    errlog_settle(&f->file);
    log_file_close(&f->file.to);
    free(f);
}

static void file_put(struct errlog_file **file)
{
    struct error_file *f = *file != NULL ? CONTAINER(*file, struct error_file, file) : NULL;
    struct error_file **at;

    *file = NULL;
    if (f == NULL || --f->users > 0)
        return;
    at = &f->all->files;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    file_free(f);
}

static bool open_line(struct error_logs *logs, struct error_line *line, struct log_failure *ret)
{
    int failed = line->log.file != NULL ? 0 : file_get(logs, line, &line->log.file);

    if (failed < 0)
        *ret = (struct log_failure){ line->path, line->place, -failed };
    return failed == 0;
}

static bool open_lines(struct error_logs *logs, const struct conf_list *list,
                       struct log_failure *ret)
{
    struct error_line *lines = list->items;

    for (uint32_t i = 0; i < list->len; i++) {
        if (lines[i].place.line > 0 && !open_line(logs, &lines[i], ret))
            return false;
        lines[i].log.next = i + 1 < list->len ? &lines[i + 1].log : NULL;
    }
    return true;
}

struct span error_logs_standard(const struct generation *g, struct span instead)
{
    const struct error_line *lines = lines_of(g, g->top)->items;

    return lines[0].place.line > 0 ? (struct span){ NULL, 0 }
           : instead.len > 0       ? instead
                                   : lines[0].path;
}

bool error_logs_line(const struct generation *g, struct span instead, unsigned i,
                     struct error_log_line *ret)
{
    const struct conf_list *list = lines_of(g, g->top);
    const struct error_line *line = (const struct error_line *)list->items + i;

    if (i >= list->len)
        return false;
    *ret = (struct error_log_line){
        .path = line->path, .syslog = line->syslog, .level = line->log.level, .place = line->place
    };
    if (line->place.line == 0)
        ret->path = error_logs_standard(g, instead);
    return true;
}

void error_logs_each(const struct generation *g, void (*fn)(void *arg, struct placed_path file),
                     void *arg)
{
    const struct conf_list *lists = g->logs.errors.items;

    for (uint32_t i = 0; i < g->logs.errors.len; i++) {
        const struct error_line *lines = lists[i].items;

        for (uint32_t j = 0; j < lists[i].len; j++)
            if (lines[j].place.line > 0 && lines[j].syslog == NULL)
                fn(arg, (struct placed_path){ lines[j].path, lines[j].place });
    }
}

/* They are one block of memory, chained in its order. */
static void free_main(struct errlog **main)
{
    struct errlog *m = *main;

    for (; m != NULL; m = (struct errlog *)(uintptr_t)m->next)
        file_put(&m->file);
    free(*main);
    *main = NULL;
}

bool error_logs_open_main(struct error_logs *logs, const struct error_log_line *lines,
                          unsigned count, struct log_failure *ret)
{
    struct errlog *made = calloc(count, sizeof(*made)), *before = logs->main;
    bool good = true;

    if (made == NULL)
        abort();
    for (unsigned i = 0; i < count; i++) {
        struct error_line line = { .path = lines[i].path,
                                   .syslog = lines[i].syslog,
                                   .place = lines[i].place };

        good = open_line(logs, &line, ret) && good;
        made[i] = (struct errlog){ .file = line.log.file,
                                   .level = lines[i].level,
                                   .next = i + 1 < count ? &made[i + 1] : NULL };
    }
    logs->main = made;
    free_main(&before);
    return good;
}

/* A copy of the lines of the process: what logs at the very end has no generation any more. */
static bool open_main(struct error_logs *logs, const struct generation *g, struct span instead,
                      struct log_failure *ret)
{
    unsigned count = lines_of(g, g->top)->len;
    struct error_log_line *lines = calloc(count, sizeof(*lines));

    if (lines == NULL)
        abort();
    for (unsigned i = 0; i < count; i++)
        error_logs_line(g, instead, i, &lines[i]);
    bool good = error_logs_open_main(logs, lines, count, ret);
    free(lines);
    return good;
}

bool error_logs_open(struct error_logs *logs, struct generation *g, struct span instead,
                     struct log_failure *ret)
{
    const struct conf_list *lists = g->logs.errors.items;

    if (!open_main(logs, g, instead, ret))
        return false;
    for (uint32_t i = 0; i < g->logs.errors.len; i++)
        if (!open_lines(logs, &lists[i], ret))
            return false;
    return true;
}

static void reopen(struct error_logs *logs, struct error_file *f)
{
    struct log_file anew;
    int failed = log_file_get(logs->opener, f->path, &anew);

    if (failed == -ENODATA)
        return;
    if (failed < 0) {
        errlog_write(logs->main, LEVEL_EMERG, 0, -failed, "open() \"%s\" failed", f->path);
        return;
    }
    log_file_close(&f->file.to);
    f->file.to = anew;
}

void error_logs_reopen(struct error_logs *logs)
{
    for (struct error_file *f = logs->files; f != NULL; f = f->next)
        if (f->file.send == NULL && !log_file_is_ours(f->path))
            reopen(logs, f);
}

void error_logs_close(struct error_logs *logs)
{
    free_main(&logs->main);
    while (logs->files != NULL) {
        struct error_file *dead = logs->files;

        logs->files = dead->next;
        file_free(dead);
    }
}

/* --- the module ----------------------------------------------------------------------------- */

static void stop(struct worker *w, struct generation *g, void *settings)
{
    const struct conf_list *lists = g->logs.errors.items;

    (void)w, (void)settings;
    for (uint32_t i = 0; i < g->logs.errors.len; i++) {
        struct error_line *lines = lists[i].items;

        for (uint32_t j = 0; j < lists[i].len; j++)
            file_put(&lines[j].log.file);
    }
}

const struct module error_log_module = {
    .name = "error_log",
    .directives = directives,
    .settings_size = sizeof(struct error_log_settings),
    .check = check,
    .init = init,
    .stop = stop,
};
