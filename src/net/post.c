/* Posts from other threads: a stack that they push onto, and an eventfd that wakes the loop when it
 * was empty. */
#include "net/post.h"

#include "base/link.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct post *in_order(struct post *newest)
{
    struct post *oldest = NULL;

    while (newest != NULL) {
        struct post *p = newest;

        newest = p->next;
        p->next = oldest;
        oldest = p;
    }
    return oldest;
}

static void on_event(struct sock *s)
{
    struct postbox *b = CONTAINER(s, struct postbox, sock);
    uint64_t times;

    if (read(s->fd, &times, sizeof(times)) < 0)
        return; /* there was none: the edge of an older one */
    struct post *p = in_order(__atomic_exchange_n(&b->first, NULL, __ATOMIC_ACQUIRE));
    while (p != NULL) {
        struct post *next = p->next; /* the call may end it */

        p->fn(p);
        p = next;
    }
}

int postbox_open(struct postbox *b, struct loop *l)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    *b = (struct postbox){ .first = NULL };
    int failed = sock_open(l, &b->sock, fd, SOCK_KIND_EVENT);
    b->sock.on[SIDE_READ].fn = on_event;
    return failed;
}

static void on_closed(struct sock *s)
{
    (void)s;
}

void postbox_close(struct postbox *b)
{
    sock_close(&b->sock, false, on_closed);
}

void loop_post(struct postbox *b, struct post *p)
{
    uint64_t one = 1;
    struct post *before = __atomic_load_n(&b->first, __ATOMIC_RELAXED);

    do
        p->next = before;
    while (!__atomic_compare_exchange_n(&b->first, &before, p, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
    if (before == NULL && write(b->sock.fd, &one, sizeof(one)) < 0)
        return; /* it is full of events that nobody has seen yet */
}
