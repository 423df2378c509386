/* What an HTTP/1 client sends: heads and bodies (RFC 9112). Bytes are used where they were
 * received; only a head that comes in several pieces is copied together. */
#include "base/buf.h"
#include "base/cursor.h"
#include "base/errlog.h"
#include "base/link.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/listener.h"
#include "exchange/log.h"
#include "exchange/source.h"
#include "exchange/turn.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/io.h"
#include "proto/chunked.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/h1.h"
#include "serve/connection.h"
#include "serve/h1.h"

#include <stdio.h>

static struct h1 *h1_of(struct client *c)
{
    return CONTAINER(c, struct h1, client);
}

struct h1_limits h1_limits_of(const struct core_settings *core)
{
    uint64_t line = core->large_client_header_buffers.size;
    uint64_t all = line * core->large_client_header_buffers.count;

    if (core->client_header_buffer_size > line)
        line = core->client_header_buffer_size;
    if (line > all)
        all = line;
    line = line < UINT32_MAX ? line : UINT32_MAX;
    all = all < UINT32_MAX ? all : UINT32_MAX;
    return (struct h1_limits){ (uint32_t)line, (uint32_t)all, (uint32_t)core->max_headers };
}

/* The head is unusable: the answer's status is preset and the connection will close. */
static enum io preset(struct exchange *x, unsigned status, const char *why)
{
    x->response.status = (uint16_t)status;
    x->keep_alive = false;
    exchange_log(x, LEVEL_INFO, 0, "%s while reading client request headers", why);
    return IO_OK;
}

/* The first line as it came, for the log; an empty one before it does not count. */
static struct span first_line(struct span bytes)
{
    if (span_starts(bytes, "\r\n"))
        bytes = span_from(bytes, 2);
    bytes = span_first(bytes, span_find(bytes, '\n'));
    span_chop(&bytes, '\r');
    return bytes;
}

/* The client went away or fell silent in the middle of a head: logged, not answered. */
static enum io cut_short(struct h1 *h, enum io io)
{
    struct exchange *x = h->client.x;

    if (h->head.len == 0) /* not one byte */
        return io;
    h->marks.dead = true;
    x->request.received = h->head.len;
    if (span_find(buf_view(&h->head), '\n') < h->head.len)
        x->request.line = first_line(buf_view(&h->head));
    if (io == IO_TIMEOUT)
        return preset(x, 408, "client timed out");
    return preset(x, 400, "client prematurely closed connection");
}

/* Trailers are counted together with the head: they may use what it left of its caps. */
static void limit_trailers(struct h1 *h, size_t head)
{
    const struct exchange *x = h->client.x;
    struct h1_limits limits = h1_limits_of(x->core);
    unsigned lines = x->request.fields.count;

    chunked_init(&h->body.chunked);
    chunked_limit_trailers(&h->body.chunked, head < limits.head ? limits.head - (uint32_t)head : 0,
                           lines < limits.fields ? limits.fields - lines : 0);
}

static enum io take_head(struct h1 *h, const struct h1_request *head, size_t taken)
{
    struct exchange *x = h->client.x;
    const char *why = NULL;
    const char *end = head->target.at + head->target.len + sizeof(" HTTP/1.1") - 1;

    x->request.received = taken;
    x->request.line = (struct span){ head->method.at, (size_t)(end - head->method.at) };
    h->body = (struct h1_body){ .framing = head->framing,
                                .left = head->framing == BODY_LENGTH ? head->length : 0 };
    h->body.ended =
        head->framing == BODY_NONE || (head->framing == BODY_LENGTH && head->length == 0);
    h->marks.continued = !head->expects;
    if (head->framing == BODY_CHUNKED)
        limit_trailers(h, taken);
    if (!request_take(x, head, &why))
        return preset(x, x->response.status, why);
    if (x->listener->ssl && !h->connection->encrypted)
        return preset(x, 497, "client sent plain HTTP request to HTTPS port");
    return IO_OK;
}

static enum io refuse_head(struct h1 *h, const struct h1_request *head, enum h1_fault fault,
                           struct span bytes)
{
    struct exchange *x = h->client.x;

