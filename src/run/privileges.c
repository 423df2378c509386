/* From root to an ordinary user, after everything that needs root is done. */
#include "run/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_PATH = 1024 };

struct owner {
    uid_t user;
    gid_t group;
};

static bool complain(struct buf *messages, const char *what, struct span name, int error)
{
    buf_addf(messages, "bifrons: [emerg] %s(\"%.*s\") failed (%d: %s)\n", what, (int)name.len,
             name.at, error, strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
    return false;
}

static bool find_owner(const struct main_settings *s, struct owner *ret, struct buf *messages)
{
    char name[256];
    const struct passwd *user;
    const struct group *group;

    errno = 0;
    if (!span_to_cstr(s->user, sizeof(name), name) || (user = getpwnam(name)) == NULL)
        return complain(messages, "getpwnam", s->user, errno ? errno : ENOENT);
    *ret = (struct owner){ user->pw_uid, user->pw_gid };
    if (s->group.len == 0)
        return true;
    if (!span_to_cstr(s->group, sizeof(name), name) || (group = getgrnam(name)) == NULL)
        return complain(messages, "getgrnam", s->group, errno ? errno : ENOENT);
    ret->group = group->gr_gid;
    return true;
}

/* The folder and those above it. 1: made, 0: was there, -errno. */
static int make_folder(char *path)
{
    if (mkdir(path, 0755) == 0)
        return 1;
    if (errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return -errno;
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    return mkdir(path, 0755) == 0 ? 1 : errno == EEXIST ? 0 : -errno;
}

static bool make_folder_of(struct span file, struct buf *messages)
{
    char path[LONGEST_PATH];
    size_t folder = file.len;

    while (folder > 0 && file.at[folder - 1] != '/')
        folder--;
    if (folder <= 1 || !span_to_cstr(span_first(file, folder - 1), sizeof(path), path))
        return true;
    int made = make_folder(path);
    return made >= 0 || complain(messages, "mkdir", file, -made);
}

static bool make_temporary(struct span folder, const struct owner *owner, struct buf *messages)
{
    char path[LONGEST_PATH];

    if (!span_to_cstr(folder, sizeof(path), path))
        return complain(messages, "mkdir", folder, ENAMETOOLONG);
    int made = make_folder(path);
    if (made < 0)
        return complain(messages, "mkdir", folder, -made);
    if (made > 0 &&
        (chmod(path, 0700) < 0 || (geteuid() == 0 && chown(path, owner->user, owner->group) < 0)))
        return complain(messages, "chown", folder, errno);
    return true;
}

bool privileges_make_folders(const struct generation *g, struct span error_log, struct span pid,
                             struct buf *messages)
{
    const struct main_settings *s = main_settings_of(g);
    const struct span *folders = g->folders.items, *logs = g->log_paths.items;
    struct owner owner = { geteuid(), getegid() };
    bool good = geteuid() != 0 || find_owner(s, &owner, messages);

    good = good && (span_is(error_log, "stderr") || make_folder_of(error_log, messages));
    good = good && make_folder_of(pid, messages);
    for (uint32_t i = 0; good && i < g->log_paths.len; i++)
        good = make_folder_of(logs[i], messages);
    for (uint32_t i = 0; good && i < g->folders.len; i++)
        good = make_temporary(folders[i], &owner, messages);
    return good;
}

bool privileges_drop(const struct main_settings *s, struct buf *messages)
{
    struct rlimit no_core = { 0, 0 };
    struct owner owner;
    char name[256];

    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (geteuid() != 0)
        return true;
    if (!find_owner(s, &owner, messages) || !span_to_cstr(s->user, sizeof(name), name))
        return false;
    if (initgroups(name, owner.group) < 0)
        return complain(messages, "initgroups", s->user, errno);
    if (setgid(owner.group) < 0)
        return complain(messages, "setgid", s->group, errno);
    if (setuid(owner.user) < 0)
        return complain(messages, "setuid", s->user, errno);
    if (owner.user != 0 && setuid(0) == 0)
        return complain(messages, "setuid", s->user, EPERM);
    return true;
}

uint64_t privileges_raise_descriptors(const struct main_settings *s, struct buf *messages)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    if (s->rlimit_nofile > 0) {
        struct rlimit asked = { s->rlimit_nofile, s->rlimit_nofile > limit.rlim_max
                                                      ? s->rlimit_nofile
                                                      : limit.rlim_max };

        if (setrlimit(RLIMIT_NOFILE, &asked) == 0)
            return s->rlimit_nofile;
        buf_addf(messages, "bifrons: [alert] setrlimit(RLIMIT_NOFILE, %llu) failed (%d: %s)\n",
                 (unsigned long long)s->rlimit_nofile, errno, strerrordesc_np(errno));
        return limit.rlim_cur;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}
