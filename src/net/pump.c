/* A tunnel: two directions, each a small machine that the loop's events drive.
 *
 *            +-----------------------+
 *            v                       | all written
 *     a --> READ --bytes, a full pipe--> WRITE --> b        and the same from b to a
 *            | FIN
 *            v
 *           SHUT --FIN passed on--> ENDED                   both ended: both are closed
 *
 * A direction that reads holds nothing; one that writes holds one lease or what one pipe holds:
 * that is all of back-pressure. Any failure of either side resets both: bytes are missing, so
 * nobody may see a clean end.
 *
 * Owns both conns until `on_end`, the leases and pipes of its directions, and itself. */
#include "net/pump.h"

#include "base/charged.h"
#include "base/link.h"
#include "base/os.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/sock.h"
#include "net/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    READ_SIZE = 16384,           /* a TLS record; more costs more CPU per byte, not less */
    SHARE_OF_A_TURN = 256 << 10, /* bytes of one direction: others want their turn */
    PIPE_KEPT_MS = 2000          /* an idle pump keeps no pipe */
};

/* Packed, as there may be many tunnels. */
enum __attribute__((packed)) flow { FLOW_READ, FLOW_WRITE, FLOW_SHUT, FLOW_ENDED };

/* Until `splice_after` bytes have passed; from then on; after it failed once. */
enum __attribute__((packed)) splicing { SPLICE_LATER, SPLICE_NOW, SPLICE_NEVER };

struct direction {
    struct conn *from, *to;
    enum flow flow;
    enum splicing splicing;
    uint8_t want; /* which sides it waits for */
    enum io why;
    uint32_t piped;         /* bytes in the pipe */
    struct conn *waits_for; /* whose socket it waits for */
    struct lease held;      /* owned */
    int pipe[2];            /* owned; read end, write end; both -1: none */
    uint64_t bytes;         /* delivered */
};

struct pump {
    struct direction way[2]; /* from a to b, from b to a */
    struct pump_options options;
    uint64_t moved_at;    /* when bytes last moved */
    uint64_t answered_at; /* when b's last did, or a side ended */
    uint64_t b_ended_at;
    unsigned open; /* conns not yet closed */
    bool ending;
    void (*on_end)(void *arg, const struct pump_result *);
    void *arg;
};

enum { FROM_A, FROM_B };

static struct loop *loop_of(const struct pump *p)
{
    return p->way[FROM_A].from->sock.loop;
}

/* That of a's socket, which nobody parks meanwhile. */
static struct timer *timer_of(struct pump *p)
{
    return &p->way[FROM_A].from->sock.timer;
}

/* --- the pipe ------------------------------------------------------------------------------- */

static void pipe_drop(struct direction *d)
{
    os_pipe_close(d->pipe);
    d->piped = 0;
}

/* Without one (too many files) it is copied. */
static bool pipe_ready(struct direction *d)
{
    if (d->pipe[0] < 0 && os_pipe(d->pipe) < 0)
        d->splicing = SPLICE_NEVER;
    return d->pipe[0] >= 0;
}

/* What lies in the pipe when splicing out fails comes back as a lease: nothing is lost. */
static enum io pipe_to_lease(struct direction *d)
{
    struct block *block = block_get(&d->to->sock.loop->blocks);

    if (block == NULL)
        return IO_FAILED;
    ssize_t n = read(d->pipe[0], block->data, BLOCK_SIZE);
    if (n <= 0) {
        block_unref(block);
        return IO_FAILED;
    }
    d->held = (struct lease){ .data = block->data, .size = (uint32_t)n, .id = -1, .block = block };
    d->piped -= (uint32_t)n;
    if (d->piped == 0)
        pipe_drop(d);
    return IO_OK;
}

/* --- steps of a direction ------------------------------------------------------------------- */

static enum io waits(struct direction *d, struct conn *c, uint8_t want)
{
    d->waits_for = c;
    d->want = want;
    return IO_AGAIN;
}

static bool wants_splice(struct direction *d, const struct pump_options *options)
{
    if (d->splicing == SPLICE_LATER && options->splice_after > 0 &&
        d->bytes >= options->splice_after)
        d->splicing = SPLICE_NOW;
    return d->splicing == SPLICE_NOW && conn_plain(d->from) && conn_plain(d->to) && pipe_ready(d);
}

static enum io read_copy(struct direction *d)
{
    enum io io = conn_read_start(d->from, READ_SIZE, &d->held);

    return io == IO_AGAIN ? waits(d, d->from, d->from->top->want) : io;
}

static enum io read_splice(struct direction *d)
{
    size_t n = 0;
    enum io io = sock_splice_in(&d->from->sock, d->pipe[1], OS_PIPE_SIZE, &n);

    d->piped += (uint32_t)n;
    if (n > 0)
        return IO_OK;
    if (io == IO_AGAIN)
        return waits(d, d->from, WANT_READ);
    if (io == IO_FAILED && sock_cannot_splice(&d->from->sock)) {
        d->splicing = SPLICE_NEVER;
        pipe_drop(d);
        return read_copy(d);
    }
    return io;
}

