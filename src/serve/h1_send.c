/* What an HTTP/1 client is sent: exactly one framing, made here (DESIGN 7.2), heads through one
 * writer that refuses control bytes (7.13). The head is held back until the first part or a
 * flush. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/errlog.h"
#include "base/link.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/page.h"
#include "exchange/source.h"
#include "exchange/turn.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/sock.h"
#include "proto/chunked.h"
#include "proto/fields.h"
#include "serve/connection.h"
#include "serve/h1.h"

enum { DISCARD_MOST = 64 * 1024, MOST_PIECES = 5 };

static struct h1 *h1_of(struct client *c)
{
    return CONTAINER(c, struct h1, client);
}

/* May the connection serve another request? Decided before the head says so. */
static bool keeps_alive(struct h1 *h)
{
    struct exchange *x = h->client.x;
    const struct core_settings *core = x->core;
    uint64_t age = exchange_now(x) - h->connection->opened;

    if (!x->keep_alive || core->keepalive_timeout == 0 || x->requests >= core->keepalive_requests ||
        age >= core->keepalive_time || x->worker->draining || h->marks.dead)
        return false;
    if (h->body.ended)
        return true;
    if (h->body.use == BODY_WANTED) /* whoever reads it is not through: its bytes are not ours */
        return false;
    /* A body that nobody wanted: what has come already is read off; leave to send more was never
     * given. */
    return h->marks.continued && h1_discard(h, DISCARD_MOST);
}

static void add_all_of(struct buf *out, const struct fields *f, enum field_id id)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (f->at[i].id == id)
            field_write(f->at[i].name, f->at[i].value, out);
    }
}

/* Those that have a place of their own in NGINX's order, or are made here. */
static bool is_placed(enum field_id id)
{
    return id == FIELD_CONTENT_TYPE || id == FIELD_LAST_MODIFIED || id == FIELD_CONTENT_LENGTH ||
           id == FIELD_TRANSFER_ENCODING || id == FIELD_CONNECTION || id == FIELD_KEEP_ALIVE;
}

/* An empty one says that there is to be none. */
static bool is_withheld(const struct field *f)
{
    return f->value.len == 0 && (f->id == FIELD_SERVER || f->id == FIELD_DATE);
}

static void add_status_line(struct exchange *x, struct buf *out)
{
    struct span reason = x->response.reason;

    if (reason.len == 0)
        reason = span_of(status_reason(x->response.status));
    buf_add(out, (struct span){ "HTTP/1.1 ", 9 });
    buf_add_decimal(out, x->response.status);
    buf_add_byte(out, ' ');
    buf_add(out, reason);
    buf_add(out, (struct span){ "\r\n", 2 });
}

static void add_own_fields(struct exchange *x, struct buf *out)
{
    const struct fields *f = &x->response.fields;

    if (fields_find(f, FIELD_SERVER) == NULL && !exchange_is_forward(x))
        field_write(span_of("Server"),
                    span_of(x->core->server_tokens ? "bifrons/" BIFRONS_VERSION : "bifrons"), out);
    if (fields_find(f, FIELD_DATE) == NULL)
        field_write(span_of("Date"),
                    (struct span){ x->worker->loop->clock.http_date, HTTP_DATE_LENGTH }, out);
}

/* Exactly one of none, Content-Length, chunked, or the end of the connection. */
static void add_framing(struct h1 *h, struct buf *out)
{
    struct exchange *x = h->client.x;
    bool silent =
        x->response.status == 204 || x->response.status == 304 || x->response.status < 200;

    h->answer = (struct h1_answer){ .left = LENGTH_UNKNOWN,
                                    .bodyless = response_has_no_body(x),
                                    .begun = 1 };
    if (x->response.length != LENGTH_UNKNOWN && !silent) {
        buf_adds(out, "Content-Length: ");
        buf_add_decimal(out, x->response.length);
        buf_add(out, (struct span){ "\r\n", 2 });
        h->answer.left = x->response.length;
    }
}

static void add_coding(struct h1 *h, bool keep, struct buf *out)
{
    struct exchange *x = h->client.x;

    if (!h->answer.bodyless && x->response.length == LENGTH_UNKNOWN) {
        if (x->request.minor > 0) {
            buf_adds(out, "Transfer-Encoding: chunked\r\n");
            h->answer.chunked = true;
        } else {
            keep = false;
        }
    }
    x->keep_alive = keep;
    if (x->response.status == 101) {
        buf_adds(out, "Connection: upgrade\r\n");
        return;
    }
    buf_adds(out, keep ? "Connection: keep-alive\r\n" : "Connection: close\r\n");
    if (keep && x->core->keepalive_header > 0)
        buf_addf(out, "Keep-Alive: timeout=%llu\r\n",
                 (unsigned long long)x->core->keepalive_header);
}

/* One gate for every byte of a head: a control byte in a value is our fault or an attack (INJ-01).
 * What is not to be sent; `at` is NULL: nothing. */
static struct span find_unclean(const struct exchange *x)
{
    const struct fields *f = &x->response.fields;

