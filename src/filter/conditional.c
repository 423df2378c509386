/* Conditional requests (RFC 9110 13, nginx-semantics 6.8): only for answers of ours that say when
 * they changed. */
#include "filter/conditional.h"

#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/exchange.h"
#include "exchange/filter.h"
#include "exchange/module.h"
#include "proto/date.h"
#include "proto/fields.h"
#include "proto/range.h"

enum since { SINCE_OFF, SINCE_EXACT, SINCE_BEFORE };

struct conditional_settings {
    unsigned since; /* if_modified_since: enum since */
};

static const struct conf_name sinces[] = {
    { "off", SINCE_OFF }, { "exact", SINCE_EXACT }, { "before", SINCE_BEFORE }, {}
};

static const struct directive directives[] = {
    { "if_modified_since", CTX_HTTP | CTX_SERVER | CTX_LOCATION, 1, 1, &conf_choice,
      offsetof(struct conditional_settings, since), "exact", WHOLE,
      "If-Modified-Since must be equal to the date, or not `before` it, or means nothing", 0,
      sinces },
    {},
};

static struct span value_of(const struct fields *f, enum field_id id)
{
    const struct field *field = fields_find(f, id);

    return field != NULL ? field->value : (struct span){ NULL, 0 };
}

/* If-Unmodified-Since, then If-Match. */
static bool precondition_fails(const struct exchange *x, struct span etag)
{
    struct span since = value_of(&x->request.fields, FIELD_IF_UNMODIFIED_SINCE);
    struct span match = value_of(&x->request.fields, FIELD_IF_MATCH);
    int64_t when;

    if (since.at != NULL && (!http_date_parse(since, &when) || x->response.last_modified > when))
        return true;
    if (match.at == NULL || span_is(match, "*"))
        return false;
    return etag.at == NULL || !etag_list_has(match, etag, false);
}

static bool is_same_date(const struct exchange *x, enum since rule, struct span since)
{
    int64_t when;

    if (rule == SINCE_OFF || !http_date_parse(since, &when))
        return false;
    return when == x->response.last_modified ||
           (rule == SINCE_BEFORE && when > x->response.last_modified);
}

/* Every one that is present must say so. */
static bool is_unchanged(const struct exchange *x, enum since rule, struct span etag)
{
    struct span since = value_of(&x->request.fields, FIELD_IF_MODIFIED_SINCE);
    struct span none = value_of(&x->request.fields, FIELD_IF_NONE_MATCH);

    if (since.at == NULL && none.at == NULL)
        return false;
    if (since.at != NULL && !is_same_date(x, rule, since))
        return false;
    return none.at == NULL || (etag.at != NULL && etag_list_has(none, etag, true));
}

static void answer_304(struct exchange *x)
{
    x->response.status = 304;
    x->response.length = LENGTH_UNKNOWN;
    x->response.accept_ranges = false;
    fields_remove(&x->response.fields, FIELD_CONTENT_TYPE);
    fields_remove(&x->response.fields, FIELD_CONTENT_ENCODING);
}

static bool wants(struct exchange *x, const void *settings)
{
    struct span etag = value_of(&x->response.fields, FIELD_ETAG);
    const struct conditional_settings *own = settings;

    if (x->response.status != 200 || x->response.last_modified < 0)
        return false;
    if (precondition_fails(x, etag))
        exchange_refuse(x, 412, NULL);
    else if (is_unchanged(x, (enum since)own->since, etag))
        answer_304(x);
    return false;
}

static const struct filter filter = { .slot = SLOT_CONDITIONAL, .wants = wants };

const struct module conditional_module = {
    .name = "conditional",
    .directives = directives,
    .filter = &filter,
    .settings_size = sizeof(struct conditional_settings),
};
