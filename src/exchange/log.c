/* What the error log says of an exchange, in NGINX's words and order (nginx-semantics 2). */
#include "exchange/log.h"

#include "base/buf.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "proto/fields.h"

#include <stdarg.h>
#include <stdio.h>

const char exchange_peer_key, exchange_target_key;

/* What is asked of the peer; it may be long. */
static void add_target(const struct exchange *x, struct buf *out)
{
    enum { MOST = 300 };
    const struct exchange_target *t = exchange_note(x, &exchange_target_key);
    struct buf made;

    if (t == NULL) {
        buf_add(out, span_first(x->request.target, MOST));
        return;
    }
    buf_init(&made, 64 * 1024, NULL);
    t->add(t, &made);
    buf_add(out, span_first(buf_view(&made), MOST));
    buf_done(&made);
}

static void add_quoted(struct buf *out, const char *label, struct span value)
{
    if (value.len == 0)
        return;
    buf_adds(out, label);
    buf_add_byte(out, '"');
    buf_add(out, span_first(value, 300));
    buf_add_byte(out, '"');
}

/* `, client: A, server: S, request: "R", host: "H"`: what is known of the exchange. */
static void add_context(const struct exchange *x, struct buf *out)
{
    const char *peer = exchange_note(x, &exchange_peer_key);
    const struct field *referer = fields_find(&x->request.fields, FIELD_REFERER);

    buf_adds(out, ", client: ");
    address_print_ip(&x->client_address, out);
    buf_adds(out, ", server: ");
    if (x->server != NULL)
        buf_add(out, x->server->label);
    add_quoted(out, ", request: ", x->request.line);
    if (peer != NULL) {
        bool is_tunnel = x->request.method_id == METHOD_CONNECT; /* the target is the peer itself */

        buf_adds(out, is_tunnel ? ", upstream: \"" : ", upstream: \"http://");
        buf_adds(out, peer);
        if (!is_tunnel)
            add_target(x, out);
        buf_add_byte(out, '"');
    }
    add_quoted(out, ", host: ", span_first(x->request.authority, 200));
    if (referer != NULL && !referer->sensitive)
        add_quoted(out, ", referrer: ", referer->value);
}

/* The length of what stands before ` while `, or of all. */
static size_t before_action(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == ' ' && span_starts(span_from(text, i), " while "))
            return i;
    return text.len;
}

void exchange_log(struct exchange *x, enum level level, int error, const char *format, ...)
{
    char text[512];
    struct buf context;
    va_list args;
    const struct errlog *log = block_log(x->worker, x->generation, x->block);

    if (!errlog_wants(log, level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_init(&context, 2048, NULL); /* all parts at their longest: else none would be seen */
    add_context(x, &context);
    struct span view = buf_view(&context);
    /* NGINX's form: WHAT (ERRNO: REASON) while ACTION, client: ... */
    size_t what = before_action(span_of(text));
    char reason[128] = "";
    if (error != 0)
        snprintf(reason, sizeof(reason), " (%d: %s)", error,
                 strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
    errlog_write(log, level, x->connection, 0, "%.*s%s%s%.*s", (int)what, text, reason, text + what,
                 (int)view.len, view.at);
    buf_done(&context);
}
