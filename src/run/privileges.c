/* From root to an ordinary user, after everything that needs root is done. */
#include "run/privileges.h"

#include "base/buf.h"
#include "conf/settings.h"
#include "run/complaint.h"
#include "run/main_settings.h"
#include "run/manifest.h"
#include "run/sandbox/capabilities.h"

#include <errno.h>
#include <fcntl.h>
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

static bool complain_of_user(const struct generation *g, const char *call, struct span name,
                             int error, struct buf *messages)
{
    struct placed_path what = { name, main_settings_of(g)->user.place };

    return complain_of_call(g, &what, call, error, messages);
}

static bool find_owner(const struct generation *g, struct owner *ret, struct buf *messages)
{
    const struct main_user *asked = &main_settings_of(g)->user;
    char name[256];
    const struct passwd *user;
    const struct group *group;

    errno = 0;
    if (!span_to_cstr(asked->name, sizeof(name), name) || (user = getpwnam(name)) == NULL)
        return complain_of_user(g, "getpwnam", asked->name, errno ? errno : ENOENT, messages);
    *ret = (struct owner){ user->pw_uid, user->pw_gid };
    if (asked->group.len == 0)
        return true;
    if (!span_to_cstr(asked->group, sizeof(name), name) || (group = getgrnam(name)) == NULL)
        return complain_of_user(g, "getgrnam", asked->group, errno ? errno : ENOENT, messages);
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

/* Ours to make: below the prefix. */
static bool is_ours(struct span path, struct span prefix)
{
    return path.len > prefix.len && span_same(span_first(path, prefix.len), prefix);
}

static struct span folder_of(struct span file)
{
    while (file.len > 0 && file.at[file.len - 1] != '/')
        file.len--;
    return span_first(file, file.len > 1 ? file.len - 1 : 0);
}

/* The folder of a file; one that is not ours to make is missed when the file is opened. */
static bool make_folder_of(const struct generation *g, const struct placed_path *file,
                           struct span prefix, struct buf *messages)
{
    char path[LONGEST_PATH];

    if (!is_ours(file->path, prefix) || !span_to_cstr(folder_of(file->path), sizeof(path), path) ||
        path[0] == '\0')
        return true;
    int made = make_folder(path);
    return made >= 0 || complain_of_call(g, file, "mkdir", -made, messages);
}

/* By a descriptor: whoever may write to the folder around it could put another in its place. */
static int give_folder(const char *path, const struct owner *owner)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    bool good =
        fchmod(fd, 0700) == 0 && (geteuid() != 0 || fchown(fd, owner->user, owner->group) == 0);
    int failed = good ? 0 : -errno;
    close(fd);
    return failed;
}

static bool make_own(const struct generation *g, const struct placed_path *folder,
                     struct span prefix, const struct owner *owner, struct buf *messages)
{
    char path[LONGEST_PATH];

    if (!span_to_cstr(folder->path, sizeof(path), path))
        return complain_of_call(g, folder, "mkdir", ENAMETOOLONG, messages);
    int made = is_ours(folder->path, prefix) ? make_folder(path)
               : mkdir(path, 0700) == 0      ? 1
               : errno == EEXIST             ? 0
                                             : -errno;
    if (made < 0)
        return complain_of_call(g, folder, "mkdir", -made, messages);
    int failed = made > 0 ? give_folder(path, owner) : 0;
    return failed == 0 || complain_of_call(g, folder, "chown", -failed, messages);
}

bool privileges_make_folders(const struct generation *g, const struct folder_request *request,
                             struct buf *messages)
{
    const struct placed_path *folders = g->folders.items, *logs = g->logs.paths.items;
    struct placed_path standard = { .path = request->error_log };
    struct owner owner = { geteuid(), getegid() };
    bool good = geteuid() != 0 || find_owner(g, &owner, messages);

    good = good && make_folder_of(g, &standard, request->prefix, messages);
    if (request->pid)
        good = good && make_folder_of(g, &main_settings_of(g)->pid, request->prefix, messages);
    for (uint32_t i = 0; good && i < g->logs.paths.len; i++)
        good = make_folder_of(g, &logs[i], request->prefix, messages);
    for (uint32_t i = 0; good && i < g->folders.len; i++)
        good = make_own(g, &folders[i], request->prefix, &owner, messages);
    return good;
}

static bool find_ids(const struct manifest *m, struct owner *ret, struct buf *messages)
{
    const struct manifest_rights *asked = &m->head.rights;
    const struct passwd *user;
    const struct group *group;

    errno = 0;
    if ((user = getpwnam(asked->user)) == NULL)
        return complain_in(m, m->head.user_place, messages, "getpwnam(\"%s\") failed (%d: %s)",
                           asked->user, errno ? errno : ENOENT,
                           strerrordesc_np(errno ? errno : ENOENT));
    *ret = (struct owner){ user->pw_uid, user->pw_gid };
    if (asked->group[0] == '\0')
        return true;
    if ((group = getgrnam(asked->group)) == NULL)
        return complain_in(m, m->head.user_place, messages, "getgrnam(\"%s\") failed (%d: %s)",
                           asked->group, errno ? errno : ENOENT,
                           strerrordesc_np(errno ? errno : ENOENT));
    ret->group = group->gr_gid;
    return true;
}

static bool become(const struct manifest *m, struct buf *messages)
{
    const char *user = m->head.rights.user, *failed = NULL;
    struct owner owner = { .user = 0 };

    if (!find_ids(m, &owner, messages))
        return false;
    if (initgroups(user, owner.group) < 0)
        failed = "initgroups";
    else if (setgid(owner.group) < 0)
        failed = "setgid";
    else if (setuid(owner.user) < 0 || (owner.user != 0 && setuid(0) == 0))
        failed = "setuid";
    return failed == NULL ||
           complain_in(m, m->head.user_place, messages, "%s(\"%s\") failed (%d: %s)", failed, user,
                       errno, strerrordesc_np(errno));
}

bool privileges_drop(const struct manifest *m, struct buf *messages)
{
    struct rlimit no_core = { 0, 0 };
    int nice = m->head.rights.priority;

    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (nice != 0 && setpriority(PRIO_PROCESS, 0, nice) < 0)
        buf_addf(messages, "bifrons: [alert] setpriority(%d) failed (%d: %s)\n", nice, errno,
                 strerrordesc_np(errno));
    if (geteuid() != 0)
        return true;
    if (m->head.rights.sandbox)
        capabilities_limit(); /* by root alone, so before it is an ordinary user */
    return become(m, messages);
}

uint64_t privileges_raise_descriptors(const struct manifest_rights *rights, struct buf *messages)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    if (rights->descriptors > 0) {
        struct rlimit asked = { rights->descriptors, rights->descriptors > limit.rlim_max
                                                         ? rights->descriptors
                                                         : limit.rlim_max };

        if (setrlimit(RLIMIT_NOFILE, &asked) == 0)
            return rights->descriptors;
        buf_addf(messages, "bifrons: [alert] setrlimit(RLIMIT_NOFILE, %llu) failed (%d: %s)\n",
                 (unsigned long long)rights->descriptors, errno, strerrordesc_np(errno));
        return limit.rlim_cur;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

void privileges_choose_cpus(const struct manifest *m, unsigned slot)
{
    uint32_t count = m->head.cpu_sets;

    if (count > 0) /* one that does not exist here is no reason not to serve */
        sched_setaffinity(0, sizeof(cpu_set_t), &m->cpu_sets[slot < count ? slot : count - 1]);
}
