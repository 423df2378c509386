/* The loop's backend on epoll: one registration for the life of a descriptor, edge-triggered.
 *
 *     EPOLLIN                 readable
 *     EPOLLOUT                writable
 *     EPOLLRDHUP              readable, and the peer sends no more
 *     EPOLLHUP, EPOLLERR      readable and writable: the next step meets the end or the error
 *
 * An event is only news: whether there is something is found out by the step that follows (sock.c
 * keeps the flags). Owns the epoll descriptor and the batch of events. */
#include "base/address.h"
#include "base/clock.h"
#include "base/link.h"
#include "net/block.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/loop_backend.h"
#include "net/must.h"
#include "net/sock.h"
#include "net/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { BATCH = 256, SECOND_MS = 1000 };

struct epoll {
    int fd; /* owned */
    struct epoll_event events[BATCH];
};

static unsigned flags_of(const struct sock *s, uint32_t events)
{
    unsigned came = 0;

    if (events & EPOLLIN)
        came |= SOCK_READABLE;
    if (events & EPOLLOUT)
        came |= SOCK_WRITABLE;
    if (events & EPOLLRDHUP)
        came |= SOCK_READABLE | SOCK_RDHUP;
    if (events & (EPOLLHUP | EPOLLERR))
        came |= SOCK_READABLE | SOCK_WRITABLE;
    /* a datagram socket lives on after an ICMP error */
    if (events & (EPOLLHUP | EPOLLERR) && !(s->flags & SOCK_DATAGRAM))
        came |= SOCK_RDHUP | SOCK_HUP;
    return came;
}

static int epoll_turn(struct loop *l, int timeout_ms)
{
    struct epoll *e = l->backend;
    int n = epoll_wait(e->fd, e->events, BATCH, timeout_ms);
    int error = n < 0 && errno != EINTR ? -errno : 0;

    loop_note_time(l, clock_monotonic_ms());
    for (int i = 0; i < n; i++) {
        struct sock *s = e->events[i].data.ptr;
        sock_event(s, flags_of(s, e->events[i].events));
    }
    return error;
}

static void epoll_done(struct loop *l)
{
    struct epoll *e = l->backend;

    close(e->fd);
    free(e);
    l->backend = NULL;
}

/* Nobody waits to write a datagram, and EPOLLOUT would come after each that left. */
static uint32_t events_of(const struct sock *s)
{
    if (s->flags & (SOCK_DATAGRAM | SOCK_LISTENING | SOCK_EVENT))
        return EPOLLIN | EPOLLET;
    return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
}

static int epoll_open(struct sock *s)
{
    struct epoll *e = s->loop->backend;
    struct epoll_event event = { .events = events_of(s), .data.ptr = s };

    if (epoll_ctl(e->fd, EPOLL_CTL_ADD, s->fd, &event) == 0)
        return 0;
    int error = -errno;
    close(s->fd);
    return error;
}

static void epoll_moved(struct sock *s)
{
    struct epoll *e = s->loop->backend;
    struct epoll_event event = { .events = events_of(s), .data.ptr = s };

    must(epoll_ctl(e->fd, EPOLL_CTL_MOD, s->fd, &event) == 0); /* it is registered, so it can be */
}

static void epoll_close(struct sock *s, bool reset)
{
    struct epoll *e = s->loop->backend;

    /* Others (the master) may hold these too: then close() would not end the registration. */
    if (s->flags & (SOCK_LISTENING | SOCK_EVENT))
        epoll_ctl(e->fd, EPOLL_CTL_DEL, s->fd, NULL);
    if (reset) {
        struct linger at_once = { .l_onoff = 1 };
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    close(s->fd);
}

static bool epoll_probe(struct sock *s)
{
    char byte;

    return recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static int epoll_accept(struct sock *s, struct address *ret_peer)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    int fd = accept4(s->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (size < sizeof(sa_family_t) || !address_of_sockaddr((struct sockaddr *)&from, ret_peer))
        *ret_peer = (struct address){ .family = AF_UNSPEC };
    return fd;
}

static enum io failed(struct sock *s, int error)
{
    s->error = error;
    return IO_FAILED;
}

static enum io epoll_recv(struct sock *s, struct lease *into)
{
    ssize_t n;

    do
        n = recv(s->fd, into->data, into->size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        into->size = (uint32_t)n;
        return IO_OK;
    }
    if (n == 0)
        return IO_EOF; /* of a datagram socket: an empty one came */
    return errno == EAGAIN ? IO_AGAIN : failed(s, errno);
}

/* One piece goes without the kernel's copy of a message head, which costs as much as its bytes. */
static ssize_t send_once(int fd, struct iovec *iov, int n)
{
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)n };

    if (n == 1)
        return send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static enum io epoll_send(struct sock *s, struct iovec *iov, int n, size_t *ret_taken)
{
    ssize_t sent;

    do
        sent = send_once(s->fd, iov, n);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        *ret_taken = (size_t)sent;
        return IO_OK;
    }
    if (errno == EAGAIN && !(s->flags & SOCK_DATAGRAM))
        return IO_AGAIN;
    return failed(s, errno);
}

