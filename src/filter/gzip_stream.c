/* The compressor of answers.
 *
 *     RUNNING -> FINISHING -> ENDED
 *       ^ |
 *       | v   while the inner source would wait, unless it is `bulk`: what was given to us
 *     FLUSHING                              leaves first, so events arrive one by one
 *
 * A stream takes 268 KiB of zlib's at most, less for short answers, and a block for what comes out;
 * all of it is charged to the worker. Owns the inner source. */
#include "filter/gzip_stream.h"

#include "base/charged.h"
#include "base/link.h"
#include "exchange/exchange.h"
#include "exchange/source.h"
#include "exchange/turn.h"
#include "filter/input.h"

#include <zlib.h>

/* IN_A_TURN: what is compressed before others may run: 10 ms at the slowest level. */
enum { AT_ONCE = 16 * 1024, IN_A_TURN = 64 * 1024, GZIP_WRAPPER = 16 };
enum { LARGEST_WINDOW = 15, LARGEST_MEMORY = 8, WINDOW_MARGIN = 262 };

enum gzip_state { GZIP_RUNNING, GZIP_FLUSHING, GZIP_FINISHING, GZIP_ENDED };

struct gzip_stream {
    struct source source;
    struct input input; /* owned */
    z_stream zlib;
    struct block *out; /* owned: what a part of ours lies in */
    enum gzip_state state;
    bool holds;    /* zlib has bytes that no flush has pushed out */
    size_t turn;   /* bytes since others could run */
    uint64_t in;   /* bytes, for $gzip_ratio; zlib's own counts are longs */
    uint64_t sent; /* likewise */
};

const char gzip_stream_key;

static struct gzip_stream *stream_of(const struct source *s)
{
    return CONTAINER(s, struct gzip_stream, source);
}

/* --- memory for zlib ------------------------------------------------------------------------ */

/* zlib frees without saying how much. */
struct piece {
    _Alignas(16) size_t size;
    char bytes[];
};

static void *on_alloc(void *budget, unsigned count, unsigned size)
{
    size_t all;

    if (__builtin_mul_overflow((size_t)count, (size_t)size, &all) ||
        __builtin_add_overflow(all, sizeof(struct piece), &all))
        return NULL;
    struct piece *p = charged_new(all, budget);
    if (p == NULL)
        return NULL;
    p->size = all;
    return p->bytes;
}

static void on_free(void *budget, void *bytes)
{
    struct piece *p = CONTAINER(bytes, struct piece, bytes);

    charged_free(p, p->size, budget);
}

