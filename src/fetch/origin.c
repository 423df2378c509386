/* An HTTP/1 origin as source: which attempt comes next, and what becomes of the connection.
 *
 *     ask: connect -> send -> read the head
 *      |        any of them fails
 *      +<-- next peer, or the same one on a fresh connection <--+      (nginx-semantics 7.4)
 *
 * Owns its connection until it is given back to the pool. */
#include "fetch/origin.h"

#include "base/errlog.h"
#include "base/link.h"
#include "base/os.h"
#include "exchange/body.h"
#include "exchange/client.h"
#include "exchange/exchange.h"
#include "exchange/turn.h"
#include "fetch/attempts.h"
#include "fetch/proxy.h"
#include "fetch/proxy_pass.h"
#include "fetch/upstream/pool.h"
#include "net/conn.h"
#include "net/timer.h"

#include <errno.h>

static struct origin *origin_of(struct source *s)
{
    return CONTAINER(s, struct origin, source);
}

static void let_go_of_bytes(struct origin *o)
{
    struct attempts *attempts = attempts_of(o->source.x);

    if (attempts != NULL)
        attempts->fields = NULL; /* they lie in what goes now */
    lease_done(&o->in);
    block_unref(o->head_block);
    o->head_block = NULL;
}

/* An attempt that failed took its time, too (`$upstream_response_time`). */
static void note_time(struct origin *o)
{
    struct attempt *a = o->attempt;

    if (a != NULL && a->response_ms == NOT_REACHED)
        a->response_ms = exchange_now(o->source.x) - a->started;
}

/* The connection is of no more use. */
static void drop_connection(struct origin *o)
{
    note_time(o);
    family_end(&o->upload.family);
    if (o->conn != NULL)
        upstream_conn_close(o->conn, false);
    o->conn = NULL;
    let_go_of_bytes(o);
}

static void note_peer(struct origin *o, enum peer_outcome outcome)
{
    if (o->peer != NULL)
        pick_note(&o->pick, o->peer, outcome);
    o->peer = NULL;
}

static unsigned reason_of(enum fault fault)
{
    if (fault == FAULT_CONNECTION_TIMEOUT || fault == FAULT_CONNECTION_WRITE_TIMEOUT ||
        fault == FAULT_HTTP_RESPONSE_TIMEOUT)
        return NEXT_TIMEOUT;
    return fault == FAULT_HTTP_PROTOCOL_ERROR ? NEXT_INVALID_HEADER : NEXT_ERROR;
}

static unsigned reason_of_status(unsigned status)
{
    switch (status) {
    case 500:
        return NEXT_500;
    case 502:
        return NEXT_502;
    case 503:
        return NEXT_503;
    case 504:
        return NEXT_504;
    case 403:
        return NEXT_403;
    case 404:
        return NEXT_404;
    case 429:
        return NEXT_429;
    default:
        return 0;
    }
}

static bool body_can_be_repeated(const struct origin *o)
{
    return o->conf->switches.request_buffering || o->source.x->request.framing == BODY_NONE;
}

/* May the same request be sent once more? `sent`: some of it may have reached a peer. */
static bool may_repeat(const struct origin *o, bool sent)
{
    const struct exchange *x = o->source.x;

    if (!sent)
        return true;
    return body_can_be_repeated(o) && (is_safe_to_retry(x->request.method_id) ||
                                       (o->conf->next_upstream & NEXT_NON_IDEMPOTENT) != 0);
}

struct tries {
    unsigned left;
    uint64_t until; /* ms; TIMER_NEVER: no limit */
};

static bool may_try_next(const struct origin *o, const struct tries *tries, unsigned reason,
                         bool sent)
{
    unsigned listed = o->conf->next_upstream;

    return o->pick.upstream != NULL && tries->left > 0 && !(listed & NEXT_OFF) &&
           (listed & reason) != 0 && exchange_now(o->source.x) < tries->until &&
           may_repeat(o, sent);
}

unsigned origin_tries(const struct origin *o)
{
    uint64_t most = o->conf->next_upstream_tries;
    unsigned tries = o->pick.upstream != NULL ? pick_tries(o->pick.upstream) : 1;

    return most > 0 && most < tries ? (unsigned)most : tries;
}

static struct tries first_tries(const struct origin *o)
{
    const struct proxy_settings *conf = o->conf;
    struct tries tries = { .until = TIMER_NEVER };

    tries.left = origin_tries(o);
    if (conf->next_upstream_timeout > 0)
        tries.until = exchange_now(o->source.x) + conf->next_upstream_timeout;
    return tries;
}

/* One attempt. `ret_next`: another peer could be asked if this one failed. */
static enum io ask_once(struct origin *o, bool *ret_next)
{
    enum io io = origin_connect(o, ret_next);

    if (io != IO_OK)
        return io;
    *ret_next = true;
    io = origin_send(o);
    if (io == IO_OK)
        io = origin_read_head(o);
    return io;
}

/* Cancelled by the client's hang-up, or by a child with news: the client's body is broken, or the
 * origin takes no more of it. IO_CANCELLED: there is nobody to be served, or nothing to be sent. */
static enum io hear_news(struct origin *o)
{
    struct exchange *x = o->source.x;

    if (o->upload.fault == FAULT_NONE) {
        x->fault = FAULT_CLIENT_GONE;
        return IO_CANCELLED;
    }
    fiber_revive();
    x->fault = o->upload.fault;
    o->upload.fault = FAULT_NONE;
    if (x->fault == FAULT_CONNECTION_WRITE_TIMEOUT || x->fault == FAULT_CONNECTION_TERMINATED)
        return IO_FAILED;
    x->keep_alive = false;
    return IO_CANCELLED;
}

