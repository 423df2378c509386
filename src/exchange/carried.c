/* Header fields that outlive their answer. A note of the exchange, in its arena; internal redirects
 * are bounded, and so is this. */
#include "exchange/carried.h"

#include "exchange/core.h"
#include "exchange/exchange.h"
#include "proto/fields.h"

struct carried {
    struct fields fields;
    struct span type; /* of an answer of ours, in place of the extension's; empty: none */
};

static const char carried_key;

static struct carried *make(struct exchange *x)
{
    struct carried *c = exchange_note(x, &carried_key);

    if (c == NULL) {
        c = arena_zalloc(&x->arena, sizeof(*c));
        fields_init(&c->fields, &x->arena, NULL, 0);
        exchange_keep(x, &carried_key, c);
    }
    return c;
}

void carried_add(struct exchange *x, const struct field *f)
{
    struct carried *c = make(x);
    struct span value = arena_copy(&x->arena, f->value);

    if (f->id == FIELD_CONTENT_TYPE) {
        c->type = value;
        return;
    }
    if (f->id == FIELD_ACCEPT_RANGES)
        fields_remove(&c->fields, f->id);
    fields_add(&c->fields, arena_copy(&x->arena, f->name), value, (enum field_origin)f->origin);
}

void carried_apply(struct exchange *x)
{
    const struct carried *c = exchange_note(x, &carried_key);
    struct fields own = x->response.fields, *all = &x->response.fields;
    bool is_error = x->response.status >= 400;

    if (c == NULL)
        return;
    bool moved = fields_find(&own, FIELD_LOCATION) != NULL;
    fields_init(all, &x->arena, NULL, 0);
    for (unsigned i = 0; i < c->fields.count; i++) {
        const struct field *f = &c->fields.at[i];

        if ((f->id == FIELD_ACCEPT_RANGES && (is_error || x->response.accept_ranges)) ||
            (f->id == FIELD_LOCATION && moved))
            continue;
        fields_add(all, f->name, f->value, (enum field_origin)f->origin);
        x->response.own_location = x->response.own_location || f->id == FIELD_LOCATION;
    }
    for (unsigned i = 0; i < own.count; i++)
        fields_add(all, own.at[i].name, own.at[i].value, (enum field_origin)own.at[i].origin);
}

struct span exchange_type(struct exchange *x)
{
    const struct carried *c = exchange_note(x, &carried_key);

    return c != NULL && c->type.len > 0 ? c->type : core_type_of(x->core, x->request.uri);
}
