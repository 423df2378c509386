/* Landlock by raw system calls: the C library has none. What the kernel can do is its ABI number,
 * which is asked for first. Owns the descriptor of the rules until they are entered. */
#include "run/sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LONGEST_PATH = 1024 };

/* What later ABIs brought; a kernel refuses what it does not know. */
#define TRUNCATE (1ULL << 14)     /* 3 */
#define IOCTL_DEVICE (1ULL << 15) /* 5 */
#define SCOPE_SIGNAL (1ULL << 1)  /* 6 */

#define IN_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)
#define TO_LOG (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)
#define TO_WRITE                                                                        \
    (TO_LOG | TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER)
#define NEVER                                                                                     \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |   \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | \
     IOCTL_DEVICE)

struct attributes { /* the headers of this system may know less than its kernel */
    uint64_t files, network, scope;
};

static uint64_t rights_of_abi(long abi)
{
    uint64_t rights = TO_WRITE | NEVER;

    if (abi < 2)
        rights &= ~(uint64_t)LANDLOCK_ACCESS_FS_REFER;
    if (abi < 3)
        rights &= ~(uint64_t)TRUNCATE;
    if (abi < 5)
        rights &= ~(uint64_t)IOCTL_DEVICE;
    return rights;
}

static size_t size_of_abi(long abi)
{
    return abi < 4   ? offsetof(struct attributes, network)
           : abi < 6 ? offsetof(struct attributes, scope)
                     : sizeof(struct attributes);
}

int landlock_open(struct landlock *l)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi < 0)
        return -errno;
    struct attributes a = { .files = rights_of_abi(abi), .scope = abi < 6 ? 0 : SCOPE_SIGNAL };
    long fd = syscall(SYS_landlock_create_ruleset, &a, size_of_abi(abi), 0);

    if (fd < 0)
        return -errno;
    *l = (struct landlock){ (int)fd, a.files };
    return 0;
}

static int allow(struct landlock *l, int fd, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = rights & l->handled,
                                               .parent_fd = fd };
    long failed = syscall(SYS_landlock_add_rule, l->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);

    if (failed < 0 && errno != EBADFD) /* a pipe of the shell: no rule is asked for it */
        return -errno;
    return 0;
}

static int allow_path(struct landlock *l, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return 0;
    int failed = allow(l, fd, rights);
    close(fd);
    return failed;
}

int landlock_let_write(struct landlock *l, const char *folder)
{
    return allow_path(l, folder, TO_WRITE);
}

static int allow_folder_of(struct landlock *l, const char *file)
{
    char folder[LONGEST_PATH];
    const char *slash = strrchr(file, '/');

    if (slash == NULL || slash - file >= LONGEST_PATH - 1)
        return 0;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - file) + 1, file); /* the root is `/` */
    return allow_path(l, folder, TO_LOG);
}

/* The folder in which the file really is, should its name be a link. */
static int allow_real_folder(struct landlock *l, int fd)
{
    char link[32], real[LONGEST_PATH];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, real, sizeof(real) - 1);
    if (len < 0)
        return 0;
    real[len] = '\0';
    return allow_folder_of(l, real);
}

int landlock_let_log(struct landlock *l, const char *file)
{
    int fd = open(file, O_PATH | O_CLOEXEC);
    struct stat st = { .st_mode = S_IFREG };
    int failed = 0;

    if (fd < 0)
        return allow_folder_of(l, file);
    fstat(fd, &st);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        failed = allow(l, fd, IN_FILE);
    if (failed == 0 && !S_ISCHR(st.st_mode))
        failed = allow_real_folder(l, fd);
    close(fd);
    return failed;
}

int landlock_enter(struct landlock *l)
{
    int failed = syscall(SYS_landlock_restrict_self, l->fd, 0) < 0 ? -errno : 0;

    close(l->fd);
    l->fd = -1;
    return failed;
}
