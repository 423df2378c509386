/* Folders as lists (nginx-semantics 6.6).
 *
 *     head   reads names, as many as may be held; sorts them if these are all
 *     read   a few entries at a time: looked at, written, sent
 *
 * A folder with more names than may be held is listed in its own order: what was held, then the
 * rest, name by name. Owns the folder's stream and the names. */
#include "fetch/autoindex.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "base/link.h"
#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/source.h"
#include "exchange/template.h"
#include "exchange/trace.h"
#include "exchange/worker.h"
#include "fetch/file.h"
#include "fetch/listing.h"
#include "fetch/root.h"
#include "net/fiber.h"
#include "net/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MOST_HELD = 512 * 1024, /* bytes of names that are sorted */
    MOST_PLACES = 256 * 1024,
    LONGEST_CALLBACK = 128,
    ENTRIES_A_PART = 64,
    LONGEST_PART = 256 * 1024, /* of as many entries with the longest names, all escaped */
    NAMES_A_TURN = 512
};

struct autoindex_settings {
    struct autoindex_switches {
        bool on, exact_size;
    } switches;
    bool local_time;
    unsigned format; /* enum listing_format */
};

static const struct conf_name formats[] = {
    { "html", LISTING_HTML },
    { "xml", LISTING_XML },
    { "json", LISTING_JSON },
    { "jsonp", LISTING_JSONP },
    {},
};

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION };

#define FIELD(name) offsetof(struct autoindex_settings, name)

static const struct directive directives[] = {
    { "autoindex", ANYWHERE, 1, 1, &conf_flag, FIELD(switches.on), "off", WHOLE,
      "a folder without an index is answered with a list of it", 0, NULL },
    { "autoindex_exact_size", ANYWHERE, 1, 1, &conf_flag, FIELD(switches.exact_size), "on", WHOLE,
      "sizes in bytes, else in K, M and G", 0, NULL },
    { "autoindex_format", ANYWHERE, 1, 1, &conf_choice, FIELD(format), "html", WHOLE,
      "what the list is written in", 0, formats },
    { "autoindex_localtime", ANYWHERE, 1, 1, &conf_flag, FIELD(local_time), "off", WHOLE,
      "times of the machine's zone, else UTC", 0, NULL },
    {},
};

struct autoindex {
    struct source source;
    struct listing_style style;
    DIR *folder;
    const struct dirent *pending; /* read and not held: the first of the rest; NULL: all are held */
    struct buf names;             /* of each: `0` (a folder) or `1`, the name, a zero */
    struct buf places;            /* uint32_t: where each begins */
    size_t next;                  /* place */
    struct buf out;
    uint64_t parts, entries; /* written so far */
    bool over;
};

static struct autoindex *autoindex_of(struct source *s)
{
    return CONTAINER(s, struct autoindex, source);
}

/* --- names ---------------------------------------------------------------------------------- */

