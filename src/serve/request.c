/* What a head asks for: target, host, path (RFC 9112 3.2, nginx-semantics 3.3 and 4.2). All in the
 * exchange's arena or in the head's own bytes. */
#include "base/buf.h"
#include "base/errlog.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/worker.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/h1.h"
#include "proto/uri.h"
#include "serve/h1.h"

static const struct {
    const char *name;
    enum method method;
} methods[] = {
    { "GET", METHOD_GET },     { "HEAD", METHOD_HEAD },     { "POST", METHOD_POST },
    { "PUT", METHOD_PUT },     { "DELETE", METHOD_DELETE }, { "OPTIONS", METHOD_OPTIONS },
    { "PATCH", METHOD_PATCH }, { "TRACE", METHOD_TRACE },   { "CONNECT", METHOD_CONNECT },
    { "LOCK", METHOD_LOCK },
};

static enum method method_of(struct span name)
{
    for (size_t i = 0; i < COUNT(methods); i++)
        if (span_is(name, methods[i].name))
            return methods[i].method;
    return METHOD_OTHER;
}

static bool refuse(struct exchange *x, unsigned status, const char *why, const char **ret_why)
{
    x->response.status = (uint16_t)status;
    *ret_why = why;
    return false;
}

static struct span lower(struct exchange *x, struct span text)
{
    char *copy = arena_alloc(&x->arena, text.len + 1);
    bool same = true;

    for (size_t i = 0; i < text.len; i++) {
        copy[i] = ascii_lower(text.at[i]);
        same = same && copy[i] == text.at[i];
    }
    return same ? text : (struct span){ copy, text.len };
}

/* `$uri`: shares the target's bytes when there is nothing to decode. */
static bool take_path(struct exchange *x, const struct target *t, const char **ret_why)
{
    struct request *r = &x->request;
    struct buf made;

    r->raw_path = t->path;
    r->escaped = t->escaped;
    r->args = t->args.len > 0 ? t->args : (struct span){ NULL, 0 };
    if (path_is_normal(t->path, x->core->merge_slashes)) {
        r->uri = t->path;
        return true;
    }
    buf_init(&made, t->path.len + 1, &x->worker->budget);
    bool good = path_normalise(t->path, x->core->merge_slashes, &made) && buf_ok(&made);
    if (good)
        r->uri = arena_copy(&x->arena, buf_view(&made));
    buf_done(&made);
    return good || refuse(x, 400, "client sent invalid path in request target", ret_why);
}

static bool take_host(struct exchange *x, struct span authority, const char **ret_why)
{
    struct host host;

    if (!host_parse(authority, &host))
        return refuse(x, 400, "client sent invalid host header", ret_why);
    x->request.authority = authority;
    x->request.host = lower(x, host.name);
    x->request.port = host.port;
    return true;
}

/* The host in an absolute target wins over Host (RFC 9112 3.2.2), which must be there all the same.
 */
static bool take_authority(struct exchange *x, const struct target *t, const char **ret_why)
{
    struct request *r = &x->request;
    const struct field *host = fields_find(&r->fields, FIELD_HOST);

    if (host == NULL && r->minor > 0)
        return refuse(x, 400, "client sent HTTP/1.1 request without \"Host\" header", ret_why);
    if (host != NULL && t->form != TARGET_AUTHORITY && !take_host(x, host->value, ret_why))
        return false;
    if (t->authority.len == 0)
        return true;
    return take_host(x, t->authority, ret_why);
}

/* Fields with odd names: dropped on the reverse face, unless the configuration keeps them
 * (nginx-semantics 4.3). The forward face passes every token on. */
