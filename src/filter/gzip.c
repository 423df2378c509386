/* Which answers leave compressed (nginx-semantics 8). The compressor itself is
 * filter/gzip_stream.c.
 *
 *     the answer: status, coding, length, type     all of it holds: `Vary: Accept-Encoding`
 *     the client: Accept-Encoding, version, Via, User-Agent                 and: compressed
 */
#include "filter/gzip.h"

#include "base/buf.h"
#include "base/pattern.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/exchange.h"
#include "exchange/expression.h"
#include "exchange/filter.h"
#include "exchange/module.h"
#include "exchange/trace.h"
#include "exchange/turn.h"
#include "exchange/variable.h"
#include "exchange/worker.h"
#include "filter/changed_body.h"
#include "filter/gzip_stream.h"
#include "filter/media_types.h"
#include "proto/date.h"
#include "proto/fields.h"

enum proxied {
    PROXIED_OFF = 1 << 0,
    PROXIED_EXPIRED = 1 << 1,
    PROXIED_NO_CACHE = 1 << 2,
    PROXIED_NO_STORE = 1 << 3,
    PROXIED_PRIVATE = 1 << 4,
    PROXIED_NO_LAST_MODIFIED = 1 << 5,
    PROXIED_NO_ETAG = 1 << 6,
    PROXIED_AUTH = 1 << 7,
    PROXIED_ANY = 1 << 8
};

struct gzip_settings {
    struct media_types types;
    uint64_t level;
    uint64_t min_length;
    unsigned proxied;      /* enum proxied, together */
    unsigned http_version; /* the minor one */
    struct gzip_client {   /* what is told to clients, and which are refused */
        bool vary;
        struct conf_list disabled; /* of const struct expression *; NULL: msie6 */
    } client;
    bool on;
};

/* --- the client ----------------------------------------------------------------------------- */

/* RFC 9110 12.4.2: 0 to 1 with at most three decimals. What is malformed is as good as 0. */
static bool weight_counts(struct span text)
{
    bool some = false;

    if (text.len == 0 || text.len > 5 || (*text.at != '0' && *text.at != '1') ||
        (text.len > 1 && text.at[1] != '.'))
        return false;
    for (size_t i = 2; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || (*text.at == '1' && text.at[i] != '0'))
            return false;
        some = some || text.at[i] != '0';
    }
    return some || *text.at == '1';
}

/* What stands behind the name of a coding: nothing, or its weight. */
static bool parameters_allow(struct span rest)
{
    rest = span_trim(rest);
    if (rest.len == 0)
        return true;
    if (*rest.at != ';')
        return false;
    rest = span_trim(span_from(rest, 1));
    if (rest.len == 0)
        return true;
    return span_starts_caseless(rest, "q=") && weight_counts(span_from(rest, 2));
}

bool gzip_is_accepted(struct span accept_encoding)
{
    struct span member;

    while (span_next_member(&accept_encoding, &member)) {
        size_t end = 0;

        while (end < member.len && member.at[end] != ';' && member.at[end] != ' ' &&
               member.at[end] != '\t')
            end++;
        if (span_is_caseless(span_first(member, end), "gzip"))
            return parameters_allow(span_from(member, end));
    }
    return false;
}

bool gzip_is_msie6(struct span agent)
{
    size_t i = 0;

    while (i < agent.len && !span_starts(span_from(agent, i), "MSIE "))
        i++;
    struct span version = span_from(agent, i + strlen("MSIE "));
    if (version.len < 3 || version.at[1] != '.')
        return false;
    if (*version.at == '4' || *version.at == '5')
        return true;
    while (version.len > 0 && !span_starts(version, "SV1"))
        version = span_from(version, 1);
    return version.len == 0 && span_starts(span_from(agent, i), "MSIE 6.");
}

/* An expression that is given up with names the client: it gets the answer as it is. */
static bool is_disabled(const struct exchange *x, const struct gzip_settings *own)
{
    const struct field *agent = fields_find(&x->request.fields, FIELD_USER_AGENT);
    const struct expression *const *all = own->client.disabled.items;
    bool disabled = false;

    for (uint32_t i = 0; agent != NULL && !disabled && i < own->client.disabled.len; i++)
        disabled = all[i] == NULL ? gzip_is_msie6(agent->value)
                                  : expression_test(x->worker, all[i], agent->value) != PATTERN_NO;
    return disabled;
}

/* --- requests that came through a proxy ----------------------------------------------------- */

static bool has_expired(const struct exchange *x, struct span expires)
{
    const struct field *date = fields_find(&x->response.fields, FIELD_DATE);
    int64_t now = x->worker->loop->clock.second, when;

    if (!http_date_parse(expires, &when) || (date != NULL && !http_date_parse(date->value, &now)))
        return false;
    return when < now;
}

