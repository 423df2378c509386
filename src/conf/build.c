/* From the tree to the settings, block by block:
 *
 *     each line finds its row -> settings made or shared -> setters -> what is not set is inherited
 *                             -> inner blocks, each then given to its row's setter
 *     at the end, if all was well: the modules' checks, outer blocks first
 *
 * Owns the struct conf; the settings lie in the generation arena. */
#include "conf/build.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/files.h"
#include "conf/inherit.h"
#include "conf/lexer.h"
#include "conf/message.h"
#include "conf/parser.h"
#include "conf/rows.h"
#include "conf/state.h"
#include "conf/tree.h"

#include <stdlib.h>

static void build_block(struct conf *c, struct building *b, struct conf_node *first);

static int shown(struct span name) /* for %.*s */
{
    return (int)name.len;
}

static bool is_later(const struct conf *c, struct span name)
{
    bool is_row = rows_find(&c->rows, name) != NO_ROW;

    for (const char *const *later = c->input.later; later != NULL && *later != NULL; later++) {
        struct span known = span_of(*later);

        if (span_same(name, known) ||
            (!is_row && span_chop(&known, '*') && span_same(span_first(name, known.len), known)))
            return true;
    }
    return false;
}

/* Would the row be right in a block further out? */
static bool fits_outside(const struct conf *c, const struct conf_block *block, struct span name)
{
    uint32_t row = rows_find(&c->rows, name);

    for (block = block->parent; block != NULL; block = block->parent)
        if (rows_pick(&c->rows, row, block->context) != NO_ROW)
            return true;
    return false;
}

static void refuse_name(struct conf *c, const struct conf_block *block,
                        const struct conf_node *node)
{
    struct span name = node->words[0].text;
    struct place place = node->words[0].place;

    if (is_later(c, name)) { /* also one that another context has already */
        message_error(c, place, "\"%.*s\" directive is known, not supported yet", shown(name),
                      name.at);
    } else if (rows_find(&c->rows, name) != NO_ROW) {
        message_error(c, place, "\"%.*s\" directive is not allowed here", shown(name), name.at);
        if (fits_outside(c, block, name))
            message_mark_misplaced(c, block->node);
    } else {
        message_error(c, place, "unknown directive \"%.*s\"", shown(name), name.at);
        if (c->messages.last == NULL)
            return; /* one of too many: not worth the search */
        conf_suggest(c, rows_nearest(&c->rows, name, block->context, &c->arena));
    }
}

/* A directive's name at the start of a further line: most likely the line before lacks its end. */
static void hint_at_missing_end(struct conf *c, const struct conf_node *node)
{
    for (unsigned i = 1; i < node->count; i++) {
        const struct conf_word *word = &node->words[i];

        if (word->quoted || word->place.line == node->words[i - 1].place.line ||
            rows_find(&c->rows, word->text) == NO_ROW)
            continue;
        conf_hint(c, "is a \";\" missing before \"%.*s\" in line %u?", shown(word->text),
                  word->text.at, word->place.line);
        return;
    }
}

/* NGINX's order: the end, then the number of words. */
static bool has_right_shape(struct conf *c, const struct directive *d, const struct conf_node *node)
{
    struct place place = node->words[0].place;
    unsigned args = node->count - 1;

    if (node->has_block && d->opens == 0)
        message_error(c, place, "directive \"%s\" is not terminated by \";\"", d->name);
    else if (!node->has_block && d->opens != 0)
        message_error(c, place, "directive \"%s\" has no opening \"{\"", d->name);
    else if (args < d->min_args || args > d->max_args)
        message_error(c, place, "invalid number of arguments in \"%s\" directive", d->name);
    else
        return true;
    hint_at_missing_end(c, node);
    return false;
}

/* The earlier line of the block that the row of `node` repeats; NULL: none. */
static const struct conf_node *earlier(const struct conf *c, const struct conf_node *first,
                                       const struct conf_node *node)
{
    unsigned leader = c->rows.all[node->row].leader;

    for (; first != node; first = first->next)
        if (first->row != NO_ROW && c->rows.all[first->row].leader == leader)
            return first;
    return NULL;
}

static bool is_single(struct conf *c, const struct building *b, const struct conf_node *first,
                      const struct conf_node *node)
{
    const struct row *row = &c->rows.all[node->row];

    if (row->directive->type->many || !bit_get(b->filled, row->leader))
        return true;
    const struct conf_node *before = earlier(c, first, node);
    if (before == NULL)
        return true;
    const char *name = row->directive->name, *other = c->rows.all[before->row].directive->name;
    struct span file = conf_file_name(c, before->words[0].place.file);

    if (before->row == node->row)
        message_error(c, node->words[0].place, "\"%s\" directive is duplicate", name);
    else
        message_error(c, node->words[0].place,
                      "\"%s\" directive is duplicate, \"%s\" directive was specified earlier", name,
                      other);
    conf_hint(c, "the first stands in %.*s:%u", shown(file), file.at, before->words[0].place.line);
    return false;
}

static void mark(struct conf *c, struct building *b, unsigned i)
{
    const struct row *row = &c->rows.all[i];

    bit_set(b->block->set, i);
    bit_set(b->filled, row->leader);
    b->traits[row->module] |= TRAIT_OWN;
    if (row->size == 0)
        return;
    switch (c->rows.all[row->leader].inherit) {
    case WHOLE:
    case LIST:
        break;
    case NONE:
        b->traits[row->module] |= TRAIT_KEEPS;
        break;
    case INTO_IF:
        b->traits[row->module] |= TRAIT_KEEPS_IF;
        break;
    }
}

