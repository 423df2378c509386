/* What a site learns of the client behind a forward face, header by header (forward-semantics 6).
 *
 *                        transparent          anonymous          elite
 *     Via                + host name          ours alone         none
 *     X-Forwarded-For    + client             -                  -
 *     other tell-tales   kept                 -                  -
 *     Referer            kept                 kept               cut to its origin for another site
 *     Proxy, Proxy-*     -                    -                  -
 *
 * Tunnels are not touched. Values that are made lie in the exchange's arena. */
#include "base/buf.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/exchange.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/template.h"
#include "exchange/trace.h"
#include "exchange/worker.h"
#include "proto/fields.h"
#include "proto/uri.h"

enum anonymity { ANONYMITY_TRANSPARENT, ANONYMITY_ANONYMOUS, ANONYMITY_ELITE };

enum { LONGEST_VALUE = 64 * 1024 };

struct via_setting {
    struct span name; /* empty: this machine's */
    bool off;
};

struct anonymity_settings {
    unsigned level; /* enum anonymity */
    struct via_setting via;
};

/* Lower case; what differs in `_` for `-` only counts as the same: many servers read it so. */
static const char *const tell_tales[] = {
    "via",
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "client-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-cluster-client-ip",
    "x-proxyuser-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-forwarded",
    "x-host",
    "x-proxy-id",
    "x-bluecoat-via",
    "from",
};

static char plain_byte(char c)
{
    return c == '_' ? '-' : ascii_lower(c);
}

static bool begins_with(struct span name, const char *text)
{
    size_t len = strlen(text), i = 0;

    while (i < len && i < name.len && plain_byte(name.at[i]) == text[i])
        i++;
    return i == len;
}

static bool is_name(struct span name, const char *text)
{
    return name.len == strlen(text) && begins_with(name, text);
}

/* Meant for a proxy, never for a site. */
static bool is_for_proxies(const struct field *f)
{
    return is_name(f->name, "proxy") || begins_with(f->name, "proxy-") ||
           f->id == FIELD_BIFRONS_HOP;
}

static bool is_tell_tale(const struct field *f)
{
    if (begins_with(f->name, "x-forwarded-"))
        return true;
    for (size_t i = 0; i < COUNT(tell_tales); i++)
        if (is_name(f->name, tell_tales[i]))
            return true;
    return false;
}

/* Takes out what must not go; the order of the rest stays. */
static void drop_fields(struct fields *fields, enum anonymity level)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *f = &fields->at[i];
        bool drop = is_for_proxies(f) || (level != ANONYMITY_TRANSPARENT && is_tell_tale(f));

        if (!drop)
            fields->at[kept++] = *f;
    }
    fields->count = kept;
}

/* Adds to a list field: all lines of it become one, with `more` at its end. */
static void append(struct exchange *x, enum field_id id, struct span more)
{
    struct fields *fields = &x->request.fields;
    struct buf all;

    buf_init(&all, LONGEST_VALUE, NULL);
    for (unsigned i = 0; i < fields->count; i++) {
        if (fields->at[i].id != id || fields->at[i].value.len == 0)
            continue;
        buf_add(&all, fields->at[i].value);
        buf_adds(&all, ", ");
    }
    buf_add(&all, more);
    struct span value = buf_ok(&all) ? buf_view(&all) : more; /* longer than any head: cannot be */
    value = arena_copy(&x->arena, value);
    buf_done(&all);
    fields_remove(fields, id);
    fields_add(fields, field_name(id), value, FROM_US);
}

static struct span made(struct exchange *x, struct buf *text)
{
    struct span copy = arena_copy(&x->arena, buf_view(text));

    buf_done(text);
    return copy;
}

static struct span via_value(struct exchange *x, const struct anonymity_settings *own,
                             unsigned minor)
{
    struct span host = own->via.name;
    struct buf text;

    buf_init(&text, 1024, NULL);
    buf_addf(&text, "1.%u ", minor);
    if (own->level == ANONYMITY_TRANSPARENT && host.len == 0 &&
        !variable_value(x, span_of("hostname"), &host))
        host = (struct span){ NULL, 0 };
    if (own->level == ANONYMITY_TRANSPARENT && host.len > 0)
        buf_add(&text, host);
    else
        buf_addf(&text, "b-%s", x->worker->shared.token);
    return made(x, &text);
}

/* RFC 7239 4 and 6: an IPv6 address stands in brackets and quotes. */
static struct span forwarded_value(struct exchange *x)
{
    bool quoted = x->client_address.family == AF_INET6;
    struct buf text;

    buf_init(&text, 256, NULL);
    buf_adds(&text, quoted ? "for=\"[" : "for=");
    address_print_ip(&x->client_address, &text);
    buf_adds(&text, quoted ? "]\"" : "");
    return made(x, &text);
}

static struct span client_value(struct exchange *x)
{
    struct buf text;

    buf_init(&text, 256, NULL);
    address_print_ip(&x->client_address, &text);
    return made(x, &text);
}

/* The origin of a page on another host; empty: not known to be one, so it does not go at all. */
static bool cut_referer(struct exchange *x, struct span value, struct span *ret)
{
    struct target page;
    struct host from, to;
    struct buf text;

    if (!target_parse(value, false, &page) || page.form != TARGET_ABSOLUTE ||
        !host_parse(page.authority, &from))
        return false;
    if (host_parse(x->request.authority, &to) && span_same_caseless(from.name, to.name)) {
        *ret = value;
        return true;
    }
    buf_init(&text, LONGEST_VALUE, NULL);
    buf_add(&text, page.scheme);
    buf_adds(&text, "://");
    buf_add(&text, page.authority);
    buf_add_byte(&text, '/');
    *ret = made(x, &text);
    return true;
}

