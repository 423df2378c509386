/* Files of logs. A regular file is written as ever; a pipe or a terminal is never waited for. Owns
 * nothing: whoever opened it closes. */
#include "base/log_file.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLAGS = O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

/* --- opening -------------------------------------------------------------------------------- */

/* The mode of an inherited descriptor belongs to others, too: what could block is opened anew. A
 * regular file is not, since its position is shared with what the shell appends. */
static int open_own(int fd, const char *name, struct log_file *ret)
{
    struct stat st;
    int again = -1;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
        again = open(name, O_WRONLY | FLAGS);
    if (again >= 0) {
        *ret = (struct log_file){ .fd = again };
        return 0;
    }
    again = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* a socket, or not ours to open */
    if (again < 0)
        return -errno;
    bool waits = !S_ISREG(st.st_mode) && (fcntl(again, F_GETFL) & O_NONBLOCK) == 0;
    *ret = (struct log_file){ .fd = again, .may_block = waits };
    return 0;
}

static bool has_one_name(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_nlink == 1);
}

static int open_by_name(const char *path, int flags, struct log_file *ret)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);

    if (fd < 0 && errno == ENXIO)
        fd = open(path, O_RDWR | flags); /* a pipe that nobody reads yet: we hold both ends */
    if (fd < 0)
        return -errno;
    if ((flags & O_NOFOLLOW) != 0 && !has_one_name(fd)) {
        close(fd);
        return -EMLINK;
    }
    *ret = (struct log_file){ .fd = fd };
    return 0;
}

/* A name of a descriptor that we hold: the link in it is the kernel's. */
bool log_file_is_ours(const char *path)
{
    return strcmp(path, "stderr") == 0 || strcmp(path, "/dev/stderr") == 0 ||
           strcmp(path, "/dev/stdout") == 0 || strncmp(path, "/proc/self/fd/", 14) == 0 ||
           strncmp(path, "/dev/fd/", 8) == 0;
}

int log_file_open(const char *path, struct log_file *ret)
{
    bool careful = geteuid() == 0 && !log_file_is_ours(path);

    if (strcmp(path, "/dev/stdout") == 0)
        return open_own(STDOUT_FILENO, "/proc/self/fd/1", ret);
    if (strcmp(path, "/dev/stderr") == 0 || strcmp(path, "stderr") == 0)
        return open_own(STDERR_FILENO, "/proc/self/fd/2", ret);
    return open_by_name(path, FLAGS | (careful ? O_NOFOLLOW : 0), ret);
}

int log_file_open_beneath(const char *folder, const char *path, struct log_file *ret)
{
    struct stat st;
    int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (root < 0)
        return -errno;
    int fd = os_open_strictly(root, path, O_WRONLY | O_CREAT | FLAGS, 0644);
    close(root);
    if (fd < 0)
        return fd == -ENXIO ? -EPERM : fd; /* a pipe without a reader */
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -EPERM;
    }
    *ret = (struct log_file){ .fd = fd };
    return 0;
}

/* --- writing -------------------------------------------------------------------------------- */

/* A descriptor that was inherited may block: no more than there is room for is written. */
static bool has_room(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) != 0;
}

int log_file_write(const struct log_file *f, struct span text, size_t *ret_written)
{
    ssize_t sent;

    if (f->may_block && !has_room(f->fd))
        return -EAGAIN;
    do
        sent = write(f->fd, text.at, f->may_block && text.len > PIPE_BUF ? PIPE_BUF : text.len);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    *ret_written = (size_t)sent;
    return sent > 0 ? 0 : -EAGAIN;
}

void log_file_close(struct log_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
