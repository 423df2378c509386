/* Sockets: what is ready, who is told, and the steps.
 *
 *     zeroed --sock_open--> open --sock_close--> closing --end of the turn--> zeroed, on_closed
 *                           |  ^
 *                 sock_park v  | an event, the deadline, sock_unpark
 *                          parked
 *
 * Edge-triggered: an event sets READABLE or WRITABLE, a step that met the end clears it, and only
 * the change from clear to set is told. A flag that is clear saves the system call.
 *
 * Owns the descriptor from sock_open on. */
#include "net/sock.h"

#include "base/address.h"
#include "net/block.h"
#include "net/fiber.h"
#include "net/loop.h"
#include "net/loop_backend.h"
#include "net/must.h"

#include <errno.h>

enum { LISTENER_REST_MS = 500 };

static bool has(const struct sock *s, unsigned flags)
{
    return (s->flags & flags) != 0;
}

static void set_flags(struct sock *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags | flags);
}

static void clear_flags(struct sock *s, unsigned flags)
{
    s->flags = (uint16_t)(s->flags & ~flags);
}

static void queue_again(struct sock *s)
{
    if (s->queue.next == NULL || link_alone(&s->queue))
        link_append(&s->loop->again, &s->queue);
}

/* --- who is told ---------------------------------------------------------------------------- */

static void forget_wait(struct sock *s, const struct wait *w)
{
    for (int side = SIDE_READ; side <= SIDE_WRITE; side++)
        if (s->on[side].wait == w)
            s->on[side].wait = NULL;
}

static void tell_side(struct sock *s, enum side side)
{
    struct wait *w = s->on[side].wait;

    if (w != NULL) {
        forget_wait(s, w);
        wait_wake(w, WAKE_DONE);
    } else if (s->on[side].fn != NULL) {
        s->on[side].fn(s);
    }
}

static bool has_hung_up(const struct sock *s)
{
    return has(s, has(s, SOCK_FIN_IS_KNOWN) ? SOCK_HUP : SOCK_RDHUP | SOCK_HUP);
}

static void tell_hangup(struct sock *s)
{
    void (*fn)(struct sock *) = s->on_hangup;

    if (fn == NULL || !has_hung_up(s))
        return;
    s->on_hangup = NULL;
    fn(s);
}

static void end_park(struct sock *s)
{
    clear_flags(s, SOCK_PARKED);
    timer_unset(&s->loop->wheel, &s->timer);
    link_remove(&s->queue);
}

static void wake_parked(struct sock *s, enum wake why)
{
    end_park(s);
    s->on_wake(s, why);
}

/* --- listeners ------------------------------------------------------------------------------ */

static void end_rest(struct timer *t)
{
    sock_listen_pause(CONTAINER(t, struct sock, timer), false);
}

static void rest(struct sock *s, int error)
{
    set_flags(s, SOCK_PAUSED);
    s->timer.on_time = end_rest;
    timer_set(&s->loop->wheel, &s->timer, s->loop->now + LISTENER_REST_MS);
    s->on_accept(s, error, NULL);
}

static bool is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

/* A connection that died while it waited (ECONNABORTED and what else accept(2) lists) is passed
 * over. */
static void accept_batch(struct sock *s)
{
    for (int i = 0; i < s->batch && has(s, SOCK_IS_OPEN) && !has(s, SOCK_PAUSED); i++) {
        struct address peer = { .family = AF_UNSPEC };
        int fd = s->loop->ops->accept(s, &peer);

        if (fd == -EAGAIN) {
            clear_flags(s, SOCK_READABLE);
            return;
        }
        if (is_shortage(fd))
            rest(s, fd);
        else if (fd >= 0)
            s->on_accept(s, fd, &peer);
    }
    if (has(s, SOCK_IS_OPEN) && !has(s, SOCK_PAUSED))
        queue_again(s);
}

/* --- what the loop calls -------------------------------------------------------------------- */

static void event_for_stream(struct sock *s, unsigned fresh)
{
    if (fresh & SOCK_READABLE)
        tell_side(s, SIDE_READ);
    if (fresh & SOCK_WRITABLE && has(s, SOCK_IS_OPEN))
        tell_side(s, SIDE_WRITE);
    if (fresh & (SOCK_RDHUP | SOCK_HUP) && has(s, SOCK_IS_OPEN))
        tell_hangup(s);
}

