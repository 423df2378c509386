/* What a setter may ask of the line that it was given: words, places, memory. */
#include "conf/call.h"

#include "base/arena.h"
#include "conf/rows.h"
#include "conf/settings.h"
#include "conf/state.h"
#include "conf/tree.h"

struct span conf_word(const struct conf_call *call, unsigned i)
{
    if (i >= call->node->count)
        return (struct span){ "", 0 };
    struct conf_word *word = &call->node->words[i];

    if (!word->kept) {
        word->text = arena_copy(conf_arena(call), word->text);
        word->kept = true;
    }
    return word->text;
}

unsigned conf_count(const struct conf_call *call)
{
    return call->node->count;
}

bool conf_is_quoted(const struct conf_call *call, unsigned i)
{
    return i < call->node->count && call->node->words[i].quoted;
}

struct place conf_place(const struct conf_call *call, unsigned word)
{
    unsigned last = call->node->count - 1;

    return call->node->words[word < last ? word : last].place;
}

struct arena *conf_arena(const struct conf_call *call)
{
    return call->conf->input.arena;
}

struct arena *conf_arena_of(struct conf *conf)
{
    return conf->input.arena;
}

void *conf_user(const struct conf_call *call)
{
    return call->conf->input.user;
}

void *conf_user_of(struct conf *conf)
{
    return conf->input.user;
}

bool conf_stands(const struct conf *conf, const struct conf_block *block, const char *name)
{
    const struct rows *rows = &conf->rows;

    for (uint32_t i = rows_find(rows, span_of(name)); i != NO_ROW; i = rows->all[i].next)
        if (bit_get(block->set, i))
            return true;
    return false;
}

static void make_room(struct conf_call *call, struct conf_list *list, size_t size)
{
    uint32_t room = list->room > 0 ? list->room * 2 : 1; /* most lists stay alone */
    void *items = arena_alloc(conf_arena(call), room * size);

    if (list->len > 0)
        memcpy(items, list->items, list->len * size);
    list->items = items;
    list->room = room;
}

bool conf_list_add(struct conf_call *call, struct conf_list *list, const void *item, size_t size)
{
    enum { MOST_ITEMS = 1 << 24 };

    if (list->len >= MOST_ITEMS)
        return conf_refuse(call, 0, "too many \"%s\", at most %d", call->row->name, MOST_ITEMS);
    if (list->len >= list->room)
        make_room(call, list, size);
    memcpy((char *)list->items + list->len * size, item, size);
    list->size = (uint32_t)size;
    list->len++;
    return true;
}
