#ifndef BASE_OS_H
#define BASE_OS_H

#include "base/span.h"

#include <sys/types.h>

/* System calls that the C library has no good form for. All return a descriptor or count, or
 * -errno. */

/* Opens `path` under `root` so that nothing in it, no `..` and no symbolic link, leads out of there
 * (openat2, RESOLVE_BENEATH). Where the kernel lacks the call: -ENOSYS. */
int os_open_beneath(int root, const char *path, int flags);
/* The same, and no symbolic link is followed at all; `mode` is that of a file which O_CREAT
 * makes. */
int os_open_strictly(int root, const char *path, int flags, mode_t mode);
/* Like os_open_beneath, but absolute symbolic links and `..` may lead anywhere: NGINX's meaning of
 * a root. */
int os_open_in(int root, const char *path, int flags);
/* A file of `folder` without a name, mode 0600: gone when closed. */
int os_temp_file(const char *folder);
/* An empty memory file; sealed, it can never change again. 0 or -errno. */
int os_memory_file(const char *name);
int os_memory_seal(int fd);
bool os_memory_is_sealed(int fd);
/* All of it is written. 0 or -errno. */
int os_write_whole(int fd, struct span bytes);
/* A memory file that holds `bytes` and can never change again. */
int os_sealed_memory(const char *name, struct span bytes);
/* All of a file of at most `max` bytes (-EFBIG), as heap memory that the caller frees. A pipe is
 * refused (-ENOTSUP): it may never end. */
ssize_t os_read_file(const char *path, size_t max, char **ret_data);

/* A non-blocking pipe to splice through: of OS_PIPE_SIZE bytes, a third of the calls that the usual
 * 64 KiB need, or as small as pipes are made when the user's pipe pages are used up. 0 or -errno;
 * read end, write end. */
enum { OS_PIPE_SIZE = 256 << 10 };
int os_pipe(int ret_ends[2]);
void os_pipe_close(int ends[2]); /* afterwards both are -1 */

/* Zeroed memory in huge pages, where the system has them to give; NULL: refused. */
enum { OS_HUGE_PAGE = 2 << 20 };
void *os_huge_page(void);
void os_huge_page_free(void *page);

#endif
