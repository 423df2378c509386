/* Files of logs. A regular file is written as ever; a pipe or a terminal is never waited for. Owns
 * nothing: the sink closes. */
#include "log/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLAGS = O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

/* The mode of an inherited descriptor belongs to others, too: what could block is opened anew. A
 * regular file is not, since its position is shared with what the shell appends. */
static int open_own(int fd, const char *name)
{
    struct stat st;
    int again = -1;

    if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
        again = open(name, O_WRONLY | FLAGS);
    if (again < 0)
        again = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* a socket, or not ours to open */
    return again < 0 ? -errno : again;
}

int log_file_open(const char *path)
{
    if (strcmp(path, "/dev/stdout") == 0)
        return open_own(STDOUT_FILENO, "/proc/self/fd/1");
    if (strcmp(path, "/dev/stderr") == 0 || strcmp(path, "stderr") == 0)
        return open_own(STDERR_FILENO, "/proc/self/fd/2");
    int fd = open(path, O_WRONLY | O_CREAT | FLAGS, 0644);
    if (fd < 0 && errno == ENXIO)
        fd = open(path, O_RDWR | FLAGS); /* a pipe that nobody reads yet: we hold both ends */
    return fd < 0 ? -errno : fd;
}

/* A descriptor that was inherited may block: no more than there is room for is written. */
static int has_room(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) != 0;
}

int log_file_write(int fd, struct span text, size_t *ret_written)
{
    bool may_block = (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
    ssize_t sent;

    if (may_block && !has_room(fd))
        return -EAGAIN;
    do
        sent = write(fd, text.at, may_block && text.len > PIPE_BUF ? PIPE_BUF : text.len);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    *ret_written = (size_t)sent;
    return sent > 0 ? 0 : -EAGAIN;
}
