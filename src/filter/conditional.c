/* Conditional requests (RFC 9110 13, nginx-semantics 6.8): only for answers of ours that say when
 * they changed. */
#include "filter/conditional.h"

#include "exchange/exchange.h"
#include "proto/date.h"
#include "proto/range.h"

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

/* Every one that is present must say so; the date counts only when it is equal. */
static bool is_unchanged(const struct exchange *x, struct span etag)
{
    struct span since = value_of(&x->request.fields, FIELD_IF_MODIFIED_SINCE);
    struct span none = value_of(&x->request.fields, FIELD_IF_NONE_MATCH);
    int64_t when;

    if (since.at == NULL && none.at == NULL)
        return false;
    if (since.at != NULL && (!http_date_parse(since, &when) || when != x->response.last_modified))
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

    (void)settings;
    if (x->response.status != 200 || x->response.last_modified < 0)
        return false;
    if (precondition_fails(x, etag))
        exchange_refuse(x, 412, NULL);
    else if (is_unchanged(x, etag))
        answer_304(x);
    return false;
}

static const struct filter filter = { .slot = SLOT_CONDITIONAL, .wants = wants };

const struct module conditional_module = { .name = "conditional", .filter = &filter };
