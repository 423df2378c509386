/* Upgrades (RFC 9110 7.8, RFC 6455 4): WebSocket is passed on without being told to, any other
 * protocol where `proxy_set_header Upgrade` says so; h2c never (FLOW-18).
 *
 *     GET + Upgrade --> origin --101, the same protocol--> the head goes to the client, then a
 * tunnel
 *                              --anything else-----------> an ordinary answer
 */
#include "fetch/origin.h"
#include "fetch/tunnel.h"

/* What a client may ask for: nothing but WebSocket, in a GET of HTTP/1.1 without a body. */
static bool may_upgrade(const struct exchange *x)
{
    return x->request.method_id == METHOD_GET && x->request.minor > 0 &&
           x->request.framing == BODY_NONE &&
           fields_list_has(&x->request.fields, FIELD_CONNECTION, "upgrade");
}

static struct span asked_by_client(const struct exchange *x)
{
    const struct field *f = fields_find(&x->request.fields, FIELD_UPGRADE);
    struct span none = { NULL, 0 };

    if (f == NULL || fields_count(&x->request.fields, FIELD_UPGRADE) > 1)
        return none;
    return span_is_caseless(f->value, "websocket") ? f->value : none;
}

struct span origin_upgrade(const struct origin *o)
{
    struct exchange *x = o->source.x;
    const struct proxy_header *headers = o->conf->set_headers.items;
    struct span asked = { NULL, 0 };

    if (!may_upgrade(x) || o->conf->http_version == 0)
        return asked;
    asked = asked_by_client(x);
    for (uint32_t i = 0; i < o->conf->set_headers.len; i++)
        if (headers[i].id == FIELD_UPGRADE)
            asked = template_value(x, &headers[i].value);
    if (!is_field_value(asked) || span_is_caseless(asked, "h2c"))
        asked.len = 0;
    return asked;
}

static enum after upgraded_takeover(struct source *s)
{
    struct origin *o = CONTAINER(s, struct origin, source);
    struct exchange *x = s->x;
    struct pump_options options = { .idle_ms = o->conf->read_timeout,
                                    .half_close_ms = o->conf->read_timeout,
                                    .splice_after = TUNNEL_SPLICE_AFTER };
    enum after after = AFTER_CLOSE;

    x->client->ops->watch(x->client, false);
    if (x->client->ops->send_head(x->client) == IO_OK &&
        x->client->ops->flush(x->client) == IO_OK) {
        conn_unread(&o->conn->conn, &o->in); /* what came behind the 101 is the tunnel's */
        after = tunnel_start(x, o->conn, o->attempt, &options, (struct span){ NULL, 0 });
    }
    if (after == AFTER_TAKEN) {
        if (o->peer != NULL)
            pick_note(&o->pick, o->peer, PEER_GOOD);
        o->peer = NULL;
        o->conn = NULL;
        o->state = ORIGIN_DONE;
    } else {
        exchange_refuse(x, 499, NULL);
    }
    return after;
}

static enum io upgraded_head(struct source *s)
{
    (void)s; /* it is there: this is why the source has changed */
    return IO_OK;
}

enum io origin_switched(struct origin *o, const struct h1_response *head, struct fields *fields)
{
    struct exchange *x = o->source.x;
    struct span asked = origin_upgrade(o);
    const struct field *f = fields_find(fields, FIELD_UPGRADE);
    struct source_ops *ops;

    if (asked.len == 0 || f == NULL || !span_same_caseless(f->value, asked))
        return IO_FAILED;
    asked = arena_copy(&x->arena, f->value);
    ops = arena_alloc(&x->arena, sizeof(*ops));
    *ops = *o->source.ops;
    ops->head = upgraded_head;
    ops->takeover = upgraded_takeover;
    o->source.ops = ops;
    o->attempt->status = head->status;
    o->attempt->header_ms = exchange_now(x) - o->attempt->started;
    o->state = ORIGIN_UPGRADED;
    x->response.status = head->status;
    x->response.reason = head->reason;
    x->keep_alive = false;
    origin_keep_end_to_end(o, fields);
    response_add(x, "Upgrade", asked);
    return IO_OK;
}