void sock_event(struct sock *s, unsigned came)
{
    unsigned fresh = came & ~s->flags;

    if (!has(s, SOCK_IS_OPEN)) /* closed by another event of this batch */
        return;
    set_flags(s, came);
    if (has(s, SOCK_LISTENING)) {
        if (!has(s, SOCK_PAUSED) && link_alone(&s->queue)) /* else its batch comes from the queue */
            accept_batch(s);
    } else if (has(s, SOCK_PARKED)) {
        if (came & (SOCK_READABLE | SOCK_RDHUP | SOCK_HUP))
            wake_parked(s, WAKE_DONE);
    } else if (has(s, SOCK_EVENT)) {
        clear_flags(s, SOCK_READABLE);
        tell_side(s, SIDE_READ);
    } else {
        event_for_stream(s, fresh);
    }
}

void sock_call_again(struct sock *s)
{
    bool asked = has(s, SOCK_ASKED_AGAIN);

    clear_flags(s, SOCK_ASKED_AGAIN);
    if (has(s, SOCK_LISTENING)) {
        if (!has(s, SOCK_PAUSED))
            accept_batch(s);
        return;
    }
    if (has(s, SOCK_PARKED)) {
        wake_parked(s, WAKE_DONE);
        return;
    }
    if (asked)
        tell_side(s, SIDE_READ);
    if (has(s, SOCK_IS_OPEN))
        tell_hangup(s);
}

void sock_finish(struct sock *s)
{
    void (*on_closed)(struct sock *) = s->on_closed;

    if (s->fd >= 0) {
        s->loop->ops->close(s, has(s, SOCK_RESETS));
        s->loop->open_socks--;
    }
    s->fd = -1;
    s->flags = 0;
    if (on_closed != NULL)
        on_closed(s);
}

/* --- opening and closing -------------------------------------------------------------------- */

static int open_flagged(struct loop *l, struct sock *s, int fd, unsigned flags)
{
    s->loop = l;
    s->fd = fd;
    set_flags(s, flags);
    link_init(&s->queue);

    int error = l->ops->open(s);
    if (error != 0) {
        s->fd = -1;
        s->flags = 0;
        return error;
    }
    set_flags(s, SOCK_IS_OPEN);
    l->open_socks++;
    return 0;
}

int sock_open(struct loop *l, struct sock *s, int fd, enum sock_kind kind)
{
    static const unsigned flags[] = {
        [SOCK_KIND_STREAM] = SOCK_WRITABLE,
        [SOCK_KIND_DATAGRAM] = SOCK_WRITABLE | SOCK_DATAGRAM,
        [SOCK_KIND_EVENT] = SOCK_EVENT,
    };

    return open_flagged(l, s, fd, flags[kind]);
}

int sock_listen(struct loop *l, struct sock *s, int fd, int batch,
                void (*on_accept)(struct sock *s, int fd, const struct address *peer))
{
    s->batch = (uint16_t)batch;
    s->on_accept = on_accept;
    return open_flagged(l, s, fd, SOCK_LISTENING);
}

void sock_listen_pause(struct sock *s, bool pause)
{
    timer_unset(&s->loop->wheel, &s->timer);
    if (pause) {
        set_flags(s, SOCK_PAUSED);
        link_remove(&s->queue);
    } else {
        clear_flags(s, SOCK_PAUSED);
        if (has(s, SOCK_READABLE))
            queue_again(s);
    }
}

void sock_move(struct sock *from, struct sock *to)
{
    must(has(from, SOCK_IS_OPEN) && !has(from, SOCK_PARKED | SOCK_LISTENING | SOCK_ASKED_AGAIN) &&
         link_alone(&from->queue) && from->on[SIDE_READ].wait == NULL &&
         from->on[SIDE_WRITE].wait == NULL);
    *to = *from;
    link_init(&to->queue);
    to->loop->ops->moved(to);
    *from = (struct sock){ 0 };
}

static void cancel_wait(struct sock *s, enum side side)
{
    struct wait *w = s->on[side].wait;

    if (w == NULL)
        return;
    forget_wait(s, w);
    wait_wake(w, WAKE_CANCEL);
}

void sock_close(struct sock *s, bool reset, void (*on_closed)(struct sock *))
{
    must(s->loop != NULL && !has(s, SOCK_CLOSING));
    timer_unset(&s->loop->wheel, &s->timer);
    link_remove(&s->queue);
    cancel_wait(s, SIDE_READ);
    cancel_wait(s, SIDE_WRITE);
    s->on[SIDE_READ].fn = NULL;
    s->on[SIDE_WRITE].fn = NULL;
    s->on_hangup = NULL;
    s->on_closed = on_closed;
    clear_flags(s, SOCK_IS_OPEN | SOCK_PARKED | SOCK_ASKED_AGAIN);
    set_flags(s, SOCK_CLOSING | (reset ? SOCK_RESETS : 0));
    link_append(&s->loop->closing, &s->queue);
}

