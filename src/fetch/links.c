/* `disable_symlinks` (nginx-semantics 6.5): who may be led by a symbolic link.
 *
 *     on             nobody: one openat2 with RESOLVE_NO_SYMLINKS
 *     if_not_owner   whoever owns both the link and what it leads to: folder by folder
 *
 * Each check is made on the descriptor that is used afterwards, so a link that is put there in the
 * meantime leads nowhere. Owns a descriptor for the folder it stands in. */
#include "fetch/links.h"

#include "base/arena.h"
#include "base/os.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/exchange.h"
#include "exchange/template.h"
#include "fetch/root.h"
#include "proto/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_SEGMENT = 255, LONGEST_LINK = 1023 };

/* disable_symlinks off | on [from=PART] | if_not_owner [from=PART] */
static bool set_links(struct conf_call *call, void *field)
{
    struct span word = conf_word(call, 1), from = conf_word(call, 2);
    struct root_links *links = field;

    if (span_is(word, "off") && conf_count(call) == 2)
        links->rule = SYMLINKS_FOLLOWED;
    else if (span_is(word, "on"))
        links->rule = SYMLINKS_REFUSED;
    else if (span_is(word, "if_not_owner"))
        links->rule = SYMLINKS_OF_OWNER;
    else
        return conf_refuse(call, 1, "invalid parameter \"%s\"", arena_cstr(conf_arena(call), word));
    if (conf_count(call) == 2)
        return true;
    if (!span_starts(from, "from=") || from.len == strlen("from="))
        return conf_refuse(call, 2, "invalid parameter \"%s\"", arena_cstr(conf_arena(call), from));
    return template_compile_text(call, 2, span_from(from, strlen("from=")), &links->from);
}

const struct conf_type links_type = { .set = set_links, .size = sizeof(struct root_links) };

/* `link` is open: what it leads to must be its owner's. Where that is, is read from the link
 * itself: its name may be another's by now. */
static int follow_own(int folder, int link, uid_t owner, int flags)
{
    char path[LONGEST_LINK + 1];
    ssize_t length = readlinkat(link, "", path, sizeof(path));
    struct stat target;

    if (length < 0 || length == sizeof(path))
        return length < 0 ? -errno : -ENAMETOOLONG;
    path[length] = '\0';
    int fd = os_open_in(folder, path, flags);
    if (fd < 0)
        return fd;
    if (fstat(fd, &target) == 0 && target.st_uid == owner)
        return fd;
    close(fd);
    return -ELOOP;
}

static int open_name(int folder, struct span name, int flags)
{
    char text[LONGEST_SEGMENT + 1];
    struct stat st;

    if (!span_to_cstr(name, sizeof(text), text))
        return -ENAMETOOLONG;
    int fd = os_open_in(folder, text, O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return fd;
    int opened = fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)
                     ? follow_own(folder, fd, st.st_uid, flags)
                     : os_open_in(folder, text, flags | O_NOFOLLOW);
    close(fd);
    return opened;
}

/* Takes `folder`. */
static int walk(int folder, struct span rest, int flags)
{
    struct span name;

    while (folder >= 0 && span_cut(rest, '/', &name, &rest)) {
        if (name.len == 0)
            continue;
        int inner = open_name(folder, name, O_PATH | O_DIRECTORY);
        close(folder);
        folder = inner;
    }
    if (folder < 0 || rest.len == 0)
        return folder;
    int fd = open_name(folder, rest, flags);
    close(folder);
    return fd;
}

/* How much of the path is beyond judgement. */
static size_t trusted(struct exchange *x, const struct root_links *links, struct span path)
{
    struct span from = template_value(x, &links->from);

    while (from.len > 1 && span_chop(&from, '/'))
        ;
    if (from.len == 0 || !span_same(span_first(path, from.len), from) ||
        (path.len > from.len && path.at[from.len] != '/'))
        return 1;
    return from.len;
}

int links_open(struct exchange *x, const struct root_links *links, struct span path, int flags)
{
    size_t known = trusted(x, links, path);
    struct span rest = span_from(path, known);

    if (path_has_dots(path))
        return -ENOENT; /* a name per folder, or the walk means nothing */
    while (span_starts(rest, "/"))
        rest = span_from(rest, 1);
    int folder =
        os_open_in(AT_FDCWD, arena_cstr(&x->arena, span_first(path, known)), O_PATH | O_DIRECTORY);
    if (folder < 0)
        return folder;
    if (links->rule == SYMLINKS_OF_OWNER && rest.len > 0)
        return walk(folder, rest, flags);
    int fd = os_open_strictly(folder, rest.len > 0 ? arena_cstr(&x->arena, rest) : ".", flags, 0);
    close(folder);
    return fd;
}
