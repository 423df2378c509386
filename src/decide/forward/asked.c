/* The request head, as the forward face sees it: is it one for a proxy, and where does it lead?
 *
 *     GET http://a.example/   ->  a.example 80
 *     CONNECT a.example:443   ->  a.example 443
 *
 * The target decides; the Host field has no say. A host that two readers could take for two hosts
 * is refused. */
#include "decide/forward/asked.h"

#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"
#include "base/span.h"
#include "exchange/destination.h"
#include "exchange/exchange.h"
#include "exchange/request.h"
#include "exchange/worker.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/uri.h"

enum { HTTP_PORT = 80 };

static const char NOT_A_HOST[] = "the host of the target is malformed";

static struct asked_fault bad(const char *why)
{
    return (struct asked_fault){ 400, why };
}

static const char *form_fault(const struct exchange *x)
{
    const struct request *r = &x->request;

    if (r->method_id == METHOD_CONNECT)
        return r->framing == BODY_NONE || (r->framing == BODY_LENGTH && r->length == 0)
                   ? NULL
                   : "CONNECT with a body";
    if (r->scheme.len == 0)
        return "this is a proxy: the target must be an absolute URL";
    if (span_is_caseless(r->scheme, "https"))
        return "https through a proxy: use CONNECT";
    return span_is_caseless(r->scheme, "http") ? NULL : "the scheme of the target is not supported";
}

static struct span lower_copy(struct exchange *x, struct span text)
{
    char *lower = arena_cstr(&x->arena, text);

    for (size_t i = 0; i < text.len; i++)
        lower[i] = ascii_lower(lower[i]);
    return (struct span){ lower, text.len };
}

/* One spelling for each address. */
static struct span print_ip(struct exchange *x, const struct address *a)
{
    struct buf text;

    buf_init(&text, 64, NULL);
    address_print_ip(a, &text);
    struct span copy = arena_copy(&x->arena, buf_view(&text));
    buf_done(&text);
    return copy;
}

static void read_literal(struct exchange *x, struct span name, struct destination *d)
{
    struct address ip;

    if (!address_parse_ip(name, &ip)) {
        d->host = lower_copy(x, name);
        return;
    }
    ip.port = d->port;
    d->literal = ip;
    d->host = print_ip(x, &ip);
}

struct asked_fault asked_read(struct exchange *x, struct destination *ret)
{
    struct destination found = { .literal.family = AF_UNSPEC };
    bool connect = x->request.method_id == METHOD_CONNECT;
    struct host host;

    if (x->request.method_id == METHOD_TRACE)
        return (struct asked_fault){ 405, "TRACE is not allowed" };
    const char *fault = form_fault(x);
    if (fault != NULL)
        return bad(fault);
    if (!host_parse(x->request.authority, &host))
        return bad(NOT_A_HOST);
    if (host.port == 0 && (connect || host.port_text.len > 0))
        return bad("the port of the target is missing");
    if (!host_is_strict(&host))
        return bad(NOT_A_HOST);
    found.port = host.port != 0 ? host.port : HTTP_PORT;
    read_literal(x, host.name, &found);
    if (found.host.len == 0)
        return bad(NOT_A_HOST);
    *ret = found;
    return (struct asked_fault){ 0, NULL };
}

/* `1.1 b-TOKEN (comment)`: the second word is ours. */
static bool is_our_via(struct span member, const char *token)
{
    struct span version, rest, name, comment;

    if (!span_cut(member, ' ', &version, &rest))
        return false;
    rest = span_trim(rest);
    name = span_cut(rest, ' ', &name, &comment) ? name : rest;
    return token[0] != '\0' && span_starts_caseless(name, "b-") &&
           span_is_caseless(span_from(name, 2), token);
}

/* `TOKEN COUNT`, from a Bifrons before us. */
static bool hop_loops(struct span value, const char *token, uint64_t most_hops)
{
    struct span name = value, count = { NULL, 0 };
    uint64_t hops = 0;

    span_cut(value, ' ', &name, &count);
    struct cursor c = cursor_of(span_trim(count));
    if (count.len > 0 && !cursor_decimal(&c, UINT32_MAX, &hops))
        return false;
    return (token[0] != '\0' && span_is_caseless(name, token)) || hops >= most_hops;
}

bool asked_in_a_loop(const struct exchange *x, uint64_t most_hops)
{
    const struct fields *fields = &x->request.fields;
    const char *token = x->worker->shared.token;
    uint64_t hops = 0;

    for (unsigned i = 0; i < fields->count; i++) {
        struct span list = fields->at[i].value, member;

        if (fields->at[i].id == FIELD_BIFRONS_HOP && hop_loops(list, token, most_hops))
            return true;
        while (fields->at[i].id == FIELD_VIA && span_next_member(&list, &member))
            if (++hops > most_hops || is_our_via(member, token))
                return true;
    }
    return false;
}

bool asked_ends_here(struct exchange *x)
{
    struct fields *fields = &x->request.fields;
    uint64_t forwards;

    if (x->request.method_id != METHOD_OPTIONS)
        return false;
    for (unsigned i = 0; i < fields->count; i++) {
        struct field *field = &fields->at[i];
        struct cursor c = cursor_of(field->value);

        if (field->id != FIELD_MAX_FORWARDS || !cursor_decimal(&c, UINT32_MAX, &forwards) ||
            cursor_left(&c) > 0)
            continue;
        if (forwards == 0)
            return true;
        struct buf text;
        buf_init(&text, 32, NULL);
        buf_add_decimal(&text, forwards - 1);
        field->value = arena_copy(&x->arena, buf_view(&text));
        buf_done(&text);
    }
    return false;
}