static bool leads_to_folder(const struct autoindex *a, const struct dirent *d)
{
    struct stat st;

    if (d->d_type != DT_LNK && d->d_type != DT_UNKNOWN)
        return d->d_type == DT_DIR;
    return fstatat(dirfd(a->folder), d->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* The next name that is shown; NULL: there is none. */
static const struct dirent *read_name(struct autoindex *a)
{
    const struct dirent *d;

    do
        d = readdir(a->folder);
    while (d != NULL && d->d_name[0] == '.');
    return d;
}

static bool hold(struct autoindex *a, const struct dirent *d)
{
    uint32_t place = (uint32_t)a->names.len;
    size_t size = strlen(d->d_name) + 2;

    if (a->names.len + size > MOST_HELD || a->places.len + sizeof(place) > MOST_PLACES)
        return false;
    buf_add_byte(&a->names, leads_to_folder(a, d) ? '0' : '1');
    buf_add(&a->names, (struct span){ d->d_name, size - 1 });
    buf_add(&a->places, (struct span){ (const char *)&place, sizeof(place) });
    return buf_ok(&a->names) && buf_ok(&a->places);
}

static int in_order(const void *one, const void *other, void *names)
{
    uint32_t a, b;

    memcpy(&a, one, sizeof(a));
    memcpy(&b, other, sizeof(b));
    return strcmp((const char *)names + a, (const char *)names + b);
}

static enum io autoindex_head(struct source *s)
{
    struct autoindex *a = autoindex_of(s);
    const struct dirent *d;
    unsigned count = 0;

    while ((d = read_name(a)) != NULL && hold(a, d))
        if (++count % NAMES_A_TURN == 0) /* while it sleeps nobody else reads this stream */
            fiber_yield();
    if (!buf_ok(&a->names) || !buf_ok(&a->places)) {
        s->x->fault = FAULT_PROXY_INTERNAL_ERROR;
        return IO_FAILED;
    }
    a->pending = d;
    if (d == NULL && a->places.len > 0)
        qsort_r(a->places.data, a->places.len / sizeof(uint32_t), sizeof(uint32_t), in_order,
                a->names.data);
    return IO_OK;
}

/* --- entries -------------------------------------------------------------------------------- */

/* False: nobody may look at it. A link that leads nowhere is shown as what it is. */
static bool look(int folder, const char *name, struct listing_entry *ret)
{
    struct stat st;

    if (fstatat(folder, name, &st, 0) < 0 && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    *ret = (struct listing_entry){ .name = span_of(name),
                                   .kind = S_ISDIR(st.st_mode)   ? ENTRY_FOLDER
                                           : S_ISREG(st.st_mode) ? ENTRY_FILE
                                                                 : ENTRY_OTHER,
                                   .changed = st.st_mtime,
                                   .size = (uint64_t)st.st_size };
    return true;
}

/* Good until the next call; NULL: there is none. */
static const char *next_name(struct autoindex *a)
{
    const struct dirent *d = a->pending;
    uint32_t place;

    if (a->next < a->places.len) {
        memcpy(&place, a->places.data + a->next, sizeof(place));
        a->next += sizeof(place);
        return a->names.data + place + 1;
    }
    if (d == NULL) /* behind those that are held stands the end of the stream, if they are all */
        d = read_name(a);
    a->pending = NULL;
    return d != NULL ? d->d_name : NULL;
}

static bool add_entry(struct autoindex *a)
{
    const char *name = next_name(a);
    struct listing_entry entry;

    if (name == NULL)
        return false;
    if (look(dirfd(a->folder), name, &entry)) {
        listing_add(&a->style, &entry, a->entries == 0, &a->out);
        a->entries++;
    }
    return true;
}

/* The first part begins in what the hook has written. */
static enum io autoindex_read(struct source *s, struct part *ret)
{
    struct autoindex *a = autoindex_of(s);
    unsigned count = 0;

    if (a->over)
        return IO_EOF;
    if (a->parts++ > 0) { /* each entry was a system call: others had to wait */
        buf_clear(&a->out);
        fiber_yield();
    }
    while (count < ENTRIES_A_PART && add_entry(a))
        count++;
    a->over = count < ENTRIES_A_PART;
    if (a->over)
        listing_end(&a->style, &a->out);
    if (!buf_ok(&a->out)) {
        s->x->fault = FAULT_PROXY_INTERNAL_ERROR;
        return IO_FAILED;
    }
    *ret = (struct part){ .kind = PART_MEMORY, .last = a->over, .bytes = buf_view(&a->out) };
    return a->out.len > 0 ? IO_OK : IO_EOF;
}

static void autoindex_close(struct source *s)
{
    struct autoindex *a = autoindex_of(s);

    closedir(a->folder);
    buf_done(&a->names);
    buf_done(&a->places);
    buf_done(&a->out);
}

static const struct source_ops autoindex_ops = { .head = autoindex_head,
                                                 .read = autoindex_read,
                                                 .close = autoindex_close };

/* --- the hook ------------------------------------------------------------------------------- */

/* What may name a function: it becomes the start of a script. */
static bool is_callback(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = ascii_lower(name.at[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.')
            return false;
    }
    return name.len <= LONGEST_CALLBACK;
}

/* Takes `fd`. */
static enum verdict list(struct exchange *x, const struct autoindex_settings *own, int fd)
{
    struct autoindex *a = arena_zalloc(&x->arena, sizeof(*a));

    a->style = (struct listing_style){ .format = (enum listing_format)own->format,
                                       .exact_size = own->switches.exact_size,
                                       .local_time = own->local_time };
    if (a->style.format == LISTING_JSONP)
        variable_value(x, span_of("arg_callback"), &a->style.callback);
    if (!is_callback(a->style.callback)) {
        close(fd);
        return exchange_refuse(x, 400, "client sent invalid callback name");
    }
    a->folder = fdopendir(fd);
    if (a->folder == NULL) {
        close(fd);
        return exchange_refuse(x, 500, "fdopendir() failed");
    }
    a->source = (struct source){ .ops = &autoindex_ops, .x = x };
    buf_init(&a->names, MOST_HELD, &x->worker->budget);
    buf_init(&a->places, MOST_PLACES, &x->worker->budget);
    buf_init(&a->out, LONGEST_PART, &x->worker->budget);
    listing_begin(&a->style, x->request.uri, &a->out);
    exchange_source(x, &a->source);
    x->response.status = 200;
    x->response.length = LENGTH_UNKNOWN;
    response_add(x, "Content-Type", span_of(listing_type(&a->style)));
    return ANSWER;
}

static enum verdict forbid(struct exchange *x, const struct file_settings *files)
{
    struct span name = root_file(x, &files->root, root_tail(x, &files->root, x->request.uri));

    if (trace_of(x) != NULL) {
        file_tell(x, files, EISDIR);
        trace_why(x, "a folder, and no index is there");
    }
    exchange_log(x, LEVEL_ERROR, 0, "directory index of \"%s\" is forbidden", name.at);
    return exchange_refuse(x, 403, NULL);
}

/* No index answered: the folder is there, and this is the last that can be done with it. */
static enum verdict on_content(struct exchange *x, const void *settings)
{
    const struct autoindex_settings *own = settings;
    const struct file_settings *files;
    enum method method = x->request.method_id;

    if (exchange_is_forward(x) || !span_ends(x->request.uri, "/"))
        return NEXT;
    files = file_settings_of(x);
    if (!own->switches.on || (method != METHOD_GET && method != METHOD_HEAD))
        return forbid(x, files);
    int fd = file_open(x, files, x->request.uri, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (fd < 0)
        return file_refuse(x, files, -fd);
    file_tell(x, files, 0);
    return list(x, own, fd);
}

static const struct hook hooks[] = {
    { .phase = PHASE_CONTENT, .run = on_content },
    {},
};

const struct module autoindex_module = {
    .name = "autoindex",
    .directives = directives,
    .hooks = hooks,
    .settings_size = sizeof(struct autoindex_settings),
};