/* A window no larger than what there is to look back on. zlib takes no window of 256 bytes. */
static bool begin(struct gzip_stream *g, unsigned level, uint64_t length)
{
    int window = LARGEST_WINDOW, memory = LARGEST_MEMORY;

    while (window > 9 && length < (1u << (window - 1)) - WINDOW_MARGIN) {
        window--;
        memory--;
    }
    g->zlib.zalloc = on_alloc;
    g->zlib.zfree = on_free;
    g->zlib.opaque = &g->source.x->worker->budget;
    return deflateInit2(&g->zlib, (int)level, Z_DEFLATED, window + GZIP_WRAPPER, memory,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

/* --- input ---------------------------------------------------------------------------------- */

/* Bytes for zlib, or another state. */
static enum io take_input(struct gzip_stream *g)
{
    struct span bytes;

    if (g->holds && !g->input.inner->bulk && !input_ready(&g->input)) {
        g->state = GZIP_FLUSHING;
        return IO_OK;
    }
    enum io io = input_read(&g->input, AT_ONCE, &bytes);
    if (io == IO_EOF) {
        g->state = GZIP_FINISHING;
        return IO_OK;
    }
    if (io != IO_OK)
        return io;
    g->zlib.next_in = (unsigned char *)bytes.at;
    g->zlib.avail_in = (unsigned)bytes.len;
    return IO_OK;
}

/* --- output --------------------------------------------------------------------------------- */

/* One step of zlib, and what it means for the state. */
static bool squeeze(struct gzip_stream *g)
{
    static const int how[] = {
        [GZIP_RUNNING] = Z_NO_FLUSH, [GZIP_FLUSHING] = Z_SYNC_FLUSH, [GZIP_FINISHING] = Z_FINISH
    };
    unsigned before = g->zlib.avail_in, room = g->zlib.avail_out;
    int result = deflate(&g->zlib, how[g->state]);
    size_t taken = before - g->zlib.avail_in;

    g->in += taken;
    g->turn += taken;
    g->sent += room - g->zlib.avail_out;
    g->holds = g->holds || taken > 0;
    if (result == Z_STREAM_END) {
        g->state = GZIP_ENDED;
    } else if (g->state == GZIP_FLUSHING && g->zlib.avail_out > 0) { /* all of it is out */
        g->state = GZIP_RUNNING;
        g->holds = false;
    }
    return result != Z_STREAM_ERROR;
}

static void let_others_run(struct gzip_stream *g)
{
    if (g->turn < IN_A_TURN)
        return;
    g->turn = 0;
    fiber_yield();
}

/* Until the block is full, the inner source would wait, or the end. */
static enum io fill(struct gzip_stream *g)
{
    bool pushed = false;

    while (g->zlib.avail_out > 0 && g->state != GZIP_ENDED && !pushed) {
        if (g->state == GZIP_RUNNING && g->zlib.avail_in == 0) {
            enum io io = take_input(g);

            if (io != IO_OK)
                return io;
        }
        bool flushing = g->state == GZIP_FLUSHING;
        if (!squeeze(g)) {
            g->source.x->fault = FAULT_PROXY_INTERNAL_ERROR;
            return IO_FAILED;
        }
        pushed = flushing && g->state == GZIP_RUNNING;
        let_others_run(g);
    }
    return IO_OK;
}

static enum io gzip_read(struct source *s, struct part *ret)
{
    struct gzip_stream *g = stream_of(s);
    size_t len = 0;

    while (len == 0) { /* a flush that exactly filled the last block has nothing left to say */
        if (g->state == GZIP_ENDED)
            return IO_EOF;
        g->zlib.next_out = (unsigned char *)g->out->data;
        g->zlib.avail_out = BLOCK_SIZE;
        enum io io = fill(g);
        if (io != IO_OK)
            return io;
        len = BLOCK_SIZE - g->zlib.avail_out;
    }
    *ret = (struct part){ .kind = PART_MEMORY,
                          .last = g->state == GZIP_ENDED,
                          .bytes = { g->out->data, len },
                          .block = g->out };
    return IO_OK;
}

/* A flush or the end of what we hold never waits. */
static bool gzip_ready(const struct source *s)
{
    const struct gzip_stream *g = stream_of(s);

    return g->state != GZIP_RUNNING || g->zlib.avail_in > 0 ||
           (g->holds && !g->input.inner->bulk) || input_ready(&g->input);
}

static enum io gzip_head(struct source *s)
{
    (void)s; /* the inner one has it already */
    return IO_OK;
}

static void gzip_close(struct source *s)
{
    struct gzip_stream *g = stream_of(s);

    deflateEnd(&g->zlib);
    block_unref(g->out);
    input_close(&g->input);
}

static const struct source_ops gzip_ops = {
    .head = gzip_head, .read = gzip_read, .ready = gzip_ready, .close = gzip_close
};

struct source *gzip_stream_new(struct exchange *x, struct source *inner, unsigned level,
                               uint64_t length)
{
    struct gzip_stream *g = arena_zalloc(&x->arena, sizeof(*g));

    g->source = (struct source){ .ops = &gzip_ops, .x = x };
    input_init(&g->input, inner);
    g->out = block_get(&x->worker->loop->blocks);
    if (g->out == NULL || !begin(g, level, length)) {
        block_unref(g->out);
        return NULL;
    }
    exchange_keep(x, &gzip_stream_key, &g->source);
    return &g->source;
}

void gzip_stream_counts(const struct source *s, uint64_t *ret_in, uint64_t *ret_out)
{
    *ret_in = stream_of(s)->in;
    *ret_out = stream_of(s)->sent;
}
