/* Reading ahead of a slow client (nginx-semantics 7.3, Buffering).
 *
 * A wrapper round the origin. As long as the client keeps up, parts pass through untouched. When a
 * send first blocks, a child fiber begins to read on, into two buffers that are used in turn, up to
 * proxy_buffers in all; what does not fit goes to a file, up to proxy_max_temp_file_size. The
 * client's order is `sending`, the file, `filling`:
 *
 *     origin --reader--> filling ----------------------> sending --> client
 *                           |    swapped, when both are empty   ^
 *                           +----pieces----> file --------------+
 */
#include "fetch/buffering.h"

#include "base/buf.h"
#include "base/link.h"
#include "exchange/client.h"
#include "exchange/exchange.h"
#include "exchange/filter.h"
#include "exchange/source.h"
#include "exchange/spool.h"
#include "exchange/worker.h"
#include "fetch/accel.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "net/block.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/timer.h"
#include "proto/fields.h"

enum { SPILLED_A_TURN = 64 * 1024 };

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
    bool piped;            /* the last part that passed through lies in a pipe */
    struct buffering_file {
        struct spool spool;
        uint64_t sent;       /* of the file */
        uint64_t most;       /* in it; 0: none is made, or it failed */
        size_t piece;        /* a write at most */
        size_t spilled;      /* of `filling`: is in the file already */
        size_t turn;         /* bytes since others last ran */
        struct block *block; /* for bytes that the client cannot have as a file */
    } file;
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

/* --- the reader ----------------------------------------------------------------------------- */

/* One write. Where the file fails, the answer goes on without: the upstream waits for the
 * client. */
static void spill(struct buffering *b)
{
    struct buffering_file *f = &b->file;
    uint64_t before = f->spool.length;
    struct span bytes = span_from(buf_view(&b->filling), f->spilled);

    bytes = span_first(span_first(bytes, f->piece), (size_t)(f->most - before));
    if (!spool_add(&f->spool, bytes))
        f->most = 0;
    f->spilled += (size_t)(f->spool.length - before);
    if (f->spilled == b->filling.len) {
        buf_clear(&b->filling);
        f->spilled = 0;
    }
    wake(&b->consumer);
}

/* A disk is faster than most clients: others come to their turn. */
static void let_others_run(struct buffering *b)
{
    b->file.turn += b->file.piece;
    if (b->file.turn < SPILLED_A_TURN)
        return;
    b->file.turn = 0;
    fiber_yield();
}

/* What has begun to go to the file goes there whole. False: cancelled. */
static bool make_room(struct buffering *b)
{
    while (!fiber_cancelled()) {
        bool full = b->filling.len >= b->most;

        if (!full && b->file.spilled == 0)
            return true;
        if (b->file.spool.length < b->file.most) {
            spill(b);
            let_others_run(b);
        } else if (!full) {
            return true;
        } else if (sleep_for(&b->reader) == WAKE_CANCEL) {
            return false;
        }
    }
    return false;
}

