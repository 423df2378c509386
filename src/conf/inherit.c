/* How settings go inward (nginx-semantics 1.5), as the rows say it:
 *
 *     outer object --- nothing set here ----------------------> the same object, shared
 *             \------- ... but it holds what stays outside ---> the heir: one for all such inner
 * blocks
 *              \------ rows set here -------------------------> an object of this block
 *
 * Defaults are parsed at first need by the directive's own setter, once for all blocks. */
#include "conf/inherit.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/message.h"
#include "conf/parser.h"
#include "conf/state.h"
#include "conf/tree.h"

#include <stdio.h>
#include <stdlib.h>

enum { ANY_IF = CTX_IF | CTX_LIMIT };

static void *settings_new(struct conf *c, unsigned module)
{
    return arena_zalloc(c->input.arena, c->input.modules[module].settings_size);
}

static void note_made(struct conf *c, struct conf_block *block, unsigned module)
{
    if (c->input.modules[module].check == NULL)
        return;
    struct made *made = arena_alloc(&c->arena, sizeof(*made));

    *made = (struct made){ .block = block, .module = module };
    *c->made_end = made;
    c->made_end = &made->next;
}

/* A default that its own setter refuses is our mistake, not the user's. */
static void refused_default(struct conf *c, const struct directive *d)
{
    const struct conf_message *m = c->messages.last;

    fprintf(stderr, "bifrons: [alert] the default \"%s %s\" is refused: %.*s\n", d->name,
            d->fallback, m ? (int)m->text.len : 0, m ? m->text.at : "");
    abort();
}

static void parse_default(struct conf *c, struct conf_block *block, const struct row *row)
{
    const struct directive *d = row->directive;
    struct conf_node *node = parser_line(c, message_text(c, "%s %s;", d->name, d->fallback));
    struct conf_call call = { .conf = c, .row = d, .node = node, .block = block };
    unsigned errors = c->messages.errors;
    char *object = c->defaults[row->module];

    node->row = (unsigned)(row - c->rows.all);
    if (!d->type->set(&call, object + d->field) || c->messages.errors > errors)
        refused_default(c, d);
}

/* The field's default; of rows that share it, the first that has one says it. */
static const void *default_of(struct conf *c, struct conf_block *block, unsigned leader)
{
    const struct rows *rows = &c->rows;
    const struct row *lead = &rows->all[leader];
    unsigned end = rows->starts[lead->module + 1];

    if (c->defaults[lead->module] == NULL)
        c->defaults[lead->module] = settings_new(c, lead->module);
    if (!bit_get(c->parsed, leader)) {
        bit_set(c->parsed, leader);
        for (unsigned i = leader; i < end; i++) {
            const struct row *row = &rows->all[i];

            if (row->leader != leader || row->directive->fallback == NULL || row->directive->opens)
                continue;
            parse_default(c, block, row);
            break;
        }
    }
    return (char *)c->defaults[lead->module] + lead->directive->field;
}

static bool goes_inward(const struct row *row, const struct conf_block *block)
{
    switch (row->inherit) {
    case WHOLE:
    case LIST:
        return true;
    case NONE:
        return false;
    case INTO_IF:
        return (block->context & ANY_IF) != 0;
    }
    abort();
}

/* The outer lines first, then ours. */
static void put_before(struct conf *c, const struct conf_list *outer, struct conf_list *list)
{
    if (outer->len == 0)
        return;
    if (list->len == 0) {
        *list = *outer;
        return;
    }
    size_t head = (size_t)outer->len * list->size, tail = (size_t)list->len * list->size;
    char *items = arena_alloc(c->input.arena, head + tail);

    memcpy(items, outer->items, head);
    memcpy(items + head, list->items, tail);
    list->items = items;
    list->len += outer->len;
    list->room = list->len;
}

/* What of a module is not set. `filled` NULL: nothing is. `from` NULL: there is no outside. */
static void fill(struct conf *c, struct conf_block *block, unsigned module, const uint64_t *filled,
                 void *to, const void *from)
{
    const struct rows *rows = &c->rows;

    for (unsigned i = rows->starts[module]; i < rows->starts[module + 1]; i++) {
        const struct row *row = &rows->all[i];
        size_t at = row->directive->field;
        bool is_set = filled != NULL && bit_get(filled, i);
        bool inward = from != NULL && goes_inward(row, block);

        if (row->leader != i || row->size == 0)
            continue;
        if (is_set && inward && row->inherit == LIST)
            put_before(c, (const void *)((const char *)from + at), (void *)((char *)to + at));
        if (is_set)
            continue;
        const void *value = inward ? (const char *)from + at : default_of(c, block, i);
        memcpy((char *)to + at, value, row->size);
    }
    if (from != NULL && c->input.modules[module].merge != NULL)
        c->input.modules[module].merge(to, from);
}

static void *heir(struct conf *c, struct building *b, unsigned module)
{
    struct building *outer = b->outer;

    if (outer->heirs[module] == NULL) {
        void *object = outer->heirs[module] = settings_new(c, module);

        fill(c, b->block, module, NULL, object, outer->block->settings[module]);
        note_made(c, b->block, module);
    }
    return outer->heirs[module];
}

/* The outer object, or what stands for it in here; with its traits. */
static void share(struct conf *c, struct building *b, unsigned module)
{
    unsigned traits = b->outer->traits[module];
    bool is_if = (b->block->context & ANY_IF) != 0;
    bool stays = traits & TRAIT_KEEPS || (traits & TRAIT_KEEPS_IF && !is_if);

    if (!stays) {
        b->block->settings[module] = b->outer->block->settings[module];
        b->traits[module] = traits & TRAIT_KEEPS_IF;
    } else if (is_if) {
        b->block->settings[module] = settings_new(c, module);
        b->traits[module] = TRAIT_OWN | (traits & TRAIT_KEEPS_IF);
    } else {
        b->block->settings[module] = heir(c, b, module);
    }
}

void inherit_begin(struct conf *c, struct building *b)
{
    for (unsigned m = 0; m < c->input.module_count; m++) {
        if (b->outer != NULL && !(b->traits[m] & TRAIT_OWN)) {
            share(c, b, m);
        } else {
            b->block->settings[m] = settings_new(c, m);
            b->traits[m] |= TRAIT_OWN;
        }
        if (b->traits[m] & TRAIT_OWN)
            note_made(c, b->block, m);
    }
}

void inherit_end(struct conf *c, struct building *b)
{
    for (unsigned m = 0; m < c->input.module_count; m++) {
        const void *outer = b->outer ? b->outer->block->settings[m] : NULL;

        if (b->traits[m] & TRAIT_OWN)
            fill(c, b->block, m, b->filled, b->block->settings[m], outer);
    }
}
