/* Signals, handed to the loop. The handler may use nothing but a descriptor, which only a global
 * can tell it: the one kind of global that the run floor allows. */
#include "run/signals.h"

#include "base/span.h"
#include "net/block.h"
#include "net/io.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024 };

static int write_to = -1;

static void handle(int number)
{
    int before = errno;
    char byte = (char)number;

    if (write(write_to, &byte, 1) < 0)
        errno = before; /* a full socket already holds a signal to be seen */
    errno = before;
}

static void on_readable(struct sock *sock)
{
    struct signals *s = (struct signals *)sock;
    struct lease lease;

    while (sock_recv_start(sock, 64, &lease) == IO_OK) {
        for (uint32_t i = 0; i < lease.size; i++)
            s->on_signal(s, lease.data[i]);
        lease_done(&lease);
    }
}

static int use_own_stack(void)
{
    stack_t stack = { .ss_sp = malloc(STACK_SIZE), .ss_size = STACK_SIZE };

    if (stack.ss_sp == NULL)
        return -ENOMEM;
    return sigaltstack(&stack, NULL) < 0 ? -errno : 0;
}

int signals_start(struct signals *s, struct loop *l, void (*on_signal)(struct signals *, int),
                  void *arg)
{
    static const int caught[] = { SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP, SIGUSR2, SIGWINCH };
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK | SA_RESTART };
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    s->on_signal = on_signal;
    s->arg = arg;
    s->write_end = write_to = ends[1];
    int failed = sock_open(l, &s->sock, ends[0], SOCK_KIND_STREAM);
    if (failed == 0)
        failed = use_own_stack();
    if (failed < 0)
        return failed;
    s->sock.on[SIDE_READ].fn = on_readable;
    for (size_t i = 0; i < COUNT(caught); i++)
        sigaction(caught[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a failed write */
    return 0;
}

static void on_closed(struct sock *s)
{
    (void)s;
}

void signals_stop(struct signals *s)
{
    stack_t off = { .ss_flags = SS_DISABLE }, before = { 0 };

    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGWINCH, SIG_IGN);
    sock_close(&s->sock, false, on_closed);
    close(s->write_end);
    sigaltstack(NULL, &before);
    sigaltstack(&off, NULL);
    free(before.ss_sp);
}
