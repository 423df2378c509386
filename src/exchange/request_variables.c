/* The variables of an exchange itself (nginx-semantics 10). Values that must be made live in its
 * arena; all others are spans of what the exchange holds anyway.
 *
 * A getter may be called before there is a server, and for a request whose head was malformed: what
 * is not known is unset (false) or empty. Those of a LATE_ROW change until the exchange ends. */
#include "exchange/request_variables.h"

#include "base/buf.h"
#include "base/random.h"
#include "conf/settings.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/template.h"
#include "exchange/turn.h"
#include "proto/base64.h"
#include "proto/fields.h"

#include <stdio.h>
#include <unistd.h>

/* A span without bytes of its own (`at` is NULL) is an unset variable; an empty one is set. */
static bool give(struct span value, struct span *ret)
{
    *ret = value;
    return value.at != NULL;
}

/* Room for a number or an address, and what was printed there. */
static struct span kept(struct exchange *x, const struct buf *made)
{
    return arena_copy(&x->arena, buf_view(made));
}

/* At least `digits` of them. */
static size_t print_digits(uint64_t value, unsigned digits, char *ret_text)
{
    char reversed[24];
    unsigned count = 0;

    while (value > 0 || count < digits) {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    }
    for (unsigned i = 0; i < count; i++)
        ret_text[i] = reversed[count - 1 - i];
    return count;
}

static bool decimal(struct exchange *x, uint64_t value, struct span *ret)
{
    char *text = arena_alloc(&x->arena, 24);

    *ret = (struct span){ text, print_digits(value, 1, text) };
    return true;
}

/* `12.345`: NGINX's form of times. */
static bool seconds(struct exchange *x, uint64_t ms, struct span *ret)
{
    char *text = arena_alloc(&x->arena, 28);
    size_t len = print_digits(ms / 1000, 1, text);

    text[len++] = '.';
    len += print_digits(ms % 1000, 3, text + len);
    *ret = (struct span){ text, len };
    return true;
}

#define GETTER(name) static bool get_##name(struct exchange *x, struct span arg, struct span *ret)
#define UNUSED_ARG ((void)arg)

GETTER(uri)
{
    UNUSED_ARG;
    return give(x->request.uri, ret);
}

GETTER(request_uri)
{
    UNUSED_ARG;
    return give(x->request.target, ret);
}

GETTER(args)
{
    UNUSED_ARG;
    return give(x->request.args, ret);
}

GETTER(is_args)
{
    UNUSED_ARG;
    return give(x->request.args.len > 0 ? span_of("?") : span_of(""), ret);
}

GETTER(request)
{
    UNUSED_ARG;
    return give(x->request.line, ret);
}

GETTER(request_method)
{
    UNUSED_ARG;
    return give(x->request.method, ret);
}

GETTER(host)
{
    UNUSED_ARG;
    if (x->request.host.len > 0)
        return give(x->request.host, ret);
    return give(x->server ? x->server->label : span_of(""), ret);
}

GETTER(server_name)
{
    UNUSED_ARG;
    return give(x->server ? x->server->label : span_of(""), ret);
}

GETTER(scheme)
{
    UNUSED_ARG;
    return give(span_of(exchange_is_secure(x) ? "https" : "http"), ret);
}

GETTER(https)
{
    UNUSED_ARG;
    return give(span_of(exchange_is_secure(x) ? "on" : ""), ret);
}

GETTER(server_protocol)
{
    UNUSED_ARG;
    if (x->request.line.len == 0)
        return false;
    return give(span_of(x->request.minor == 0 ? "HTTP/1.0" : "HTTP/1.1"), ret);
}

static bool address_text(struct exchange *x, const struct address *a, struct span *ret)
{
    struct buf text;

    buf_init(&text, 64, NULL);
    address_print_ip(a, &text);
    *ret = kept(x, &text);
    buf_done(&text);
    return true;
}

GETTER(remote_addr)
{
    UNUSED_ARG;
    return address_text(x, &x->client_address, ret);
}