    x->request.received = bytes.len;
    x->request.method = head->method;
    x->request.target = head->target;
    x->request.line = first_line(bytes);
    request_mask_credentials(x);
    /* Where the next request would begin is in doubt: nothing more is read as one. */
    h->body = (struct h1_body){ .framing = BODY_CLOSE };
    x->request.fields.count = 0;
    return preset(x, h1_fault_status(fault), h1_fault_text(fault));
}

/* The lease holds the first bytes of a head: later ones are put behind them in `h->head`. */
static bool gather(struct h1 *h)
{
    buf_add(&h->head, lease_span(&h->in));
    return buf_ok(&h->head);
}

static enum io more_bytes(struct h1 *h, uint64_t deadline)
{
    enum io io;

    if (h->in.size > 0 && h->head.len == 0 && !gather(h))
        return IO_FAILED;
    lease_done(&h->in);
    io = conn_read(&h->connection->conn, BLOCK_SIZE, &h->in, deadline);
    if (io == IO_OK && h->head.len > 0 && !gather(h))
        return IO_FAILED;
    return io;
}

enum io h1_read_head(struct client *c)
{
    struct h1 *h = h1_of(c);
    struct exchange *x = c->x;
    struct h1_limits limits = h1_limits_of(x->core);
    uint64_t deadline = deadline_in(x, x->core->client_header_timeout);
    enum io io = h->in.size > 0 ? IO_OK : more_bytes(h, deadline);

    fields_init(&x->request.fields, &x->arena, NULL, 0);
    while (io == IO_OK) {
        struct span bytes = h->head.len > 0 ? buf_view(&h->head) : lease_span(&h->in);
        struct h1_request head = { .minor = 1 };
        enum h1_fault fault = H1_FINE;
        size_t taken = 0;

        switch (h1_request_parse(bytes, &limits, &x->request.fields, &head, &taken, &fault)) {
        case PARSE_OK:
            h->head_block = h->in.block != NULL ? block_ref(h->in.block) : NULL;
            lease_take(&h->in, h->in.size - (bytes.len - taken));
            return take_head(h, &head, taken);
        case PARSE_BAD:
            h->head_block = h->in.block != NULL ? block_ref(h->in.block) : NULL;
            return refuse_head(h, &head, fault, bytes);
        case PARSE_MORE:
            io = more_bytes(h, deadline);
            break;
        }
    }
    return cut_short(h, io);
}

/* --- bodies --------------------------------------------------------------------------------- */

/* The client may wait for leave to send (RFC 9110 10.1.1). */
static enum io say_continue(struct h1 *h)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec iov = { (void *)(uintptr_t)text, sizeof(text) - 1 };

    if (h->marks.continued)
        return IO_OK;
    h->marks.continued = true;
    if (h->in.size > 0 || h->answer.begun)
        return IO_OK; /* it did not wait, or has its answer already */
    return conn_write(&h->connection->conn, &iov, 1, h->client.x->core->send_timeout);
}

static enum io body_failed(struct h1 *h, enum fault fault, enum io io)
{
    h->body.failed = true;
    h->client.x->fault = fault;
    h->client.x->keep_alive = false;
    return io;
}

/* Some bytes in `in`; AGAIN only if `wait` is false. */
static enum io fill(struct h1 *h, bool wait)
{
    struct exchange *x = h->client.x;
    struct conn *conn = &h->connection->conn;
    enum io io;

    if (h->in.size > 0)
        return IO_OK;
    lease_done(&h->in);
    if (!wait)
        return conn_read_start(conn, BLOCK_SIZE, &h->in);
    io = say_continue(h);
    if (io == IO_OK)
        io = conn_read(conn, BLOCK_SIZE, &h->in, deadline_in(x, x->core->client_body_timeout));
    if (io == IO_TIMEOUT) {
        h->marks.dead = true;
        return body_failed(h, FAULT_CLIENT_TIMEOUT, io);
    }
    if (io == IO_CANCELLED) { /* nobody wants more of it: no fault, and the client may be there */
        h->body.failed = true;
        x->keep_alive = false;
        return io;
    }
    if (io != IO_OK) {
        h->marks.dead = true;
        return body_failed(h, FAULT_BODY_MALFORMED, IO_FAILED);
    }
    return io;
}