/* --- idle ----------------------------------------------------------------------------------- */

static void on_park_time(struct timer *t)
{
    wake_parked(CONTAINER(t, struct sock, timer), WAKE_TIMEOUT);
}

/* READABLE only says that a read is worth trying: one that got just what was asked leaves it
 * set. */
static bool something_came(struct sock *s)
{
    if (has(s, SOCK_RDHUP | SOCK_HUP))
        return true;
    if (has(s, SOCK_READABLE) && !s->loop->ops->probe(s))
        clear_flags(s, SOCK_READABLE);
    return has(s, SOCK_READABLE);
}

bool sock_ready(struct sock *s)
{
    return has(s, SOCK_IS_OPEN) && something_came(s);
}

void sock_park(struct sock *s, void (*on_wake)(struct sock *, enum wake), uint64_t deadline)
{
    must(has(s, SOCK_IS_OPEN) && !has(s, SOCK_PARKED | SOCK_LISTENING));
    s->on_wake = on_wake;
    s->timer.on_time = on_park_time;
    timer_set(&s->loop->wheel, &s->timer, deadline);
    set_flags(s, SOCK_PARKED);
    if (something_came(s))
        queue_again(s);
}

bool sock_unpark(struct sock *s)
{
    if (!has(s, SOCK_PARKED))
        return false;
    end_park(s);
    return !has(s, SOCK_READABLE | SOCK_RDHUP | SOCK_HUP);
}

void sock_watch_hangup(struct sock *s, void (*fn)(struct sock *))
{
    s->on_hangup = fn;
    clear_flags(s, SOCK_FIN_IS_KNOWN);
    if (fn != NULL && has_hung_up(s))
        queue_again(s);
}

void sock_watch_reset(struct sock *s, void (*fn)(struct sock *))
{
    set_flags(s, SOCK_FIN_IS_KNOWN);
    s->on_hangup = has(s, SOCK_HUP) ? NULL : fn;
}

bool sock_has_failed(struct sock *s)
{
    return s->loop->ops->connect_end(s) == IO_FAILED;
}

void sock_again(struct sock *s)
{
    if (!has(s, SOCK_IS_OPEN))
        return;
    set_flags(s, SOCK_ASKED_AGAIN);
    queue_again(s);
}

/* --- waiting on a fiber --------------------------------------------------------------------- */

static bool abandon_sock(struct wait *w)
{
    forget_wait(w->source, w);
    return true;
}

static enum io io_of_wake(enum wake why)
{
    switch (why) {
    case WAKE_DONE:
        return IO_OK;
    case WAKE_TIMEOUT:
        return IO_TIMEOUT;
    case WAKE_CANCEL:
        return IO_CANCELLED;
    }
    return IO_FAILED;
}

/* A fiber that waits for both sides gives one up to a fiber that needs just that, and tries
 * again. */
static void make_room(struct sock *s, enum side side)
{
    struct wait *w = s->on[side].wait;

    if (w == NULL || s->on[SIDE_READ].wait != s->on[SIDE_WRITE].wait)
        return;
    forget_wait(s, w);
    wait_wake(w, WAKE_DONE);
}

/* Afterwards the socket may be gone: whoever woke us has let go of `w`, and we do not look. */
static enum io wait_on(struct sock *s, bool reading, bool writing, uint64_t deadline)
{
    struct wait w = { .abandon = abandon_sock, .source = s };
    unsigned flags = (reading ? SOCK_READABLE : 0) | (writing ? SOCK_WRITABLE : 0);

    if (!has(s, SOCK_IS_OPEN))
        return IO_CANCELLED;
    if (has(s, flags))
        return IO_OK;
    if (reading != writing)
        make_room(s, reading ? SIDE_READ : SIDE_WRITE);
    must((reading || writing) && !(reading && s->on[SIDE_READ].wait) &&
         !(writing && s->on[SIDE_WRITE].wait));
    if (reading)
        s->on[SIDE_READ].wait = &w;
    if (writing)
        s->on[SIDE_WRITE].wait = &w;
    return io_of_wake(fiber_wait(&w, deadline));
}

enum io sock_wait(struct sock *s, enum side side, uint64_t deadline)
{
    return wait_on(s, side == SIDE_READ, side == SIDE_WRITE, deadline);
}

enum io sock_wait_both(struct sock *s, uint64_t deadline)
{
    /* A side for which another fiber waits is its own to go on with: under TLS it sends what is
     * left, too. */
    return wait_on(s, s->on[SIDE_READ].wait == NULL, s->on[SIDE_WRITE].wait == NULL, deadline);
}

