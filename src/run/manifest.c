/* Manifests: head, then arrays. What is written is what is read: both ends are the same program.
 *
 *     head | files | listeners | logs | errors | zones | folders | cpu sets
 *
 * The head says how many there are of each. Nothing of it is believed before is_sound has looked.
 * Texts are arrays of fixed size, and zero from their end on: manifest_same_rights compares memory.
 */
#include "run/manifest.h"

#include "base/buf.h"
#include "conf/settings.h"
#include "exchange/core.h"
#include "exchange/listener.h"
#include "exchange/zone_line.h"
#include "log/access.h"
#include "log/error_log.h"
#include "net/listen.h"
#include "run/main_settings.h"

#include <stdlib.h>

/* --- writing -------------------------------------------------------------------------------- */

struct writing {
    struct manifest_head head;
    struct buf files, listeners, logs, errors, zones, folders;
};

static struct writing *writing_new(void)
{
    struct writing *w = calloc(1, sizeof(*w));

    if (w == NULL)
        abort();
    buf_init(&w->files, SIZE_MAX / 4, NULL);
    buf_init(&w->listeners, SIZE_MAX / 4, NULL);
    buf_init(&w->logs, SIZE_MAX / 4, NULL);
    buf_init(&w->errors, SIZE_MAX / 4, NULL);
    buf_init(&w->zones, SIZE_MAX / 4, NULL);
    buf_init(&w->folders, SIZE_MAX / 4, NULL);
    return w;
}

static void writing_free(struct writing *w)
{
    buf_done(&w->files);
    buf_done(&w->listeners);
    buf_done(&w->logs);
    buf_done(&w->errors);
    buf_done(&w->zones);
    buf_done(&w->folders);
    free(w);
}

static struct manifest_place place_of(struct place place)
{
    return (struct manifest_place){ place.file, place.line, place.column };
}

/* A path that is too long is cut, and so cannot be opened: whoever tries says so. */
static void copy_text(struct span text, char *to, size_t size)
{
    size_t len = text.len < size ? text.len : size - 1;

    memset(to, 0, size);
    if (len > 0)
        memcpy(to, text.at, len);
}

static void add(struct buf *array, const void *record, size_t size, uint32_t *count)
{
    buf_add(array, (struct span){ record, size });
    (*count)++;
}

/* Logs are numbered by path, in the order in which they are first named. */
static uint32_t log_number(struct writing *w, struct span path, struct place place)
{
    const struct manifest_log *all = (const struct manifest_log *)(const void *)w->logs.data;
    struct manifest_log log = { .place = place_of(place) };

    copy_text(path, log.path, sizeof(log.path));
    for (uint32_t i = 0; i < w->head.logs; i++)
        if (strcmp(all[i].path, log.path) == 0)
            return i;
    add(&w->logs, &log, sizeof(log), &w->head.logs);
    return w->head.logs - 1;
}

static void note_log(void *writing, struct placed_path file)
{
    log_number(writing, file.path, file.place);
}

static void note_errors(struct writing *w, const struct generation *g, struct span error_log)
{
    struct error_log_line line;

    for (unsigned i = 0; error_logs_line(g, error_log, i, &line); i++) {
        struct manifest_error error = { .level = line.level, .log = NO_LOG };

        copy_text(line.path, error.words, sizeof(error.words));
        if (line.syslog != NULL)
            error.syslog = *line.syslog;
        else
            error.log = log_number(w, line.path, line.place);
        add(&w->errors, &error, sizeof(error), &w->head.errors);
    }
}

/* A listener that shares the socket of `*:port` needs none. */
static void note_listeners(struct writing *w, const struct generation *g)
{
    struct listener *const *all = g->listeners.items;

    for (uint32_t i = 0; i < g->listeners.len; i++) {
        const struct listener *l = all[i];
        struct manifest_listener record = { .address = l->address,
                                            .backlog = l->backlog,
                                            .rcvbuf = l->rcvbuf,
                                            .sndbuf = l->sndbuf,
                                            .tcp = l->tcp,
                                            .number = l->socket,
                                            .place = place_of(l->place) };

        record.flags = (l->ipv6only ? LISTEN_IPV6ONLY : 0) |
                       (core_of(l->fallback)->tcp.nodelay ? LISTEN_NODELAY : 0);
        if (l->wildcard == NULL)
            add(&w->listeners, &record, sizeof(record), &w->head.listeners);
    }
}

