/* Heads of answers whose body a filter changes. Owns nothing. */
#include "filter/changed_body.h"

#include "base/arena.h"
#include "base/span.h"
#include "exchange/exchange.h"
#include "exchange/response.h"
#include "proto/fields.h"

void response_forget_length(struct exchange *x)
{
    x->response.length = LENGTH_UNKNOWN;
    x->response.accept_ranges = false;
    fields_remove(&x->response.fields, FIELD_ACCEPT_RANGES);
}

void response_weaken_etag(struct exchange *x)
{
    struct fields *fields = &x->response.fields;
    unsigned kept = 0;

    for (unsigned i = 0; i < fields->count; i++) {
        struct field f = fields->at[i];

        if (f.id == FIELD_ETAG && span_starts(f.value, "\"")) {
            char *weak = arena_alloc(&x->arena, f.value.len + 2);

            memcpy(weak, "W/", 2);
            memcpy(weak + 2, f.value.at, f.value.len);
            f.value = (struct span){ weak, f.value.len + 2 };
        }
        if (f.id != FIELD_ETAG || span_starts(f.value, "W/"))
            fields->at[kept++] = f;
    }
    fields->count = kept;
}
