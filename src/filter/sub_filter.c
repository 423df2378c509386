/* `sub_filter TEXT REPLACEMENT` (nginx-semantics 8): which answers have texts replaced. The
 * replacing itself is filter/sub_stream.c. */
#include "filter/sub_filter.h"

#include "base/errlog.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/exchange.h"
#include "exchange/filter.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/template.h"
#include "exchange/trace.h"
#include "filter/changed_body.h"
#include "filter/media_types.h"
#include "filter/sub_stream.h"
#include "filter/substitution.h"
#include "proto/fields.h"

struct sub_line {
    struct template text;
    struct template by_text;
};

struct sub_settings {
    struct conf_list lines; /* of struct sub_line */
    struct media_types types;
    bool once;
    bool last_modified;
};

/* Why the answer stays as it is; NULL: texts are looked for. */
static const char *misfit_of(const struct exchange *x, const struct sub_settings *own)
{
    if (x->response.length == 0)
        return "it is empty";
    if (fields_find(&x->response.fields, FIELD_CONTENT_ENCODING) != NULL)
        return "it is encoded already";
    if (fields_find(&x->response.fields, FIELD_CONTENT_RANGE) != NULL)
        return "a piece stays as it is";
    return media_types_have(&own->types, x) ? NULL : "sub_filter_types does not name its type";
}

static bool wants(struct exchange *x, const void *settings)
{
    const struct sub_settings *own = settings;

    if (own->lines.len == 0)
        return false;
    const char *misfit = misfit_of(x, own);
    if (trace_of(x) != NULL)
        trace_filter(x, "sub_filter", "replaces", misfit);
    return misfit == NULL;
}

static struct span lower_case(struct exchange *x, struct span text)
{
    char *lower = arena_alloc(&x->arena, text.len);

    for (size_t i = 0; i < text.len; i++)
        lower[i] = ascii_lower(text.at[i]);
    return (struct span){ lower, text.len };
}

/* A variable may give nothing to look for, or too much. */
static struct replacements replacements_of(struct exchange *x, const struct sub_settings *own)
{
    const struct sub_line *lines = own->lines.items;
    struct replacements r = { .once = own->once };

    r.texts = arena_zalloc(&x->arena, own->lines.len * sizeof(*r.texts));
    r.by_texts = arena_zalloc(&x->arena, own->lines.len * sizeof(*r.by_texts));
    for (uint32_t i = 0; i < own->lines.len; i++) {
        struct span text = template_value(x, &lines[i].text);

        if (text.len > SUBSTITUTION_LONGEST)
            exchange_log(x, LEVEL_ERROR, 0, "the text of a \"sub_filter\" is too long: %zu bytes",
                         text.len);
        if (text.len == 0 || text.len > SUBSTITUTION_LONGEST)
            continue;
        r.texts[r.count].text = lower_case(x, text);
        r.by_texts[r.count++].by_text = &lines[i].by_text;
    }
    return r;
}

static void change_head(struct exchange *x, bool last_modified)
{
    response_forget_length(x);
    if (last_modified) {
        response_weaken_etag(x);
        return;
    }
    fields_remove(&x->response.fields, FIELD_LAST_MODIFIED);
    fields_remove(&x->response.fields, FIELD_ETAG);
    x->response.last_modified = -1;
}

static struct source *wrap(struct exchange *x, const void *settings, struct source *inner)
{
    const struct sub_settings *own = settings;
    struct replacements r = replacements_of(x, own);
    struct source *made = inner;

    if (r.count == 0)
        return inner;
    if (!response_has_no_body(x))
        made = sub_stream_new(x, inner, &r);
    if (made == NULL)
        return inner;
    change_head(x, own->last_modified);
    return made;
}

static const struct filter filter = { .slot = SLOT_SUB, .wants = wants, .wrap = wrap };

static bool set_line(struct conf_call *call, void *field)
{
    struct span text = conf_word(call, 1);
    struct sub_line line;

    if (text.len == 0)
        return conf_refuse(call, 1, "empty search pattern");
    if (text.len > SUBSTITUTION_LONGEST)
        return conf_refuse(call, 1, "the text to replace is longer than %d bytes",
                           SUBSTITUTION_LONGEST);
    return template_compile(call, 1, &line.text) && template_compile(call, 2, &line.by_text) &&
           conf_list_add(call, field, &line, sizeof(line));
}

static const struct conf_type line_type = { .set = set_line,
                                            .size = sizeof(struct conf_list),
                                            .many = true };

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION };

#define FIELD(f) offsetof(struct sub_settings, f)
static const struct directive directives[] = {
    { "sub_filter", ANYWHERE, 2, 2, &line_type, FIELD(lines), NULL, WHOLE,
      "a text of answers, its letters in any case, and what stands in its place", 0, NULL },
    { "sub_filter_once", ANYWHERE, 1, 1, &conf_flag, FIELD(once), "on", WHOLE,
      "replace each text one time", 0, NULL },
    { "sub_filter_types", ANYWHERE, 1, ANY_ARGS, &media_types_type, FIELD(types), NULL, WHOLE,
      "media types to search beside text/html; *: all", 0, NULL },
    { "sub_filter_last_modified", ANYWHERE, 1, 1, &conf_flag, FIELD(last_modified), "off", WHOLE,
      "keep Last-Modified, and ETag as a weak one", 0, NULL },
    {},
};
#undef FIELD

const struct module sub_filter_module = {
    .name = "sub_filter",
    .directives = directives,
    .filter = &filter,
    .settings_size = sizeof(struct sub_settings),
};
