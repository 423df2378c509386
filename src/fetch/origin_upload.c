/* A request on its way: what fits leaves at once; the rest is passed on by a child fiber, while the
 * answer may come already.
 *
 *     head, small body --all taken--------------------> whole
 *          | no room, a file, or it is still coming
 *          +--> child: piece by piece --last one------> whole
 *                   | the client's body is bad or late, the origin takes no more
 *                   +--> broken: the main fiber hears of it, if it waits for the head
 *
 * An origin that has answered may stop reading: its answer counts, not our failure (FLOW-28,
 * FLOW-29). */
#include "base/buf.h"
#include "base/errlog.h"
#include "exchange/body.h"
#include "exchange/client.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/source.h"
#include "exchange/turn.h"
#include "fetch/attempts.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/fiber.h"
#include "net/io.h"
#include "net/sock.h"
#include "proto/chunked.h"
#include "proto/fields.h"
#include "proto/framing.h"

static enum io write_all(struct origin *o, struct iovec *iov, int n)
{
    size_t all = 0;

    for (int i = 0; i < n; i++)
        all += iov[i].iov_len;
    enum io io = conn_write(&o->conn->conn, iov, n, o->conf->send_timeout);
    if (io == IO_OK)
        o->attempt->sent += all;
    return io;
}

static enum io send_failed(struct origin *o, enum io io)
{
    struct exchange *x = o->source.x;

    if (io == IO_CANCELLED)
        return io;
    o->attempt->sent += 1; /* some of it may have arrived */
    x->fault = io == IO_TIMEOUT ? FAULT_CONNECTION_WRITE_TIMEOUT : FAULT_CONNECTION_TERMINATED;
    exchange_log(x, LEVEL_ERROR, o->conn->conn.sock.error, "%s while sending request to upstream",
                 io == IO_TIMEOUT ? "upstream timed out" : "writev() failed");
    return IO_FAILED;
}

/* --- the child ------------------------------------------------------------------------------ */

static void end_upload(struct origin *o, enum upload_state state)
{
    o->upload.state = state;
    o->upload.ended = exchange_now(o->source.x);
}

static void break_off(struct origin *o, enum fault fault)
{
    end_upload(o, UPLOAD_BROKEN);
    o->upload.fault = fault;
    fiber_cancel(o->upload.main);
}

/* The origin takes no more. If it has something to say, whoever reads will hear it. */
static void write_failed(struct origin *o, enum io io)
{
    struct exchange *x = o->source.x;

    if (io == IO_CANCELLED) {
        end_upload(o, UPLOAD_BROKEN); /* whoever waits for the head waits for its time alone now */
        return;
    }
    if (o->state != ORIGIN_ASKING || (io == IO_FAILED && conn_ready(&o->conn->conn))) {
        o->attempt->sent += 1;
        end_upload(o, UPLOAD_BROKEN);
        return;
    }
    send_failed(o, io);
    break_off(o, x->fault);
}

/* A body that was read before; `begun` bytes of head and body have left. */
static void pass_spooled(void *arg)
{
    struct origin *o = arg;
    const struct body *b = o->source.x->body;
    struct iovec iov[2] = { iov_of(buf_view(&o->conn->out)) };
    struct block *block = body_in_file(b) ? block_get(&o->source.x->worker->loop->blocks) : NULL;
    size_t skip = o->upload.begun;
    struct span bytes;
    uint64_t at = 0;
    int n = 1;
    enum io io = IO_OK;

    while (io == IO_OK && (io = body_piece(b, at, block ? block->data : NULL, &bytes)) == IO_OK) {
        struct iovec *left = iov;

        iov[n++] = iov_of(bytes);
        at += bytes.len;
        n = iov_skip(&left, n, skip);
        io = write_all(o, left, n);
        skip = 0;
        n = 0;
    }
    block_unref(block);
    if (io == IO_EOF && n > 0) { /* an empty body: only the head's rest is left to send */
        struct iovec *left = iov;

        n = iov_skip(&left, n, skip);
        io = write_all(o, left, n);
        io = io == IO_OK ? IO_EOF : io;
    }
    if (io == IO_EOF)
        end_upload(o, UPLOAD_WHOLE);
    else
        write_failed(o, io);
}

static enum io pass_pieces(struct origin *o, enum io *ret_read)
{
    struct exchange *x = o->source.x;
    bool chunked = x->request.framing == BODY_CHUNKED;
    enum io io = IO_OK;
    struct part part;