static void cut_referers(struct exchange *x)
{
    struct fields *fields = &x->request.fields;
    unsigned kept = 0;

    for (unsigned i = 0; i < fields->count; i++) {
        struct field f = fields->at[i];

        if (f.id == FIELD_REFERER && !cut_referer(x, f.value, &f.value))
            continue;
        fields->at[kept++] = f;
    }
    fields->count = kept;
}

static bool is_ours(const struct exchange *x)
{
    return x->block->context == CTX_FORWARD && x->request.method_id != METHOD_CONNECT;
}

static const char *const levels[] = { [ANONYMITY_TRANSPARENT] = "transparent",
                                      [ANONYMITY_ANONYMOUS] = "anonymous",
                                      [ANONYMITY_ELITE] = "elite" };

static void tell_level(struct exchange *x, unsigned level)
{
    static const char *const told[] = { [ANONYMITY_TRANSPARENT] =
                                            "sites learn the client's address",
                                        [ANONYMITY_ANONYMOUS] =
                                            "sites learn that there is a proxy, not for whom",
                                        [ANONYMITY_ELITE] = "sites do not learn of a proxy" };

    if (trace_of(x) == NULL)
        return;
    trace_say(x, DECIDED_ANONYMITY, NEXT, x->block->place, "%s", levels[level]);
    trace_why(x, "%s", told[level]);
}

static enum verdict on_request(struct exchange *x, const void *settings)
{
    const struct anonymity_settings *own = settings;

    if (!is_ours(x))
        return NEXT;
    tell_level(x, own->level);
    drop_fields(&x->request.fields, own->level);
    switch ((enum anonymity)own->level) {
    case ANONYMITY_TRANSPARENT:
        append(x, FIELD_X_FORWARDED_FOR, client_value(x));
        append(x, FIELD_FORWARDED, forwarded_value(x));
        break;
    case ANONYMITY_ANONYMOUS:
        break;
    case ANONYMITY_ELITE:
        cut_referers(x);
        return NEXT;
    }
    if (!own->via.off)
        append(x, FIELD_VIA, via_value(x, own, x->request.minor));
    return NEXT;
}

static bool is_from_upstream(const struct exchange *x)
{
    for (unsigned i = 0; i < x->response.fields.count; i++)
        if (x->response.fields.at[i].origin == FROM_UPSTREAM)
            return true;
    return false;
}

/* Only `transparent` tells the client what it knows anyway. */
static enum verdict on_response(struct exchange *x, const void *settings)
{
    const struct anonymity_settings *own = settings;

    if (is_ours(x) && own->level == ANONYMITY_TRANSPARENT && !own->via.off && is_from_upstream(x))
        response_add(x, "Via", via_value(x, own, 1));
    return NEXT;
}

/* --- rows ----------------------------------------------------------------------------------- */

static bool set_level(struct conf_call *call, void *field)
{
    struct span word = conf_word(call, 1), names[COUNT(levels)];

    for (unsigned i = 0; i < COUNT(levels); i++) {
        names[i] = span_of(levels[i]);
        if (span_is(word, levels[i])) {
            *(unsigned *)field = i;
            return true;
        }
    }
    conf_refuse(call, 1,
                "unknown level \"%.*s\", expected \"transparent\", \"anonymous\" or \"elite\"; "
                "levels of your own are known, not supported yet",
                (int)word.len, word.at);
    conf_suggest(call->conf, conf_nearest(word, names, COUNT(names)));
    return false;
}

static bool set_via(struct conf_call *call, void *field)
{
    struct via_setting *via = field;
    struct span word = conf_word(call, 1);

    if (!conf_is_quoted(call, 1) && span_is(word, "off")) {
        via->off = true;
        return true;
    }
    if (!is_token(word)) /* RFC 9110 7.6.3: a pseudonym, or a host */
        return conf_refuse(call, 1, "\"%.*s\" is no name for Via", (int)word.len, word.at);
    via->name = word;
    return true;
}

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    const struct anonymity_settings *own = settings;

    if (block->context == CTX_FORWARD && own->via.name.len > 0 &&
        own->level != ANONYMITY_TRANSPARENT)
        conf_caution(conf, block->place, "\"via %.*s\" has no effect: at \"%s\" no name is told",
                     (int)own->via.name.len, own->via.name.at, levels[own->level]);
    return true;
}

static const struct conf_type level_type = { .set = set_level, .size = sizeof(unsigned) };
static const struct conf_type via_type = { .set = set_via, .size = sizeof(struct via_setting) };

static const struct directive directives[] = {
    { "anonymity", CTX_FORWARD, 1, 1, &level_type, offsetof(struct anonymity_settings, level),
      "anonymous", NONE, "what sites learn of the client: transparent, anonymous or elite", 0,
      NULL },
    { "via", CTX_FORWARD, 1, 1, &via_type, offsetof(struct anonymity_settings, via), NULL, NONE,
      "our name in Via at the level transparent; off: none at any level", 0, NULL },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_PRECONTENT, .run = on_request },
    { .phase = PHASE_RESPONSE, .run = on_response },
    {},
};

extern const struct module anonymity_module;
const struct module anonymity_module = {
    .name = "anonymity",
    .directives = directives,
    .hooks = hooks,
    .settings_size = sizeof(struct anonymity_settings),
    .check = check,
};
