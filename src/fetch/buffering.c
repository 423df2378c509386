/* Reading ahead of a slow client (nginx-semantics 7.3, Buffering).
 *
 * A wrapper round the origin. As long as the client keeps up, parts pass through untouched. When a
 * send first blocks, a child fiber begins to read on, into two buffers that are used in turn, up to
 * proxy_buffers in all:
 *
 *     origin --reader--> filling      sending --> client
 *                           ^-- swapped when `sending` is empty --^
 */
#include "fetch/buffering.h"

#include "fetch/accel.h"

#include "base/link.h"
#include "exchange/exchange.h"
#include "fetch/proxy.h"

struct buffering {
    struct source source;
    struct source *inner; /* owned */
    struct family family;
    struct wait *reader;   /* waits for room */
    struct wait *consumer; /* waits for bytes */
    struct block *held;    /* keeps the part alive that was being sent when the reader began */
    struct buf filling, sending;
    size_t sent;           /* of `sending` */
    size_t at_once;        /* proxy_busy_buffers_size */
    size_t most;           /* in `filling` */
    struct block *current; /* of the last part that passed through */
    enum io end;           /* how the inner source ended; IO_OK: it has not */
    bool reading;          /* the reader has begun */
};

static struct buffering *buffering_of(const struct source *s)
{
    return CONTAINER(s, struct buffering, source);
}

static void wake(struct wait **w)
{
    struct wait *sleeper = *w;

    *w = NULL;
    if (sleeper != NULL)
        wait_wake(sleeper, WAKE_DONE);
}

static bool let_go(struct wait *w)
{
    *(struct wait **)w->source = NULL;
    return true;
}

static enum wake sleep_for(struct wait **slot)
{
    struct wait w = { .abandon = let_go, .source = slot };

    *slot = &w;
    return fiber_wait(&w, TIMER_NEVER);
}

/* The child: ends with the answer, or cancelled by family_end. */
static void read_ahead(void *arg)
{
    struct buffering *b = arg;

    while (b->end == IO_OK) {
        struct part part;

        while (b->filling.len >= b->most)
            if (sleep_for(&b->reader) == WAKE_CANCEL)
                return;
        b->end = b->inner->ops->read(b->inner, &part);
        if (b->end == IO_OK) {
            buf_add(&b->filling, part.bytes);
            if (!buf_ok(&b->filling))
                b->end = IO_FAILED;
            else if (part.last)
                b->end = IO_EOF;
        }
        wake(&b->consumer);
    }
}

static void on_blocked(void *arg)
{
    struct buffering *b = arg;

    if (b->reading || b->end != IO_OK || b->current == NULL)
        return;
    b->held = block_ref(b->current);
    if (fiber_spawn(NULL, &b->family, read_ahead, b) == 0) {
        b->reading = true;
        return;
    }
    block_unref(b->held);
    b->held = NULL;
}

static enum io pass_through(struct buffering *b, struct part *ret)
{
    enum io io = b->inner->ops->read(b->inner, ret);

    b->current = io == IO_OK && ret->kind == PART_MEMORY && !ret->last ? ret->block : NULL;
    return io;
}

static enum io buffering_read(struct source *s, struct part *ret)
{
    struct buffering *b = buffering_of(s);

    if (!b->reading)
        return pass_through(b, ret);
    block_unref(b->held);
    b->held = NULL;
    if (b->sent == b->sending.len) {
        while (b->filling.len == 0 && b->end == IO_OK)
            if (sleep_for(&b->consumer) == WAKE_CANCEL) {
                s->x->fault = FAULT_CLIENT_GONE;
                return IO_CANCELLED;
            }
        if (b->filling.len == 0)
            return b->end;
        struct buf empty = b->sending;
        b->sending = b->filling;
        b->filling = empty;
        buf_clear(&b->filling);
        b->sent = 0;
        wake(&b->reader);
    }
    struct span bytes = span_first(span_from(buf_view(&b->sending), b->sent), b->at_once);
    b->sent += bytes.len;
    *ret = (struct part){ .kind = PART_MEMORY,
                          .bytes = bytes,
                          .last = b->end == IO_EOF && b->filling.len == 0 &&
                                  b->sent == b->sending.len };
    return IO_OK;
}

static bool buffering_ready(const struct source *s)
{
    const struct buffering *b = buffering_of(s);

    if (!b->reading)
        return b->inner->ops->ready(b->inner);
    return b->sent < b->sending.len || b->filling.len > 0 || b->end != IO_OK;
}

static enum io buffering_head(struct source *s)
{
    (void)s; /* the inner one has it already */
    return IO_OK;
}

static void buffering_close(struct source *s)
{
    struct buffering *b = buffering_of(s);

    s->x->client->on_blocked = NULL;
    family_end(&b->family);
    block_unref(b->held);
    b->inner->ops->close(b->inner);
    buf_done(&b->filling);
    buf_done(&b->sending);
}

static const struct source_ops buffering_ops = { .head = buffering_head,
                                                 .read = buffering_read,
                                                 .ready = buffering_ready,
                                                 .close = buffering_close };

/* Only an answer that may wait, of some length. */
static bool wants(struct exchange *x, const void *settings)
{
    const struct proxy_settings *own = settings;

    return x->source->ops->ready != NULL && !response_has_no_body(x) &&
           accel_buffers(x, own, own->switches.buffering);
}

static struct source *wrap(struct exchange *x, const void *settings, struct source *inner)
{
    const struct proxy_settings *proxy = settings;
    struct buffering *b = arena_zalloc(&x->arena, sizeof(*b));
    size_t all = (size_t)(proxy->buffers.count * proxy->buffers.size);

    b->source = (struct source){ &buffering_ops, x };
    b->inner = inner;
    b->most = all / 2 + 1; /* never nothing: the reader waits while there is no room */
    b->at_once =
        (size_t)(proxy->busy_buffers_size ? proxy->busy_buffers_size : 2 * proxy->buffers.size);
    buf_init(&b->filling, b->most + BLOCK_SIZE, &x->worker->budget);
    buf_init(&b->sending, b->most + BLOCK_SIZE, &x->worker->budget);
    x->client->on_blocked = on_blocked;
    x->client->on_blocked_arg = b;
    return &b->source;
}

const struct filter buffering_filter = { .slot = SLOT_BUFFERING, .wants = wants, .wrap = wrap };