    while (io == IO_OK && (*ret_read = x->client->ops->read_body(x->client, &part)) == IO_OK) {
        char size[CHUNK_HEAD_MOST];
        struct iovec iov[3] = { { size, 0 },
                                iov_of(part.bytes),
                                { (void *)(uintptr_t) "\r\n", 2 } };

        if (chunked)
            iov[0].iov_len = chunk_head(part.bytes.len, size);
        io = write_all(o, chunked ? iov : iov + 1, chunked ? 3 : 1);
    }
    if (io == IO_OK && *ret_read == IO_EOF && chunked) {
        struct iovec end = { (void *)(uintptr_t) "0\r\n\r\n", 5 };

        io = write_all(o, &end, 1);
    }
    return io;
}

/* A body that is still coming from the client. */
static void pass_streamed(void *arg)
{
    struct origin *o = arg;
    struct exchange *x = o->source.x;
    enum io read = IO_OK;
    enum io io = pass_pieces(o, &read);

    if (io != IO_OK) {
        write_failed(o, io);
    } else if (read == IO_EOF) {
        end_upload(o, UPLOAD_WHOLE);
        if (!o->conf->aborts.ignore_client_abort)
            x->client->ops->watch(x->client, true);
    } else if (read == IO_CANCELLED) {
        write_failed(o, read);
    } else {
        break_off(o, x->fault);
    }
}

/* --- the main fiber ------------------------------------------------------------------------- */

static enum io begin_upload(struct origin *o, void (*run)(void *))
{
    o->upload.main = fiber_self();
    o->upload.state = UPLOAD_RUNS;
    if (fiber_spawn(NULL, &o->upload.family, run, o) == 0)
        return IO_OK;
    o->source.x->fault = FAULT_PROXY_INTERNAL_ERROR;
    return IO_FAILED;
}

static enum io send_spooled(struct origin *o)
{
    const struct body *b = o->source.x->body;
    struct span head = buf_view(&o->conn->out), bytes = { NULL, 0 };
    size_t taken = 0;

    if (!body_in_file(b))
        bytes = buf_view(&b->memory);
    struct iovec iov[2] = { iov_of(head), iov_of(bytes) };
    enum io io = conn_write_start(&o->conn->conn, iov, bytes.len > 0 ? 2 : 1, &taken);
    if (io != IO_OK && io != IO_AGAIN)
        return io;
    o->attempt->sent += taken;
    if (!body_in_file(b) && taken == head.len + bytes.len)
        return IO_OK;
    o->upload.begun = taken;
    return begin_upload(o, pass_spooled);
}

static enum io send_alone(struct origin *o)
{
    struct iovec head = iov_of(buf_view(&o->conn->out));

    return write_all(o, &head, 1);
}

/* Of a note: an origin has been given what the client sends, or some of it. */
static const char passed_key;

bool origin_body_is_gone(const struct exchange *x)
{
    if (x->request.framing == BODY_NONE)
        return false;
    return x->body != NULL ? !x->body->whole : exchange_note(x, &passed_key) != NULL;
}

/* Leave to send is given here: the child only reads from the client, so that one fiber writes to
 * it. */
static enum io send_streamed(struct origin *o)
{
    static const struct fields none;
    struct exchange *x = o->source.x;
    enum io io = send_alone(o);

    if (io != IO_OK)
        return io;
    if (x->request.expects && x->client->ops->send_interim(x->client, 100, &none) != IO_OK)
        return IO_CANCELLED; /* the client is gone */
    exchange_keep(x, &passed_key, (void *)(uintptr_t)&passed_key);
    return begin_upload(o, pass_streamed);
}

enum io origin_send(struct origin *o)
{
    struct exchange *x = o->source.x;
    enum io io;

    if (!o->marks.reused &&
        conn_ready(&o->conn->conn)) { /* it speaks before it was asked (RESP-08) */
        x->fault = FAULT_HTTP_PROTOCOL_ERROR;
        exchange_log(x, LEVEL_ERROR, 0,
                     "upstream sent data before the request while sending request to upstream");
        return IO_FAILED;
    }
    if (!origin_write_head(o)) {
        x->fault = FAULT_NONE; /* 500 */
        exchange_log(x, LEVEL_ERROR, 0, "the request to the upstream could not be written");
        return IO_FAILED;
    }
    o->conn->requests++;
    o->upload = (struct origin_upload){ .state = UPLOAD_WHOLE };
    if (x->body != NULL)
        io = send_spooled(o);
    else if (x->request.framing != BODY_NONE)
        io = send_streamed(o);
    else
        io = send_alone(o);
    o->upload.ended = exchange_now(x);
    return io == IO_OK || x->fault == FAULT_PROXY_INTERNAL_ERROR ? io : send_failed(o, io);
}
