/* How a role begins: the title says which one, the channel is descriptor 3, all others are closed,
 * and of the environment only what a library needs is left. */
#include "run/role.h"

#include "base/span.h"
#include "run/worker_role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CHANNEL = 3, MOST_KEPT = 16 };

/* As `ps` shows them; no user writes such a name. */
static const char *const titles[] = {
    [ROLE_MASTER] = "bifrons: master process",
    [ROLE_WORKER] = "bifrons: worker process",
};

/* The time zone, where libraries lie, and what a sanitizer or coverage is told. */
static const char *const kept_names[] = { "TZ=",           "LD_LIBRARY_PATH=", "OPENSSL_CONF=",
                                          "ASAN_OPTIONS=", "UBSAN_OPTIONS=",   "LSAN_OPTIONS=",
                                          "GCOV_PREFIX=",  "LD_PRELOAD=" };

static void keep_environment(char *ret[MOST_KEPT])
{
    size_t count = 0;

    for (char **e = environ; *e != NULL; e++)
        for (size_t i = 0; i < COUNT(kept_names) && count + 1 < MOST_KEPT; i++)
            if (strncmp(*e, kept_names[i], strlen(kept_names[i])) == 0)
                ret[count++] = *e;
    ret[count] = NULL;
}

__attribute__((noreturn)) static void become(enum role role, int channel)
{
    char *arguments[] = { (char *)(uintptr_t)titles[role], NULL };
    char *environment[MOST_KEPT];
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    keep_environment(environment);
    if (channel != CHANNEL && dup2(channel, CHANNEL) < 0)
        _exit(2);
    fcntl(CHANNEL, F_SETFD, 0);
    close_range(CHANNEL + 1, ~0u, 0);
    execve("/proc/self/exe", arguments, environment);
    _exit(2);
}

pid_t role_start(enum role role, int channel)
{
    pid_t pid = fork();

    if (pid == 0)
        become(role, channel);
    return pid < 0 ? -errno : pid;
}

bool role_run(int argc, char **argv, int *ret_code)
{
    if (argc != 1 || strcmp(argv[0], titles[ROLE_WORKER]) != 0)
        return false;
    fcntl(CHANNEL, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_NAME, "bifrons");
    *ret_code = worker_role(CHANNEL);
    return true;
}
