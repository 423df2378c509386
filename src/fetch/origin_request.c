/* What an origin is sent: one request line, fields of known origin, one framing made here
 * (DESIGN 7.2, 7.13).
 *
 *     METHOD URI HTTP/1.1
 *     Host, proxy_set_header lines, framing of ours, then the client's fields in their order
 */
#include "base/buf.h"
#include "base/errlog.h"
#include "base/span.h"
#include "exchange/body.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/request.h"
#include "exchange/template.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "proto/byte_class.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/uri.h"

enum { MOST_NOMINATED = 64 };

/* Fields of the client that never go on: ours to make, or of its connection only (RFC 9110
 * 7.6.1). */
static bool is_ours(enum field_id id)
{
    switch ((int)id) {
    case FIELD_HOST:
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_EXPECT:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_PROXY_CONNECTION:
        return true;
    default:
        return false;
    }
}

/* --- the request line ----------------------------------------------------------------------- */

/* What may come from a configuration: what would end the target is escaped (INJ-04). */
static void add_safe(struct span rest, struct buf *out)
{
    while (rest.len > 0) {
        size_t plain = byte_run(rest, BYTE_TARGET);

        buf_add(out, span_first(rest, plain));
        rest = span_from(rest, plain);
        uri_escape(span_first(rest, 1), ESCAPE_ARGS, out);
        rest = span_from(rest, 1);
    }
}

static void add_args(const struct exchange *x, struct buf *out)
{
    if (x->request.args.len > 0)
        buf_add_byte(out, '?');
    add_safe(x->request.args, out);
}

static bool is_escaped(const struct exchange *x)
{
    return x->request.raw_path.len == 0 ||
           span_find(x->request.raw_path, '%') < x->request.raw_path.len;
}

/* `set $args` has not changed them: the target ends in them. */
static bool has_its_args(const struct exchange *x)
{
    struct span asked = span_from(x->request.target, x->request.raw_path.len + 1),
                args = x->request.args;

    return args.at == NULL || (args.len > 0 && span_same(asked, args));
}

/* What was asked, byte for byte, as long as nothing has changed it. */
static void add_unchanged(const struct exchange *x, struct buf *out)
{
    if (x->request.raw_path.len == 0 || !has_its_args(x)) {
        if (is_escaped(x))
            uri_escape(x->request.uri, ESCAPE_URI, out);
        else
            buf_add(out, x->request.uri);
        add_args(x, out);
    } else if (span_starts(x->request.target, "/")) {
        buf_add(out, x->request.target);
    } else { /* `http://host` or `http://host?args` */
        buf_add_byte(out, '/');
        add_args(x, out);
    }
}

/* The URI part of proxy_pass stands for the location's name (nginx-semantics 7.1). */
static void add_replaced(const struct exchange *x, const struct proxy_target *t, struct buf *out)
{
    struct span rest =
        t->exact ? (struct span){ NULL, 0 } : span_from(x->request.uri, t->location.len);

    buf_add(out, t->uri);
    if (is_escaped(x))
        uri_escape(rest, ESCAPE_URI, out);
    else
        buf_add(out, rest);
    add_args(x, out);
}

void origin_add_target(const struct origin *o, struct buf *out)
{
    const struct exchange *x = o->source.x;
    const struct proxy_target *t = o->pass;

    if (t != NULL && t->varies && t->uri.len > 0)
        add_safe(t->uri, out); /* all of it: the request's own is where it was asked for */
    else if (t != NULL && t->uri.len > 0 && x->request.path_use == PATH_IN_LOCATION)
        add_replaced(x, t, out);
    else
        add_unchanged(x, out);
}