/* That of a file of ours does not count (ran). */
static bool has_last_modified(const struct exchange *x)
{
    const struct field *f = fields_find(&x->response.fields, FIELD_LAST_MODIFIED);

    return f != NULL && (f->origin != FROM_US || x->response.last_modified < 0);
}

static bool cache_control_allows(const struct fields *f, unsigned proxied)
{
    return ((proxied & PROXIED_NO_CACHE) && fields_list_has(f, FIELD_CACHE_CONTROL, "no-cache")) ||
           ((proxied & PROXIED_NO_STORE) && fields_list_has(f, FIELD_CACHE_CONTROL, "no-store")) ||
           ((proxied & PROXIED_PRIVATE) && fields_list_has(f, FIELD_CACHE_CONTROL, "private"));
}

/* Expires decides alone, then Cache-Control alone; without both what is not asked about passes. */
static bool proxy_may_have_it(const struct exchange *x, unsigned proxied)
{
    const struct fields *f = &x->response.fields;
    const struct field *expires = fields_find(f, FIELD_EXPIRES);

    if (fields_find(&x->request.fields, FIELD_VIA) == NULL)
        return true;
    if (proxied & PROXIED_OFF)
        return false;
    if ((proxied & PROXIED_ANY) ||
        ((proxied & PROXIED_AUTH) && fields_find(&x->request.fields, FIELD_AUTHORIZATION) != NULL))
        return true;
    if (expires != NULL)
        return (proxied & PROXIED_EXPIRED) && has_expired(x, expires->value);
    if (fields_find(f, FIELD_CACHE_CONTROL) != NULL)
        return cache_control_allows(f, proxied);
    return !((proxied & PROXIED_NO_LAST_MODIFIED) && has_last_modified(x)) &&
           !((proxied & PROXIED_NO_ETAG) && fields_find(f, FIELD_ETAG) != NULL);
}

/* --- the decision --------------------------------------------------------------------------- */

/* Why the answer stays as it is; NULL: it may be compressed. `no-transform` is the origin's veto
 * (RFC 9110 7.7), a piece must stay one. */
static const char *answer_misfit(const struct exchange *x, const struct gzip_settings *own)
{
    const struct response *r = &x->response;

    if (r->status != 200 && r->status != 403 && r->status != 404)
        return "the status is none of 200, 403, 404";
    if (fields_find(&r->fields, FIELD_CONTENT_ENCODING) != NULL)
        return "it is encoded already";
    if (r->length != LENGTH_UNKNOWN && r->length < own->min_length)
        return "shorter than gzip_min_length";
    if (!media_types_have(&own->types, x))
        return "gzip_types does not name its type";
    if (fields_find(&r->fields, FIELD_CONTENT_RANGE) != NULL)
        return "a piece stays as it is";
    return fields_list_has(&r->fields, FIELD_CACHE_CONTROL, "no-transform")
               ? "the origin forbids it: no-transform"
               : NULL;
}

static const char *client_misfit(const struct exchange *x, const struct gzip_settings *own)
{
    const struct field *accepts = fields_find(&x->request.fields, FIELD_ACCEPT_ENCODING);

    if (accepts == NULL || !gzip_is_accepted(accepts->value))
        return "the client does not accept it";
    if (x->request.minor < own->http_version)
        return "gzip_http_version asks for more";
    if (!proxy_may_have_it(x, own->proxied))
        return "the request came through a proxy, and gzip_proxied does not allow it";
    return is_disabled(x, own) ? "gzip_disable names the client" : NULL;
}

/* NGINX's place: before all that the answer brought. */
static void add_vary(struct exchange *x)
{
    struct fields *f = &x->response.fields;
    struct field vary = *response_add(x, "Vary", span_of("Accept-Encoding"));

    memmove(f->at + 1, f->at, (f->count - 1) * sizeof(*f->at));
    f->at[0] = vary;
}

static bool wants(struct exchange *x, const void *settings)
{
    const struct gzip_settings *own = settings;

    if (!own->on || exchange_is_forward(x))
        return false;
    const char *misfit = answer_misfit(x, own);
    if (misfit == NULL && own->client.vary)
        add_vary(x);
    if (misfit == NULL)
        misfit = client_misfit(x, own);
    if (trace_of(x) != NULL)
        trace_filter(x, "gzip", "compresses", misfit);
    return misfit == NULL;
}

static void change_head(struct exchange *x)
{
    response_add(x, "Content-Encoding", span_of("gzip"));
    response_weaken_etag(x);
    response_forget_length(x);
}

/* Without memory for it the answer leaves as it is. HEAD is told what GET would be. */
static struct source *wrap(struct exchange *x, const void *settings, struct source *inner)
{
    const struct gzip_settings *own = settings;
    struct source *made = inner;

