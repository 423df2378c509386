/* Upgrades (RFC 9110 7.8, RFC 6455 4): WebSocket is passed on without being told to, any other
 * protocol where `proxy_set_header Upgrade` says so; h2c never (FLOW-18).
 *
 *     GET + Upgrade --> origin --101, the same protocol--> head to the client, then a tunnel
 *                              --another 101-------------> 502
 *                              --anything else-----------> an ordinary answer
 *
 * A server that answers 101 by accident, or because a client made it fetch a URL that does, must
 * not open a way round all rules (WS-02): it has to show that it saw the client's key. */
#include "base/buf.h"
#include "base/link.h"
#include "exchange/client.h"
#include "exchange/exchange.h"
#include "exchange/source.h"
#include "exchange/template.h"
#include "fetch/origin.h"
#include "fetch/proxy.h"
#include "fetch/tunnel.h"
#include "fetch/upstream/upstream.h"
#include "net/block.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/pump.h"
#include "proto/base64.h"
#include "proto/fields.h"
#include "proto/framing.h"
#include "proto/h1.h"
#include "tls/sha1.h"

static bool is_websocket(struct span protocol)
{
    return span_is_caseless(protocol, "websocket");
}

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

    if (f == NULL || fields_count(&x->request.fields, FIELD_UPGRADE) > 1 ||
        fields_count(&x->request.fields, FIELD_SEC_WEBSOCKET_KEY) != 1)
        return none;
    return is_websocket(f->value) ? f->value : none;
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
        after = tunnel_start(x, o->conn, &options, (struct span){ NULL, 0 });
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

/* RFC 6455 4.2.2: the key and a fixed text, hashed. */
static bool key_was_seen(const struct fields *request, const struct fields *answer)
{
    const struct field *key = fields_find(request, FIELD_SEC_WEBSOCKET_KEY);
    const struct field *accept = fields_find(answer, FIELD_SEC_WEBSOCKET_ACCEPT);
    unsigned char hash[SHA1_SIZE];
    struct buf text;

    if (key == NULL || accept == NULL || fields_count(answer, FIELD_SEC_WEBSOCKET_ACCEPT) > 1)
        return false;
    buf_init(&text, key->value.len + 64, NULL);
    buf_add(&text, key->value);
    buf_adds(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    bool good = buf_ok(&text) && sha1(buf_view(&text), hash);
    buf_clear(&text);
    base64_encode((struct span){ (const char *)hash, sizeof(hash) }, &text);
    good = good && span_same(buf_view(&text), accept->value);
    buf_done(&text);
    return good;
}

static bool is_what_was_asked(const struct origin *o, const struct fields *answer)
{
    struct span asked = origin_upgrade(o);
    const struct field *f = fields_find(answer, FIELD_UPGRADE);

    return asked.len > 0 && f != NULL && span_same_caseless(f->value, asked) &&
           (!is_websocket(asked) || key_was_seen(&o->source.x->request.fields, answer));
}

enum io origin_switched(struct origin *o, const struct h1_response *head)
{
    struct exchange *x = o->source.x;
    struct fields *fields = &x->response.fields;
    struct source_ops *ops;

    if (!is_what_was_asked(o, fields))
        return IO_FAILED;
    fields_keep(fields);
    struct span protocol = fields_find(fields, FIELD_UPGRADE)->value;
    ops = arena_alloc(&x->arena, sizeof(*ops));
    *ops = *o->source.ops;
    ops->head = upgraded_head;
    ops->takeover = upgraded_takeover;
    o->source.ops = ops;
    origin_note_head(o, head);
    x->response.reason = arena_copy(&x->arena, head->reason);
    o->state = ORIGIN_UPGRADED;
    x->keep_alive = false;
    origin_keep_end_to_end(o, fields);
    response_add(x, "Upgrade", protocol);
    block_unref(o->head_block); /* a tunnel may live for days: all of the head was copied */
    o->head_block = NULL;
    buf_done(&o->head);
    return IO_OK;
}