GETTER(remote_port)
{
    UNUSED_ARG;
    return decimal(x, x->client_address.port, ret);
}

GETTER(server_addr)
{
    UNUSED_ARG;
    return address_text(x, &x->local_address, ret);
}

GETTER(server_port)
{
    UNUSED_ARG;
    return decimal(x, x->local_address.port, ret);
}

GETTER(binary_remote_addr)
{
    UNUSED_ARG;
    *ret = (struct span){ (const char *)x->client_address.ip,
                          x->client_address.family == AF_INET ? 4 : 16 };
    return true;
}

/* All fields of the name, joined by `, ` (Cookie: `; `). */
static bool joined(struct exchange *x, const struct fields *fields, struct span name,
                   struct span *ret)
{
    enum field_id id = field_id_of(name);
    const char *glue = id == FIELD_COOKIE ? "; " : ", ";
    unsigned found = 0;
    struct buf text = { .max = 64 * 1024 };

    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *f = &fields->at[i];

        if (f->id != id || (id == FIELD_OTHER && !field_name_same_word(f->name, name)))
            continue;
        if (found++ == 0)
            *ret = f->value;
        else if (found == 2)
            buf_add(&text, *ret);
        if (found > 1) {
            buf_adds(&text, glue);
            buf_add(&text, f->value);
        }
    }
    if (found > 1)
        *ret = kept(x, &text);
    buf_done(&text);
    return found > 0;
}

GETTER(http)
{
    char room[LONGEST_NAME];
    struct span name = variable_field(arg, room);

    if (span_is(name, "proxy-authorization")) /* never seen by anything but its checker */
        return false;
    if (span_is(name, "host") && x->request.scheme.len > 0)
        return give(x->request.authority, ret);
    return joined(x, &x->request.fields, name, ret);
}

/* Content-Length is written by whoever sends the head, from the length alone (h1_send.c). */
GETTER(sent_http)
{
    char room[LONGEST_NAME];
    struct span name = variable_field(arg, room);

    if (span_is(name, "content-length")) {
        if (x->response.length == LENGTH_UNKNOWN)
            return false;
        return decimal(x, x->response.length, ret);
    }
    return joined(x, &x->response.fields, name, ret);
}

GETTER(arg)
{
    struct span rest = x->request.args;

    while (rest.len > 0) {
        struct span pair = rest, tail = { NULL, 0 }, name, value;

        if (span_cut(rest, '&', &pair, &tail))
            rest = tail;
        else
            rest = (struct span){ NULL, 0 };
        if (span_cut(pair, '=', &name, &value) && span_same_caseless(name, arg))
            return give(value, ret);
    }
    return false;
}

/* `a=1; b=2`; the names without regard to case, as NGINX compares them. */
static bool cookie_in(struct span rest, struct span name, struct span *ret)
{
    while (rest.len > 0) {
        struct span pair = rest, tail = { NULL, 0 }, found, value;

        if (span_cut(rest, ';', &pair, &tail))
            rest = tail;
        else
            rest = (struct span){ NULL, 0 };
        while (pair.len > 0 && pair.at[0] == ' ')
            pair = span_from(pair, 1);
        if (span_cut(pair, '=', &found, &value) && span_same_caseless(found, name))
            return give(value, ret);
    }
    return false;
}

GETTER(cookie)
{
    const struct fields *fields = &x->request.fields;

    for (unsigned i = 0; i < fields->count; i++)
        if (fields->at[i].id == FIELD_COOKIE && cookie_in(fields->at[i].value, arg, ret))
            return true;
    return false;
}

GETTER(content_length)
{
    UNUSED_ARG;
    return fields_find(&x->request.fields, FIELD_CONTENT_LENGTH) != NULL &&
           decimal(x, x->request.length, ret);
}

GETTER(content_type)
{
    const struct field *f = fields_find(&x->request.fields, FIELD_CONTENT_TYPE);

    UNUSED_ARG;
    return f != NULL && give(f->value, ret);
}