/* The connection had been idle and its peer closed it in that moment: no fault of the peer (UP-06).
 */
static bool was_stale(const struct origin *o)
{
    return o->marks.reused && o->attempt != NULL && o->attempt->received == 0 &&
           o->source.x->fault == FAULT_CONNECTION_TERMINATED;
}

/* The client's fault, or ours: the peer is as good as before. */
static bool is_no_failure(enum fault fault)
{
    return fault == FAULT_CLIENT_GONE || fault == FAULT_CLIENT_TIMEOUT ||
           fault == FAULT_BODY_MALFORMED || fault == FAULT_BODY_TOO_LARGE ||
           fault == FAULT_NO_SOCKET;
}

static enum io ask(struct origin *o)
{
    struct exchange *x = o->source.x;
    struct tries tries = first_tries(o);

    for (;;) {
        bool next = false;
        enum io io = ask_once(o, &next);

        if (io == IO_CANCELLED && (io = hear_news(o)) == IO_CANCELLED)
            return IO_FAILED;
        unsigned listed = io == IO_OK ? reason_of_status(x->response.status) : reason_of(x->fault);
        bool sent = o->attempt != NULL && o->attempt->sent > 0;
        if (o->attempt != NULL && o->attempt->status == 0)
            o->attempt->status = io == IO_OK ? x->response.status : fault_row(x->fault)->status;
        if (io != IO_OK && was_stale(o) && may_repeat(o, sent)) {
            drop_connection(o);
            o->marks.reused = false; /* the same peer, on a fresh connection */
            x->fault = FAULT_NONE;
            continue;
        }
        tries.left -= tries.left > 0;
        if ((io == IO_OK && listed == 0) || !next || !may_try_next(o, &tries, listed, sent))
            return io;
        note_peer(o, is_no_failure(x->fault) || (listed & (NEXT_403 | NEXT_404)) ? PEER_UNCOUNTED
                                                                                 : PEER_FAILED);
        drop_connection(o);
        x->fault = FAULT_NONE;
        x->response.status = 0;
        x->response.fields.count = 0;
    }
}

static enum io origin_head(struct source *s)
{
    struct origin *o = origin_of(s);
    struct exchange *x = s->x;
    bool has_body = x->request.framing != BODY_NONE;
    enum io io = IO_OK;

    if (has_body && o->conf->switches.request_buffering && x->body == NULL)
        io = body_spool(x);
    if (io == IO_CANCELLED)
        x->fault = FAULT_CLIENT_GONE;
    if (io != IO_OK)
        return IO_FAILED;
    if ((!has_body || x->body != NULL) && !o->conf->aborts.ignore_client_abort)
        x->client->ops->watch(x->client, true);
    if (o->pass != NULL)
        io = proxy_pass_resolve(x, o->pass);
    if (io != IO_OK)
        return IO_FAILED;
    io = ask(o);
    if (io == IO_OK && o->state == ORIGIN_BODY && o->body.framing == BODY_NONE)
        origin_finish(o); /* nobody reads on where no body comes (HEAD, 204, 304) */
    return io;
}

void origin_finish(struct origin *o)
{
    struct exchange *x = o->source.x;
    bool surplus = o->in.size > 0 || conn_ready(&o->conn->conn);
    bool whole = o->upload.state == UPLOAD_WHOLE;

    o->state = ORIGIN_DONE;
    note_time(o);
    note_peer(o, PEER_GOOD);
    family_end(&o->upload.family);
    if (surplus && o->marks.keep)
        exchange_log(x, LEVEL_WARN, 0,
                     "upstream sent more data than specified in its answer while reading upstream");
    if (o->marks.keep && whole && !surplus)
        pool_give(o->conn);
    else
        upstream_conn_close(o->conn, false);
    o->conn = NULL;
}

static void origin_close(struct source *s)
{
    struct origin *o = origin_of(s);
    struct exchange *x = s->x;

    x->client->ops->watch(x->client, false);
    if (o->state != ORIGIN_DONE) {
        bool failed = x->fault != FAULT_NONE && !is_no_failure(x->fault);

        note_peer(o, failed ? PEER_FAILED : PEER_UNCOUNTED);
    }
    drop_connection(o);
    os_pipe_close(o->pipe);
    buf_done(&o->head);
}

static const struct source_ops origin_ops = { .head = origin_head,
                                              .foretell = origin_foretell,
                                              .read = origin_read,
                                              .ready = origin_ready,
                                              .close = origin_close };

bool origin_is(const struct source *s)
{
    return s != NULL && s->ops == &origin_ops;
}

static void add_target(const struct exchange_target *t, struct buf *out)
{
    origin_add_target(CONTAINER((struct exchange_target *)(uintptr_t)t, struct origin, target),
                      out);
}

enum verdict origin_begin(struct exchange *x, const struct proxy_settings *conf,
                          const struct proxy_target *pass)
{
    struct origin *o;

    if (origin_body_is_gone(x)) /* an error page led here; half a body is a lie */
        return exchange_refuse(x, 502, "the body of the request has gone to another upstream");
    o = arena_zalloc(&x->arena, sizeof(*o));
    o->source = (struct source){ .ops = &origin_ops, .x = x };
    o->pipe[0] = o->pipe[1] = -1;
    o->conf = conf;
    o->pass = pass;
    o->target.add = add_target;
    exchange_keep(x, &exchange_target_key, &o->target);
    buf_init(&o->head, conf->buffer_size + BLOCK_SIZE, &x->worker->budget);
    if (pass != NULL)
        pick_begin(&o->pick, pass->upstream, x);
    attempts_ask_anew(x);
    exchange_source(x, &o->source);
    return ANSWER;
}