    if (!response_has_no_body(x))
        made = gzip_stream_new(x, inner, (unsigned)own->level, x->response.length);
    if (made == NULL)
        return inner;
    change_head(x);
    return made;
}

static const struct filter filter = { .slot = SLOT_GZIP, .wants = wants, .wrap = wrap };

/* --- rows ----------------------------------------------------------------------------------- */

static const struct conf_name proxied_names[] = {
    { "off", PROXIED_OFF },           { "expired", PROXIED_EXPIRED },
    { "no-cache", PROXIED_NO_CACHE }, { "no-store", PROXIED_NO_STORE },
    { "private", PROXIED_PRIVATE },   { "no_last_modified", PROXIED_NO_LAST_MODIFIED },
    { "no_etag", PROXIED_NO_ETAG },   { "auth", PROXIED_AUTH },
    { "any", PROXIED_ANY },           {},
};

/* gzip_disable msie6|EXPRESSION ... */
static bool set_disable(struct conf_call *call, void *field)
{
    for (unsigned i = 1; i < conf_count(call); i++) {
        const struct expression *e = NULL;
        struct span word = conf_word(call, i);

        if (!span_is(word, "msie6") && (e = expression_new(call, i, word, true)) == NULL)
            return false;
        if (!conf_list_add(call, field, &e, sizeof(e)))
            return false;
    }
    return true;
}

static const struct conf_type disable_type = { .set = set_disable,
                                               .size = sizeof(struct conf_list),
                                               .many = true };
static const struct conf_range levels = { 1, 9 };
static const struct conf_name versions[] = { { "1.0", 0 }, { "1.1", 1 }, {} };

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION };

#define FIELD(f) offsetof(struct gzip_settings, f)
static const struct directive directives[] = {
    { "gzip", ANYWHERE | CTX_IF, 1, 1, &conf_flag, FIELD(on), "off", WHOLE, "compress answers", 0,
      NULL },
    { "gzip_comp_level", ANYWHERE, 1, 1, &conf_number, FIELD(level), "1", WHOLE,
      "how hard to try: 1 fast, 9 small", 0, &levels },
    { "gzip_min_length", ANYWHERE, 1, 1, &conf_size, FIELD(min_length), "20", WHOLE,
      "shorter answers stay as they are, if their length is known", 0, NULL },
    { "gzip_types", ANYWHERE, 1, ANY_ARGS, &media_types_type, FIELD(types), NULL, WHOLE,
      "media types to compress beside text/html; *: all", 0, NULL },
    { "gzip_vary", ANYWHERE, 1, 1, &conf_flag, FIELD(client.vary), "off", WHOLE,
      "tell caches by Vary that the answer depends on Accept-Encoding", 0, NULL },
    { "gzip_proxied", ANYWHERE, 1, ANY_ARGS, &conf_choices, FIELD(proxied), "off", WHOLE,
      "which answers to compress for requests that came through a proxy (Via)", 0, proxied_names },
    { "gzip_http_version", ANYWHERE, 1, 1, &conf_choice, FIELD(http_version), "1.1", WHOLE,
      "the least version of a request whose answer is compressed", 0, versions },
    { "gzip_disable", ANYWHERE, 1, ANY_ARGS, &disable_type, FIELD(client.disabled), NULL, WHOLE,
      "clients that get no compressed answer: msie6, or an expression for User-Agent", 0, NULL },
    { "gzip_buffers", ANYWHERE, 2, 2, &conf_nothing, 0, NULL, NONE, "a stream has its own block", 0,
      &conf_buffers },
    {},
};
#undef FIELD

/* In over out, as NGINX rounds it: two decimals. */
static bool get_ratio(struct exchange *x, struct span arg, struct span *ret)
{
    const struct source *stream = exchange_note(x, &gzip_stream_key);
    struct buf text = { .max = 64 };
    uint64_t in, out;

    (void)arg;
    if (stream == NULL)
        return false;
    gzip_stream_counts(stream, &in, &out);
    if (out == 0)
        return false;
    uint64_t hundredths = (in * 1000 / out + 5) / 10;
    buf_addf(&text, "%llu.%02llu", (unsigned long long)(hundredths / 100),
             (unsigned long long)(hundredths % 100));
    *ret = arena_copy(&x->arena, buf_view(&text));
    buf_done(&text);
    return true;
}

static const struct variable variables[] = {
    { "gzip_ratio", NO_FAMILY, get_ratio,
      "how much smaller the answer became: bytes in over bytes out" },
    {},
};

const struct module gzip_module = {
    .name = "gzip",
    .directives = directives,
    .variables = variables,
    .filter = &filter,
    .settings_size = sizeof(struct gzip_settings),
};