    for (unsigned i = 0; i < f->count; i++)
        if (f->at[i].origin != FROM_UPSTREAM && !is_token(f->at[i].name))
            return span_of("a field's name");
        else if (f->at[i].origin != FROM_UPSTREAM && !is_field_value(f->at[i].value))
            return f->at[i].name;
    return is_field_value(x->response.reason) ? (struct span){ NULL, 0 } : span_of("the reason");
}

/* A 204 of ours has no type; what an upstream says of its own goes on. */
static void drop_type_of_nothing(struct exchange *x)
{
    const struct field *type = fields_find(&x->response.fields, FIELD_CONTENT_TYPE);

    if (x->response.status == 204 && type != NULL && type->origin != FROM_UPSTREAM)
        fields_remove(&x->response.fields, FIELD_CONTENT_TYPE);
}

enum io h1_send_head(struct client *c)
{
    struct h1 *h = h1_of(c);
    struct exchange *x = c->x;
    struct buf *out = &h->out;
    const struct fields *f = &x->response.fields;

    if (h->marks.dead)
        return IO_FAILED;
    struct span unclean = find_unclean(x);
    if (unclean.at != NULL) {
        exchange_log(x, LEVEL_ERROR, 0, "a header with a control byte was not sent: %.*s",
                     (int)unclean.len, unclean.at);
        page_error(x, 500); /* it is too late for another one */
        f = &x->response.fields;
    }
    drop_type_of_nothing(x);
    bool keep = keeps_alive(h);
    buf_clear(out);
    add_status_line(x, out);
    add_own_fields(x, out);
    add_all_of(out, f, FIELD_CONTENT_TYPE);
    add_framing(h, out);
    add_all_of(out, f, FIELD_LAST_MODIFIED);
    if (x->response.own_location)
        add_all_of(out, f, FIELD_LOCATION);
    add_coding(h, keep, out);
    for (unsigned i = 0; i < f->count; i++)
        if (!is_placed(f->at[i].id) && !is_withheld(&f->at[i]) &&
            !(f->at[i].id == FIELD_LOCATION && x->response.own_location))
            field_write(f->at[i].name, f->at[i].value, out);
    if (x->response.accept_ranges)
        buf_adds(out, "Accept-Ranges: bytes\r\n");
    buf_add(out, (struct span){ "\r\n", 2 });
    if (buf_ok(out))
        return IO_OK;
    exchange_log(x, LEVEL_ERROR, 0, "the head of an answer is too large");
    return IO_FAILED;
}

bool h1_drop_head(struct client *c)
{
    struct h1 *h = h1_of(c);

    if (h->marks.dead || h->out.len == 0)
        return false;
    buf_clear(&h->out);
    h->answer = (struct h1_answer){ .begun = false };
    return true;
}

/* --- sending -------------------------------------------------------------------------------- */