static enum io write_splice(struct direction *d)
{
    size_t n = 0;
    enum io io = sock_splice_out(&d->to->sock, d->pipe[0], d->piped, &n);

    d->piped -= (uint32_t)n;
    d->bytes += n;
    if (io == IO_FAILED && sock_cannot_splice(&d->to->sock)) {
        d->splicing = SPLICE_NEVER;
        return d->piped > 0 ? pipe_to_lease(d) : IO_OK;
    }
    return io == IO_AGAIN ? waits(d, d->to, WANT_WRITE) : io;
}

static enum io write_copy(struct direction *d)
{
    struct iovec iov = { d->held.data, d->held.size };
    size_t n = 0;
    enum io io = conn_write_start(d->to, &iov, 1, &n);

    d->bytes += n;
    lease_take(&d->held, n);
    if (d->held.size == 0) {
        lease_done(&d->held);
        return IO_OK;
    }
    return io == IO_AGAIN ? waits(d, d->to, d->to->top->want) : io;
}

static bool holds_bytes(const struct direction *d)
{
    return d->held.size > 0 || d->piped > 0;
}

static enum io step_read(struct direction *d, const struct pump_options *options)
{
    enum io io = wants_splice(d, options) ? read_splice(d) : read_copy(d);

    if (io == IO_EOF) {
        d->flow = FLOW_SHUT;
        return IO_OK;
    }
    if (io == IO_OK)
        d->flow = FLOW_WRITE;
    return io;
}

static enum io step_write(struct direction *d)
{
    enum io io = IO_OK;

    if (d->held.size > 0)
        io = write_copy(d);
    else if (d->piped > 0)
        io = d->splicing == SPLICE_NEVER ? pipe_to_lease(d) : write_splice(d);
    if (io == IO_OK && !holds_bytes(d))
        d->flow = FLOW_READ;
    return io;
}

static enum io step_shut(struct direction *d)
{
    enum io io = conn_shut(d->to);

    if (io == IO_AGAIN)
        return waits(d, d->to, d->to->top->want ? d->to->top->want : WANT_WRITE);
    d->flow = FLOW_ENDED;
    d->why = IO_EOF;
    lease_done(&d->held);
    pipe_drop(d);
    return io == IO_FAILED ? io : IO_EOF;
}

/* Steps until it must wait (AGAIN), has ended (EOF), has had its share (OK), or fails. */
static enum io flow_on(struct direction *d, const struct pump_options *options)
{
    uint64_t share_ends = d->bytes + SHARE_OF_A_TURN;
    enum io io = IO_OK;

    d->waits_for = NULL;
    while (io == IO_OK && d->bytes < share_ends) {
        switch (d->flow) {
        case FLOW_READ:
            io = step_read(d, options);
            break;
        case FLOW_WRITE:
            io = step_write(d);
            break;
        case FLOW_SHUT:
            io = step_shut(d);
            break;
        case FLOW_ENDED:
            io = IO_EOF;
            break;
        }
    }
    return io;
}

/* --- its end -------------------------------------------------------------------------------- */

struct pump_result pump_now(const struct pump *p)
{
    return (struct pump_result){
        .bytes = { p->way[FROM_A].bytes, p->way[FROM_B].bytes },
        .why = { p->way[FROM_A].why, p->way[FROM_B].why },
    };
}

static void on_closed(struct conn *c)
{
    struct pump *p = c->user;

    if (--p->open > 0)
        return;
    struct pump_result result = pump_now(p);
    void (*on_end)(void *, const struct pump_result *) = p->on_end;
    void *arg = p->arg;

    charged_free(p, sizeof(*p), c->sock.loop->budget);
    on_end(arg, &result);
}

/* Who is owed bytes that will not come sees a reset, not a clean end. */
static void end(struct pump *p, enum io why)
{
    bool cut = why == IO_FAILED;

    if (p->ending)
        return;
    p->ending = true;
    timer_unset(&loop_of(p)->wheel, timer_of(p));
    for (int i = 0; i < 2; i++) {
        struct direction *d = &p->way[i];

        if (d->flow != FLOW_ENDED)
            d->why = why;
        cut = cut || holds_bytes(d);
        lease_done(&d->held);
        pipe_drop(d);
    }
    conn_close(p->way[FROM_A].from, cut, on_closed);
    conn_close(p->way[FROM_B].from, cut, on_closed);
}

void pump_stop(struct pump *p)
{
    end(p, IO_CANCELLED);
}

/* --- time ----------------------------------------------------------------------------------- */