static void note_zones(struct writing *w, const struct generation *g)
{
    struct zone_line *const *all = g->zones.items;

    for (uint32_t i = 0; i < g->zones.len; i++) {
        struct manifest_zone record = { .shape = all[i]->shape, .place = place_of(all[i]->place) };

        copy_text(all[i]->name, record.name, sizeof(record.name));
        copy_text(span_of(all[i]->use), record.use, sizeof(record.use));
        add(&w->zones, &record, sizeof(record), &w->head.zones);
    }
}

static void note_folder(struct writing *w, struct span path, enum folder_use use)
{
    struct manifest_folder record = { .use = use };

    copy_text(path, record.path, sizeof(record.path));
    add(&w->folders, &record, sizeof(record), &w->head.folders);
}

/* Logs whose names are made by a request are opened by the worker itself; without a master all are.
 */
static void note_folders(struct writing *w, const struct generation *g)
{
    const struct placed_path *folders = g->folders.items, *logs = g->logs.paths.items;

    for (uint32_t i = 0; i < g->folders.len; i++)
        note_folder(w, folders[i].path, FOLDER_WRITES);
    for (uint32_t i = 0; i < g->logs.paths.len; i++) {
        size_t made = span_find(logs[i].path, '$');

        if (made < logs[i].path.len)
            note_folder(w, span_first(logs[i].path, made + 1), FOLDER_LOGS);
    }
    for (uint32_t i = 0; i < w->head.logs && !w->head.master; i++) {
        const struct manifest_log *all = (const struct manifest_log *)(const void *)w->logs.data;

        note_folder(w, span_of(all[i].path), FOLDER_LOGS);
    }
}

static void note_process(struct manifest_head *h, const struct generation *g, struct span error_log)
{
    const struct main_settings *s = main_settings_of(g);

    h->workers = s->workers.count;
    h->places = g->worker_slots;
    h->cpu_sets = s->cpus.len;
    copy_text(s->user.name, h->rights.user, sizeof(h->rights.user));
    copy_text(s->user.group, h->rights.group, sizeof(h->rights.group));
    h->rights.descriptors = s->rlimit_nofile;
    h->rights.priority = s->priority.nice;
    h->rights.sandbox = s->sandbox.on;
    h->user_place = place_of(s->user.place);
    h->pid_place = place_of(s->pid.place);
    copy_text(s->pid.path, h->pid, sizeof(h->pid));
    copy_text(error_logs_standard(g, error_log), h->standard_log, sizeof(h->standard_log));
    h->connections = s->worker_connections;
    h->shutdown_ms = s->shutdown_timeout;
    h->master = s->master_process;
    h->background = s->background;
    h->ceiling = ceiling_of(g);
}

static void note_files(struct writing *w, const struct generation *g)
{
    const struct span *names = g->file_names.items;

    for (uint32_t i = 0; i < g->file_names.len; i++) {
        struct manifest_file file;

        copy_text(names[i], file.name, sizeof(file.name));
        add(&w->files, &file, sizeof(file), &w->head.files);
    }
}

void manifest_write(const struct generation *g, struct span error_log, struct buf *out)
{
    const struct conf_list *cpus = &main_settings_of(g)->cpus;
    struct writing *w = writing_new();

    note_process(&w->head, g, error_log);
    note_files(w, g);
    note_listeners(w, g);
    note_errors(w, g, error_log);
    error_logs_each(g, note_log, w);
    access_logs_each(g, note_log, w);
    note_zones(w, g);
    note_folders(w, g);
    buf_add(out, (struct span){ (const char *)&w->head, sizeof(w->head) });
    buf_add(out, buf_view(&w->files));
    buf_add(out, buf_view(&w->listeners));
    buf_add(out, buf_view(&w->logs));
    buf_add(out, buf_view(&w->errors));
    buf_add(out, buf_view(&w->zones));
    buf_add(out, buf_view(&w->folders));
    buf_add(out, (struct span){ cpus->items, cpus->len * sizeof(cpu_set_t) });
    writing_free(w);
}