static size_t total(const struct iovec *iov, int n)
{
    size_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

/* All of it. `head`: how many of the bytes belong to the answer's head. */
static enum io send_all(struct h1 *h, struct iovec *iov, int n, size_t head)
{
    struct exchange *x = h->client.x;
    struct conn *conn = &h->connection->conn;
    size_t all = total(iov, n), taken = 0;
    enum io io = conn_write_start(conn, iov, n, &taken);

    if (io == IO_AGAIN || (io == IO_OK && taken < all)) {
        size_t skip = taken;
        int first = 0;

        if (taken < all && h->client.on_blocked != NULL)
            h->client.on_blocked(h->client.on_blocked_arg);
        while (first < n && skip >= iov[first].iov_len)
            skip -= iov[first++].iov_len;
        if (first < n) {
            iov[first].iov_base = (char *)iov[first].iov_base + skip;
            iov[first].iov_len -= skip;
        }
        io = first < n ? conn_write(conn, iov + first, n - first, x->core->send_timeout) : IO_OK;
    }
    if (io != IO_OK) {
        h->marks.dead = true;
        x->response.sent += taken;
        x->response.head_sent += taken < head ? taken : head;
        x->response.body_sent += taken > head ? taken - head : 0;
        return io;
    }
    x->response.sent += all;
    x->response.head_sent += head;
    x->response.body_sent += all - head;
    return IO_OK;
}

/* The head, if it has not left yet, is the first piece. */
static int begin(struct h1 *h, struct iovec *iov, size_t *ret_head)
{
    *ret_head = h->out.len;
    if (h->out.len == 0)
        return 0;
    iov[0] = iov_of(buf_view(&h->out));
    return 1;
}

static enum io send_memory(struct h1 *h, struct span bytes, bool last)
{
    char size[CHUNK_HEAD_MOST];
    struct iovec iov[MOST_PIECES];
    size_t head;
    int n = begin(h, iov, &head);

    if (bytes.len > 0 && h->answer.chunked)
        iov[n++] = (struct iovec){ size, chunk_head(bytes.len, size) };
    if (bytes.len > 0)
        iov[n++] = iov_of(bytes);
    if (bytes.len > 0 && h->answer.chunked)
        iov[n++] = iov_of((struct span){ "\r\n", 2 });
    if (last && h->answer.chunked && !h->answer.bodyless)
        iov[n++] = iov_of((struct span){ "0\r\n\r\n", 5 });
    if (n == 0) {
        h->answer.ended = last;
        return IO_OK;
    }
    enum io io = send_all(h, iov, n, head);
    buf_clear(&h->out);
    h->answer.ended = io == IO_OK && last;
    return io;
}

enum io h1_flush(struct client *c)
{
    return send_memory(h1_of(c), (struct span){ NULL, 0 }, false);
}

/* A source that gives more than its head promised is cut; one that gives less breaks the
 * connection. */
static bool fits(struct h1 *h, uint64_t length)
{
    if (h->answer.left == LENGTH_UNKNOWN)
        return true;
    if (length > h->answer.left)
        return false;
    h->answer.left -= length;
    return true;
}

/* What stands before a file's bytes: the head, if it has not left, and the size of a chunk. */
static enum io begin_file(struct h1 *h, const struct part *p)
{
    char size[CHUNK_HEAD_MOST];
    struct iovec iov[2];
    size_t head;
    int n = begin(h, iov, &head);

    if (h->answer.chunked)
        iov[n++] = (struct iovec){ size, chunk_head(p->length, size) };
    enum io io = n > 0 ? send_all(h, iov, n, head) : IO_OK;
    buf_clear(&h->out);
    return io;
}

static enum io end_file(struct h1 *h, bool last)
{
    struct iovec iov[2] = { iov_of((struct span){ "\r\n", 2 }),
                            iov_of((struct span){ "0\r\n\r\n", 5 }) };

    return h->answer.chunked ? send_all(h, iov, last ? 2 : 1, 0) : IO_OK;
}

static enum io send_file(struct h1 *h, const struct part *p)
{
    struct exchange *x = h->client.x;
    size_t sent = 0;
    enum io io = begin_file(h, p);

    if (io == IO_OK)
        io = conn_send_file(&h->connection->conn, p->file, p->offset, p->length,
                            x->core->send_timeout, &sent);
    x->response.sent += sent;
    x->response.body_sent += sent;
    if (io == IO_OK)
        io = end_file(h, p->last);
    if (io != IO_OK)
        h->marks.dead = true;
    h->answer.ended = io == IO_OK && p->last;
    return io;
}

/* What another socket's bytes were spliced into. */
static enum io send_pipe(struct h1 *h, const struct part *p)
{
    struct exchange *x = h->client.x;
    struct conn *conn = &h->connection->conn;
    size_t sent = 0, rest = 0;
    enum io io = h1_flush(&h->client);

    if (io == IO_OK)
        io = sock_splice_out(&conn->sock, p->file, p->length, &sent);
    if (io == IO_AGAIN || (io == IO_OK && sent < p->length)) {
        if (h->client.on_blocked != NULL)
            h->client.on_blocked(h->client.on_blocked_arg);
        io = conn_splice_out(conn, p->file, p->length - sent, x->core->send_timeout, &rest);
    }
    x->response.sent += sent + rest;
    x->response.body_sent += sent + rest;
    if (io != IO_OK)
        h->marks.dead = true;
    h->answer.ended = io == IO_OK && p->last;
    return io;
}

enum io h1_send_part(struct client *c, const struct part *p)
{
    struct h1 *h = h1_of(c);

    if (h->answer.bodyless) {
        enum io io = h1_flush(c);

        return io == IO_OK && !p->last ? h1_send_end(c) : io;
    }
    if (!fits(h, part_length(p)))
        return IO_FAILED;
    if (p->kind == PART_FILE)
        return send_file(h, p);
    if (p->kind == PART_PIPE)
        return send_pipe(h, p);
    return send_memory(h, p->bytes, p->last);
}

enum io h1_send_end(struct client *c)
{
    struct h1 *h = h1_of(c);

    if (!h->answer.bodyless && h->answer.left != LENGTH_UNKNOWN && h->answer.left > 0)
        return IO_FAILED;
    return send_memory(h, (struct span){ NULL, 0 }, true);
}

enum io h1_send_interim(struct client *c, unsigned status, const struct fields *fields)
{
    struct h1 *h = h1_of(c);
    struct buf text;

    if (status == 100 && (h->marks.continued || h->in.size > 0)) { /* it does not wait */
        h->marks.continued = true;
        return IO_OK;
    }
    h->marks.continued = h->marks.continued || status == 100;
    buf_init(&text, 64 * 1024, &h->worker->budget);
    buf_addf(&text, "HTTP/1.1 %u %s\r\n", status, status_reason(status));
    for (unsigned i = 0; i < fields->count; i++) {
        buf_add(&text, fields->at[i].name);
        buf_adds(&text, ": ");
        buf_add(&text, fields->at[i].value);
        buf_adds(&text, "\r\n");
    }
    buf_adds(&text, "\r\n");
    struct iovec iov = iov_of(buf_view(&text));
    enum io io = buf_ok(&text) ? send_all(h, &iov, 1, iov.iov_len) : IO_FAILED;
    buf_done(&text);
    return io;
}
