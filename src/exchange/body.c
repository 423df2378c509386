/* A request's body, read whole before it is sent on. Small ones stay in memory; the rest goes to a
 * file that has no name. Owned by the exchange. */
#include "exchange/body.h"

#include "base/errlog.h"
#include "exchange/client.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/source.h"
#include "exchange/worker.h"
#include "net/block.h"

#include <unistd.h>

static const struct spool_words words = { "a client request body", "" };

static bool add_to_file(struct exchange *x, struct body *b, struct span bytes)
{
    if (spool_add(&b->spool, bytes))
        return true;
    x->fault = FAULT_STORAGE;
    return false;
}

/* Moves what is in memory to the file. */
static bool spill(struct exchange *x, struct body *b)
{
    if (!add_to_file(x, b, buf_view(&b->memory)))
        return false;
    buf_clear(&b->memory);
    return true;
}

/* In memory while there is room; what is larger than all of it goes straight to the file. */
static bool keep(struct exchange *x, struct body *b, struct span bytes)
{
    if (b->memory.len + bytes.len > b->memory.max && !spill(x, b))
        return false;
    if (bytes.len > b->memory.max)
        return add_to_file(x, b, bytes);
    buf_add(&b->memory, bytes);
    if (!buf_ok(&b->memory))
        x->fault = FAULT_PROXY_INTERNAL_ERROR;
    return buf_ok(&b->memory);
}

static bool add(struct exchange *x, struct body *b, struct span bytes)
{
    uint64_t limit = core_body_limit(x->core, exchange_is_forward(x));

    b->length += bytes.len;
    if (limit != 0 && b->length > limit) {
        x->fault = FAULT_BODY_TOO_LARGE;
        exchange_log(x, LEVEL_ERROR, 0,
                     "client intended to send too large chunked body: %llu bytes",
                     (unsigned long long)b->length);
        return false;
    }
    return keep(x, b, bytes);
}

enum io body_spool(struct exchange *x)
{
    struct body *b = arena_zalloc(&x->arena, sizeof(*b));
    struct part part;
    enum io io;

    spool_init(&b->spool, x, x->core->client_body_temp_path.path, &words);
    buf_init(&b->memory, x->core->client_body_buffer_size, &x->worker->budget);
    x->body = b;
    while ((io = x->client->ops->read_body(x->client, &part)) == IO_OK)
        if (!add(x, b, part.bytes))
            return IO_FAILED;
    if (io != IO_EOF)
        return io;
    b->whole = !body_in_file(b) || spill(x, b);
    return b->whole ? IO_OK : IO_FAILED;
}

bool body_in_file(const struct body *b)
{
    return b->spool.fd >= 0;
}

enum io body_piece(const struct body *b, uint64_t at, char *block, struct span *ret)
{
    if (at >= b->length)
        return IO_EOF;
    if (!body_in_file(b)) {
        *ret = span_from(buf_view(&b->memory), (size_t)at);
        return IO_OK;
    }
    ssize_t n = pread(b->spool.fd, block, BLOCK_SIZE, (off_t)at);
    if (n <= 0)
        return IO_FAILED;
    *ret = (struct span){ block, (size_t)n };
    return IO_OK;
}

void body_done(struct body *b)
{
    buf_done(&b->memory);
    spool_done(&b->spool);
}
