/* `*_types`: lists of media types. */
#include "filter/media_types.h"

#include "base/arena.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/exchange.h"
#include "proto/fields.h"

static bool add_type(struct conf_call *call, unsigned word, struct media_types *types)
{
    struct span name = conf_word(call, word);
    char *lower = arena_alloc(conf_arena(call), name.len + 1);

    if (span_is_caseless(name, "text/html")) {
        conf_warn(call, word, "duplicate MIME type \"text/html\"");
        return true;
    }
    for (size_t i = 0; i < name.len; i++)
        lower[i] = ascii_lower(name.at[i]);
    struct span kept = { lower, name.len };
    return conf_list_add(call, &types->names, &kept, sizeof(kept));
}

static bool set_types(struct conf_call *call, void *field)
{
    struct media_types *types = field;

    for (unsigned i = 1; i < conf_count(call); i++) {
        if (span_is(conf_word(call, i), "*"))
            types->all = true;
        else if (!add_type(call, i, types))
            return false;
    }
    return true;
}

const struct conf_type media_types_type = { .set = set_types,
                                            .size = sizeof(struct media_types),
                                            .many = true };

/* Without `; charset=...`; any other parameter makes it another type (nginx-semantics 7.3). */
static struct span without_charset(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        size_t next = i + 1;

        if (value.at[i] != ';')
            continue;
        while (next < value.len && value.at[next] == ' ')
            next++;
        if (span_starts_caseless(span_from(value, next), "charset="))
            return span_first(value, i);
    }
    return value;
}

bool media_types_have(const struct media_types *types, const struct exchange *x)
{
    const struct field *given = fields_find(&x->response.fields, FIELD_CONTENT_TYPE);
    const struct span *names = types->names.items;

    if (types->all)
        return true;
    if (given == NULL)
        return false;
    struct span type = without_charset(given->value);
    if (span_is_caseless(type, "text/html"))
        return true;
    for (uint32_t i = 0; i < types->names.len; i++)
        if (span_same_caseless(names[i], type))
            return true;
    return false;
}