GETTER(status)
{
    char *text = arena_alloc(&x->arena, 24);
    unsigned status = x->response.given != 0 ? x->response.given : x->response.status;

    UNUSED_ARG;
    *ret = (struct span){ text, print_digits(status, 3, text) };
    return true;
}

GETTER(bytes_sent)
{
    UNUSED_ARG;
    return decimal(x, x->response.sent, ret);
}

GETTER(body_bytes_sent)
{
    UNUSED_ARG;
    return decimal(x, x->response.body_sent, ret);
}

GETTER(request_length)
{
    UNUSED_ARG;
    return decimal(x, x->request.received, ret);
}

GETTER(request_time)
{
    UNUSED_ARG;
    return seconds(x, exchange_now(x) - x->started, ret);
}

GETTER(msec)
{
    UNUSED_ARG;
    return seconds(x, (uint64_t)x->worker->loop->clock.wall_ms, ret);
}

GETTER(time_local)
{
    UNUSED_ARG;
    return give(span_of(x->worker->loop->clock.local_time), ret);
}

GETTER(time_iso8601)
{
    UNUSED_ARG;
    return give(span_of(x->worker->loop->clock.iso8601), ret);
}

GETTER(connection)
{
    UNUSED_ARG;
    return decimal(x, x->connection, ret);
}

GETTER(connection_requests)
{
    UNUSED_ARG;
    return decimal(x, x->requests, ret);
}

GETTER(pid)
{
    UNUSED_ARG;
    return decimal(x, (uint64_t)getpid(), ret);
}

GETTER(hostname)
{
    char *text = arena_alloc(&x->arena, 256);

    UNUSED_ARG;
    if (gethostname(text, 255) < 0)
        return false;
    text[255] = '\0';
    return give(span_of(text), ret);
}

GETTER(nginx_version)
{
    (void)x;
    UNUSED_ARG;
    return give(span_of(BIFRONS_VERSION), ret);
}

/* The name in Basic credentials, verified or not; one with a control byte is none (INJ-07). */
GETTER(remote_user)
{
    const struct field *f = fields_find(&x->request.fields, FIELD_AUTHORIZATION);
    struct buf text = { .max = 8192 };
    struct span user, password;

    UNUSED_ARG;
    if (f == NULL || !span_starts_caseless(f->value, "basic "))
        return false;
    bool good = base64_decode(span_trim(span_from(f->value, 6)), &text) &&
                span_cut(buf_view(&text), ':', &user, &password) && is_field_value(user) &&
                user.len > 0;
    if (good)
        *ret = arena_copy(&x->arena, user);
    buf_done(&text);
    return good;
}

GETTER(request_completion)
{
    UNUSED_ARG;
    return give(span_of(x->fault == FAULT_NONE && x->response.status != 0 ? "OK" : ""), ret);
}

static const char request_id_key;

/* Made when it is first asked for, and then the same in every log and field. */
GETTER(request_id)
{
    struct span *id = exchange_note(x, &request_id_key);
    unsigned char raw[16];

    UNUSED_ARG;
    if (id == NULL) {
        char *text = arena_alloc(&x->arena, 33);

        random_bytes(raw, sizeof(raw));
        for (size_t i = 0; i < sizeof(raw); i++)
            snprintf(text + 2 * i, 3, "%02x", raw[i]);
        id = arena_alloc(&x->arena, sizeof(*id));
        *id = (struct span){ text, 32 };
        exchange_keep(x, &request_id_key, id);
    }
    return give(*id, ret);
}

/* `WHAT DETAIL at FILE:LINE`; WHAT is left out where the detail begins with it. */
static void add_decision(const struct exchange *x, const struct decision *d, struct buf *out)
{
    struct span file =
        place_file(x->generation, (struct place){ .line = d->line, .file = d->file });

    if (out->len > 0)
        buf_adds(out, "; ");
    bool named = d->detail != NULL && span_starts(span_of(d->detail), decided_name(d->what));
    if (!named)
        buf_adds(out, decided_name(d->what));
    if (d->detail != NULL) {
        buf_adds(out, named ? "" : " ");
        buf_adds(out, d->detail);
    }
    if (d->line > 0) {
        buf_adds(out, " at ");
        buf_add(out, file);
        buf_addf(out, ":%u", d->line);
    }
}