static void add_line(const struct origin *o, struct buf *out)
{
    buf_add(out, o->source.x->request.method);
    buf_add_byte(out, ' ');
    origin_add_target(o, out);
    buf_adds(out, o->conf->http_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
}

/* --- fields --------------------------------------------------------------------------------- */

static const struct proxy_header *set_by_us(const struct proxy_settings *conf,
                                            const struct field *f)
{
    const struct proxy_header *headers = conf->set_headers.items;

    for (uint32_t i = 0; i < conf->set_headers.len; i++)
        if (f->id == headers[i].id &&
            (f->id != FIELD_OTHER || span_same_caseless(f->name, headers[i].name)))
            return &headers[i];
    return NULL;
}

static bool add_host(const struct origin *o, struct buf *out)
{
    struct exchange *x = o->source.x;
    const struct proxy_header *headers = o->conf->set_headers.items;
    struct span host = o->pass != NULL ? o->pass->host : x->request.authority;

    for (uint32_t i = 0; i < o->conf->set_headers.len; i++)
        if (headers[i].id == FIELD_HOST) {
            struct span value = template_value(x, &headers[i].value);

            host = value.len > 0 ? value : host;
        }
    field_write((struct span){ "Host", 4 }, host, out);
    return is_field_value(host);
}

static bool add_set_headers(const struct origin *o, struct buf *out)
{
    struct exchange *x = o->source.x;
    const struct proxy_header *headers = o->conf->set_headers.items;

    for (uint32_t i = 0; i < o->conf->set_headers.len; i++) {
        enum field_id id = headers[i].id;

        if (id == FIELD_HOST || id == FIELD_CONTENT_LENGTH || id == FIELD_TRANSFER_ENCODING ||
            id == FIELD_CONNECTION || id == FIELD_UPGRADE)
            continue;
        struct span value = template_value(x, &headers[i].value);
        if (!is_field_value(value)) {
            exchange_log(x, LEVEL_ERROR, 0,
                         "proxy_set_header %.*s: a value with a control byte was refused",
                         (int)headers[i].name.len, headers[i].name.at);
            return false;
        }
        if (value.len > 0)
            field_write(headers[i].name, value, out);
    }
    return true;
}

static bool expects_length(enum method method)
{
    return method == METHOD_POST || method == METHOD_PUT || method == METHOD_PATCH;
}

/* --- Connection ----------------------------------------------------------------------------- */

/* What `proxy_set_header Connection` says; NULL: nothing. */
static const struct proxy_header *asked_connection(const struct origin *o)
{
    const struct proxy_header *headers = o->conf->set_headers.items;

    for (uint32_t i = 0; i < o->conf->set_headers.len; i++)
        if (headers[i].id == FIELD_CONNECTION)
            return &headers[i];
    return NULL;
}

static bool has_member(struct span list, const char *name)
{
    struct span member;

    while (span_next_member(&list, &member))
        if (span_is_caseless(member, name))
            return true;
    return false;
}

/* Of what was asked for only what is said of a connection: a field that a client names here would
 * be taken out behind us, one of ours too. `upgrade` stands only beside an Upgrade. Unasked:
 * `close` where nothing is kept, by HTTP/1.0 or without a pool. */
static void add_connection(struct origin *o, struct buf *out)
{
    const struct proxy_header *asked = asked_connection(o);
    bool keeps = o->pass == NULL || !o->pass->varies || o->conf->keepalive > 0;
    bool closes = o->conf->http_version == 0 || o->pool->limits.most == 0 || !keeps, stays = false;
    struct span upgrade = origin_upgrade(o);

    if (asked != NULL) {
        struct span value = template_value(o->source.x, &asked->value);

        closes = has_member(value, "close");
        stays = !closes && has_member(value, "keep-alive");
    }
    if (upgrade.len > 0) {
        field_write(span_of("Upgrade"), upgrade, out);
        buf_adds(out, "Connection: upgrade\r\n");
    } else if (closes) {
        buf_adds(out, "Connection: close\r\n");
    } else if (stays) {
        buf_adds(out, "Connection: keep-alive\r\n");
    }
    o->marks.keep = keeps && (upgrade.len > 0 || !closes); /* RFC 9112 9.6 */
}

static void add_framing(const struct origin *o, struct buf *out)
{
    const struct exchange *x = o->source.x;

    if (x->body != NULL)
        buf_addf(out, "Content-Length: %llu\r\n", (unsigned long long)x->body->length);
    else if (x->request.framing == BODY_CHUNKED)
        buf_adds(out, "Transfer-Encoding: chunked\r\n");
    else if (x->request.framing == BODY_LENGTH)
        buf_addf(out, "Content-Length: %llu\r\n", (unsigned long long)x->request.length);
    else if (expects_length(x->request.method_id))
        buf_adds(out, "Content-Length: 0\r\n");
}

/* What the client's Connection names, for this connection only. */
static unsigned nominated(const struct exchange *x, struct span ret[MOST_NOMINATED])
{
    const struct fields *f = &x->request.fields;
    unsigned count = 0;

    for (unsigned i = 0; i < f->count; i++) {
        struct span list = f->at[i].value, member;

        if (f->at[i].id != FIELD_CONNECTION)
            continue;
        while (span_next_member(&list, &member) && count < MOST_NOMINATED)
            if (!span_is_caseless(member, "keep-alive") && !span_is_caseless(member, "close"))
                ret[count++] = member;
    }
    return count;
}

static bool is_among(const struct span *names, unsigned count, struct span name)
{
    for (unsigned i = 0; i < count; i++)
        if (span_same_caseless(names[i], name))
            return true;
    return false;
}

static void add_clients_fields(const struct origin *o, struct buf *out)
{
    const struct exchange *x = o->source.x;
    const struct fields *f = &x->request.fields;
    struct span names[MOST_NOMINATED];
    unsigned count = nominated(x, names);

    for (unsigned i = 0; i < f->count; i++) {
        const struct field *field = &f->at[i];

        if (is_ours(field->id) || set_by_us(o->conf, field) != NULL ||
            (count > 0 && field->origin == FROM_CLIENT && is_among(names, count, field->name)))
            continue;
        field_write(field->name, field->value, out);
    }
}

bool origin_write_head(struct origin *o)
{
    struct buf *out = &o->conn->out;

    buf_clear(out);
    add_line(o, out);
    if (!add_host(o, out) || !add_set_headers(o, out))
        return false;
    add_framing(o, out);
    add_connection(o, out);
    add_clients_fields(o, out);
    buf_add(out, (struct span){ "\r\n", 2 });
    return buf_ok(out);
}
