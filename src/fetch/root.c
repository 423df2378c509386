/* Folders of static files, held open.
 *
 *     root /srv/$host;   /srv/ is held open, $host and the path are resolved beneath it
 *     alias /data/f;     /data/ is held open; what follows may only be "f", or "f/..."
 *
 * Whatever a request can influence is resolved beneath the folder that is written out, and `..` in
 * it cannot climb out of the value either: NGINX joins texts, and so lets `alias` escape. */
#include "fetch/root.h"

#include "base/os.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/location_line.h"
#include "exchange/worker.h"
#include "fetch/links.h"
#include "net/loop.h"
#include "proto/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_PATH = 4096 };

struct root_handle {
    int fd; /* -1: not open */
    dev_t device;
    ino_t inode;
    uint64_t looked;          /* in which turn of the loop */
    const char *path;         /* ended by a zero */
    struct root_handle *next; /* of the generation's */
};

/* --- reading a line ------------------------------------------------------------------------- */

static bool note_alias(struct conf_call *call, struct root *r)
{
    struct location_line line = {};

    location_line_read(call->block->node, &line); /* what is wrong there is said there */
    if (line.kind == LOCATION_NAMED)
        return conf_refuse(call, 0,
                           "the \"alias\" directive cannot be used inside the named location");
    r->kind = line.kind == LOCATION_EXPRESSION ? ROOT_WHOLE : ROOT_ALIAS;
    r->location = arena_copy(conf_arena(call), line.path);
    return true;
}

/* The longest start that ends with a slash and holds no variable. */
static struct span fixed_folder(const struct template *t)
{
    struct span fixed = span_first(t->text, span_find(t->text, '$'));

    while (fixed.len > 0 && fixed.at[fixed.len - 1] != '/')
        fixed.len--;
    return fixed.len > 0 ? fixed : span_of("/");
}

static bool names_a_root(struct span text)
{
    static const char *const names[] = { "$document_root", "${document_root}", "$realpath_root",
                                         "${realpath_root}" };

    for (size_t at = 0; at < text.len; at++)
        for (size_t i = 0; i < COUNT(names); i++)
            if (span_starts(span_from(text, at), names[i]))
                return true;
    return false;
}

static void hold(struct conf_call *call, struct root *r)
{
    struct generation *g = conf_user(call);

    r->handle = arena_zalloc(conf_arena(call), sizeof(*r->handle));
    r->handle->fd = -1;
    r->handle->path = arena_cstr(conf_arena(call), r->folder);
    r->handle->next = g->roots;
    g->roots = r->handle;
}

static bool set_root(struct conf_call *call, void *field)
{
    struct span text = conf_word(call, 1), name = conf_word(call, 0);
    bool alias = span_is(name, "alias");
    struct root *r = field;

    if (names_a_root(text))
        return conf_refuse(call, 1, "the root's own variables cannot be used in \"%s\"", name.at);
    *r = (struct root){ .prefix = conf_prefix_path(call, span_of("")),
                        .place = conf_place(call, 0) };
    if (alias && !note_alias(call, r))
        return false;
    if (!alias)
        (void)(text.len > 1 && span_chop(&text, '/'));
    if (!span_starts(text, "$"))
        text = conf_prefix_path(call, text);
    if (!template_compile_text(call, 1, text, &r->path))
        return false;
    r->folder = fixed_folder(&r->path);
    if (r->kind == ROOT_PLAIN && template_is_literal(&r->path)) {
        struct span whole = r->path.text;
        char *slashed = arena_alloc(conf_arena(call), whole.len + 1);

        memcpy(slashed, whole.at, whole.len);
        slashed[whole.len] = '/';
        r->folder = (struct span){ slashed, whole.len + 1 };
    }
    hold(call, r);
    return true;
}

const struct conf_type root_type = { .set = set_root, .size = sizeof(struct root) };

/* --- names ---------------------------------------------------------------------------------- */

static struct span joined(struct exchange *x, struct span a, struct span b)
{
    char *text = arena_alloc(&x->arena, a.len + b.len + 1);

    memcpy(text, a.at, a.len);
    if (b.len > 0)
        memcpy(text + a.len, b.at, b.len);
    text[a.len + b.len] = '\0';
    return (struct span){ text, a.len + b.len };
}

struct span root_path(struct exchange *x, const struct root *r)
{
    struct span path = template_value(x, &r->path);

    if (!span_starts(path, "/"))
        path = joined(x, r->prefix, path);
    return (struct span){ arena_cstr(&x->arena, path), path.len };
}

/* Of a note: the path that root_lead_to gave to a ROOT_WHOLE; it counts while it is x's path. */
static const char behind_key;

