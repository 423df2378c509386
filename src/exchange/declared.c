/* Variables that a configuration declares. Each has a slot; an exchange that sets one gets an array
 * of all of them, kept as a note. Owns nothing: names lie in the generation arena, the array in the
 * exchange's. */
#include "exchange/declared.h"

#include "conf/call.h"
#include "conf/settings.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/template.h"
#include "exchange/variable.h"

struct declared {
    struct variable row; /* its name in lower case; `get` is given us as argument */
    struct place used;   /* first, while nobody has declared it */
    bool (*stand_in)(struct exchange *x, const struct declared *d, struct span *ret);
    uint32_t slot;
    bool is_declared;
};

static const char values_key; /* of a note: struct span for each slot */

static const struct declared *declared_of(struct span argument)
{
    return (const struct declared *)(const void *)argument.at;
}

static bool get_declared(struct exchange *x, struct span arg, struct span *ret)
{
    const struct span *values = exchange_note(x, &values_key);
    const struct declared *d = declared_of(arg);

    if (values == NULL || values[d->slot].at == NULL)
        return d->stand_in != NULL && d->stand_in(x, d, ret);
    *ret = values[d->slot];
    return true;
}

const char *declared_name(const struct declared *d)
{
    return d->row.name;
}

void declared_stand_in(struct declared *d,
                       bool (*get)(struct exchange *x, const struct declared *d, struct span *ret))
{
    d->stand_in = get;
}

void declared_set(struct exchange *x, const struct declared *d, struct span value)
{
    struct span *values = exchange_note(x, &values_key);

    if (values == NULL) {
        values = arena_zalloc(&x->arena, x->generation->declared.len * sizeof(*values));
        exchange_keep(x, &values_key, values);
    }
    values[d->slot] = value.at != NULL ? value : span_of("");
}

static struct declared *find(const struct generation *g, struct span name)
{
    struct declared **all = g->declared.items;

    for (uint32_t i = 0; i < g->declared.len; i++)
        if (span_is(name, all[i]->row.name))
            return all[i];
    return NULL;
}

static struct declared *find_or_make(struct generation *g, struct span name, struct place used)
{
    struct declared *d = find(g, name);

    if (d != NULL)
        return d;
    d = arena_zalloc(&g->arena, sizeof(*d));
    d->row = (struct variable){ .name = arena_cstr(&g->arena, name), .get = get_declared };
    d->used = used;
    d->slot = g->declared.len;
    generation_list_add(g, &g->declared, &d, sizeof(d));
    return d;
}

struct declared *declared_add(struct conf_call *call, unsigned word, struct span name)
{
    char *lower = arena_cstr(conf_arena(call), name);
    struct generation *g = conf_user(call);

    for (char *c = lower; *c != '\0'; c++)
        *c = ascii_lower(*c);
    if (variable_is_ours(g, span_of(lower))) {
        conf_refuse(call, word, "the duplicate \"%s\" variable", lower);
        return NULL;
    }
    struct declared *d = find_or_make(g, span_of(lower), conf_place(call, word));
    d->is_declared = true;
    return d;
}

static const struct variable *as_row(const struct declared *d, struct span *ret_argument)
{
    *ret_argument = (struct span){ (const char *)d, sizeof(*d) };
    return &d->row;
}

const struct variable *declared_find(const struct generation *g, struct span name,
                                     struct span *ret_argument)
{
    const struct declared *d = find(g, name);

    return d != NULL && d->is_declared ? as_row(d, ret_argument) : NULL;
}

const struct variable *declared_use(struct conf_call *call, unsigned word, struct span name,
                                    struct span *ret_argument)
{
    return as_row(find_or_make(conf_user(call), name, conf_place(call, word)), ret_argument);
}

/* Among the names that modules have, and those that the configuration declares. */
static struct span nearest(struct generation *g, struct span name)
{
    enum { MOST_NAMES = 1024 };
    struct declared **all = g->declared.items;
    struct span *names = arena_alloc(&g->arena, MOST_NAMES * sizeof(*names));
    size_t count = 0;

    for (uint32_t i = 0; i < g->declared.len && count < MOST_NAMES; i++)
        if (all[i]->is_declared)
            names[count++] = span_of(all[i]->row.name);
    for (unsigned i = 0; i < g->module_count; i++)
        for (const struct variable *v = g->modules[i]->variables; v && v->name != NULL; v++)
            if (count < MOST_NAMES)
                names[count++] = span_of(v->name);
    return conf_nearest(name, names, count);
}

static bool refuse_unknown(struct generation *g, struct conf *conf, const struct declared *d)
{
    conf_complain(conf, d->used, "unknown \"%s\" variable", d->row.name);
    conf_suggest(conf, nearest(g, span_of(d->row.name)));
    return false;
}

bool declared_check(struct generation *g, struct conf *conf)
{
    struct declared **all = g->declared.items;
    bool good = true;

    for (uint32_t i = 0; i < g->declared.len; i++)
        if (!all[i]->is_declared)
            good = refuse_unknown(g, conf, all[i]);
    return good;
}
