/* Answers that we make ourselves: errors, redirects, `return`, denials. The source behind them
 * gives one piece of memory. Bodies are NGINX's for the reverse face; the forward face answers by
 * Accept (forward-semantics 9), and everything that a peer chose is escaped.
 *
 *     exchange_fail -> exchange_refuse --+--> error_page_answers (error_page.c)
 *                      exchange_redirect-+--> or page_error, page_redirect: a page of ours
 *     exchange_answer ----------------------> set_page: the text that was given
 */
#include "exchange/page.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "base/json.h"
#include "base/link.h"
#include "conf/settings.h"
#include "exchange/carried.h"
#include "exchange/client.h"
#include "exchange/core.h"
#include "exchange/error_page.h"
#include "exchange/exchange.h"
#include "exchange/listener.h"
#include "exchange/log.h"
#include "exchange/source.h"
#include "net/conn.h"
#include "net/io.h"
#include "proto/escape.h"
#include "proto/fields.h"

const char exchange_explanation_key;

enum { LONGEST_PAGE = 16 * 1024 };

struct page {
    struct source source;
    struct span body;
    bool given;
};

static enum io page_head(struct source *s)
{
    struct page *p = CONTAINER(s, struct page, source);

    s->x->response.length = p->body.len;
    return IO_OK;
}

static enum io page_read(struct source *s, struct part *ret)
{
    struct page *p = CONTAINER(s, struct page, source);

    if (p->given || p->body.len == 0)
        return IO_EOF;
    p->given = true;
    *ret = (struct part){ .kind = PART_MEMORY, .last = true, .bytes = p->body };
    return IO_OK;
}

static void page_close(struct source *s)
{
    (void)s; /* lies in the exchange's arena */
}

static const struct source_ops page_ops = { .head = page_head,
                                            .read = page_read,
                                            .close = page_close };

static void set_page(struct exchange *x, struct span body)
{
    struct page *p = arena_zalloc(&x->arena, sizeof(*p));

    p->source = (struct source){ .ops = &page_ops, .x = x };
    p->body = body;
    exchange_source(x, &p->source);
    x->response.length = body.len;
}

/* Whatever an earlier source had put into the head is gone. */
static void start_response(struct exchange *x, unsigned status)
{
    x->response.status = (uint16_t)status;
    x->response.given = 0;
    x->response.reason = (struct span){ NULL, 0 };
    x->response.fields.count = 0;
    x->response.accept_ranges = x->response.own_location = false;
    x->response.last_modified = -1;
}

static struct span explanation_of(const struct exchange *x)
{
    const struct span *text = exchange_note(x, &exchange_explanation_key);

    return text != NULL ? *text : (struct span){ NULL, 0 };
}

static void add_signature(const struct exchange *x, struct buf *out)
{
    buf_adds(out, x->core->server_tokens ? "bifrons/" BIFRONS_VERSION : "bifrons");
}

/* Two titles of NGINX's pages that differ from its status line. */
static const char *page_title(unsigned status)
{
    return status == 302   ? "Found"
           : status == 401 ? "Authorization Required"
                           : status_reason(status);
}

/* NGINX's own codes are sent as 400 with a sentence. */
static const char *special_reason(unsigned status)
{
    return status == 494   ? "Request Header Or Cookie Too Large"
           : status == 497 ? "The plain HTTP request was sent to HTTPS port"
                           : NULL;
}

static unsigned shown_status(unsigned status)
{
    return status >= 494 && status <= 497 ? 400 : status;
}

static void add_html(const struct exchange *x, unsigned status, struct buf *out)
{
    unsigned shown = shown_status(status);
    const char *special = special_reason(status);
    const char *reason = page_title(shown);
    struct span why = explanation_of(x);

    buf_addf(out, "<html>\r\n<head><title>%u %s</title></head>\r\n<body>\r\n", shown,
             special ? special : reason);
    buf_addf(out, "<center><h1>%u %s</h1></center>\r\n", shown, reason);
    if (special != NULL)
        buf_addf(out, "<center>%s</center>\r\n", special);
    if (why.len > 0) {
        buf_adds(out, "<center><p>");
        escape_html(why, out);
        buf_adds(out, "</p></center>\r\n");
    }
    buf_adds(out, "<hr><center>");
    add_signature(x, out);
    buf_adds(out, "</center>\r\n</body>\r\n</html>\r\n");
}

/* RFC 9457. */
static void add_json(const struct exchange *x, unsigned status, struct buf *out)
{
    status = shown_status(status);
    buf_addf(out, "{\"status\":%u,\"title\":\"%s\",\"detail\":", status, status_reason(status));
    json_add_string(explanation_of(x), out);
    buf_adds(out, "}\n");
}

static void add_plain(const struct exchange *x, unsigned status, struct buf *out)
{
    struct span why = explanation_of(x);

    status = shown_status(status);
    buf_addf(out, "%u %s", status, status_reason(status));
    if (why.len > 0) {
        buf_adds(out, ": ");
        buf_add(out, why);
    }
    buf_add_byte(out, '\n');
}

static bool accepts(const struct exchange *x, const char *type)
{
    const struct field *accept = fields_find(&x->request.fields, FIELD_ACCEPT);
    struct span list, member;

    if (accept == NULL)
        return false;
    list = accept->value;
    while (span_next_member(&list, &member))
        if (span_starts_caseless(member, type))
            return true;
    return false;
}

