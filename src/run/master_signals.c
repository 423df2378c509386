/* What signals ask the master for, as NGINX (nginx-semantics 2): QUIT ends when what runs has come
 * to its end, TERM and INT end at once, HUP takes a new configuration, USR1 opens the logs anew,
 * USR2 starts a new binary, WINCH sends the workers away. */
#include "base/errlog.h"
#include "base/span.h"
#include "run/master.h"
#include "run/supply.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int ours[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD };

int master_signals_open(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < COUNT(ours); i++)
        sigaddset(&set, ours[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static void say(const struct master *m, const struct signalfd_siginfo *s, const char *effect)
{
    int number = (int)s->ssi_signo;

    master_log(m, LEVEL_NOTICE, 0, "signal %d (SIG%s) received%s", number, sigabbrev_np(number),
               effect);
}

static void reopen_logs(struct master *m)
{
    master_log(m, LEVEL_NOTICE, 0, "reopening logs");
    supply_reopen_logs(m->supply, m->logs.main);
    supply_open_errors(m->supply, &m->logs);
    children_send_logs(m);
}

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* One that leaves by WINCH comes back by HUP, as it was. */
static void reconfigure(struct master *m)
{
    bool rested = m->upgrade.resting;

    upgrade_rest(m, false);
    if (!rested || m->upgrade.pid == 0)
        master_reload(m, NULL, NULL);
}

/* The size of a terminal's window is no reason to stop serving. */
static void rest(struct master *m, const struct signalfd_siginfo *s)
{
    if (has_terminal()) {
        say(m, s, ", ignored: there is a terminal");
        return;
    }
    say(m, s, ", shutting down workers");
    upgrade_rest(m, true);
}

static void obey(struct master *m, const struct signalfd_siginfo *s)
{
    switch (s->ssi_signo) {
    case SIGCHLD:
        children_bury(m);
        break;
    case SIGHUP:
        say(m, s, ", reconfiguring");
        reconfigure(m);
        break;
    case SIGUSR1:
        say(m, s, ", reopening logs");
        reopen_logs(m);
        break;
    case SIGUSR2:
        say(m, s, ", changing binary");
        upgrade_begin(m);
        break;
    case SIGWINCH:
        rest(m, s);
        break;
    case SIGQUIT:
        say(m, s, ", shutting down");
        master_stop(m, MASTER_QUITS);
        break;
    default:
        say(m, s, ", exiting");
        master_stop(m, MASTER_STOPS);
    }
}

void master_signals_take(struct master *m)
{
    struct signalfd_siginfo s;

    while (read(m->signals, &s, sizeof(s)) == sizeof(s))
        obey(m, &s);
}
