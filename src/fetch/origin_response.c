/* An origin's answer: its head, read as strictly as a client's, and what of it goes on
 * (nginx-semantics 7.3). */
#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/errlog.h"
#include "base/span.h"
#include "exchange/client.h"
#include "exchange/fault.h"
#include "exchange/log.h"
#include "exchange/request.h"
#include "exchange/response.h"
#include "exchange/turn.h"
#include "fetch/attempts.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "fetch/proxy_redirect.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/io.h"
#include "proto/chunked.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/h1.h"

enum { MOST_INTERIM = 16, MOST_FIELDS = 1000 };

static enum io fail(struct origin *o, enum fault fault, const char *why)
{
    struct exchange *x = o->source.x;

    x->fault = fault;
    exchange_log(x, LEVEL_ERROR,
                 fault == FAULT_CONNECTION_TERMINATED ? o->conn->conn.sock.error : 0,
                 "%s while reading response header from upstream", why);
    return IO_FAILED;
}

/* The whole head has read_timeout (RESP-30), from when the request has left: not while it is still
 * on its way. */
static enum io read_in_time(struct origin *o)
{
    struct exchange *x = o->source.x;
    enum io io = IO_TIMEOUT;

    while (io == IO_TIMEOUT) {
        uint64_t from = o->upload.state == UPLOAD_RUNS ? exchange_now(x) : o->upload.ended;
        uint64_t deadline = from + o->conf->read_timeout;

        if (deadline <= exchange_now(x) && !conn_ready(&o->conn->conn))
            return IO_TIMEOUT;
        io = conn_read(&o->conn->conn, BLOCK_SIZE, &o->in, deadline);
    }
    return io;
}

/* Bytes of a head in `in`; with those before them in `head` if it comes in pieces. */
static enum io more_bytes(struct origin *o)
{
    enum io io;

    if (o->in.size > 0 && o->head.len == 0)
        buf_add(&o->head, lease_span(&o->in));
    lease_done(&o->in);
    io = read_in_time(o);
    if (io == IO_OK) {
        o->attempt->received += o->in.size;
        if (o->head.len > 0)
            buf_add(&o->head, lease_span(&o->in));
        if (!buf_ok(&o->head))
            return fail(o, FAULT_HTTP_PROTOCOL_ERROR, "upstream sent too big header");
        return io;
    }
    if (io == IO_CANCELLED)
        return io;
    if (io == IO_TIMEOUT)
        return fail(o, FAULT_HTTP_RESPONSE_TIMEOUT, "upstream timed out");
    return fail(o, FAULT_CONNECTION_TERMINATED,
                io == IO_EOF ? "upstream prematurely closed connection" : "recv() failed");
}

static enum io bad_head(struct origin *o, enum h1_fault fault)
{
    bool large = fault == H1_HEAD_TOO_LONG || fault == H1_LINE_TOO_LONG ||
                 fault == H1_FIELD_TOO_LONG || fault == H1_TOO_MANY_FIELDS;

    if (large)
        return fail(o, FAULT_HTTP_PROTOCOL_ERROR, "upstream sent too big header");
    exchange_log(o->source.x, LEVEL_INFO, 0, "the answer of %s has an %s", o->attempt->peer,
                 h1_fault_text(fault));
    return fail(o, FAULT_HTTP_PROTOCOL_ERROR, "upstream sent invalid header");
}

/* --- fields --------------------------------------------------------------------------------- */

static bool is_hop_by_hop(enum field_id id)
{
    switch ((int)id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_CONTENT_LENGTH:
        return true;
    default:
        return false;
    }
}

/* NGINX makes its own Server and Date, and keeps what was meant for it. */
static bool is_hidden_by_default(enum field_id id)
{
    switch ((int)id) {
    case FIELD_DATE:
    case FIELD_SERVER:
    case FIELD_X_PAD:
    case FIELD_X_ACCEL_EXPIRES:
    case FIELD_X_ACCEL_REDIRECT:
    case FIELD_X_ACCEL_LIMIT_RATE:
    case FIELD_X_ACCEL_BUFFERING:
    case FIELD_X_ACCEL_CHARSET:
        return true;
    default:
        return false;
    }
}

static bool list_has(const struct conf_list *list, struct span name)
{
    const struct span *names = list->items;

    for (uint32_t i = 0; i < list->len; i++)
        if (span_same_caseless(names[i], name))
            return true;
    return false;
}

static bool is_hidden(const struct origin *o, const struct field *f)
{
    bool reverse = o->pick.upstream != NULL;

    if (reverse && is_hidden_by_default(f->id))
        return !list_has(&o->conf->pass_headers, f->name);
    if (!reverse && (f->id == FIELD_PROXY_AUTHENTICATE || f->id == FIELD_PROXY_AUTHENTICATION_INFO))
        return true;
    return o->conf->hide_headers.len > 0 && list_has(&o->conf->hide_headers, f->name);
}

static bool is_nominated(const struct fields *all, struct span name)
{
    for (unsigned i = 0; i < all->count; i++) {
        struct span list = all->at[i].value, member;

        if (all->at[i].id != FIELD_CONNECTION)
            continue;
        while (span_next_member(&list, &member))
            if (span_same_caseless(member, name))
                return true;
    }
    return false;
}

