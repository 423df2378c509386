/* What the error log says of an exchange, in NGINX's words and order (nginx-semantics 2). */
#include "exchange/log_context.h"

#include "exchange/core.h"

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

void log_context(const struct exchange *x, struct buf *out)
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
