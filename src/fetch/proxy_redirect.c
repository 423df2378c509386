/* `proxy_redirect`: an upstream names itself in Location and in the `url=` of Refresh; clients know
 * it by another name (nginx-semantics 7.3).
 *
 *     default      http://UPSTREAM/uri...  ->  /location...
 *     FROM TO      what begins with FROM begins with TO
 *     ~RE TO       what matches becomes TO, whole
 *     off          nothing of it
 *
 * The first line that fits decides. Owns nothing. */
#include "fetch/proxy_redirect.h"

#include "base/buf.h"
#include "base/pattern.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/expression.h"
#include "exchange/template.h"
#include "exchange/worker.h"
#include "fetch/proxy.h"
#include "proto/fields.h"

#include <string.h>

enum { LONGEST_LOCATION = 64 * 1024 };

struct redirect_line {
    const struct expression *expression; /* NULL: `from` is the beginning */
    struct template from, to;
    struct place place;
    bool is_default;
};

/* --- the rows ------------------------------------------------------------------------------- */

static bool set_word(struct conf_call *call, struct proxy_redirects *own)
{
    struct redirect_line line = { .place = conf_place(call, 0), .is_default = true };
    struct span word = conf_word(call, 1);

    if (span_is(word, "off") && own->lines.len > 0)
        return conf_refuse(call, 0, "\"proxy_redirect\" directive is duplicate");
    own->off = span_is(word, "off");
    if (span_is(word, "default") && line.place.line > 0) /* else it is the row's */
        return conf_list_add(call, &own->lines, &line, sizeof(line));
    if (own->off || span_is(word, "default"))
        return true;
    return conf_refuse(call, 1, "invalid parameter \"%s\"", arena_cstr(conf_arena(call), word));
}

/* `~re`, `~*re` or the beginning of a URL. */
static bool read_from(struct conf_call *call, struct redirect_line *line)
{
    struct span from = conf_word(call, 1);
    bool caseless = span_starts(from, "~*");

    if (!span_starts(from, "~"))
        return template_compile(call, 1, &line->from);
    line->expression = expression_new(call, 1, span_from(from, caseless ? 2 : 1), caseless);
    return line->expression != NULL;
}

static bool set_redirect(struct conf_call *call, void *field)
{
    struct redirect_line line = { .place = conf_place(call, 0) };
    struct proxy_redirects *own = field;

    if (own->off)
        return conf_refuse(call, 0, "\"proxy_redirect\" directive is duplicate");
    if (conf_count(call) == 2)
        return set_word(call, own);
    return read_from(call, &line) && template_compile(call, 2, &line.to) &&
           conf_list_add(call, &own->lines, &line, sizeof(line));
}

const struct conf_type proxy_redirect_type = { .set = set_redirect,
                                               .size = sizeof(struct proxy_redirects),
                                               .many = true };

bool proxy_redirect_check(struct conf *conf, const struct proxy_settings *own)
{
    const struct redirect_line *lines = own->redirects.lines.items;

    for (uint32_t i = 0; i < own->redirects.lines.len; i++)
        if (lines[i].is_default && own->target.varies)
            return conf_complain(conf, lines[i].place,
                                 "\"proxy_redirect default\" cannot be used with \"proxy_pass\" "
                                 "directive with variables");
    return true;
}

/* --- an answer ------------------------------------------------------------------------------ */

/* `to` and the rest of `url` behind its first `len` bytes. */
static struct span joined(struct exchange *x, struct span to, struct span url, size_t len)
{
    struct buf made;

    buf_init(&made, LONGEST_LOCATION, &x->worker->budget);
    buf_add(&made, to);
    buf_add(&made, span_from(url, len));
    struct span whole = arena_copy(&x->arena, buf_view(&made));
    buf_done(&made);
    return whole;
}

/* What leads to the upstream itself leads to the location. */
static bool by_default(struct exchange *x, const struct proxy_target *t, struct span url,
                       struct span *ret)
{
    struct span uri = t->uri.len > 0 ? t->uri : span_of("/"),
                to = t->uri.len > 0 ? t->location : span_of("/");
    size_t scheme = strlen("http://");
    struct span rest = span_from(url, scheme + t->written.len);

    if (t->varies || !span_starts(url, "http://") ||
        !span_same(span_first(span_from(url, scheme), t->written.len), t->written) ||
        !span_same(span_first(rest, uri.len), uri))
        return false;
    *ret = joined(x, to, rest, uri.len);
    return true;
}

static bool by_line(struct exchange *x, const struct proxy_target *t,
                    const struct redirect_line *line, struct span url, struct span *ret)
{
    if (line->is_default)
        return by_default(x, t, url, ret);
    if (line->expression != NULL) {
        if (expression_match(x, line->expression, url) != PATTERN_MATCH)
            return false;
        *ret = template_value(x, &line->to);
        return true;
    }
    struct span from = template_value(x, &line->from);
    if (!span_same(span_first(url, from.len), from))
        return false;
    *ret = joined(x, template_value(x, &line->to), url, from.len);
    return true;
}

static bool is_rewritten(struct exchange *x, const struct proxy_settings *own, struct span url,
                         struct span *ret)
{
    const struct redirect_line *lines = own->redirects.lines.items;

    if (own->redirects.lines.len == 0)
        return by_default(x, &own->target, url, ret);
    for (uint32_t i = 0; i < own->redirects.lines.len; i++)
        if (by_line(x, &own->target, &lines[i], url, ret))
            return true;
    return false;
}

static void change_location(struct exchange *x, const struct proxy_settings *own, struct field *f)
{
    struct span made;

    if (!is_rewritten(x, own, f->value, &made))
        return;
    bool absolute = span_starts(made, "/") && x->core->redirects.absolute;
    f->value = absolute ? exchange_absolute(x, made) : made;
    f->origin = FROM_US; /* judged once more before it leaves */
    x->response.own_location = absolute;
}

/* `5; url=http://...`: all behind `url=`. */
static void change_refresh(struct exchange *x, const struct proxy_settings *own, struct field *f)
{
    size_t at = 0;
    struct span made;

    while (at < f->value.len && !span_starts_caseless(span_from(f->value, at), "url="))
        at++;
    if (at == f->value.len)
        return;
    at += strlen("url=");
    if (!is_rewritten(x, own, span_from(f->value, at), &made))
        return;
    f->value = joined(x, span_first(f->value, at), made, 0);
    f->origin = FROM_US;
}

void proxy_redirect(struct exchange *x, const struct proxy_settings *own)
{
    struct fields *fields = &x->response.fields;

    for (unsigned i = 0; i < fields->count && !own->redirects.off; i++) {
        struct field *f = &fields->at[i];

        if (f->id == FIELD_LOCATION)
            change_location(x, own, f);
        else if (f->id == FIELD_REFRESH)
            change_refresh(x, own, f);
    }
}
