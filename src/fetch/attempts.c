/* `$upstream_*`: a value for each attempt, joined by commas; by a colon where an internal redirect
 * led to another source.
 *
 *     attempt_begin -> the origin fills in status, times, bytes -> the getters read them
 *
 * They are a note of the exchange, in its arena. Beyond MOST_ATTEMPTS the last one is
 * overwritten. */
#include "fetch/attempts.h"

#include "base/buf.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/template.h"
#include "exchange/turn.h"
#include "proto/fields.h"

#include <inttypes.h>

static const char attempts_key;

struct attempts *attempts_of(const struct exchange *x)
{
    return exchange_note(x, &attempts_key);
}

void attempts_ask_anew(struct exchange *x)
{
    struct attempts *all = attempts_of(x);

    if (all != NULL)
        all->asked_anew = all->count > 0;
}

void attempts_keep(struct exchange *x, const struct attempt *at, unsigned count)
{
    struct attempts *all = arena_zalloc(&x->arena, sizeof(*all));

    memcpy(all->at, at, count * sizeof(*at));
    all->count = count;
    exchange_keep(x, &attempts_key, all);
}

struct attempt *attempt_begin(struct exchange *x, const char *peer)
{
    struct attempts *all = attempts_of(x);

    if (all == NULL) {
        all = arena_alloc(&x->arena, sizeof(*all));
        *all = (struct attempts){ .count = 0 };
        exchange_keep(x, &attempts_key, all);
    }
    if (all->count < MOST_ATTEMPTS)
        all->count++;
    struct attempt *a = &all->at[all->count - 1];
    *a = (struct attempt){ .peer = peer,
                           .first = all->asked_anew,
                           .started = exchange_now(x),
                           .connect_ms = NOT_REACHED,
                           .header_ms = NOT_REACHED,
                           .response_ms = NOT_REACHED };
    all->asked_anew = false;
    exchange_keep(x, &exchange_peer_key, (void *)(uintptr_t)peer);
    return a;
}

/* `a, b : c`: what NGINX prints. */
static bool join(struct exchange *x, void (*print)(const struct attempt *, struct buf *),
                 struct span *ret)
{
    const struct attempts *all = attempts_of(x);
    struct buf text = { .max = 8192 };

    if (all == NULL)
        return false;
    for (unsigned i = 0; i < all->count; i++) {
        if (i > 0)
            buf_adds(&text, all->at[i].first ? " : " : ", ");
        print(&all->at[i], &text);
    }
    *ret = arena_copy(&x->arena, buf_view(&text));
    buf_done(&text);
    return true;
}

/* Seconds; `-`: it did not come so far. */
static void print_time(uint64_t ms, struct buf *out)
{
    if (ms == NOT_REACHED)
        buf_add_byte(out, '-');
    else
        buf_addf(out, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
}

static void print_peer(const struct attempt *a, struct buf *out)
{
    buf_adds(out, a->peer);
}

static void print_status(const struct attempt *a, struct buf *out)
{
    if (a->status == 0)
        buf_add_byte(out, '-');
    else
        buf_add_decimal(out, a->status);
}

static void print_connect(const struct attempt *a, struct buf *out)
{
    print_time(a->connect_ms, out);
}

static void print_header(const struct attempt *a, struct buf *out)
{
    print_time(a->header_ms, out);
}

static void print_response(const struct attempt *a, struct buf *out)
{
    print_time(a->response_ms, out);
}

static void print_body(const struct attempt *a, struct buf *out)
{
    buf_add_decimal(out, a->body);
}

static void print_sent(const struct attempt *a, struct buf *out)
{
    buf_add_decimal(out, a->sent);
}

static void print_received(const struct attempt *a, struct buf *out)
{
    buf_add_decimal(out, a->received);
}

#define JOINED(name)                                                              \
    static bool get_##name(struct exchange *x, struct span arg, struct span *ret) \
    {                                                                             \
        (void)arg;                                                                \
        return join(x, print_##name, ret);                                        \
    }
JOINED(peer)
JOINED(status)
JOINED(connect)
JOINED(header)
JOINED(response)
JOINED(body)
JOINED(sent)
JOINED(received)

static bool get_http(struct exchange *x, struct span arg, struct span *ret)
{
    const struct attempts *all = attempts_of(x);
    char room[LONGEST_NAME];

    if (all == NULL || all->fields == NULL)
        return false;
    const struct field *f = fields_find_name(all->fields, variable_field(arg, room));
    if (f != NULL)
        *ret = f->value;
    return f != NULL;
}

const struct variable attempt_variables[] = {
    { "upstream_addr", NO_FAMILY, get_peer, "the upstreams that were asked" },
    { "upstream_status", NO_FAMILY, get_status, "their statuses" },
    { "upstream_connect_time", NO_FAMILY, get_connect, "seconds until the connection was there" },
    { "upstream_header_time", NO_FAMILY, get_header, "seconds until the head had come" },
    { "upstream_response_time", LATE, get_response, "seconds until the answer had come" },
    { "upstream_response_length", LATE, get_body, "bytes of their bodies" },
    { "upstream_bytes_sent", LATE, get_sent, "bytes sent to them" },
    { "upstream_bytes_received", LATE, get_received, "bytes that came from them" },
    { "upstream_http_", FAMILY_OF_FIELDS, get_http, "a header field of the last answer" },
    {},
};
