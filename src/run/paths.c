/* From the words of the command line to the file and the prefix that they mean. */
#include "run/paths.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "run/bundle.h"
#include "run/options.h"

#include <stdlib.h>
#include <unistd.h>

static const char default_file[] = "/etc/bifrons/bifrons.conf";

static struct span absolute(struct arena *arena, struct span path, struct span folder)
{
    struct buf made;

    buf_init(&made, 8192, NULL);
    if (!span_starts(path, "/"))
        buf_add(&made, folder);
    buf_add(&made, path);
    struct span kept = { arena_cstr(arena, buf_view(&made)), buf_view(&made).len };
    buf_done(&made);
    return kept;
}

static struct span with_slash(struct arena *arena, struct span path)
{
    struct buf made;

    buf_init(&made, 8192, NULL);
    buf_add(&made, path);
    if (!span_ends(path, "/"))
        buf_add_byte(&made, '/');
    struct span kept = { arena_cstr(arena, buf_view(&made)), buf_view(&made).len };
    buf_done(&made);
    return kept;
}

static struct span current_folder(struct arena *arena)
{
    char path[1024];

    if (getcwd(path, sizeof(path)) == NULL)
        return span_of("/");
    return with_slash(arena, arena_copy(arena, span_of(path)));
}

/* An ordinary user has a folder of state of his own. */
static struct span default_prefix(struct arena *arena)
{
    const char *home = getenv("HOME");

    if (geteuid() == 0 || home == NULL || home[0] != '/')
        return span_of("/var/lib/bifrons/");
    return absolute(arena, span_of(".local/state/bifrons/"), with_slash(arena, span_of(home)));
}

static struct bundle_request as_given(const struct options *o)
{
    struct span folder = current_folder(o->arena);
    struct bundle_request r = { .text = o->text,
                                .globals = o->globals,
                                .error_log = o->error_log,
                                .folders = o->quick ? FOLDERS_MADE : FOLDERS_AND_PID };

    r.prefix = o->prefix.len > 0 ? with_slash(o->arena, absolute(o->arena, o->prefix, folder))
                                 : default_prefix(o->arena);
    if (o->quick)
        r.file = o->file;
    else
        r.file = o->file.len > 0
                     ? absolute(o->arena, o->file, o->prefix.len > 0 ? r.prefix : folder)
                     : span_of(default_file);
    return r;
}

/* A file of that name below the prefix is meant by `-p P -c F`; one in the current folder is taken,
 * too. */
static void prefer_existing(const struct options *o, struct bundle_request *r)
{
    if (o->quick || o->file.len == 0 || o->prefix.len == 0 || access(r->file.at, F_OK) == 0)
        return;
    struct span other = absolute(o->arena, o->file, current_folder(o->arena));
    if (access(other.at, F_OK) == 0)
        r->file = other;
}

struct bundle_request paths_of(const struct options *o)
{
    struct bundle_request r = as_given(o);

    prefer_existing(o, &r);
    r.advice = o->task == TASK_TEST;
    return r;
}
