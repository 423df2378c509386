/* Connecting, one candidate after the other, on a fiber:
 *
 *     may? --no--> next
 *      |
 *     connect ----failed, too slow, ourselves----> closed, next
 *      |
 *     open
 *
 * Owns the connection until it is handed over. The connection goes to exactly the address that was
 * asked for in `may`: nothing resolves in between. */
#include "net/dial.h"

#include <errno.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
enum { IP_BIND_ADDRESS_NO_PORT = 24 };
#endif

/* For `error`: the more a cause says of a host that is there, the more it matters. */
static unsigned weight(int error)
{
    if (error == ETIMEDOUT)
        return 3;
    if (error == ECONNREFUSED)
        return 2;
    return error != 0;
}

static void note(struct dial_result *result, int error)
{
    if (weight(error) >= weight(result->error))
        result->error = error;
}

static void on_closed(struct conn *c)
{
    wait_wake(c->user, WAKE_DONE);
}

/* Until the loop has let go of it: its memory is the next candidate's. */
static void drop(struct conn *c)
{
    struct wait w = { 0 };

    c->user = &w;
    conn_close(c, false, on_closed);
    fiber_shield(+1);
    fiber_wait(&w, TIMER_NEVER); /* the loop always closes */
    fiber_shield(-1);
    *c = (struct conn){ 0 };
}

/* The kernel must choose the port at connect, not at bind, or 64,511 connections would be all there
 * are. */
static int bind_source(int fd, const struct address *source)
{
    struct sockaddr_storage from;
    socklen_t size = address_to_sockaddr(source, &from);
    int yes = 1;

    if (source->port == 0)
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
    return bind(fd, (struct sockaddr *)&from, size) < 0 ? -errno : 0;
}

static int make(const struct dial *d, struct conn *c, const struct address *to)
{
    int fd = loop_new_socket(d->loop, to->family, SOCK_KIND_STREAM);

    if (fd < 0)
        return fd;
    int error = conn_open(c, d->loop, fd, to);
    if (error < 0)
        *c = (struct conn){ 0 };
    if (error < 0 || d->source == NULL || d->source->family != to->family)
        return error;
    error = bind_source(fd, d->source);
    if (error < 0)
        drop(c);
    return error;
}

static enum io connect_to(struct conn *c, const struct address *to, uint64_t deadline)
{
    enum io io = sock_connect_start(&c->sock, to);

    while (io == IO_AGAIN) {
        io = sock_wait(&c->sock, SIDE_WRITE, deadline);
        if (io == IO_OK)
            io = sock_connect_end(&c->sock);
    }
    return io;
}

/* TCP lets a socket open to itself, when an ephemeral port meets its own number (TUN-11). */
static bool is_itself(struct conn *c)
{
    return sock_local_address(&c->sock, &c->local) == 0 && address_same(&c->local, &c->peer);
}

/* IO_FAILED: the next one may be tried. */
static enum io try_candidate(const struct dial *d, struct conn *c, const struct address *to,
                             struct dial_result *result)
{
    uint64_t now = loop_now(d->loop);
    uint64_t own = d->each_ms < TIMER_NEVER - now ? now + d->each_ms : TIMER_NEVER;
    int error = make(d, c, to);

    result->tried++;
    result->address = *to;
    if (error < 0) {
        note(result, -error);
        return IO_FAILED;
    }
    enum io io = connect_to(c, to, own < d->deadline ? own : d->deadline);
    if (io == IO_OK && !is_itself(c))
        return IO_OK;

    if (io == IO_TIMEOUT)
        note(result, ETIMEDOUT);
    else if (io == IO_OK || io == IO_FAILED)
        note(result, io == IO_OK || c->sock.error == 0 ? ECONNREFUSED : c->sock.error);
    drop(c);
    if (io == IO_CANCELLED)
        return io;
    return io == IO_TIMEOUT && loop_now(d->loop) >= d->deadline ? IO_TIMEOUT : IO_FAILED;
}

enum io dial(const struct dial *d, struct conn *c, struct dial_result *ret)
{
    struct dial_result result = { 0 };
    enum io io = IO_FAILED;

    for (unsigned i = 0; i < d->count && io == IO_FAILED; i++) {
        const struct address *to = &d->candidates[i];

        if (d->may == NULL || d->may(d->arg, to))
            io = try_candidate(d, c, to, &result);
        else
            result.refused++;
    }
    if (io == IO_OK)
        result.error = 0;
    *ret = result;
    return io;
}