static uint64_t after(uint64_t time, uint64_t ms)
{
    return ms < TIMER_NEVER - time ? time + ms : TIMER_NEVER;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t ends_at(const struct pump *p)
{
    uint64_t at = after(p->moved_at, p->options.idle_ms);

    if (p->way[FROM_B].flow == FLOW_ENDED)
        at = least(at, after(p->b_ended_at, p->options.half_close_ms));
    if (p->way[FROM_A].flow == FLOW_ENDED)
        at = least(at, after(p->answered_at, p->options.half_close_ms));
    return at;
}

static bool has_idle_pipe(const struct direction *d)
{
    return d->pipe[0] >= 0 && d->piped == 0;
}

static void set_timer(struct pump *p)
{
    uint64_t at = ends_at(p);

    if (has_idle_pipe(&p->way[FROM_A]) || has_idle_pipe(&p->way[FROM_B]))
        at = least(at, after(p->moved_at, PIPE_KEPT_MS));
    timer_set(&loop_of(p)->wheel, timer_of(p), at);
}

static void on_time(struct timer *t)
{
    struct pump *p = conn_of_sock(CONTAINER(t, struct sock, timer))->user;

    if (loop_now(loop_of(p)) >= ends_at(p)) {
        end(p, IO_TIMEOUT);
        return;
    }
    for (int i = 0; i < 2; i++)
        if (has_idle_pipe(&p->way[i]))
            pipe_drop(&p->way[i]);
    set_timer(p);
}

/* --- events --------------------------------------------------------------------------------- */

static void run_way(struct pump *p, int i)
{
    struct direction *d = &p->way[i];
    uint64_t before = d->bytes;
    bool had_ended = d->flow == FLOW_ENDED;
    enum io io = flow_on(d, &p->options);

    if (d->bytes > before)
        p->moved_at = loop_now(loop_of(p));
    if (d->bytes > before && i == FROM_B)
        p->answered_at = p->moved_at;
    if (d->flow == FLOW_ENDED && !had_ended) {
        p->answered_at = loop_now(loop_of(p));
        if (i == FROM_B)
            p->b_ended_at = p->answered_at;
    }
    if (io == IO_OK) { /* had its share */
        waits(d, d->from, WANT_READ);
        sock_again(&d->from->sock);
    } else if (io == IO_FAILED) {
        end(p, IO_FAILED);
    }
}

/* Under TLS reading may wait for the write side and the other way round. The other direction may
 * then have used up the event that was waited for, so such a wait is tried at every event. */
static bool crossed(const struct direction *d)
{
    return d->waits_for != NULL && d->want != (d->flow == FLOW_READ ? WANT_READ : WANT_WRITE);
}

static void on_event(struct sock *s, uint8_t side)
{
    struct conn *c = conn_of_sock(s);
    struct pump *p = c->user;

    for (int i = 0; i < 2 && !p->ending; i++)
        if (p->way[i].waits_for == c && p->way[i].want & side)
            run_way(p, i);
    for (int i = 0; i < 2 && !p->ending; i++)
        if (crossed(&p->way[i]))
            run_way(p, i);
    if (!p->ending && p->way[FROM_A].flow == FLOW_ENDED && p->way[FROM_B].flow == FLOW_ENDED)
        end(p, IO_EOF);
    else if (!p->ending)
        set_timer(p);
}

static void on_readable(struct sock *s)
{
    on_event(s, WANT_READ);
}

static void on_writable(struct sock *s)
{
    on_event(s, WANT_WRITE);
}

/* A reset of a side that nobody reads, since the other takes nothing: it would be noticed when that
 * has drained, or never. A FIN has no error and waits its turn; but a reset may follow it, and
 * after a FIN nobody reads. */
static void on_hangup(struct sock *s)
{
    if (sock_has_failed(s))
        end(conn_of_sock(s)->user, IO_FAILED);
    else
        sock_watch_reset(s, on_hangup);
}

static void direct(struct pump *p, int i, struct conn *from, struct conn *to)
{
    p->way[i] = (struct direction){ .from = from, .to = to, .pipe = { -1, -1 }, .held.id = -1 };
    from->user = p;
    from->sock.on[SIDE_READ].fn = on_readable;
    from->sock.on[SIDE_WRITE].fn = on_writable;
    sock_watch_hangup(&from->sock, on_hangup);
    waits(&p->way[i], from, WANT_READ);
    sock_again(&from->sock); /* what is unread, or came before us, has no event of its own */
}

int pump_start(struct conn *a, struct conn *b, const struct pump_options *options,
               void (*on_end)(void *arg, const struct pump_result *), void *arg, struct pump **ret)
{
    struct pump *p = charged_new(sizeof(*p), a->sock.loop->budget);

    if (p == NULL)
        return -ENOMEM;
    p->options = *options;
    p->moved_at = p->answered_at = loop_now(a->sock.loop);
    a->sock.timer.on_time = on_time;
    p->open = 2;
    p->on_end = on_end;
    p->arg = arg;
    direct(p, FROM_A, a, b);
    direct(p, FROM_B, b, a);
    set_timer(p);
    *ret = p;
    return 0;
}
