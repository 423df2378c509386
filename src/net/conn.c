/* A connection: layers on a socket, and the only place where a fiber waits for one.
 *
 *     conn_read, conn_write      on a fiber: step, wait, step again
 *     conn_read_start, ...       one step
 *          |
 *     top -> tls -> tcp -> sock  each layer asks the one below; AGAIN leaves `want` in the top one
 *
 * Owns the socket, the layers above tcp (through their `close`), and what was unread. */
#include "net/conn.h"

#include "base/link.h"
#include "net/fiber.h"
#include "net/loop.h"
#include "net/must.h"
#include "net/timer.h"

#include <errno.h>

int conn_open(struct conn *c, struct loop *l, int fd, const struct address *peer)
{
    c->tcp = (struct layer){ .ops = &tcp_transport };
    c->top = &c->tcp;
    c->peer = peer != NULL ? *peer : (struct address){ .family = AF_UNSPEC };

    int error = sock_open(l, &c->sock, fd, SOCK_KIND_STREAM);
    if (error != 0)
        return error;
    if (sock_local_address(&c->sock, &c->local) != 0)
        c->local = (struct address){ .family = AF_UNSPEC };
    return 0;
}

void conn_move(struct conn *from, struct conn *to)
{
    struct layer *above = from->top;

    *to = *from;
    while (above != &from->tcp && above->below != &from->tcp)
        above = above->below;
    if (above == &from->tcp)
        to->top = &to->tcp;
    else
        above->below = &to->tcp;
    sock_move(&from->sock, &to->sock);
    *from = (struct conn){ 0 };
}

struct conn *conn_of_sock(struct sock *s)
{
    return CONTAINER(s, struct conn, sock);
}

void conn_push(struct conn *c, struct layer *l)
{
    l->below = c->top;
    c->top = l;
}

static void on_sock_closed(struct sock *s)
{
    struct conn *c = conn_of_sock(s);

    if (c->on_closed != NULL)
        c->on_closed(c);
}

void conn_close(struct conn *c, bool reset, void (*on_closed)(struct conn *))
{
    for (struct layer *l = c->top; l != NULL;) {
        struct layer *below = l->below;
        l->ops->close(l);
        l = below;
    }
    c->tcp.below = NULL;
    c->top = &c->tcp;
    c->on_closed = on_closed;
    lease_done(&c->unread);
    sock_close(&c->sock, reset, on_sock_closed);
}

/* --- steps ---------------------------------------------------------------------------------- */

static void give_unread(struct conn *c, uint32_t max, struct lease *ret)
{
    *ret = c->unread;
    if (ret->size <= max) {
        c->unread = (struct lease){ 0 };
        return;
    }
    ret->size = max;
    if (ret->block != NULL)
        block_ref(ret->block);
    lease_take(&c->unread, max);
}

enum io conn_read_start(struct conn *c, uint32_t max, struct lease *ret)
{
    if (c->unread.size > 0) {
        give_unread(c, max, ret);
        return IO_OK;
    }
    return c->top->ops->read(c->top, max, ret);
}

enum io conn_write_start(struct conn *c, struct iovec *iov, int n, size_t *ret_taken)
{
    return c->top->ops->write(c->top, iov, n, ret_taken);
}

enum io conn_shut(struct conn *c)
{
    return c->top->ops->shut(c->top);
}

void conn_unread(struct conn *c, struct lease *l)
{
    if (l->size == 0) {
        lease_done(l);
        return;
    }
    must(c->unread.size == 0);
    c->unread = *l;
    *l = (struct lease){ 0 };
}

/* --- on a fiber ----------------------------------------------------------------------------- */

enum { STEPS_A_TURN = 16, FILE_STEP = 256 << 10 };

/* Peers that are always ready would never let others run, nor hear that the fiber is cancelled. */
static enum io share(struct conn *c)
{
    if (++c->streak < STEPS_A_TURN)
        return IO_OK;
    c->streak = 0;
    fiber_yield();
    return fiber_cancelled() && fiber_shield(0) == 0 ? IO_CANCELLED : IO_OK;
}

enum io conn_wait(struct conn *c, uint64_t deadline)
{
    uint8_t want = c->top->want;