/* In place: what stays moves to the front. */
void origin_keep_end_to_end(struct origin *o, struct fields *f)
{
    bool nominates = false;
    const struct field *connection = fields_find(f, FIELD_CONNECTION);
    struct fields all = *f;
    unsigned kept = 0;

    if (connection != NULL)
        nominates = !span_is_caseless(connection->value, "close") &&
                    !span_is_caseless(connection->value, "keep-alive");
    if (nominates) { /* the list is read while fields move */
        struct field *copy = arena_alloc(&o->source.x->arena, sizeof(*copy) * f->count);
        memcpy(copy, f->at, sizeof(*copy) * f->count);
        all.at = copy;
    }
    for (unsigned i = 0; i < all.count; i++) {
        const struct field *field = &all.at[i];

        if (is_hop_by_hop(field->id) || is_hidden(o, field) ||
            (nominates && is_nominated(&all, field->name)))
            continue;
        f->at[kept++] = *field;
    }
    f->count = kept;
}

/* Who passes them on wants the upstream's, and none where it has none. */
static void withhold_own(struct origin *o, enum field_id id)
{
    struct fields *f = &o->source.x->response.fields;

    if (list_has(&o->conf->pass_headers, field_name(id)) && fields_find(f, id) == NULL)
        fields_add(f, field_name(id), (struct span){ "", 0 }, FROM_US);
}

/* --- the head ------------------------------------------------------------------------------- */

/* 100 is swallowed, 103 goes on to a client that knows it. */
static enum io interim(struct origin *o, struct h1_response *head, struct fields *f)
{
    struct exchange *x = o->source.x;

    if (++o->interim > MOST_INTERIM)
        return fail(o, FAULT_HTTP_PROTOCOL_ERROR, "upstream sent too many interim answers");
    if (head->status != 103 || x->request.minor == 0)
        return IO_OK;
    origin_keep_end_to_end(o, f);
    return x->client->ops->send_interim(x->client, 103, f);
}

static void take_framing(struct origin *o, const struct h1_response *head)
{
    struct exchange *x = o->source.x;
    bool silent = x->request.method_id == METHOD_HEAD || head->status == 204 || head->status == 304;

    bool keeps = o->marks.keep && head->keep_alive && head->minor > 0;

    o->marks.keep = keeps && head->framing != BODY_CLOSE;
    o->body.framing = silent ? BODY_NONE : head->framing;
    o->body.left = o->body.framing == BODY_LENGTH ? head->length : 0;
    if (silent && x->request.method_id == METHOD_HEAD)
        o->marks.keep = keeps;
    if (o->body.framing == BODY_CHUNKED)
        chunked_init(&o->body.chunked);
    x->response.length = LENGTH_UNKNOWN;
    if (head->has_length)
        x->response.length = head->length;
    else if (head->framing == BODY_NONE && !silent)
        x->response.length = 0;
}

void origin_note_head(struct origin *o, const struct h1_response *head)
{
    struct exchange *x = o->source.x;
    struct fields *seen = arena_alloc(&x->arena, sizeof(*seen)); /* for `$upstream_http_*` */

    *seen = x->response.fields;
    seen->at = arena_alloc(&x->arena, sizeof(*seen->at) * (seen->count + 1));
    if (seen->count > 0)
        memcpy(seen->at, x->response.fields.at, sizeof(*seen->at) * seen->count);
    attempts_of(x)->fields = seen;
    o->attempt->status = head->status;
    o->attempt->header_ms = exchange_now(x) - o->attempt->started;
    x->response.status = head->status;
    x->response.reason = head->reason;
}

static enum io take_head(struct origin *o, const struct h1_response *head)
{
    struct exchange *x = o->source.x;

    if (head->status == 407 && o->pick.upstream == NULL)
        return fail(o, FAULT_HTTP_PROTOCOL_ERROR, "origin asked for proxy credentials");
    origin_note_head(o, head);
    x->response.accept_ranges = x->response.own_location = false;
    x->response.last_modified = -1;
    origin_keep_end_to_end(o, &x->response.fields);
    if (o->pick.upstream != NULL) {
        withhold_own(o, FIELD_SERVER);
        withhold_own(o, FIELD_DATE);
        proxy_redirect(x, o->conf);
    }
    take_framing(o, head);
    o->state = ORIGIN_BODY;
    return IO_OK;
}

/* The bytes behind a head stay in `in`; its own bytes are kept alive. */
static void pass(struct origin *o, struct span bytes, size_t taken)
{
    block_unref(o->head_block); /* that of an interim answer */
    o->head_block = o->in.block != NULL ? block_ref(o->in.block) : NULL;
    lease_take(&o->in, o->in.size - (bytes.len - taken));
}

enum io origin_read_head(struct origin *o)
{
    struct exchange *x = o->source.x;
    uint64_t size = o->conf->buffer_size;
    uint32_t most = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
    struct h1_limits limits = { most, most, MOST_FIELDS };
    struct fields *fields = &x->response.fields;
    enum io io = IO_OK;

    o->state = ORIGIN_ASKING;
    o->interim = 0;
    buf_clear(&o->head);
    fields_init(fields, &x->arena, NULL, 0);
    while (io == IO_OK) {
        struct span bytes = o->head.len > 0 ? buf_view(&o->head) : lease_span(&o->in);
        struct h1_response head = { .minor = 1 };
        enum h1_fault fault = H1_FINE;
        size_t taken = 0;
        enum parse parsed = bytes.len == 0
                                ? PARSE_MORE
                                : h1_response_parse(bytes, &limits, fields, &head, &taken, &fault);

        if (parsed == PARSE_BAD)
            return bad_head(o, fault);
        if (parsed == PARSE_MORE) {
            io = more_bytes(o);
            continue;
        }
        pass(o, bytes, taken);
        if (head.status == 101 && origin_switched(o, &head) == IO_OK)
            return IO_OK;
        if (head.status == 101)
            return fail(o, FAULT_HTTP_PROTOCOL_ERROR, "upstream switched protocols unasked");
        if (head.status >= 200)
            return take_head(o, &head);
        io = interim(o, &head, fields);
        buf_clear(&o->head); /* what follows stands in `in` alone */
    }
    return io;
}