/* --- reading -------------------------------------------------------------------------------- */

/* The next `count` records. False: there are not so many. */
static bool take(struct span *rest, uint32_t count, size_t size, void *ret)
{
    void *copy;

    if (count > MANIFEST_MOST || (size_t)count * size > rest->len)
        return false;
    copy = calloc(count + 1u, size);
    if (copy == NULL)
        abort();
    memcpy(copy, rest->at, (size_t)count * size);
    *rest = span_from(*rest, (size_t)count * size);
    memcpy(ret, &copy, sizeof(copy));
    return true;
}

/* A text with an end. */
static bool ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool is_sound(const struct manifest *m)
{
    const struct manifest_head *h = &m->head;
    bool good = h->workers > 0 && h->workers <= MOST_WORKERS && h->places > 0 &&
                ends(h->rights.user, sizeof(h->rights.user)) &&
                ends(h->rights.group, sizeof(h->rights.group)) && ends(h->pid, sizeof(h->pid)) &&
                ends(h->standard_log, sizeof(h->standard_log));

    for (uint32_t i = 0; i < h->files; i++)
        good = good && ends(m->files[i].name, sizeof(m->files[i].name));
    for (uint32_t i = 0; i < h->logs; i++)
        good = good && ends(m->logs[i].path, sizeof(m->logs[i].path));
    for (uint32_t i = 0; i < h->folders; i++)
        good = good && ends(m->folders[i].path, sizeof(m->folders[i].path));
    for (uint32_t i = 0; i < h->zones; i++)
        good = good && ends(m->zones[i].name, sizeof(m->zones[i].name)) &&
               ends(m->zones[i].use, sizeof(m->zones[i].use));
    for (uint32_t i = 0; i < h->errors; i++)
        good = good && (m->errors[i].log == NO_LOG || m->errors[i].log < h->logs) &&
               ends(m->errors[i].words, sizeof(m->errors[i].words)) &&
               ends(m->errors[i].syslog.tag, sizeof(m->errors[i].syslog.tag)) &&
               m->errors[i].syslog.address_length <= sizeof(m->errors[i].syslog.address);
    return good;
}

static bool take_all(struct manifest *m, struct span bytes)
{
    struct manifest_head *h = &m->head;

    if (bytes.len < sizeof(*h))
        return false;
    memcpy(h, bytes.at, sizeof(*h));
    bytes = span_from(bytes, sizeof(*h));
    return take(&bytes, h->files, sizeof(*m->files), &m->files) &&
           take(&bytes, h->listeners, sizeof(*m->listeners), &m->listeners) &&
           take(&bytes, h->logs, sizeof(*m->logs), &m->logs) &&
           take(&bytes, h->errors, sizeof(*m->errors), &m->errors) &&
           take(&bytes, h->zones, sizeof(*m->zones), &m->zones) &&
           take(&bytes, h->folders, sizeof(*m->folders), &m->folders) &&
           take(&bytes, h->cpu_sets, sizeof(*m->cpu_sets), &m->cpu_sets) && is_sound(m);
}

struct manifest *manifest_read(struct span bytes)
{
    struct manifest *m = calloc(1, sizeof(*m));

    if (m == NULL)
        abort();
    if (!take_all(m, bytes))
        manifest_free(&m);
    return m;
}

bool manifest_same_rights(const struct manifest *a, const struct manifest *b)
{
    return memcmp(&a->head.rights, &b->head.rights, sizeof(a->head.rights)) == 0 &&
           a->head.folders == b->head.folders &&
           memcmp(a->folders, b->folders, a->head.folders * sizeof(*a->folders)) == 0;
}

void manifest_free(struct manifest **ref)
{
    struct manifest *m = *ref;

    *ref = NULL;
    if (m == NULL)
        return;
    free(m->files);
    free(m->listeners);
    free(m->logs);
    free(m->errors);
    free(m->zones);
    free(m->folders);
    free(m->cpu_sets);
    free(m);
}