static enum io epoll_connect(struct sock *s, const struct address *to)
{
    struct sockaddr_storage where;
    socklen_t size = address_to_sockaddr(to, &where);

    if (connect(s->fd, (struct sockaddr *)&where, size) == 0)
        return IO_OK;
    return errno == EINPROGRESS || errno == EINTR ? IO_AGAIN : failed(s, errno);
}

static enum io epoll_connect_end(struct sock *s)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    return error == 0 ? IO_OK : failed(s, error);
}

/* Of sendfile and splice: `at_end` is what no byte means. */
static enum io moved(struct sock *s, ssize_t n, enum io at_end, size_t *ret_taken)
{
    if (n > 0) {
        *ret_taken = (size_t)n;
        return IO_OK;
    }
    if (n == 0)
        return at_end;
    return errno == EAGAIN || errno == EINTR ? IO_AGAIN : failed(s, errno);
}

static enum io epoll_send_file(struct sock *s, int file, uint64_t at, size_t n, size_t *ret_taken)
{
    off_t from = (off_t)at;

    return moved(s, sendfile(s->fd, file, &from, n), IO_EOF, ret_taken);
}

static enum io epoll_splice_in(struct sock *from, int pipe_to, size_t n, size_t *ret_taken)
{
    ssize_t done = splice(from->fd, NULL, pipe_to, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    return moved(from, done, IO_EOF, ret_taken);
}

static enum io epoll_splice_out(struct sock *to, int pipe_from, size_t n, size_t *ret_taken)
{
    ssize_t done = splice(pipe_from, NULL, to->fd, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    return moved(to, done, IO_EOF, ret_taken);
}

static enum io epoll_shutdown_write(struct sock *s)
{
    return shutdown(s->fd, SHUT_WR) == 0 ? IO_OK : failed(s, errno);
}

static int epoll_local_address(struct sock *s, struct address *ret)
{
    struct sockaddr_storage here;
    socklen_t size = sizeof(here);

    if (getsockname(s->fd, (struct sockaddr *)&here, &size) != 0)
        return -errno;
    return address_of_sockaddr((struct sockaddr *)&here, ret) ? 0 : -EAFNOSUPPORT;
}

static int epoll_new_socket(struct loop *l, int family, enum sock_kind kind)
{
    int type = kind == SOCK_KIND_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    (void)l;
    if (fd < 0)
        return -errno;
    if (type == SOCK_STREAM && family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static int64_t epoll_wall_ms(struct loop *l)
{
    (void)l;
    return clock_wall_ms();
}

static const struct loop_ops epoll_ops = {
    .turn = epoll_turn,
    .done = epoll_done,
    .open = epoll_open,
    .moved = epoll_moved,
    .close = epoll_close,
    .probe = epoll_probe,
    .accept = epoll_accept,
    .recv = epoll_recv,
    .send = epoll_send,
    .connect = epoll_connect,
    .connect_end = epoll_connect_end,
    .send_file = epoll_send_file,
    .splice_in = epoll_splice_in,
    .splice_out = epoll_splice_out,
    .shutdown_write = epoll_shutdown_write,
    .local_address = epoll_local_address,
    .new_socket = epoll_new_socket,
    .wall_ms = epoll_wall_ms,
};

static void on_second(struct timer *t)
{
    struct loop *l = CONTAINER(t, struct loop, second);

    fibers_trim(&l->fibers);
    block_pool_trim(&l->blocks);
    timer_set(&l->wheel, &l->second, l->now + SECOND_MS);
}

int loop_init_epoll(struct loop *l, uint32_t max_fibers, struct budget *budget)
{
    uint64_t now = clock_monotonic_ms();
    struct epoll *e = calloc(1, sizeof(*e));

    if (e == NULL)
        return -ENOMEM;
    e->fd = epoll_create1(EPOLL_CLOEXEC);
    if (e->fd < 0) {
        int error = -errno;
        free(e);
        return error;
    }

    signal(SIGPIPE, SIG_IGN); /* sendfile and splice know no MSG_NOSIGNAL */
    loop_init(l, &epoll_ops, now);
    loop_limits(l, max_fibers, budget);
    l->backend = e;
    loop_note_time(l, now);
    l->second.on_time = on_second;
    timer_set(&l->wheel, &l->second, now + SECOND_MS);
    return 0;
}
