/* The loop's backend without a kernel: sockets are queues of bytes, and the clock moves to the next
 * timer when nothing else can happen. Edges come as epoll's do: with news, in the next turn, and
 * with all that is true of the socket then.
 *
 *     test: fake_tell(NEWS_...) -> dirty -> fake_turn: deliver -> sock_event -> code under test
 *     code under test: send -> received, NEWS_DATA -> fake_turn -> on_data -> test
 *
 * Each step counts (step()), so a test can have the n-th of a kind fail with an errno of its
 * choice. Owns all of the fake's world: far ends, listeners, rules. */
#include "net/loop_fake.h"

#include "base/address.h"
#include "base/buf.h"
#include "base/link.h"
#include "net/block.h"
#include "net/fake.h"
#include "net/io.h"
#include "net/loop.h"
#include "net/loop_backend.h"
#include "net/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_AT_ONCE = 64 * 1024 };

static struct fake *fake_of(const struct sock *s)
{
    return s->loop->backend;
}

static struct fake_peer *peer_of(const struct sock *s)
{
    return s->backend;
}

/* Counts a step. The errno with which it is to fail; 0: it is not. */
static int step(struct fake *f, enum fake_step kind)
{
    return ++f->steps[kind].count == f->steps[kind].fails_at ? f->steps[kind].error : 0;
}

static enum io failed(struct sock *s, int error)
{
    s->error = error;
    return IO_FAILED;
}

/* --- turn ----------------------------------------------------------------------------------- */

static size_t waiting_bytes(const struct fake_peer *p)
{
    size_t sum = 0;

    for (const struct fake_chunk *c = p->first; c != NULL; c = c->next)
        sum += c->len - c->taken;
    return sum;
}

/* With segments a FIN comes with the last of them, not before. */
static bool eof_is_near(const struct fake_peer *p)
{
    uint32_t segment = p->fake->segment;

    return p->flags & FAKE_EOF && (segment == 0 || waiting_bytes(p) <= segment);
}

static unsigned state_of(const struct fake_peer *p)
{
    unsigned state = 0;

    if (p->error != 0)
        state = SOCK_READABLE | SOCK_WRITABLE;
    if (p->error != 0 && p->kind == SOCK_KIND_STREAM)
        state |= SOCK_RDHUP | SOCK_HUP;
    if (p->first != NULL)
        state |= SOCK_READABLE;
    if (p->flags & FAKE_CONNECTED && p->window > 0)
        state |= SOCK_WRITABLE;
    if (eof_is_near(p))
        state |= SOCK_READABLE | SOCK_RDHUP | (p->flags & FAKE_CODE_FIN ? SOCK_HUP : 0);
    return state;
}

static void deliver(struct fake_peer *p)
{
    unsigned news = p->news;

    p->news = 0;
    if (news & NEWS_CONNECT) {
        p->flags |= FAKE_CONNECTED;
        if (p->rule->on_connect != NULL)
            p->rule->on_connect(p->rule->arg, p);
    }
    if (news & NEWS_DATA && p->on_data != NULL)
        p->on_data(p->on_data_arg, p);
    if (news & (NEWS_EVENT | NEWS_CONNECT) && p->sock != NULL) {
        if (p->window > 0)
            p->flags &= ~(unsigned)FAKE_BLOCKED;
        sock_event(p->sock, state_of(p));
    }
}

static void deliver_all(struct fake *f)
{
    struct link now;

    for (struct fake_listener *l = f->listeners; l != NULL; l = l->next)
        if (l->has_news && l->sock != NULL) {
            l->has_news = false;
            sock_event(l->sock, SOCK_READABLE);
        }
    link_take_all(&f->dirty, &now);
    while (!link_alone(&now)) {
        struct link *first = now.next;
        link_remove(first);
        deliver(CONTAINER(first, struct fake_peer, dirty));
    }
}

bool fake_is_quiet(const struct fake *f)
{
    for (const struct fake_listener *l = f->listeners; l != NULL; l = l->next)
        if (l->has_news && l->sock != NULL)
            return false;
    return link_alone(&f->dirty);
}

static int fake_turn(struct loop *l, int timeout_ms)
{
    struct fake *f = l->backend;

    if (timeout_ms > 0 && fake_is_quiet(f))
        f->now += (uint64_t)timeout_ms;
    loop_note_time(l, f->now);
    deliver_all(f);
    return 0;
}