    if (want == (WANT_READ | WANT_WRITE))
        return sock_wait_both(&c->sock, deadline);
    return sock_wait(&c->sock, want == WANT_WRITE ? SIDE_WRITE : SIDE_READ, deadline);
}

enum io conn_read(struct conn *c, uint32_t max, struct lease *ret, uint64_t deadline)
{
    enum io io = share(c);

    if (io == IO_OK)
        io = conn_read_start(c, max, ret);
    while (io == IO_AGAIN) {
        c->streak = 0;
        io = conn_wait(c, deadline);
        if (io == IO_OK)
            io = conn_read_start(c, max, ret);
    }
    return io;
}

static uint64_t deadline_after(const struct conn *c, uint64_t between_ms)
{
    return between_ms != 0 ? loop_now(c->sock.loop) + between_ms : TIMER_NEVER;
}

enum io conn_write(struct conn *c, struct iovec *iov, int n, uint64_t between_ms)
{
    uint64_t deadline = deadline_after(c, between_ms);
    enum io io = share(c);

    n = iov_skip(&iov, n, 0);
    while (n > 0 && io == IO_OK) {
        size_t taken = 0;

        io = conn_write_start(c, iov, n, &taken);
        if (taken > 0) {
            n = iov_skip(&iov, n, taken);
            deadline = deadline_after(c, between_ms);
        }
        if (io == IO_AGAIN)
            io = n > 0 ? conn_wait(c, deadline) : IO_OK;
    }
    return io;
}

enum io conn_send_file(struct conn *c, int file, uint64_t at, size_t n, uint64_t between_ms,
                       size_t *ret_sent)
{
    struct layer *top = c->top;
    uint64_t deadline = deadline_after(c, between_ms);
    enum io io = IO_OK;
    size_t sent = 0;

    while (sent < n && io == IO_OK) {
        size_t taken = 0, left = n - sent;

        io = share(c);
        if (io == IO_OK)
            io = top->ops->send_file(top, file, at + sent, left < FILE_STEP ? left : FILE_STEP,
                                     &taken);
        sent += taken;
        if (taken > 0)
            deadline = deadline_after(c, between_ms);
        if (io == IO_AGAIN)
            io = conn_wait(c, deadline);
    }
    *ret_sent = sent;
    return io;
}

enum io conn_splice_in(struct conn *c, int pipe, uint64_t deadline, size_t most, size_t *ret_moved)
{
    enum io io = share(c);

    *ret_moved = 0;
    while (io == IO_OK && *ret_moved == 0) {
        io = sock_splice_in(&c->sock, pipe, most, ret_moved);
        if (io == IO_AGAIN) {
            c->streak = 0;
            io = sock_wait(&c->sock, SIDE_READ, deadline);
        }
    }
    return io;
}

enum io conn_splice_out(struct conn *c, int pipe, size_t n, uint64_t between_ms, size_t *ret_sent)
{
    uint64_t deadline = deadline_after(c, between_ms);
    enum io io = share(c);
    size_t sent = 0;

    while (sent < n && io == IO_OK) {
        size_t taken = 0;

        io = sock_splice_out(&c->sock, pipe, n - sent, &taken);
        sent += taken;
        if (taken > 0)
            deadline = deadline_after(c, between_ms);
        if (io == IO_AGAIN)
            io = sock_wait(&c->sock, SIDE_WRITE, deadline);
    }
    *ret_sent = sent;
    return io;
}

/* --- what it is ----------------------------------------------------------------------------- */

static bool layers_hold_bytes(const struct conn *c)
{
    for (const struct layer *l = c->top; l != NULL; l = l->below)
        if (l->ops->holds_bytes != NULL && l->ops->holds_bytes(l))
            return true;
    return false;
}

bool conn_ready(struct conn *c)
{
    return c->unread.size > 0 || layers_hold_bytes(c) || sock_ready(&c->sock);
}

bool conn_plain(const struct conn *c)
{
    return c->top == &c->tcp && c->unread.size == 0;
}

bool conn_parkable(const struct conn *c)
{
    return c->unread.size == 0 && !layers_hold_bytes(c);
}

void conn_info(const struct conn *c, struct conn_info *ret)
{
    *ret = (struct conn_info){ 0 };
    for (const struct layer *l = c->top; l != NULL; l = l->below)
        if (l->ops->info != NULL) {
            l->ops->info(l, ret);
            return;
        }
}
