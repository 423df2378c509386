/* Folders of static files, held open. */
#include "fetch/root.h"

#include "base/os.h"

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
    const char *path;         /* NULL: made for each request */
    struct root_handle *next; /* of the generation's */
};

static bool set_root(struct conf_call *call, void *field)
{
    struct root *r = field;

    if (!template_compile_text(call, 1, conf_prefix_path(call, conf_word(call, 1)), &r->path))
        return false;
    r->place = conf_place(call, 0);
    r->handle = arena_zalloc(conf_arena(call), sizeof(*r->handle));
    r->handle->fd = -1;
    if (template_is_literal(&r->path))
        r->handle->path = arena_cstr(conf_arena(call), r->path.text);
    struct generation *g = conf_user(call);
    r->handle->next = g->roots;
    g->roots = r->handle;
    return true;
}

const struct conf_type root_type = { .set = set_root, .size = sizeof(struct root) };

struct span root_path(struct exchange *x, const struct root *r)
{
    struct span path = template_value(x, &r->path);

    return (struct span){ arena_cstr(&x->arena, path), path.len };
}

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
static int current(struct exchange *x, const struct root *r)
{
    struct root_handle *h = r->handle;
    uint64_t now = x->worker->loop->turns;
    struct stat st;

    if (h->fd >= 0 && now == h->looked)
        return h->fd;
    const char *path = root_path(x, r).at;
    h->looked = now;
    if (h->fd >= 0 && stat(path, &st) == 0 && st.st_dev == h->device && st.st_ino == h->inode)
        return h->fd;
    close_handle(h);
    int fd = open_folder(path);
    if (fd < 0)
        return fd;
    h->fd = fd;
    note_identity(h);
    return fd;
}

static bool climbs(const char *path)
{
    struct span rest = span_of(path), part;

    while (span_cut(rest, '/', &part, &rest))
        if (span_is(part, ".."))
            return true;
    return span_is(rest, "..");
}

/* Nothing in a path leads out. A symbolic link that its owner has put there may, as in NGINX. */
static int open_below(int folder, const char *path, int flags)
{
    int fd = os_open_beneath(folder, path, flags);

    return fd == -EXDEV && !climbs(path) ? os_open_in(folder, path, flags) : fd;
}

/* What a variable gives may not climb above the part that is written out. */
static int open_variable(struct exchange *x, const struct root *r)
{
    struct span path = root_path(x, r),
                fixed = span_first(r->path.text, span_find(r->path.text, '$'));

    while (fixed.len > 0 && fixed.at[fixed.len - 1] != '/')
        fixed.len--;
    return climbs(path.at + (fixed.len < path.len ? fixed.len : path.len)) ? -ENOENT
                                                                           : open_folder(path.at);
}

int root_open(struct exchange *x, const struct root *r, struct span uri, int flags)
{
    bool literal = template_is_literal(&r->path);
    int folder;

    while (span_starts(uri, "/"))
        uri = span_from(uri, 1);
    if (uri.len == 0)
        uri = span_of(".");
    if (uri.len >= LONGEST_PATH || span_find(uri, '\0') < uri.len)
        return -ENAMETOOLONG;
    folder = literal ? current(x, r) : open_variable(x, r);
    if (folder < 0)
        return folder;
    int fd = open_below(folder, arena_cstr(&x->arena, uri), flags);
    if (!literal)
        close(folder);
    return fd;
}

void roots_open(struct generation *g)
{
    for (struct root_handle *h = g->roots; h != NULL; h = h->next)
        if (h->path != NULL && (h->fd = open_folder(h->path)) >= 0)
            note_identity(h);
        else
            h->fd = -1;
}

void roots_close(struct generation *g)
{
    for (struct root_handle *h = g->roots; h != NULL; h = h->next)
        close_handle(h);
}
