/* The pid file, and the process that may have to remove it. */
#include "run/pidfile.h"

#include "base/cursor.h"
#include "run/complaint.h"
#include "run/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Held for as long as the owner lives; other processes ask by is_locked. */
static bool lock(int fd)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

static bool is_locked(int fd)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

int pidfile_read(const char *path, pid_t *ret_pid)
{
    char text[32] = "";
    uint64_t number;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return -errno;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    bool locked = is_locked(fd);
    close(fd);
    struct cursor c = cursor_of((struct span){ text, len > 0 ? (size_t)len : 0 });
    if (!cursor_decimal(&c, INT_MAX, &number) || number == 0 ||
        (cursor_left(&c) > 0 && cursor_next(&c) != '\n'))
        return -EINVAL;
    *ret_pid = (pid_t)number;
    return locked ? 0 : -ESRCH;
}

/* A new file takes the place of the old one at once: nobody reads half a number. */
static int write_number(struct pidfile *p)
{
    char temporary[sizeof(p->path) + 16], text[32];
    int len = snprintf(text, sizeof(text), "%d\n", (int)p->owner);

    snprintf(temporary, sizeof(temporary), "%s.%d", p->path, (int)p->owner);
    p->lock = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (p->lock < 0)
        return -errno;
    if (fchmod(p->lock, 0644) < 0 || write(p->lock, text, (size_t)len) != len || !lock(p->lock) ||
        rename(temporary, p->path) < 0) {
        int failed = -errno;

        unlink(temporary);
        close(p->lock);
        p->lock = -1;
        return failed;
    }
    return 0;
}

/* Only if the file still is ours: another instance may have written its own. */
static void remove_if_ours(const char *path, pid_t owner)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    close(fd);
    char own[32];
    int own_len = snprintf(own, sizeof(own), "%d\n", owner);
    if (len == own_len && memcmp(text, own, (size_t)len) == 0)
        unlink(path);
}

static void keep(const char *path, pid_t owner, int leash)
{
    char byte;

    prctl(PR_SET_NAME, "bifrons-pidfile", 0, 0, 0);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (close_range(3, (unsigned)leash - 1, 0) == 0 &&
        close_range((unsigned)leash + 1, ~0u, 0) == 0)
        while (read(leash, &byte, 1) < 0 && errno == EINTR)
            continue;
    remove_if_ours(path, owner);
    _exit(0);
}

/* 0: it may be made; 1: none is wanted; -errno. */
static int look_at(const char *path)
{
    struct stat st;
    pid_t other;

    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return S_ISLNK(st.st_mode)   ? -ELOOP /* somebody else chose where it leads */
               : S_ISCHR(st.st_mode) ? 1      /* /dev/null */
                                     : -EINVAL;
    return pidfile_read(path, &other) == 0 ? -EBUSY : 0;
}

int pidfile_write(struct span path, struct pidfile *ret)
{
    *ret = (struct pidfile){ .leash = -1, .lock = -1, .owner = getpid() };
    if (!span_to_cstr(path, sizeof(ret->path), ret->path))
        return -ENAMETOOLONG;
    int failed = look_at(ret->path);
    if (failed == 0)
        failed = write_number(ret);
    if (failed != 0)
        ret->path[0] = '\0';
    return failed < 0 ? failed : 0;
}

void pidfile_complain(const struct manifest *m, int failed, struct buf *messages)
{
    const char *path = m->head.pid;

    if (failed == -EBUSY)
        complain_in(m, m->head.pid_place, messages, "\"%s\" belongs to a process that is running",
                    path);
    else
        complain_in(m, m->head.pid_place, messages, "open() \"%s\" failed (%d: %s)", path, -failed,
                    strerrordesc_np(-failed));
}

bool pidfile_move(struct pidfile *p, const char *path)
{
    if (p->path[0] == '\0')
        return true;
    if (rename(p->path, path) < 0)
        return false;
    snprintf(p->path, sizeof(p->path), "%s", path);
    return true;
}

int pidfile_guard(struct pidfile *p)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    if (ends[0] < 4) { /* the keeper closes from 3 on */
        int moved = fcntl(ends[0], F_DUPFD_CLOEXEC, 4);

        close(ends[0]);
        ends[0] = moved;
    }
    pid_t keeper = fork();
    if (keeper == 0) {
        close(ends[1]);
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        keep(p->path, p->owner, ends[0]);
    }
    int failed = keeper < 0 ? -errno : 0;
    close(ends[0]);
    if (failed < 0) {
        close(ends[1]);
        return failed;
    }
    p->leash = ends[1];
    p->keeper = keeper;
    return 0;
}

void pidfile_remove(struct pidfile *p)
{
    if (p->path[0] == '\0')
        return;
    if (p->leash < 0) {
        remove_if_ours(p->path, p->owner);
    } else {
        close(p->leash);
        while (waitpid(p->keeper, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (p->lock >= 0)
        close(p->lock);
    *p = (struct pidfile){ .leash = -1, .lock = -1 };
}