/* Each line gets its row, or NO_ROW and a message. */
static void find_rows(struct conf *c, struct building *b, struct conf_node *first)
{
    unsigned order = 0;

    for (struct conf_node *node = first; node != NULL; node = node->next) {
        node->order = order++;
        uint32_t i =
            rows_pick(&c->rows, rows_find(&c->rows, node->words[0].text), b->block->context);

        if (i == NO_ROW) {
            refuse_name(c, b->block, node);
            continue;
        }
        if (!has_right_shape(c, c->rows.all[i].directive, node))
            continue;
        node->row = i;
        if (is_single(c, b, first, node))
            mark(c, b, i);
        else
            node->row = NO_ROW;
    }
}

/* What could not be read counts as not set: whoever reads the settings finds the default. */
static void run_setter(struct conf *c, struct building *b, struct conf_node *node,
                       struct conf_block *inner)
{
    const struct row *row = &c->rows.all[node->row];
    const struct directive *d = row->directive;
    struct conf_call call = { c, d, node, b->block, inner };
    unsigned errors = c->messages.errors;
    char *settings = b->block->settings[row->module];

    if (d->type->set(&call, settings + d->field))
        return;
    if (c->messages.errors == errors)
        message_error(c, node->words[0].place, "\"%s\" directive invalid value", d->name);
    hint_at_missing_end(c, node);
    if (!d->type->many) {
        bit_clear(b->block->set, node->row);
        bit_clear(b->filled, row->leader);
    }
}

static void run_setters(struct conf *c, struct building *b, struct conf_node *first)
{
    for (struct conf_node *node = first; node != NULL; node = node->next)
        if (node->row != NO_ROW && !opens_context(c->rows.all[node->row].directive))
            run_setter(c, b, node, NULL);
}

static struct building *building_get(struct conf *c)
{
    struct building *b = c->idle;

    if (b != NULL) {
        c->idle = b->idle;
        return b;
    }
    b = arena_zalloc(&c->arena, sizeof(*b));
    b->filled = bits_new(&c->arena, c->rows.count);
    b->traits = arena_zalloc(&c->arena, c->input.module_count);
    b->heirs = arena_zalloc(&c->arena, c->input.module_count * sizeof(void *));
    return b;
}

static struct building *building_new(struct conf *c, struct building *outer, unsigned context,
                                     const struct conf_node *node)
{
    struct building *b = building_get(c);
    struct arena *lasting = c->input.arena;

    b->block = arena_zalloc(lasting, sizeof(*b->block));
    *b->block = (struct conf_block){
        .context = context,
        .parent = outer ? outer->block : NULL,
        .node = node,
        .place = node ? node->words[0].place : (struct place){},
        .settings = arena_alloc(lasting, c->input.module_count * sizeof(void *)),
        .set = bits_new(lasting, c->rows.count),
    };
    b->outer = outer;
    return b;
}

static void building_free(struct conf *c, struct building *b)
{
    bits_clear(b->filled, c->rows.count);
    memset(b->traits, 0, c->input.module_count);
    memset(b->heirs, 0, c->input.module_count * sizeof(void *));
    b->idle = c->idle;
    c->idle = b;
}

static void build_inner(struct conf *c, struct building *b, struct conf_node *first)
{
    for (struct conf_node *node = first; node != NULL; node = node->next) {
        if (node->row == NO_ROW || !opens_context(c->rows.all[node->row].directive))
            continue;
        struct building *inner = building_new(c, b, c->rows.all[node->row].directive->opens, node);

        build_block(c, inner, node->first);
        run_setter(c, b, node, inner->block);
        building_free(c, inner);
    }
}

static void build_block(struct conf *c, struct building *b, struct conf_node *first)
{
    find_rows(c, b, first);
    inherit_begin(c, b);
    run_setters(c, b, first);
    inherit_end(c, b);
    build_inner(c, b, first);
}

/* Only for settings that are whole: else one mistake would be told twice. */
static void run_checks(struct conf *c)
{
    if (!conf_is_good(c))
        return;
    for (const struct made *made = c->made; made != NULL; made = made->next) {
        const struct conf_module *module = &c->input.modules[made->module];
        unsigned errors = c->messages.errors;

        if (!module->check(c, made->block, made->block->settings[made->module]) &&
            c->messages.errors == errors)
            message_error(c, made->block->place, "the settings of \"%s\" do not fit together",
                          module->name);
    }
}

static struct conf *conf_new(const struct conf_input *input)
{
    struct conf *c = calloc(1, sizeof(*c));

    if (c == NULL)
        abort();
    c->input = *input;
    arena_init_growing(&c->arena);
    c->messages.end = &c->messages.first;
    c->made_end = &c->made;
    c->files.command_line = NO_FILE;
    c->words = malloc(MOST_WORDS * sizeof(*c->words));
    if (c->words == NULL)
        abort();
    rows_init(&c->rows, input->modules, input->module_count, &c->arena);
    c->defaults = arena_zalloc(&c->arena, input->module_count * sizeof(void *));
    c->parsed = bits_new(&c->arena, c->rows.count);
    c->warned = bits_new(&c->arena, c->rows.count);
    return c;
}

struct conf *conf_build(const struct conf_input *input)
{
    struct conf *c = conf_new(input);
    struct conf_node *first = parser_read(c);
    struct building *top = building_new(c, NULL, CTX_MAIN | CTX_HTTP, NULL);

    c->top = top->block;
    c->first = first;
    build_block(c, top, first);
    run_checks(c);
    message_sort(c);
    return c;
}

struct conf_block *conf_top(const struct conf *c)
{
    return c->top;
}

void conf_free(struct conf **c)
{
    if (*c == NULL)
        return;
    arena_done(&(*c)->arena);
    free((*c)->words);
    free(*c);
    *c = NULL;
}