static void fake_done(struct loop *l)
{
    struct fake *f = l->backend;

    while (f->peers != NULL) {
        struct fake_peer *p = f->peers;
        f->peers = p->next;
        fake_peer_free(p);
    }
    while (f->listeners != NULL) {
        struct fake_listener *listener = f->listeners;
        f->listeners = listener->next;
        free(listener);
    }
    while (f->rules != NULL) {
        struct fake_rule *r = f->rules;
        f->rules = r->next;
        free(r);
    }
    free(f);
    l->backend = NULL;
}

/* --- open, close, accept -------------------------------------------------------------------- */

static int open_listener(struct sock *s)
{
    struct fake *f = fake_of(s);
    struct fake_listener *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return -ENOMEM;
    l->fd = s->fd;
    l->sock = s;
    l->last_waiting = &l->waiting;
    l->next = f->listeners;
    f->listeners = l;
    s->backend = l;
    return 0;
}

static void hang_up(struct fake_peer *p, bool reset)
{
    /* As the kernel: who closes with bytes unread resets. */
    p->flags |= reset || waiting_bytes(p) > 0 ? FAKE_CODE_RESET : FAKE_CODE_FIN;
    p->news &= ~(unsigned)NEWS_CONNECT;
    p->sock = NULL;
}

static int fake_open(struct sock *s)
{
    struct fake *f = fake_of(s);
    struct fake_peer *p = fake_peer_of(f, s->fd);
    int error = step(f, FAKE_OPEN);

    if (error == 0 && s->flags & SOCK_LISTENING)
        return open_listener(s);
    if (error == 0 && p == NULL)
        error = EBADF;
    if (error != 0) {
        if (p != NULL)
            hang_up(p, false);
        return -error;
    }
    p->sock = s;
    s->backend = p;
    if (p->flags & FAKE_CONNECTED)
        fake_tell(p, NEWS_EVENT);
    return 0;
}

static void fake_moved(struct sock *s)
{
    peer_of(s)->sock = s;
}

static void fake_close(struct sock *s, bool reset)
{
    if (!(s->flags & SOCK_LISTENING)) {
        hang_up(peer_of(s), reset);
        return;
    }
    struct fake_listener *l = s->backend;
    l->sock = NULL;
    for (struct fake_peer *p = l->waiting; p != NULL; p = p->next_waiting)
        hang_up(p, true);
}

static bool fake_probe(struct sock *s)
{
    const struct fake_peer *p = peer_of(s);

    return p->first != NULL || p->flags & FAKE_EOF || p->error != 0;
}

static int fake_accept(struct sock *s, struct address *ret_peer)
{
    struct fake_listener *l = s->backend;
    struct fake_peer *p = l->waiting;
    int error = step(fake_of(s), FAKE_ACCEPT);

    if (error != 0)
        return -error;
    if (p == NULL)
        return -EAGAIN;
    l->waiting = p->next_waiting;
    if (l->waiting == NULL)
        l->last_waiting = &l->waiting;
    *ret_peer = p->remote;
    return p->fd;
}

/* --- receive -------------------------------------------------------------------------------- */

/* How a receive ends that got no byte. */
static enum io at_end(struct sock *s, const struct fake_peer *p)
{
    if (p->error != 0)
        return failed(s, p->error);
    return p->flags & FAKE_EOF ? IO_EOF : IO_AGAIN;
}

/* An injected failure; EAGAIN is only a delay. */
static enum io injected(struct sock *s, int error)
{
    if (error != EAGAIN)
        return failed(s, error);
    fake_tell(peer_of(s), NEWS_EVENT);
    return IO_AGAIN;
}

static size_t copy_out(struct fake_peer *p, char *to, size_t room)
{
    size_t n = 0;

    while (p->first != NULL && n < room) {
        const struct fake_chunk *c = p->first;
        size_t here = c->len - c->taken < room - n ? c->len - c->taken : room - n;
        bool whole = p->kind == SOCK_KIND_DATAGRAM;
        memcpy(to + n, c->bytes + c->taken, here);
        n += here;
        fake_chunk_take(p, whole ? c->len - c->taken : here);
        if (whole && n > 0)
            break;
    }
    return n;
}