enum io sock_connect(struct sock *s, const struct address *to, uint64_t deadline)
{
    enum io io = sock_connect_start(s, to);

    while (io == IO_AGAIN) {
        io = sock_wait(s, SIDE_WRITE, deadline);
        if (io == IO_OK)
            io = sock_connect_end(s);
    }
    return io;
}

/* --- steps ---------------------------------------------------------------------------------- */

enum io sock_recv_start(struct sock *s, uint32_t max, struct lease *ret)
{
    if (!has(s, SOCK_READABLE))
        return IO_AGAIN;
    struct block *block = block_get(&s->loop->blocks);
    if (block == NULL) {
        s->error = ENOMEM;
        return IO_FAILED;
    }

    uint32_t room = max < BLOCK_SIZE ? max : BLOCK_SIZE;
    struct lease got = { .data = block->data, .size = room, .id = -1, .block = block };
    enum io io = s->loop->ops->recv(s, &got);
    if (io == IO_AGAIN)
        clear_flags(s, SOCK_READABLE);
    if (io != IO_OK) {
        block_unref(block);
        return io;
    }
    /* After a short read an edge tells of more; but not of a FIN that was told already. */
    if (got.size < room && !has(s, SOCK_DATAGRAM | SOCK_RDHUP))
        clear_flags(s, SOCK_READABLE);
    *ret = got;
    return IO_OK;
}

static size_t total(const struct iovec *iov, int n)
{
    size_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

enum io sock_send_start(struct sock *s, struct iovec *iov, int n, size_t *ret_taken)
{
    enum { MOST_PIECES = 1024 }; /* IOV_MAX */
    int pieces = n < MOST_PIECES ? n : MOST_PIECES;
    size_t taken = 0;

    *ret_taken = 0;
    if (!has(s, SOCK_WRITABLE))
        return IO_AGAIN;
    enum io io = s->loop->ops->send(s, iov, pieces, &taken);
    if (io == IO_OK && taken < total(iov, pieces))
        io = IO_AGAIN; /* short: the kernel will tell when there is room */
    if (io == IO_AGAIN)
        clear_flags(s, SOCK_WRITABLE);
    *ret_taken = taken;
    return io;
}

enum io sock_connect_start(struct sock *s, const struct address *to)
{
    clear_flags(s, SOCK_READABLE | SOCK_WRITABLE | SOCK_RDHUP | SOCK_HUP);
    enum io io = s->loop->ops->connect(s, to);
    if (io == IO_OK)
        set_flags(s, SOCK_WRITABLE);
    return io;
}

enum io sock_connect_end(struct sock *s)
{
    return has(s, SOCK_WRITABLE) ? s->loop->ops->connect_end(s) : IO_AGAIN;
}

/* The three below may be short for reasons of their own: only IO_AGAIN says that the side is not
 * ready. */
enum io sock_send_file(struct sock *s, int file, uint64_t at, size_t n, size_t *ret_taken)
{
    *ret_taken = 0;
    if (!has(s, SOCK_WRITABLE))
        return IO_AGAIN;
    enum io io = s->loop->ops->send_file(s, file, at, n, ret_taken);
    if (io == IO_AGAIN)
        clear_flags(s, SOCK_WRITABLE);
    return io;
}

enum io sock_splice_in(struct sock *from, int pipe_to, size_t n, size_t *ret_taken)
{
    *ret_taken = 0;
    if (!has(from, SOCK_READABLE))
        return IO_AGAIN;
    enum io io = from->loop->ops->splice_in(from, pipe_to, n, ret_taken);
    if (io == IO_AGAIN)
        clear_flags(from, SOCK_READABLE);
    return io;
}

enum io sock_splice_out(struct sock *to, int pipe_from, size_t n, size_t *ret_taken)
{
    *ret_taken = 0;
    if (!has(to, SOCK_WRITABLE))
        return IO_AGAIN;
    enum io io = to->loop->ops->splice_out(to, pipe_from, n, ret_taken);
    if (io == IO_AGAIN)
        clear_flags(to, SOCK_WRITABLE);
    return io;
}

bool sock_cannot_splice(const struct sock *s)
{
    return s->error == EINVAL || s->error == ENOSYS || s->error == EPERM || s->error == ENOMEM ||
           s->error == EOPNOTSUPP || s->error == EMFILE || s->error == ENFILE;
}

enum io sock_shutdown_write(struct sock *s)
{
    return s->loop->ops->shutdown_write(s);
}

int sock_local_address(struct sock *s, struct address *ret)
{
    return s->loop->ops->local_address(s, ret);
}

int loop_new_socket(struct loop *l, int family, enum sock_kind kind)
{
    return l->ops->new_socket(l, family, kind);
}
