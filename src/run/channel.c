/* Frames over a socket pair. Owns nothing: descriptors are the caller's.
 *
 * SOCK_SEQPACKET keeps frames apart and in order, so there is nothing to put together, and a frame
 * of another size is none of ours. The other side may be a worker that a peer has taken over: what
 * it sends is checked for size, kind and number of descriptors before anybody looks into it. */
#include "run/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int channel_open(int ret_ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_ends) < 0
               ? -errno
               : 0;
}

int channel_send(int channel, const struct frame *f, const int *fds)
{
    union {
        char bytes[CMSG_SPACE(FRAME_MOST * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = { (void *)(uintptr_t)f, sizeof(*f) };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t sent;

    if (f->count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(f->count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(f->count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, f->count * sizeof(int));
    }
    do
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* All that came, also more than there should be. */
static uint32_t take_descriptors(struct msghdr *message, int ret_fds[FRAME_MOST])
{
    uint32_t count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || n > FRAME_MOST - count)
            continue;
        memcpy(ret_fds + count, CMSG_DATA(c), n * sizeof(int));
        count += (uint32_t)n;
    }
    return count;
}

int channel_receive(int channel, struct frame *ret, int ret_fds[FRAME_MOST])
{
    union {
        char bytes[CMSG_SPACE(FRAME_MOST * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = { ret, sizeof(*ret) };
    struct msghdr message = { .msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control) };
    ssize_t got;

    do
        got = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got < 0 && errno != ECONNRESET ? -errno : -EPIPE;
    uint32_t count = take_descriptors(&message, ret_fds);
    if (got == sizeof(*ret) && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
        ret->count == count && ret->kind >= FRAME_SEED && ret->kind <= FRAME_FAILED)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        close(ret_fds[i]);
    return -EPROTO;
}

/* As many frames as are needed, FRAME_MOST descriptors in each. */
static int send_list(int channel, enum frame_kind kind, const struct order_list *l)
{
    int failed = 0;

    for (uint32_t i = 0; failed == 0 && i < l->count;) {
        struct frame f = { .kind = kind };
        uint32_t n = l->count - i < FRAME_MOST ? l->count - i : FRAME_MOST;

        f.count = n;
        memcpy(f.items, l->items + i, n * sizeof(*f.items));
        failed = channel_send(channel, &f, l->fds + i);
        i += n;
    }
    return failed;
}

int channel_send_logs(int channel, const struct order *o)
{
    struct frame done = { .kind = FRAME_REOPEN };
    int failed = send_list(channel, FRAME_LOGS, &o->logs);

    return failed == 0 ? channel_send(channel, &done, NULL) : failed;
}

/* BUNDLE comes last: it is what sets the worker going. */
int channel_send_order(int channel, const struct order *o)
{
    struct frame seed = { .kind = FRAME_SEED,
                          .serial = (uint64_t)o->place << 32 | o->slot,
                          .seed = o->seed };
    struct frame bundle = { .kind = FRAME_BUNDLE, .count = 1, .serial = o->serial };

    int failed = channel_send(channel, &seed, NULL);
    explicit_bzero(&seed, sizeof(seed));
    if (failed == 0)
        failed = send_list(channel, FRAME_SOCKETS, &o->sockets);
    if (failed == 0)
        failed = send_list(channel, FRAME_LOGS, &o->logs);
    if (failed == 0)
        failed = send_list(channel, FRAME_ZONES, &o->zones);
    return failed == 0 ? channel_send(channel, &bundle, &o->bundle) : failed;
}

static void take_list(const struct frame *f, const int *fds, struct order_list *l)
{
    for (uint32_t i = 0; i < f->count; i++)
        order_list_add(l, f->items[i], fds[i]);
}

bool channel_take(const struct frame *f, const int *fds, struct order *o)
{
    switch ((enum frame_kind)f->kind) {
    case FRAME_SEED:
        o->seed = f->seed;
        o->slot = (uint32_t)f->serial;
        o->place = (uint32_t)(f->serial >> 32);
        return f->count == 0;
    case FRAME_SOCKETS:
        take_list(f, fds, &o->sockets);
        return true;
    case FRAME_LOGS:
        take_list(f, fds, &o->logs);
        return true;
    case FRAME_ZONES:
        take_list(f, fds, &o->zones);
        return true;
    case FRAME_BUNDLE:
        o->bundle = f->count == 1 ? fds[0] : -1;
        o->serial = f->serial;
        return f->count == 1;
    case FRAME_REOPEN:
    case FRAME_QUIT:
    case FRAME_STOP:
    case FRAME_READY:
    case FRAME_FAILED:
        break;
    }
    return false;
}