static enum io fake_recv(struct sock *s, struct lease *into)
{
    struct fake_peer *p = peer_of(s);
    uint32_t segment = p->kind == SOCK_KIND_STREAM ? p->fake->segment : 0;
    size_t room = segment > 0 && segment < into->size ? segment : into->size;
    int error = step(p->fake, FAKE_RECV);

    if (error != 0)
        return injected(s, error);
    size_t n = copy_out(p, into->data, room);
    if (n == 0)
        return at_end(s, p);
    if (room < into->size && (p->first != NULL || p->flags & FAKE_EOF))
        fake_tell(p, NEWS_EVENT); /* the next segment */
    into->size = (uint32_t)n;
    return IO_OK;
}

static enum io fake_splice_in(struct sock *from, int pipe_to, size_t n, size_t *ret_taken)
{
    struct fake_peer *p = peer_of(from);
    const struct fake_chunk *c = p->first;
    int error = step(p->fake, FAKE_RECV);

    if (error != 0)
        return injected(from, error);
    if (c == NULL)
        return at_end(from, p);
    size_t most = c->len - c->taken < n ? c->len - c->taken : n;
    if (p->fake->segment > 0 && p->fake->segment < most)
        most = p->fake->segment;
    ssize_t done = write(pipe_to, c->bytes + c->taken, most);
    if (done < 0)
        return errno == EAGAIN ? IO_AGAIN : failed(from, errno);
    fake_chunk_take(p, (size_t)done);
    *ret_taken = (size_t)done;
    return IO_OK;
}

/* --- send ----------------------------------------------------------------------------------- */

/* Before any send: IO_OK: `ret_room` bytes may go. */
static enum io may_send(struct sock *s, size_t *ret_room)
{
    struct fake_peer *p = peer_of(s);
    int error = step(p->fake, FAKE_SEND);

    if (error != 0)
        return injected(s, error);
    if (p->error != 0)
        return failed(s, p->error);
    if (p->flags & FAKE_CODE_FIN)
        return failed(s, EPIPE);
    *ret_room = p->window;
    if (p->window == 0)
        p->flags |= FAKE_BLOCKED;
    return p->window > 0 ? IO_OK : IO_AGAIN;
}

static void count_sent(struct fake_peer *p, size_t n)
{
    if (p->window != SIZE_MAX)
        p->window -= n;
    if (n > 0)
        fake_tell(p, NEWS_DATA);
}

static enum io fake_send_iov(struct sock *s, struct iovec *iov, int n, size_t *ret_taken)
{
    struct fake_peer *p = peer_of(s);
    size_t room;
    size_t sent = 0;
    enum io io = may_send(s, &room);

    if (io != IO_OK)
        return io;
    for (int i = 0; i < n; i++) {
        size_t here = iov[i].iov_len < room - sent ? iov[i].iov_len : room - sent;
        buf_add(&p->received, (struct span){ iov[i].iov_base, here });
        sent += here;
        if (here < iov[i].iov_len)
            p->flags |= FAKE_BLOCKED;
    }
    count_sent(p, sent);
    *ret_taken = sent;
    return IO_OK;
}

/* From a file at `at`, or from a pipe (`at` < 0). */
static enum io send_from(struct sock *s, int fd, int64_t at, size_t n, size_t *ret_taken)
{
    struct fake_peer *p = peer_of(s);
    size_t room;
    enum io io = may_send(s, &room);

    if (io != IO_OK)
        return io;
    size_t most = n < room ? n : room;
    most = most < MOST_AT_ONCE ? most : MOST_AT_ONCE;
    if (!buf_reserve(&p->received, most))
        return failed(s, ENOMEM);
    char *to = p->received.data + p->received.len;
    ssize_t got = at < 0 ? read(fd, to, most) : pread(fd, to, most, at);
    if (got < 0)
        return failed(s, errno);
    p->received.len += (size_t)got;
    count_sent(p, (size_t)got);
    *ret_taken = (size_t)got;
    return got > 0 ? IO_OK : IO_EOF;
}

static enum io fake_send_file(struct sock *s, int file, uint64_t at, size_t n, size_t *ret_taken)
{
    return send_from(s, file, (int64_t)at, n, ret_taken);
}

static enum io fake_splice_out(struct sock *to, int pipe_from, size_t n, size_t *ret_taken)
{
    return send_from(to, pipe_from, -1, n, ret_taken);
}