static void drop_invalid(struct exchange *x)
{
    struct fields *f = &x->request.fields;
    bool drops = !exchange_is_forward(x) && x->core->names.ignore_invalid;
    unsigned kept = 0;

    for (unsigned i = 0; i < f->count; i++) {
        struct field *field = &f->at[i];

        if (field->invalid &&
            (field_name_is_disguise(field->name) ||
             (drops && !field_name_is_plain(field->name, x->core->names.underscores))))
            exchange_log(x, LEVEL_INFO, 0, "client sent invalid header line: \"%.*s\"",
                         (int)(field->name.len < 100 ? field->name.len : 100), field->name.at);
        else
            f->at[kept++] = *field;
    }
    f->count = kept;
}

/* `http://host`, `http://host?args`: the path is `/`. */
static struct span pathless(struct exchange *x, const struct target *t)
{
    char *made = arena_alloc(&x->arena, t->args.len + 2);

    made[0] = '/';
    made[1] = '?';
    if (t->args.len > 0)
        memcpy(made + 2, t->args.at, t->args.len);
    return (struct span){ made, t->has_args ? t->args.len + 2 : 1 };
}

/* `http://user:password@host/` is refused, and its password stands in no log (TARG-13). */
void request_mask_credentials(struct exchange *x)
{
    struct span line = x->request.line;
    size_t first = span_find(line, ' ') + 1; /* of the target; behind its scheme, if it has one */
    size_t last = line.len;

    for (size_t i = first; i + 3 <= line.len; i++)
        if (span_starts(span_from(line, i), "://")) {
            first = i + 3;
            break;
        }
    while (last > first && line.at[last - 1] != '@')
        last--;
    if (last <= first)
        return;
    struct buf masked;
    buf_init(&masked, line.len + 8, NULL);
    buf_add(&masked, span_first(line, first));
    buf_adds(&masked, "***");
    buf_add(&masked, span_from(line, last - 1));
    x->request.line = arena_copy(&x->arena, buf_view(&masked));
    x->request.target = (struct span){ "", 0 };
    buf_done(&masked);
}

/* RFC 6455 4.1: what follows its head belongs to the new protocol (FLOW-21). */
static bool asks_for_websocket(const struct request *r)
{
    const struct field *f = fields_find(&r->fields, FIELD_UPGRADE);

    return f != NULL && r->method_id == METHOD_GET && r->minor > 0 &&
           span_is_caseless(f->value, "websocket") &&
           fields_list_has(&r->fields, FIELD_CONNECTION, "upgrade");
}

bool request_take(struct exchange *x, const struct h1_request *from, const char **ret_why)
{
    struct request *r = &x->request;
    struct target t;
    bool connect;

    r->method = from->method;
    r->method_id = method_of(from->method);
    r->target = from->target;
    r->minor = from->minor;
    r->framing = from->framing;
    r->length = from->length;
    r->expects = from->expects;
    x->keep_alive = from->keep_alive;
    connect = r->method_id == METHOD_CONNECT;
    if (connect && !exchange_is_forward(x))
        return refuse(x, 405, "client sent CONNECT to a reverse proxy", ret_why);
    if (!target_parse(from->target, connect, &t) || t.form == TARGET_ASTERISK) {
        request_mask_credentials(x);
        return refuse(x, 400, "client sent invalid request target", ret_why);
    }
    drop_invalid(x);
    if (r->framing != BODY_NONE && asks_for_websocket(r))
        return refuse(x, 400, "client sent a body with a WebSocket handshake", ret_why);
    if (t.form == TARGET_ABSOLUTE) {
        r->scheme = lower(x, t.scheme);
        size_t from_path = (size_t)(t.path.at - from->target.at);
        r->target = t.path.at >= from->target.at && from_path <= from->target.len
                        ? span_from(from->target, from_path)
                        : pathless(x, &t);
    }
    if (!take_authority(x, &t, ret_why))
        return false;
    if (connect) {
        r->uri = r->raw_path = (struct span){ "", 0 };
        return true;
    }
    if (!take_path(x, &t, ret_why)) /* first: an error page may ask for `$uri` */
        return false;
    return r->method_id != METHOD_TRACE || refuse(x, 405, "client sent TRACE method", ret_why);
}