/* The first decisions and the latest; `...` where some between them were dropped (decided()). */
GETTER(decided_by)
{
    const struct decisions *d = &x->decisions;
    struct buf text = { .max = 4096 };

    UNUSED_ARG;
    for (uint32_t i = 0; i < d->count && i < DECISIONS_FIRST; i++)
        add_decision(x, &d->at[i], &text);
    uint32_t rest = DECISIONS_KEPT - DECISIONS_FIRST;
    uint32_t from = d->count > DECISIONS_KEPT ? d->count - rest : DECISIONS_FIRST;
    if (from > DECISIONS_FIRST)
        buf_adds(&text, "; ...");
    for (uint32_t i = from; i < d->count; i++)
        add_decision(x, &d->at[DECISIONS_FIRST + (i - DECISIONS_FIRST) % rest], &text);
    *ret = kept(x, &text);
    buf_done(&text);
    return true;
}

#define ROW(name, help)                    \
    {                                      \
#        name, NO_FAMILY, get_##name, help \
    }

#define LATE_ROW(name, help)          \
    {                                 \
#        name, LATE, get_##name, help \
    }

const struct variable request_variables[] = {
    { "arg_", FAMILY, get_arg, "an argument of the query, raw" },
    ROW(args, "the query"),
    { "query_string", NO_FAMILY, get_args, "the query" },
    ROW(is_args, "`?` if there is a query"),
    ROW(binary_remote_addr, "the client's address, 4 or 16 bytes"),
    LATE_ROW(body_bytes_sent, "bytes of the answer without its head"),
    LATE_ROW(bytes_sent, "bytes of the answer"),
    ROW(connection, "the connection's serial number"),
    ROW(connection_requests, "requests on this connection so far"),
    ROW(content_length, "the request's Content-Length"),
    ROW(content_type, "the request's Content-Type"),
    { "cookie_", FAMILY_OF_SECRETS, get_cookie, "a cookie" },
    ROW(decided_by, "what decided: server, location, rule, peer, with file and line"),
    { "document_uri", NO_FAMILY, get_uri, "the path, decoded and normalised" },
    ROW(uri, "the path, decoded and normalised"),
    ROW(host, "host asked for, lower case, without port"),
    ROW(hostname, "this machine's name"),
    { "http_", FAMILY_OF_FIELDS, get_http, "a header field of the request" },
    ROW(https, "`on` under TLS"),
    LATE_ROW(msec, "now, in seconds"),
    ROW(nginx_version, "our version"),
    ROW(pid, "the worker's process id"),
    ROW(remote_addr, "the client's address"),
    ROW(remote_port, "the client's port"),
    ROW(remote_user, "the user of Basic authentication"),
    ROW(request, "the request line"),
    ROW(request_completion, "`OK` when the answer was sent whole"),
    ROW(request_id, "32 random hexadecimal digits"),
    LATE_ROW(request_length, "bytes of the request"),
    ROW(request_method, "the method"),
    LATE_ROW(request_time, "seconds from the first byte read to the last byte sent"),
    ROW(request_uri, "the target as it came"),
    ROW(scheme, "http or https"),
    { "sent_http_", FAMILY_OF_FIELDS, get_sent_http, "a header field of the answer" },
    ROW(server_addr, "the address that the client connected to"),
    ROW(server_name, "first name of the chosen server"),
    ROW(server_port, "the port that the client connected to"),
    ROW(server_protocol, "HTTP/1.0 or HTTP/1.1"),
    ROW(status, "the answer's status"),
    LATE_ROW(time_iso8601, "now, ISO 8601"),
    LATE_ROW(time_local, "now, as in logs"),
    {},
};