static enum io length_piece(struct h1 *h, bool wait, struct span *ret)
{
    enum io io = fill(h, wait);

    if (io != IO_OK)
        return io;
    *ret = span_first(lease_span(&h->in), h->body.left);
    h->body.left -= ret->len;
    h->body.given = (uint32_t)ret->len;
    h->body.ended = h->body.left == 0;
    return IO_OK;
}

static bool is_too_large(const struct h1 *h, uint64_t more)
{
    const struct exchange *x = h->client.x;
    uint64_t limit = core_body_limit(x->core, exchange_is_forward(x));

    return limit != 0 && (h->body.total > limit || more > limit - h->body.total);
}

static enum io refuse_size(struct h1 *h, uint64_t more)
{
    exchange_log(h->client.x, LEVEL_ERROR, 0,
                 "client intended to send too large chunked body: %llu bytes",
                 (unsigned long long)(h->body.total + more));
    return body_failed(h, FAULT_BODY_TOO_LARGE, IO_FAILED);
}

/* Takes one step in the bytes at hand. IO_OK: data or nothing was found; see `ret`. */
static enum io chunked_step(struct h1 *h, struct span *ret)
{
    size_t taken = 0;
    enum chunk got = chunked_next(&h->body.chunked, lease_span(&h->in), ret, &taken);

    if (got == CHUNK_BAD) {
        exchange_log(h->client.x, LEVEL_INFO, 0, "client sent invalid chunked body");
        return body_failed(h, FAULT_BODY_MALFORMED, IO_FAILED);
    }
    h->client.x->request.received += taken;
    lease_take(&h->in, taken); /* what it passed stays where it is until the lease is given up */
    if (got != CHUNK_DATA)
        ret->len = 0;
    h->body.ended = got == CHUNK_END;
    return IO_OK;
}

/* All data of the bytes at hand, moved together: a flood of small chunks becomes one piece. */
static enum io chunked_piece(struct h1 *h, bool wait, struct span *ret)
{
    char *start = NULL;
    size_t length = 0;

    while (!h->body.ended && (length == 0 || h->in.size > 0)) {
        struct span data = { NULL, 0 };
        enum io io = fill(h, wait);
        char *base = h->in.data;

        if (io == IO_OK)
            io = chunked_step(h, &data);
        if (io != IO_OK)
            return io;
        uint64_t more = length + data.len + chunked_left(&h->body.chunked);
        if (is_too_large(h, more))
            return refuse_size(h, more);
        if (data.len == 0)
            continue;
        char *from = base + (data.at - base);
        if (length == 0)
            start = from;
        else
            memmove(start + length, from, data.len);
        length += data.len;
    }
    *ret = (struct span){ start, length };
    return length > 0 ? IO_OK : IO_EOF;
}

static enum io next_piece(struct h1 *h, bool wait, struct span *ret)
{
    if (h->body.given > 0) {
        lease_take(&h->in, h->body.given);
        h->body.given = 0;
    }
    if (h->body.failed)
        return IO_FAILED;
    if (h->body.ended)
        return IO_EOF;
    return h->body.framing == BODY_CHUNKED ? chunked_piece(h, wait, ret)
                                           : length_piece(h, wait, ret);
}

enum io h1_read_body(struct client *c, struct part *ret)
{
    struct h1 *h = h1_of(c);
    struct exchange *x = c->x;
    struct span bytes;

    h->body.use = BODY_WANTED;
    enum io io = next_piece(h, true, &bytes);
    if (io != IO_OK)
        return io;
    h->body.total += bytes.len;
    if (h->body.framing != BODY_CHUNKED)
        x->request.received += bytes.len;
    if (is_too_large(h, 0))
        return refuse_size(h, 0);
    *ret = (struct part){ .kind = PART_MEMORY, .bytes = bytes };
    return IO_OK;
}

bool h1_discard(struct h1 *h, uint64_t most)
{
    uint64_t dropped = 0;
    struct span bytes;

    while (dropped < most) {
        enum io io = next_piece(h, false, &bytes);

        if (io == IO_EOF)
            return true;
        if (io != IO_OK)
            return false;
        dropped += bytes.len;
    }
    return h->body.ended;
}