/* Writes the body and returns its media type. */
static const char *write_error(const struct exchange *x, unsigned status, struct buf *out)
{
    if (!exchange_is_forward(x) || accepts(x, "text/html")) {
        add_html(x, status, out);
        return "text/html";
    }
    if (accepts(x, "application/json") || accepts(x, "application/problem+json")) {
        add_json(x, status, out);
        return "application/problem+json";
    }
    add_plain(x, status, out);
    return "text/plain; charset=utf-8";
}

/* Errors of ours after which framing may be in doubt (nginx-semantics 4.5). */
static bool closes(unsigned status)
{
    switch (status) {
    case 400:
    case 413:
    case 414:
    case 417:
    case 494:
    case 497:
    case 500:
    case 501:
    case 505:
        return true;
    default:
        return false;
    }
}

void page_error(struct exchange *x, unsigned status)
{
    struct buf body;

    if (closes(status))
        x->keep_alive = false;
    if (status_reason(shown_status(status))[0] == '\0') { /* a code that nobody knows has no page */
        start_response(x, status);
        set_page(x, (struct span){ "", 0 });
        return;
    }
    buf_init(&body, LONGEST_PAGE, NULL);
    const char *type = write_error(x, status, &body);
    start_response(x, shown_status(status));
    response_add(x, "Content-Type", span_of(type));
    if (exchange_is_forward(x)) {
        response_add(x, "Cache-Control", span_of("no-store"));
        struct buf value;
        buf_init(&value, 128, NULL);
        buf_addf(&value, "bifrons; error=%s", fault_row(x->fault)->proxy_status);
        if (x->fault != FAULT_NONE)
            response_add(x, "Proxy-Status", arena_copy(&x->arena, buf_view(&value)));
        buf_done(&value);
    }
    set_page(x, arena_copy(&x->arena, buf_view(&body)));
    buf_done(&body);
}

enum verdict exchange_refuse(struct exchange *x, unsigned status, const char *why)
{
    if (why != NULL)
        exchange_log(x, status >= 500 && status != 501 && status != 505 ? LEVEL_ERROR : LEVEL_INFO,
                     0, "%s", why);
    if (closes(status)) /* whatever is sent in place of its page */
        x->keep_alive = false;
    if (status == 499 || status == 408 || status == 444) { /* nobody is left to be told */
        x->response.status = (uint16_t)status;
        x->keep_alive = false;
        exchange_source(x, NULL);
        return REFUSE;
    }
    if (!error_page_answers(x, status))
        page_error(x, status);
    return REFUSE;
}

enum verdict exchange_fail(struct exchange *x)
{
    if (x->fault == FAULT_BODY_MALFORMED || x->fault == FAULT_BODY_TOO_LARGE)
        x->keep_alive = false;
    return exchange_refuse(x, fault_row(x->fault)->status, NULL);
}

enum verdict exchange_answer(struct exchange *x, unsigned status, struct span type,
                             struct span body)
{
    uint16_t given = x->response.given; /* an error page may be a text */

    start_response(x, status);
    x->response.given = given;
    if (type.len > 0)
        response_add(x, "Content-Type", type);
    set_page(x, body);
    return ANSWER;
}

bool exchange_is_secure(const struct exchange *x)
{
    const struct conn *c = x->client->ops->conn(x->client);
    struct conn_info info = { 0 };

    if (c == NULL)
        return false;
    conn_info(c, &info);
    return info.encrypted;
}

bool exchange_is_forward(const struct exchange *x)
{
    return x->listener != NULL && x->listener->forward;
}

/* nginx-semantics 3.4 */
struct span exchange_absolute(struct exchange *x, struct span path)
{
    bool secure = exchange_is_secure(x);
    uint16_t port = x->local_address.port;
    struct span name = x->request.host;
    struct buf url;

    buf_init(&url, 64 * 1024, NULL);
    buf_adds(&url, secure ? "https://" : "http://");
    if (x->core->server_name_in_redirect && x->server != NULL)
        name = x->server->label;
    if (name.len > 0)
        buf_add(&url, name);
    else
        address_print_ip(&x->local_address, &url);
    if (x->core->redirects.port && port != (secure ? 443 : 80))
        buf_addf(&url, ":%u", port);
    buf_add(&url, path);
    struct span made = arena_copy(&x->arena, buf_view(&url));
    buf_done(&url);
    return made;
}

enum verdict page_redirect(struct exchange *x, unsigned status, struct span location)
{
    if (!is_field_value(location)) {
        exchange_log(x, LEVEL_ERROR, 0, "a control byte in a Location was refused");
        page_error(x, 500);
        return REFUSE;
    }
    page_error(x, status);
    response_add(x, "Location", location);
    return ANSWER;
}

/* An error page that takes its place keeps where it led to, as in NGINX. */
static bool is_replaced(struct exchange *x, unsigned status, struct span location)
{
    struct field kept = { span_of("Location"), location, FIELD_LOCATION, FROM_US, false, false };

    if (!error_page_answers(x, status))
        return false;
    if (x->redirected && location.len > 0)
        carried_add(x, &kept);
    else if (location.len > 0 && fields_find(&x->response.fields, FIELD_LOCATION) == NULL)
        response_add(x, "Location", location);
    return true;
}

enum verdict exchange_redirect(struct exchange *x, unsigned status, struct span location)
{
    if (!is_field_value(location))
        return exchange_refuse(x, 500, "a control byte in a Location was refused");
    bool own = span_starts(location, "/") && x->core->redirects.absolute;
    if (own)
        location = exchange_absolute(x, location);
    if (is_replaced(x, status, location))
        return REFUSE;
    page_redirect(x, status, location);
    x->response.own_location = own;
    if (location.len == 0)
        fields_remove(&x->response.fields, FIELD_LOCATION);
    return ANSWER;
}