struct span root_tail(const struct exchange *x, const struct root *r, struct span uri)
{
    const struct span *behind;

    switch (r->kind) {
    case ROOT_PLAIN:
        return uri;
    case ROOT_ALIAS:
        return span_from(uri, r->location.len);
    case ROOT_WHOLE:
        behind = exchange_note(x, &behind_key);
        return behind != NULL && behind->at == uri.at ? uri : (struct span){ "", 0 };
    }
    return uri;
}

void root_lead_to(struct exchange *x, const struct root *r, struct span tail)
{
    struct span *behind;

    switch (r->kind) {
    case ROOT_PLAIN:
        x->request.uri = tail;
        return;
    case ROOT_ALIAS:
        x->request.uri = joined(x, r->location, tail);
        return;
    case ROOT_WHOLE:
        behind = arena_alloc(&x->arena, sizeof(*behind));
        *behind = arena_copy(&x->arena, tail);
        exchange_keep(x, &behind_key, behind);
        x->request.uri = *behind;
        return;
    }
}

struct span root_file(struct exchange *x, const struct root *r, struct span tail)
{
    return joined(x, root_path(x, r), tail);
}

/* --- opening -------------------------------------------------------------------------------- */

static int open_folder(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static void note_identity(struct root_handle *h)
{
    struct stat st;

    if (fstat(h->fd, &st) == 0) {
        h->device = st.st_dev;
        h->inode = st.st_ino;
    }
}

static void close_handle(struct root_handle *h)
{
    if (h->fd >= 0)
        close(h->fd);
    h->fd = -1;
}

/* A handle that still is what its path names: looked at once for all requests of a turn. */
static int current(struct exchange *x, struct root_handle *h)
{
    uint64_t now = x->worker->loop->turns;
    struct stat st;

    if (h->fd >= 0 && now == h->looked)
        return h->fd;
    h->looked = now;
    if (h->fd >= 0 && stat(h->path, &st) == 0 && st.st_dev == h->device && st.st_ino == h->inode)
        return h->fd;
    close_handle(h);
    int fd = open_folder(h->path);
    if (fd < 0)
        return fd;
    h->fd = fd;
    note_identity(h);
    return fd;
}

/* `..` is the business of the kernel below a folder that is held open; behind a value that is not,
 * nothing may climb back into it, and a name that has no slash is none of its files. */
static bool leads_out(const struct root *r, struct span value, struct span tail)
{
    if (r->kind == ROOT_PLAIN && !span_starts(tail, "/"))
        return true; /* NGINX would glue it to the folder's name */
    if (value.len == r->folder.len || (r->kind == ROOT_PLAIN && template_is_literal(&r->path)))
        return false;
    if (tail.len > 0 && !span_ends(value, "/") && !span_starts(tail, "/"))
        return true;
    return path_has_dots(tail) || (r->folder.len == 1 && path_has_dots(value));
}

/* Nothing in a path leads out. A symbolic link that its owner has put there may, as in NGINX. */
static int open_below(int folder, struct exchange *x, struct span path, int flags)
{
    while (span_starts(path, "/"))
        path = span_from(path, 1);
    const char *text = path.len > 0 ? arena_cstr(&x->arena, path) : ".";
    int fd = os_open_beneath(folder, text, flags);

    if (fd != -EXDEV)
        return fd;
    return path_has_dots(path) ? -ENOENT : os_open_in(folder, text, flags);
}

int root_open(struct exchange *x, const struct root *r, const struct root_links *links,
              struct span tail, int flags)
{
    bool plain = r->kind == ROOT_PLAIN && template_is_literal(&r->path);
    struct span value = plain ? r->path.text : root_path(x, r), rest = tail;

    if (value.len + tail.len >= LONGEST_PATH || span_find(tail, '\0') < tail.len ||
        span_find(value, '\0') < value.len)
        return -ENAMETOOLONG;
    if (leads_out(r, value, tail))
        return -ENOENT;
    if (links->rule != SYMLINKS_FOLLOWED)
        return links_open(x, links, joined(x, value, tail), flags);
    int folder = current(x, r->handle);
    if (folder < 0)
        return folder;
    if (!plain)
        rest = span_from(joined(x, value, tail), r->folder.len);
    return open_below(folder, x, rest, flags);
}

void roots_open(struct generation *g)
{
    for (struct root_handle *h = g->roots; h != NULL; h = h->next)
        if ((h->fd = open_folder(h->path)) >= 0)
            note_identity(h);
        else
            h->fd = -1;
}

void roots_close(struct generation *g)
{
    for (struct root_handle *h = g->roots; h != NULL; h = h->next)
        close_handle(h);
}