/* The child: ends with the answer, or cancelled by family_end. */
static void read_ahead(void *arg)
{
    struct buffering *b = arg;

    while (b->end == IO_OK && make_room(b)) {
        struct part part;

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

    if (b->reading || b->end != IO_OK || (b->current == NULL && !b->piped))
        return;
    if (b->current != NULL)
        b->held = block_ref(b->current);
    if (fiber_spawn(NULL, &b->family, read_ahead, b) == 0) {
        b->reading = true;
        b->inner->pipes = false; /* what is in the pipe leaves while the reader goes on */
        return;
    }
    block_unref(b->held);
    b->held = NULL;
}

/* --- the client's fiber --------------------------------------------------------------------- */

static enum io pass_through(struct buffering *b, struct part *ret)
{
    b->inner->pipes = b->source.pipes;
    enum io io = b->inner->ops->read(b->inner, ret);
    b->piped = io == IO_OK && ret->kind == PART_PIPE && !ret->last;
    b->current = io == IO_OK && ret->kind == PART_MEMORY && !ret->last ? ret->block : NULL;
    return io;
}

static bool file_has_more(const struct buffering *b)
{
    return b->file.sent < b->file.spool.length;
}

static bool is_last(const struct buffering *b)
{
    return b->end == IO_EOF && b->filling.len == 0 && b->sent == b->sending.len &&
           !file_has_more(b);
}

static enum io give_memory(struct buffering *b, struct part *ret)
{
    struct span bytes = span_first(span_from(buf_view(&b->sending), b->sent), b->at_once);

    b->sent += bytes.len;
    *ret = (struct part){ .kind = PART_MEMORY, .bytes = bytes, .last = is_last(b) };
    return IO_OK;
}

static enum io give_file(struct buffering *b, struct part *ret)
{
    struct buffering_file *f = &b->file;
    struct part part = { .kind = PART_FILE,
                         .file = f->spool.fd,
                         .offset = f->sent,
                         .length = f->spool.length - f->sent };

    if (!source_may_send_files(b->source.x)) {
        enum io io = source_read_file(b->source.x, &part, &f->block, &part.bytes);

        if (io != IO_OK)
            return io;
        part.kind = PART_MEMORY;
    }
    f->sent += part_length(&part);
    part.last = is_last(b);
    *ret = part;
    return IO_OK;
}

/* All of the file has left: its room can be used again. */
static void empty_file(struct buffering *b)
{
    if (b->file.spool.length == 0)
        return;
    spool_clear(&b->file.spool);
    b->file.sent = 0;
    wake(&b->reader);
}

/* What of `filling` was in the file has been sent from there. */
static void swap(struct buffering *b)
{
    struct buf empty = b->sending;

    b->sending = b->filling;
    b->filling = empty;
    buf_clear(&b->filling);
    b->sent = b->file.spilled;
    b->file.spilled = 0;
    wake(&b->reader);
}

/* What was being sent when the reader began has left. */
static void let_go_of_part(struct buffering *b)
{
    block_unref(b->held);
    b->held = NULL;
    if (b->piped)
        origin_drop_pipe(b->inner);
    b->piped = false;
}

static enum io buffering_read(struct source *s, struct part *ret)
{
    struct buffering *b = buffering_of(s);

    if (!b->reading)
        return pass_through(b, ret);
    let_go_of_part(b);
    for (;;) {
        if (b->sent < b->sending.len)
            return give_memory(b, ret);
        if (file_has_more(b))
            return give_file(b, ret);
        empty_file(b);
        if (b->filling.len > 0) {
            swap(b);
        } else if (b->end != IO_OK) {
            return b->end;
        } else if (sleep_for(&b->consumer) == WAKE_CANCEL) {
            s->x->fault = FAULT_CLIENT_GONE;
            return IO_CANCELLED;
        }
    }
}

static bool buffering_ready(const struct source *s)
{
    const struct buffering *b = buffering_of(s);

    if (!b->reading)
        return b->inner->ops->ready(b->inner);
    return b->sent < b->sending.len || b->filling.len > 0 || file_has_more(b) || b->end != IO_OK;
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
    spool_done(&b->file.spool);
    block_unref(b->file.block);
}

static const struct source_ops buffering_ops = { .head = buffering_head,
                                                 .read = buffering_read,
                                                 .ready = buffering_ready,
                                                 .close = buffering_close };

/* --- the wrapper ---------------------------------------------------------------------------- */

/* Only an answer that may wait, of some length. */
static bool wants(struct exchange *x, const void *settings)
{
    const struct proxy_settings *own = settings;

    return x->source->ops->ready != NULL && !response_has_no_body(x) &&
           accel_buffers(x, own, own->switches.buffering);
}

static void set_sizes(struct buffering *b, const struct proxy_settings *proxy)
{
    size_t all = (size_t)(proxy->buffers.count * proxy->buffers.size);
    uint64_t larger =
        proxy->buffer_size > proxy->buffers.size ? proxy->buffer_size : proxy->buffers.size;

    b->most = all / 2 + 1; /* never nothing: the reader waits while there is no room */
    b->at_once =
        (size_t)(proxy->busy_buffers_size ? proxy->busy_buffers_size : 2 * proxy->buffers.size);
    b->file.most = proxy->spill.most.bytes;
    b->file.piece = (size_t)(proxy->spill.piece.bytes ? proxy->spill.piece.bytes : 2 * larger);
}

/* Events are meant for now, whatever is configured. */
static bool has_events(const struct exchange *x)
{
    const struct field *type = fields_find(&x->response.fields, FIELD_CONTENT_TYPE);

    return type != NULL && span_starts_caseless(type->value, "text/event-stream");
}

static struct source *wrap(struct exchange *x, const void *settings, struct source *inner)
{
    static const struct spool_words words = { "an upstream response", " while reading upstream" };
    const struct proxy_settings *proxy = settings;
    struct buffering *b = arena_zalloc(&x->arena, sizeof(*b));

    b->source = (struct source){ .ops = &buffering_ops, .x = x, .bulk = !has_events(x) };
    b->inner = inner;
    set_sizes(b, proxy);
    spool_init(&b->file.spool, x, proxy->spill.folder.path, &words);
    buf_init(&b->filling, b->most + BLOCK_SIZE, &x->worker->budget);
    buf_init(&b->sending, b->most + BLOCK_SIZE, &x->worker->budget);
    x->client->on_blocked = on_blocked;
    x->client->on_blocked_arg = b;
    return &b->source;
}

const struct filter buffering_filter = { .slot = SLOT_BUFFERING, .wants = wants, .wrap = wrap };
