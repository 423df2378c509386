/* The far ends of the fake loop's sockets: what a test does to the code under test, and sees of it.
 *
 * Owns the bytes under way to the code and those that the code sent, until loop_done. */
#include "base/address.h"
#include "base/buf.h"
#include "base/link.h"
#include "base/span.h"
#include "net/fake.h"
#include "net/loop.h"
#include "net/loop_backend.h"
#include "net/loop_fake.h"
#include "net/sock.h"
#include "net/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_RECEIVED = 1 << 30 };

static void *need(void *memory)
{
    if (memory == NULL)
        abort(); /* a test without memory has no result */
    return memory;
}

struct fake_peer *fake_peer_new(struct fake *f, enum sock_kind kind)
{
    struct fake_peer *p = need(calloc(1, sizeof(*p)));

    p->fake = f;
    p->fd = f->next_fd++;
    p->kind = kind;
    p->last = &p->first;
    p->window = SIZE_MAX;
    p->local = (struct address){ .family = AF_INET, .ip = { 127, 0, 0, 1 } };
    p->local.port = (uint16_t)(40000 + (p->fd - FAKE_FIRST_FD) % 20000);
    link_init(&p->dirty);
    buf_init(&p->received, MOST_RECEIVED, NULL);
    p->next = f->peers;
    f->peers = p;
    return p;
}

void fake_peer_free(struct fake_peer *p)
{
    while (p->first != NULL)
        fake_chunk_take(p, p->first->len - p->first->taken);
    buf_done(&p->received);
    free(p);
}

struct fake_peer *fake_peer_of(const struct fake *f, int fd)
{
    for (struct fake_peer *p = f->peers; p != NULL; p = p->next)
        if (p->fd == fd)
            return p;
    return NULL;
}

struct fake_listener *fake_listener_of(const struct fake *f, int fd)
{
    for (struct fake_listener *l = f->listeners; l != NULL; l = l->next)
        if (l->fd == fd && l->sock != NULL)
            return l;
    return NULL;
}

void fake_tell(struct fake_peer *p, unsigned news)
{
    p->news |= news;
    if (link_alone(&p->dirty))
        link_append(&p->fake->dirty, &p->dirty);
}

void fake_chunk_take(struct fake_peer *p, size_t n)
{
    struct fake_chunk *c = p->first;

    c->taken += n;
    if (c->taken < c->len)
        return;
    p->first = c->next;
    if (p->first == NULL)
        p->last = &p->first;
    free(c);
}

/* --- what the test does --------------------------------------------------------------------- */

struct fake_peer *fake_connect(struct loop *l, int listener_fd, const struct address *from)
{
    static const struct address somebody = { .family = AF_INET,
                                             .port = 50000,
                                             .ip = { 203, 0, 113, 1 } };
    struct fake *f = l->backend;
    struct fake_listener *listener = fake_listener_of(f, listener_fd);

    if (listener == NULL)
        return NULL;
    struct fake_peer *p = fake_peer_new(f, SOCK_KIND_STREAM);
    p->flags = FAKE_CONNECTED;
    p->remote = from != NULL ? *from : somebody;
    p->local.port = (uint16_t)listener_fd;
    *listener->last_waiting = p;
    listener->last_waiting = &p->next_waiting;
    listener->has_news = true;
    return p;
}

void fake_origin(struct loop *l, const struct address *to, int error,
                 void (*on_connect)(void *arg, struct fake_peer *), void *arg)
{
    struct fake *f = l->backend;
    struct fake_rule *r = need(malloc(sizeof(*r)));

    *r = (struct fake_rule){ f->rules, *to, error, on_connect, arg };
    f->rules = r;
}

void fake_send(struct fake_peer *p, struct span bytes)
{
    if (p->flags & (FAKE_EOF | FAKE_CODE_RESET) || p->error != 0)
        return;
    if (bytes.len == 0 && p->kind == SOCK_KIND_STREAM)
        return;
    struct fake_chunk *c = need(malloc(sizeof(*c) + bytes.len));
    *c = (struct fake_chunk){ .len = bytes.len };
    if (bytes.len > 0)
        memcpy(c->bytes, bytes.at, bytes.len);
    *p->last = c;
    p->last = &c->next;
    fake_tell(p, NEWS_EVENT);
}

void fake_send_eof(struct fake_peer *p)
{
    p->flags |= FAKE_EOF;
    fake_tell(p, NEWS_EVENT);
}

void fake_reset(struct fake_peer *p)
{
    p->error = ECONNRESET;
    fake_tell(p, NEWS_EVENT);
}

void fake_window(struct fake_peer *p, size_t bytes)
{
    p->window = bytes;
    if (bytes > 0 && p->flags & FAKE_BLOCKED)
        fake_tell(p, NEWS_EVENT);
}

void fake_drain(struct fake_peer *p, size_t bytes)
{
    fake_window(p, bytes < SIZE_MAX - p->window ? p->window + bytes : SIZE_MAX);
}

void fake_on_data(struct fake_peer *p, void (*fn)(void *arg, struct fake_peer *), void *arg)
{
    p->on_data = fn;
    p->on_data_arg = arg;
}

void fake_fail(struct loop *l, enum fake_step kind, uint64_t nth, int error)
{
    struct fake *f = l->backend;

    f->steps[kind].fails_at = nth > 0 ? f->steps[kind].count + nth : 0;
    f->steps[kind].error = error;
}

void fake_segment(struct loop *l, uint32_t bytes)
{
    struct fake *f = l->backend;

    f->segment = bytes;
}

/* --- what the test sees --------------------------------------------------------------------- */

struct span fake_received(const struct fake_peer *p)
{
    return buf_view(&p->received);
}

bool fake_is_closed(const struct fake_peer *p)
{
    return (p->flags & (FAKE_CODE_FIN | FAKE_CODE_RESET)) != 0;
}

bool fake_was_reset(const struct fake_peer *p)
{
    return (p->flags & FAKE_CODE_RESET) != 0;
}

uint64_t fake_steps(const struct loop *l, enum fake_step kind)
{
    const struct fake *f = l->backend;

    return f->steps[kind].count;
}

/* When the first timer is due, to the tick: the wheel itself only knows when to look again. */
static uint64_t first_timer(const struct wheel *w)
{
    uint64_t first = TIMER_NEVER;

    for (int i = 0; i < WHEEL_LEVELS * WHEEL_SLOTS; i++)
        for (const struct timer *t = w->slot[i / WHEEL_SLOTS][i % WHEEL_SLOTS]; t; t = t->next)
            first = t->at < first ? t->at : first;
    for (const struct timer *t = w->far; t != NULL; t = t->next)
        first = t->at < first ? t->at : first;
    return first;
}

void fake_run(struct loop *l, uint64_t until_ms)
{
    enum { MOST_TURNS = 50 * 1000 * 1000 };
    const struct fake *f = l->backend;

    for (int turns = 0;; turns++) {
        if (fake_is_quiet(f) && !loop_has_work(l)) {
            uint64_t next = first_timer(&l->wheel);
            if (next == TIMER_NEVER || next > until_ms)
                return;
        }
        if (turns == MOST_TURNS) {
            fprintf(stderr, "fake_run: the code under test never comes to rest\n");
            abort();
        }
        loop_turn(l, -1);
    }
}
