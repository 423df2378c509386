/* Odd system calls, and files as whole things. Owns nothing. Descriptors are close-on-exec. */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int os_open_beneath(int root, const char *path, int flags)
{
    struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_BENEATH };
    long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

int os_open_strictly(int root, const char *path, int flags, mode_t mode)
{
    struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
                            .mode = (flags & O_CREAT) != 0 ? mode : 0,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

int os_open_in(int root, const char *path, int flags)
{
    int fd = openat(root, path, flags | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* File systems without O_TMPFILE get a name for a moment. */
int os_temp_file(const char *folder)
{
    char path[512];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR)
        return -errno;
    if ((size_t)snprintf(path, sizeof(path), "%s/XXXXXX", folder) >= sizeof(path))
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}

int os_write_whole(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = write(fd, bytes.at, bytes.len);

        if (sent < 0 && errno != EINTR)
            return -errno;
        if (sent > 0)
            bytes = span_from(bytes, (size_t)sent);
    }
    return 0;
}

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

int os_memory_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    return fd < 0 ? -errno : fd;
}

int os_memory_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

bool os_memory_is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & SEALS) == SEALS;
}

int os_sealed_memory(const char *name, struct span bytes)
{
    int fd = os_memory_file(name);

    if (fd < 0)
        return fd;
    int failed = os_write_whole(fd, bytes);
    if (failed == 0)
        failed = os_memory_seal(fd);
    if (failed == 0)
        return fd;
    close(fd);
    return failed;
}

/* The size is only a first guess: a file of /proc says 0, and a log grows while it is read. One
 * byte more than `max` is asked for: so a file that is too large differs from one that fits. */
static ssize_t read_open_file(int fd, size_t max, char **ret_data)
{
    struct stat st;
    size_t len = 0;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (S_ISFIFO(st.st_mode))
        return -ENOTSUP;
    size_t room = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096; /* files of /proc say 0 */
    char *data = NULL;
    for (;;) {
        room = room <= max + 1 ? room : max + 1;
        char *larger = len <= max ? realloc(data, room) : NULL;
        if (larger == NULL) {
            free(data);
            return -EFBIG;
        }
        data = larger;
        ssize_t got = read(fd, data + len, room - len);
        if (got < 0) {
            free(data);
            return -errno;
        }
        if (got == 0)
            break;
        len += (size_t)got;
        if (len == room)
            room *= 2;
    }
    *ret_data = data;
    return (ssize_t)len;
}

ssize_t os_read_file(const char *path, size_t max, char **ret_data)
{
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a pipe may have no writer */

    if (fd < 0)
        return -errno;
    ssize_t got = read_open_file(fd, max, ret_data);
    close(fd);
    return got;
}

/* Aligned, or the kernel would have none to give; what surrounds it goes back. */
void *os_huge_page(void)
{
    size_t around = (size_t)OS_HUGE_PAGE * 2;
    char *map = mmap(NULL, around, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED)
        return NULL;
    size_t before = (size_t) - (uintptr_t)map % OS_HUGE_PAGE;
    if (before > 0)
        munmap(map, before);
    munmap(map + before + OS_HUGE_PAGE, around - before - OS_HUGE_PAGE);
    madvise(map + before, OS_HUGE_PAGE, MADV_HUGEPAGE);
    return map + before;
}

void os_huge_page_free(void *page)
{
    munmap(page, OS_HUGE_PAGE);
}

int os_pipe(int ret_ends[2])
{
    if (pipe2(ret_ends, O_NONBLOCK | O_CLOEXEC) < 0) {
        ret_ends[0] = ret_ends[1] = -1;
        return -errno;
    }
    fcntl(ret_ends[1], F_SETPIPE_SZ, OS_PIPE_SIZE);
    return 0;
}

void os_pipe_close(int ends[2])
{
    if (ends[0] < 0)
        return;
    close(ends[0]);
    close(ends[1]);
    ends[0] = ends[1] = -1;
}