static enum io fake_shutdown_write(struct sock *s)
{
    struct fake_peer *p = peer_of(s);

    if (p->error != 0 || !(p->flags & FAKE_CONNECTED))
        return failed(s, ENOTCONN);
    p->flags |= FAKE_CODE_FIN;
    if (p->flags & FAKE_EOF)
        fake_tell(p, NEWS_EVENT);
    return IO_OK;
}

/* --- connect -------------------------------------------------------------------------------- */

/* Where no rule says something else, nobody listens. */
static const struct fake_rule *rule_for(const struct fake *f, const struct address *to)
{
    static const struct fake_rule refused = { .error = ECONNREFUSED };

    for (const struct fake_rule *r = f->rules; r != NULL; r = r->next)
        if (address_same(&r->to, to))
            return r;
    return &refused;
}

/* What the kernel says in connect() itself; other errors come as an event later. */
static bool is_known_at_once(int error)
{
    return error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL ||
           error == EACCES;
}

static enum io fake_connect_to(struct sock *s, const struct address *to)
{
    struct fake_peer *p = peer_of(s);
    int error = step(p->fake, FAKE_CONNECT);

    p->remote = *to;
    p->rule = rule_for(p->fake, to);
    if (error != 0)
        return failed(s, error);
    if (is_known_at_once(p->rule->error))
        return failed(s, p->rule->error);
    if (p->kind == SOCK_KIND_DATAGRAM) {
        p->flags |= FAKE_CONNECTED;
        if (p->rule->error == 0)
            fake_tell(p, NEWS_CONNECT);
        return IO_OK; /* nobody has been asked yet */
    }
    if (p->rule->error == 0)
        fake_tell(p, NEWS_CONNECT);
    else if (p->rule->error != ETIMEDOUT) {
        p->error = p->rule->error;
        fake_tell(p, NEWS_EVENT);
    }
    return IO_AGAIN;
}

static enum io fake_connect_end(struct sock *s)
{
    const struct fake_peer *p = peer_of(s);

    return p->error != 0 ? failed(s, p->error) : IO_OK;
}

static int fake_new_socket(struct loop *l, int family, enum sock_kind kind)
{
    struct fake *f = l->backend;
    int error = step(f, FAKE_SOCKET);

    (void)family;
    return error != 0 ? -error : fake_peer_new(f, kind)->fd;
}

static int fake_local_address(struct sock *s, struct address *ret)
{
    *ret = peer_of(s)->local;
    return 0;
}

static int64_t fake_wall_ms(struct loop *l)
{
    static const int64_t new_year_2026 = INT64_C(1767225600000);
    const struct fake *f = l->backend;

    return new_year_2026 + (int64_t)f->now;
}

static uint64_t fake_offload_ms(const struct loop *l)
{
    const struct fake *f = l->backend;

    return f->offload_ms;
}

void fake_offload(struct loop *l, uint64_t ms)
{
    struct fake *f = l->backend;

    f->offload_ms = ms;
}

static const struct loop_ops fake_ops = {
    .turn = fake_turn,
    .done = fake_done,
    .open = fake_open,
    .moved = fake_moved,
    .close = fake_close,
    .probe = fake_probe,
    .accept = fake_accept,
    .recv = fake_recv,
    .send = fake_send_iov,
    .connect = fake_connect_to,
    .connect_end = fake_connect_end,
    .send_file = fake_send_file,
    .splice_in = fake_splice_in,
    .splice_out = fake_splice_out,
    .shutdown_write = fake_shutdown_write,
    .local_address = fake_local_address,
    .new_socket = fake_new_socket,
    .wall_ms = fake_wall_ms,
    .offload_ms = fake_offload_ms,
};

/* No timer for the pools: here every timer is something that is left to happen. */
int loop_init_fake(struct loop *l, uint32_t max_fibers, struct budget *budget, uint64_t start_ms)
{
    struct fake *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -ENOMEM;
    f->loop = l;
    f->now = start_ms;
    f->next_fd = FAKE_FIRST_FD;
    link_init(&f->dirty);
    loop_init(l, &fake_ops, start_ms);
    loop_limits(l, max_fibers, budget);
    l->backend = f;
    loop_note_time(l, start_ms);
    return 0;
}
