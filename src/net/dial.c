/* Connecting, one candidate after the other, on a fiber:
 *
 *     may? --no--> next
 *      |
 *     connect ----failed, too slow, ourselves----> closed, next
 *      |
 *     open
 *
 * Such a row of candidates is a lane. Two families may race in two lanes, a child fiber each:
 *
 *     lane 0: [2001:db8::1] ....... [2001:db8::2] ....          the first that opens wins,
 *     lane 1:      250 ms, or a failure: [192.0.2.1] ... open   the other is cancelled
 *
 * Owns the connections until one is handed over. It goes to exactly the address that was asked for
 * in `may`: nothing resolves in between. */
#include "net/dial.h"

#include "net/conn.h"
#include "net/fiber.h"
#include "net/loop.h"
#include "net/sock.h"
#include "net/timer.h"

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
    enum io io = sock_connect(&c->sock, to, own < d->deadline ? own : d->deadline);
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

/* --- lanes ---------------------------------------------------------------------------------- */

enum part { PART_ALL, PART_FIRST_FAMILY, PART_OTHERS };

/* Candidates that are tried one after the other. */
struct lane {
    const struct dial *dial;
    struct race *race; /* NULL: it runs alone */
    struct conn *conn;
    enum part part;
    enum { LANE_WAITS, LANE_RUNS, LANE_ENDED } state;
    enum io io; /* once it has ended */
    struct dial_result result;
};

/* Two lanes, and the fiber that waits for their news. */
struct race {
    struct family family;
    struct lane lanes[2];
    struct wait *waiting;
    bool cancelled;
};

static void tell(struct race *r)
{
    if (r != NULL && r->waiting != NULL)
        wait_wake(r->waiting, WAKE_DONE);
}

static bool is_of(const struct lane *lane, const struct address *to)
{
    bool first = to->family == lane->dial->candidates[0].family;

    return lane->part == PART_ALL || first == (lane->part == PART_FIRST_FAMILY);
}

static void run_lane(struct lane *lane)
{
    const struct dial *d = lane->dial;
    enum io io = IO_FAILED;

    for (unsigned i = 0; i < d->count && io == IO_FAILED; i++) {
        const struct address *to = &d->candidates[i];

        if (!is_of(lane, to))
            continue;
        if (d->may == NULL || d->may(d->arg, to)) {
            io = try_candidate(d, lane->conn, to, &lane->result);
            tell(lane->race);
        } else {
            lane->result.refused++;
        }
    }
    lane->io = io;
    lane->state = LANE_ENDED;
    tell(lane->race);
}

static void run_racer(void *arg)
{
    run_lane(arg);
}

/* --- the race ------------------------------------------------------------------------------- */

static bool has_won(const struct lane *lane)
{
    return lane->state == LANE_ENDED && lane->io == IO_OK;
}

static bool is_decided(const struct race *r)
{
    return has_won(&r->lanes[0]) || has_won(&r->lanes[1]);
}

/* Without a stack for it, it waits: its turn comes when the other has failed. */
static void start_lane(struct race *r, unsigned i)
{
    r->lanes[i].state = LANE_RUNS;
    if (fiber_spawn(NULL, &r->family, run_racer, &r->lanes[i]) < 0)
        r->lanes[i].state = LANE_WAITS;
}

static enum wake wait_for_news(struct race *r, uint64_t deadline)
{
    struct wait w = { 0 };

    r->waiting = &w;
    enum wake why = fiber_wait(&w, deadline);
    r->waiting = NULL;
    return why;
}

/* Until one lane has opened a connection, or none can any more; nothing runs afterwards. */
static void run_race(struct race *r, uint64_t head_start_ends)
{
    enum wake why = WAKE_DONE;

    start_lane(r, 0);
    if (r->lanes[0].state == LANE_RUNS)
        why = wait_for_news(r, head_start_ends);
    if (why != WAKE_CANCEL && !is_decided(r))
        start_lane(r, 1);
    while (why != WAKE_CANCEL && !is_decided(r) &&
           (r->lanes[0].state == LANE_RUNS || r->lanes[1].state == LANE_RUNS))
        why = wait_for_news(r, TIMER_NEVER); /* a lane ends by itself, at the deadline */
    family_end(&r->family);
    r->cancelled = why == WAKE_CANCEL;
    for (int i = 0; i < 2 && !r->cancelled; i++)
        if (r->lanes[i].state == LANE_WAITS && !is_decided(r))
            run_lane(&r->lanes[i]);
}

static enum io worse(enum io a, enum io b)
{
    if (a == IO_CANCELLED || b == IO_CANCELLED)
        return IO_CANCELLED;
    return a == IO_TIMEOUT || b == IO_TIMEOUT ? IO_TIMEOUT : IO_FAILED;
}

/* The winner's connection is the caller's; a second one, and all when we were cancelled, is
 * dropped. */
static enum io settle(struct race *r)
{
    struct lane *first = &r->lanes[0], *second = &r->lanes[1];

    if (has_won(second) && (has_won(first) || r->cancelled))
        drop(second->conn);
    if (r->cancelled) {
        if (has_won(first))
            drop(first->conn);
        return IO_CANCELLED;
    }
    if (has_won(second) && !has_won(first))
        conn_move(second->conn, first->conn);
    return is_decided(r) ? IO_OK : worse(first->io, second->io);
}

static struct dial_result both_results(const struct race *r)
{
    const struct dial_result *a = &r->lanes[0].result, *b = &r->lanes[1].result;
    bool second = has_won(&r->lanes[1]) && !has_won(&r->lanes[0]);
    struct dial_result both = *(second || a->tried == 0 ? b : a);

    both.tried = a->tried + b->tried;
    both.refused = a->refused + b->refused;
    both.error = a->error;
    note(&both, b->error);
    return both;
}

static enum io dial_both(const struct dial *d, struct conn *c, struct dial_result *ret)
{
    struct conn spare = { 0 };
    struct race r = { 0 };
    uint64_t now = loop_now(d->loop);

    r.lanes[0] = (struct lane){ .dial = d, .race = &r, .conn = c, .part = PART_FIRST_FAMILY };
    r.lanes[1] = (struct lane){ .dial = d, .race = &r, .conn = &spare, .part = PART_OTHERS };
    run_race(&r, now + d->head_start_ms);
    *ret = both_results(&r);
    return settle(&r);
}

static bool has_two_families(const struct dial *d)
{
    for (unsigned i = 1; i < d->count; i++)
        if (d->candidates[i].family != d->candidates[0].family)
            return true;
    return false;
}

enum io dial(const struct dial *d, struct conn *c, struct dial_result *ret)
{
    struct lane alone = { .dial = d, .conn = c };
    struct dial_result result;
    enum io io;

    if (d->head_start_ms > 0 && has_two_families(d)) {
        io = dial_both(d, c, &result);
    } else {
        run_lane(&alone);
        io = alone.io;
        result = alone.result;
    }
    if (io == IO_OK)
        result.error = 0;
    *ret = result;
    return io;
}
