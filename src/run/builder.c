/* A thread that builds a generation. It touches nothing but the bundle and what it makes; the loop
 * hears of its end by an eventfd. */
#include "run/builder.h"

#include "base/link.h"
#include "run/generation_build.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MOST_MESSAGES = 64 * 1024, GIVES_WAY = 10 };

static void *build(void *arg)
{
    struct builder *b = arg;
    uint64_t one = 1;

    if (nice(GIVES_WAY) < 0) /* of this thread alone, on Linux: the loop goes first */
        errno = 0;
    b->result = generation_build(b->bundle, &b->messages);
    while (write(b->done.fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
    return NULL;
}

static void on_readable(struct sock *s)
{
    struct builder *b = CONTAINER(s, struct builder, done);
    uint64_t count;

    if (read(s->fd, &count, sizeof(count)) < 0 || b->bundle < 0)
        return;
    pthread_join(b->thread, NULL);
    close(b->bundle);
    b->bundle = -1;
    struct buf messages = b->messages; /* on_done may start the next one */
    b->on_done(b, b->result, &messages);
    buf_done(&messages);
}

int builder_open(struct builder *b, struct loop *l,
                 void (*on_done)(struct builder *b, struct generation *g, struct buf *messages))
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    b->bundle = -1;
    b->on_done = on_done;
    int failed = sock_open(l, &b->done, fd, SOCK_KIND_EVENT);
    b->done.on[SIDE_READ].fn = on_readable;
    return failed;
}

int builder_start(struct builder *b, int bundle)
{
    sigset_t all, before;

    b->bundle = bundle;
    buf_init(&b->messages, MOST_MESSAGES, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&b->thread, NULL, build, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        return 0;
    buf_done(&b->messages);
    close(b->bundle);
    b->bundle = -1;
    return -failed;
}

static void on_closed(struct sock *s)
{
    (void)s;
}

void builder_close(struct builder *b)
{
    sock_close(&b->done, false, on_closed);
}
