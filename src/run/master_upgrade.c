/* Another binary in place of ours, while we serve (USR2), as NGINX:
 *
 *     pid file -> .oldbin, exec with the words that we were started with; $BIFRONS names the
 * sockets both serve; then QUIT to us ends the old one, or QUIT to it (it ends by itself, too) all
 * goes back
 */
#include "base/buf.h"
#include "base/errlog.h"
#include "run/inherit.h"
#include "run/master.h"
#include "run/options.h"
#include "run/pidfile.h"
#include "run/supply.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_SOCKETS_TEXT = 1024 * 1024 };

/* Our environment, and one more; `BIFRONS` of before is left out. */
static char **environment_with(char *added)
{
    size_t count = 0, kept = 0;

    while (environ[count] != NULL)
        count++;
    char **all = calloc(count + 2, sizeof(*all));
    if (all == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "BIFRONS=", 8) != 0)
            all[kept++] = environ[i];
    all[kept] = added;
    return all;
}

__attribute__((noreturn)) static void become(const struct master *m, char *sockets)
{
    char *const *arguments = m->options->arguments;
    sigset_t none;

    for (unsigned i = 0; i < m->supply->sockets.count; i++)
        fcntl(m->supply->sockets.at[i]->fd, F_SETFD, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(m->options->binary, arguments, environment_with(sockets));
    _exit(1);
}

/* With, or back from, the name of one that leaves. */
static void move_pidfile(struct master *m, bool leaving)
{
    char path[sizeof(m->pidfile.path) + 8];
    const char *own = m->supply->manifest->head.pid;

    snprintf(path, sizeof(path), "%s%s", own, leaving ? ".oldbin" : "");
    if (!pidfile_move(&m->pidfile, path))
        master_log(m, LEVEL_ALERT, errno, "rename() %s to %s failed", m->pidfile.path, path);
}

void upgrade_begin(struct master *m)
{
    struct buf sockets;

    if (m->upgrade.pid != 0) {
        master_log(m, LEVEL_ALERT, 0,
                   "the changing binary signal is ignored: you should shutdown or terminate before "
                   "either old or new binary's process");
        return;
    }
    buf_init(&sockets, MOST_SOCKETS_TEXT, NULL);
    inherit_write(m->supply, &sockets);
    move_pidfile(m, true);
    pid_t pid = buf_ok(&sockets) ? fork() : -1;
    if (pid == 0)
        become(m, sockets.data);
    buf_done(&sockets);
    if (pid < 0) {
        master_log(m, LEVEL_ALERT, errno, "the new binary cannot be started");
        move_pidfile(m, false);
        return;
    }
    m->upgrade.pid = pid;
    master_log(m, LEVEL_NOTICE, 0, "start new binary process %d", (int)pid);
}

void upgrade_ended(struct master *m, int status)
{
    if (WIFSIGNALED(status))
        master_log(m, LEVEL_ALERT, 0, "new binary process %d exited on signal %d",
                   (int)m->upgrade.pid, WTERMSIG(status));
    else
        master_log(m, WEXITSTATUS(status) != 0 ? LEVEL_ALERT : LEVEL_NOTICE, 0,
                   "new binary process %d exited with code %d", (int)m->upgrade.pid,
                   WEXITSTATUS(status));
    m->upgrade.pid = 0;
    move_pidfile(m, false);
    upgrade_rest(m, false); /* nobody else serves any more */
}

void upgrade_rest(struct master *m, bool rest)
{
    if (m->upgrade.resting == rest)
        return;
    m->upgrade.resting = rest;
    if (rest)
        children_end(m, true);
}
