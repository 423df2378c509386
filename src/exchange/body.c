/* A request's body, read whole before it is sent on. Small ones stay in memory; the rest goes to a
 * file that has no name. Owned by the exchange. */
#include "exchange/body.h"

#include "base/os.h"
#include "exchange/core.h"

#include <errno.h>
#include <unistd.h>

static bool write_file(int file, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(file, bytes.at, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = span_from(bytes, (size_t)n);
    }
    return true;
}

/* Moves what is in memory to the file, which is made at first. */
static bool spill(struct exchange *x, struct body *b)
{
    char folder[512];

    if (b->file < 0) {
        if (!span_to_cstr(x->core->client_body_temp_path.path, sizeof(folder), folder))
            return false;
        int file = os_temp_file(folder);
        if (file < 0) {
            exchange_log(x, LEVEL_CRIT, -file, "open() \"%s\" failed", folder);
            return false;
        }
        b->file = file;
    }
    if (!write_file(b->file, buf_view(&b->memory))) {
        exchange_log(x, LEVEL_CRIT, errno, "a request body could not be written to its file");
        return false;
    }
    buf_clear(&b->memory);
    return true;
}

static bool add(struct exchange *x, struct body *b, struct span bytes)
{
    uint64_t limit = core_body_limit(x->core, exchange_is_forward(x));

    b->length += bytes.len;
    if (limit != 0 && b->length > limit) {
        x->fault = FAULT_BODY_TOO_LARGE;
        exchange_log(x, LEVEL_INFO, 0, "client intended to send too large chunked body: %llu bytes",
                     (unsigned long long)b->length);
        return false;
    }
    if (b->memory.len + bytes.len > b->memory.max && !spill(x, b)) {
        x->fault = FAULT_STORAGE;
        return false;
    }
    if (bytes.len > b->memory.max) {
        if (write_file(b->file, bytes))
            return true;
        x->fault = FAULT_STORAGE;
        return false;
    }
    buf_add(&b->memory, bytes);
    if (!buf_ok(&b->memory))
        x->fault = FAULT_PROXY_INTERNAL_ERROR;
    return buf_ok(&b->memory);
}

enum io body_spool(struct exchange *x)
{
    struct body *b = arena_zalloc(&x->arena, sizeof(*b));
    struct part part;
    enum io io;

    b->file = -1;
    buf_init(&b->memory, x->core->client_body_buffer_size, &x->worker->budget);
    x->body = b;
    while ((io = x->client->ops->read_body(x->client, &part)) == IO_OK)
        if (!add(x, b, part.bytes))
            return IO_FAILED;
    if (io != IO_EOF)
        return io;
    if (b->file >= 0 && !spill(x, b)) {
        x->fault = FAULT_STORAGE;
        return IO_FAILED;
    }
    return IO_OK;
}

enum io body_piece(const struct body *b, uint64_t at, char *block, struct span *ret)
{
    if (at >= b->length)
        return IO_EOF;
    if (b->file < 0) {
        *ret = span_from(buf_view(&b->memory), (size_t)at);
        return IO_OK;
    }
    ssize_t n = pread(b->file, block, BLOCK_SIZE, (off_t)at);
    if (n <= 0)
        return IO_FAILED;
    *ret = (struct span){ block, (size_t)n };
    return IO_OK;
}

void body_done(struct body *b)
{
    buf_done(&b->memory);
    if (b->file >= 0)
        close(b->file);
    b->file = -1;
}
