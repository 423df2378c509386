/* The pid file, and the process that may have to remove it. */
#include "run/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool write_number(const char *path)
{
    char text[32];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0)
        return false;
    int len = snprintf(text, sizeof(text), "%d\n", getpid());
    bool good = write(fd, text, (size_t)len) == len;
    int error = errno;
    close(fd);
    errno = error;
    return good;
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

int pidfile_write(struct span path, struct pidfile *ret)
{
    *ret = (struct pidfile){ .leash = -1, .owner = getpid() };
    if (!span_to_cstr(path, sizeof(ret->path), ret->path))
        return -ENAMETOOLONG;
    if (write_number(ret->path))
        return 0;
    ret->path[0] = '\0';
    return -errno;
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
    *p = (struct pidfile){ .leash = -1 };
}
