/* The body of an origin's answer: used where it was received; chunk framing is taken out in place;
 * a long body of known length is spliced, if nobody on its way looks into it. */
#include "base/errlog.h"
#include "base/link.h"
#include "base/os.h"
#include "base/span.h"
#include "exchange/fault.h"
#include "exchange/log.h"
#include "exchange/source.h"
#include "exchange/turn.h"
#include "fetch/attempts.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/sock.h"
#include "proto/chunked.h"
#include "proto/framing.h"

enum { WORTH_A_PIPE = 128 << 10 };

static struct origin *origin_of(const struct source *s)
{
    return CONTAINER(s, struct origin, source);
}

static enum io cut(struct origin *o, enum fault fault, const char *why)
{
    struct exchange *x = o->source.x;

    x->fault = fault;
    exchange_log(x, LEVEL_ERROR, o->conn->conn.sock.error, "%s while reading upstream", why);
    return IO_FAILED;
}

/* What a read of the connection said: IO_OK and IO_EOF stay so, all else cuts the body. */
static enum io judge(struct origin *o, enum io io)
{
    struct exchange *x = o->source.x;

    switch (io) {
    case IO_OK:
    case IO_EOF:
        return io;
    case IO_TIMEOUT:
        return cut(o, FAULT_HTTP_RESPONSE_TIMEOUT, "upstream timed out");
    case IO_CANCELLED:
        x->fault = o->upload.fault != FAULT_NONE ? o->upload.fault : FAULT_CLIENT_GONE;
        return IO_CANCELLED;
    case IO_AGAIN:
    case IO_FAILED:
        break;
    }
    return cut(o, FAULT_HTTP_RESPONSE_INCOMPLETE, "recv() failed");
}

/* Some bytes in `in`. IO_EOF: the connection ended; what that means depends on the framing. */
static enum io fill(struct origin *o)
{
    if (o->in.size > 0)
        return IO_OK;
    lease_done(&o->in);
    enum io io = conn_read(&o->conn->conn, BLOCK_SIZE, &o->in,
                           deadline_in(o->source.x, o->conf->read_timeout));
    if (io == IO_OK)
        o->attempt->received += o->in.size;
    return judge(o, io);
}

/* Between two pieces of a long body. Without a pipe (too many files) it is copied. */
static bool may_splice(struct origin *o)
{
    if (!o->source.pipes || o->in.size > 0 || !conn_plain(&o->conn->conn))
        return false;
    if (o->pipe[0] < 0 && (o->body.left < WORTH_A_PIPE || os_pipe(o->pipe) < 0))
        o->source.pipes = false;
    return o->source.pipes;
}

static enum io read_pipe(struct origin *o, struct part *ret)
{
    struct conn *conn = &o->conn->conn;
    size_t most = o->body.left < OS_PIPE_SIZE ? (size_t)o->body.left : OS_PIPE_SIZE, moved = 0;
    enum io io = conn_splice_in(conn, o->pipe[1], deadline_in(o->source.x, o->conf->read_timeout),
                                most, &moved);

    if (io == IO_FAILED && sock_cannot_splice(&conn->sock)) {
        o->source.pipes = false;
        return IO_AGAIN;
    }
    io = judge(o, io);
    if (io != IO_OK)
        return io;
    o->attempt->received += moved;
    o->attempt->body += moved;
    o->body.left -= moved;
    *ret = (struct part){
        .kind = PART_PIPE, .last = o->body.left == 0, .file = o->pipe[0], .length = moved
    };
    if (ret->last)
        origin_finish(o);
    return IO_OK;
}

static enum io give(struct origin *o, struct span bytes, bool last, struct part *ret)
{
    o->attempt->body += bytes.len;
    *ret = (struct part){ .kind = PART_MEMORY, .last = last, .bytes = bytes, .block = o->in.block };
    if (last)
        origin_finish(o);
    return IO_OK;
}

static enum io read_length(struct origin *o, struct part *ret)
{
    enum io io;

    if (o->body.left == 0) {
        origin_finish(o);
        return IO_EOF;
    }
    bool spliced = may_splice(o);
    io = spliced ? read_pipe(o, ret) : IO_AGAIN;
    if (spliced && io == IO_OK)
        return IO_OK;
    if (io == IO_AGAIN) /* into memory */
        io = fill(o);
    if (io == IO_EOF)
        return cut(o, FAULT_HTTP_RESPONSE_INCOMPLETE, "upstream prematurely closed connection");
    if (io != IO_OK)
        return io;
    struct span bytes = span_first(lease_span(&o->in), o->body.left);
    o->body.left -= bytes.len;
    lease_take(&o->in, bytes.len); /* the block lives until the next fill */
    return give(o, bytes, o->body.left == 0, ret);
}

/* All data of the bytes at hand, moved together: a flood of small chunks becomes one part. */
static enum io read_chunked(struct origin *o, struct part *ret)
{
    char *start = NULL;
    size_t length = 0;

    for (;;) {
        struct span data = { NULL, 0 };
        size_t taken = 0;
        enum io io = o->in.size > 0 || length == 0 ? fill(o) : IO_AGAIN;

        if (io == IO_AGAIN)
            return give(o, (struct span){ start, length }, false, ret);
        if (io == IO_EOF)
            return cut(o, FAULT_HTTP_RESPONSE_INCOMPLETE, "upstream prematurely closed connection");
        if (io != IO_OK)
            return io;
        char *base = o->in.data;
        enum chunk got = chunked_next(&o->body.chunked, lease_span(&o->in), &data, &taken);
        lease_take(&o->in, taken);
        switch (got) {
        case CHUNK_DATA: {
            char *from = base + (data.at - base);

            if (length == 0)
                start = from;
            else if (from != start + length)
                memmove(start + length, from, data.len);
            length += data.len;
            break;
        }
        case CHUNK_MORE:
            break;
        case CHUNK_END:
            if (length > 0)
                return give(o, (struct span){ start, length }, true, ret);
            origin_finish(o);
            return IO_EOF;
        case CHUNK_BAD:
            if (length > 0) /* what came before it is good; the next read says the rest */
                return give(o, (struct span){ start, length }, false, ret);
            return cut(o, FAULT_HTTP_PROTOCOL_ERROR, "upstream sent invalid chunked response");
        }
    }
}

static enum io read_to_close(struct origin *o, struct part *ret)
{
    enum io io = fill(o);

    if (io == IO_EOF) {
        origin_finish(o);
        return IO_EOF;
    }
    if (io != IO_OK)
        return io;
    struct span bytes = lease_span(&o->in);
    lease_take(&o->in, bytes.len);
    return give(o, bytes, false, ret);
}

enum io origin_read(struct source *s, struct part *ret)
{
    struct origin *o = origin_of(s);

    if (o->state == ORIGIN_DONE)
        return IO_EOF;
    switch (o->body.framing) {
    case BODY_NONE:
        break;
    case BODY_LENGTH:
        return read_length(o, ret);
    case BODY_CHUNKED:
        return read_chunked(o, ret);
    case BODY_CLOSE:
        return read_to_close(o, ret);
    }
    origin_finish(o);
    return IO_EOF;
}

void origin_drop_pipe(struct source *s)
{
    if (!s->pipes && origin_is(s))
        os_pipe_close(origin_of(s)->pipe);
}

bool origin_ready(const struct source *s)
{
    const struct origin *o = origin_of(s);

    return o->state == ORIGIN_DONE || o->in.size > 0 || o->body.framing == BODY_NONE ||
           (o->body.framing == BODY_LENGTH && o->body.left == 0);
}
