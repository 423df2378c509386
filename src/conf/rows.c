/* The table of all directives: which rows have this name, which of them may stand here.
 *
 *     "server" -> row of http (CTX_HTTP) -> row of upstream (CTX_UPSTREAM)
 *
 * Lies in the tree arena; made anew for each run, because it knows the run's modules. */
#include "conf/rows.h"

#include "base/arena.h"
#include "conf/call.h"

static unsigned count_rows(const struct conf_module *module)
{
    unsigned count = 0;

    while (module->directives != NULL && module->directives[count].name != NULL)
        count++;
    return count;
}

/* Rows of one field are one setting: the first of them leads. */
static void lead(struct rows *r, unsigned i)
{
    struct row *row = &r->all[i];

    row->leader = i;
    if (row->size == 0)
        return;
    for (unsigned k = r->starts[row->module]; k < i; k++) {
        struct row *other = &r->all[k];

        if (other->size == 0 || other->directive->field != row->directive->field)
            continue;
        row->leader = other->leader;
        if (row->size > r->all[row->leader].size)
            r->all[row->leader].size = row->size;
        return;
    }
}

static void add_rows(struct rows *r, const struct conf_module *module, uint16_t index)
{
    for (const struct directive *d = module->directives; d != NULL && d->name != NULL; d++) {
        r->all[r->count] = (struct row){
            .directive = d,
            .size = d->type->size,
            .next = NO_ROW,
            .module = index,
            .inherit = opens_context(d) ? NONE : d->inherit,
        };
        lead(r, r->count++);
    }
}

static uint32_t *slot_of(const struct rows *r, struct span name)
{
    uint32_t i = name_hash(name) & r->mask;

    while (r->slots[i] != NO_ROW && !span_is(name, r->all[r->slots[i]].directive->name))
        i = (i + 1) & r->mask;
    return &r->slots[i];
}

/* From the last to the first, so that of one name the first is found first. */
static void fill_slots(struct rows *r)
{
    memset(r->slots, 0xff, (r->mask + 1) * sizeof(*r->slots));
    for (unsigned i = r->count; i-- > 0;) {
        uint32_t *slot = slot_of(r, span_of(r->all[i].directive->name));

        r->all[i].next = *slot;
        *slot = i;
    }
}

void rows_init(struct rows *r, const struct conf_module *modules, size_t count, struct arena *arena)
{
    unsigned total = 0, slots = 16;

    for (size_t m = 0; m < count; m++)
        total += count_rows(&modules[m]);
    while (slots < total * 2)
        slots *= 2;
    *r = (struct rows){
        .all = arena_alloc(arena, total * sizeof(*r->all)),
        .starts = arena_alloc(arena, (count + 1) * sizeof(*r->starts)),
        .slots = arena_alloc(arena, slots * sizeof(*r->slots)),
        .mask = slots - 1,
    };
    for (size_t m = 0; m < count; m++) {
        r->starts[m] = r->count;
        add_rows(r, &modules[m], (uint16_t)m);
    }
    r->starts[count] = r->count;
    fill_slots(r);
}

uint32_t rows_find(const struct rows *r, struct span name)
{
    return *slot_of(r, name);
}

uint32_t rows_pick(const struct rows *r, uint32_t first, unsigned context)
{
    while (first != NO_ROW && !(r->all[first].directive->contexts & context))
        first = r->all[first].next;
    return first;
}

struct span rows_nearest(const struct rows *r, struct span word, unsigned context,
                         struct arena *arena)
{
    struct span *names = arena_alloc(arena, (r->count + 1) * sizeof(*names));
    size_t count = 0;

    names[count++] = (struct span)SPAN("include"); /* the language's own */
    for (unsigned i = 0; i < r->count; i++)
        if (r->all[i].directive->contexts & context)
            names[count++] = span_of(r->all[i].directive->name);
    struct span found = conf_nearest(word, names, count);
    if (found.len > 0)
        return found;

    for (unsigned i = 0; i < r->count; i++)
        names[i] = span_of(r->all[i].directive->name);
    return conf_nearest(word, names, r->count);
}
