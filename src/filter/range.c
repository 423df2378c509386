/* Ranges (RFC 9110 14, nginx-semantics 6.9): a source that can give a piece of itself is narrowed.
 * Several parts in one answer are not made yet: such a request gets the whole. */
#include "filter/range.h"

#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/carried.h"
#include "exchange/exchange.h"
#include "exchange/filter.h"
#include "exchange/module.h"
#include "exchange/source.h"
#include "proto/date.h"
#include "proto/fields.h"
#include "proto/range.h"

#include <stdio.h>

struct range_settings {
    uint64_t most; /* max_ranges; 0: none at all */
};

static const struct directive directives[] = {
    { "max_ranges", CTX_HTTP | CTX_SERVER | CTX_LOCATION, 1, 1, &conf_number,
      offsetof(struct range_settings, most), "2147483647", WHOLE,
      "ranges of a request; more of them get the whole, and 0 offers none", 0, NULL },
    {},
};

/* If-Range: only if what the client has is this very version. */
static bool is_same_version(const struct exchange *x)
{
    const struct field *given = fields_find(&x->request.fields, FIELD_IF_RANGE);
    const struct field *etag = fields_find(&x->response.fields, FIELD_ETAG);
    int64_t when;

    if (given == NULL)
        return true;
    if (span_ends(given->value, "\""))
        return etag != NULL && !span_starts(given->value, "W/") &&
               span_same(given->value, etag->value);
    return http_date_parse(given->value, &when) && when == x->response.last_modified;
}

static void add_content_range(struct exchange *x, unsigned long long a, unsigned long long b)
{
    char *text = arena_alloc(&x->arena, 96);
    int len =
        snprintf(text, 96, "bytes %llu-%llu/%llu", a, b, (unsigned long long)x->response.length);

    response_add(x, "Content-Range", (struct span){ text, (size_t)len });
}

static void answer_416(struct exchange *x)
{
    char *text = arena_alloc(&x->arena, 64);
    int len = snprintf(text, 64, "bytes */%llu", (unsigned long long)x->response.length);

    struct field range = { field_name(FIELD_CONTENT_RANGE),
                           { text, (size_t)len },
                           FIELD_CONTENT_RANGE,
                           FROM_US,
                           false,
                           false };

    exchange_refuse(x, 416, NULL);
    if (x->redirected) /* an error page tells it, too */
        carried_add(x, &range);
    else
        response_add(x, "Content-Range", range.value);
}

static bool wants(struct exchange *x, const void *settings)
{
    const struct field *asked = fields_find(&x->request.fields, FIELD_RANGE);
    struct range_part part;
    unsigned count = 0;

    if (((const struct range_settings *)settings)->most == 0)
        x->response.accept_ranges = false;
    if (asked == NULL || x->response.status != 200 || !x->response.accept_ranges ||
        x->source->ops->narrow == NULL || x->response.length == LENGTH_UNKNOWN ||
        !is_same_version(x))
        return false;
    if (fields_count(&x->request.fields, FIELD_RANGE) > 1) /* FILE-23 */
        return false;
    if (x->response.length == 0 && span_starts_caseless(asked->value, "bytes=")) {
        answer_416(x);
        return false;
    }
    switch (range_parse(asked->value, x->response.length, &part, 1, &count)) {
    case RANGE_WHOLE:
        break;
    case RANGE_UNSATISFIABLE:
        answer_416(x);
        break;
    case RANGE_PARTS:
        add_content_range(x, part.first, part.last);
        x->response.status = 206;
        x->response.accept_ranges = false;
        x->response.length = part.last - part.first + 1;
        x->source->ops->narrow(x->source, part.first, x->response.length);
        break;
    }
    return false;
}

static const struct filter filter = { .slot = SLOT_RANGE, .wants = wants };

const struct module range_module = {
    .name = "range",
    .directives = directives,
    .filter = &filter,
    .settings_size = sizeof(struct range_settings),
};
