/* The tree of settings as a counted object, and the tables by which an exchange finds its way in
 * it. */
#include "exchange/generation.h"

#include "base/zone.h"
#include "conf/call.h"
#include "exchange/expression.h"
#include "exchange/filter.h"
#include "exchange/listener.h"
#include "exchange/module.h"
#include "exchange/worker.h"
#include "exchange/zone_line.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Notes the hooks of a phase, in the order of the modules; NULL: only counts them. */
static unsigned gather_hooks(const struct generation *g, enum phase phase, struct hook_entry *ret)
{
    unsigned count = 0;

    for (unsigned m = 0; m < g->module_count; m++)
        for (const struct hook *h = g->modules[m]->hooks; h != NULL && h->run != NULL; h++)
            if (h->phase == phase && ret != NULL)
                ret[count++] = (struct hook_entry){ h, m };
            else
                count += h->phase == phase;
    return count;
}

static void index_hooks(struct generation *g, enum phase phase)
{
    unsigned count = gather_hooks(g, phase, NULL);

    g->index.hooks[phase] = arena_alloc(&g->arena, sizeof(struct hook_entry) * (count + 1));
    g->index.hook_count[phase] = gather_hooks(g, phase, g->index.hooks[phase]);
}

static void index_filters(struct generation *g)
{
    g->index.filters = arena_alloc(&g->arena, sizeof(unsigned) * (g->module_count + 1));
    for (enum filter_slot slot = 0; slot < FILTER_SLOTS; slot++)
        for (unsigned m = 0; m < g->module_count; m++)
            if (g->modules[m]->filter != NULL && g->modules[m]->filter->slot == slot)
                g->index.filters[g->index.filter_count++] = m;
}

void generation_index_modules(struct generation *g)
{
    for (enum phase phase = 0; phase < PHASES; phase++)
        index_hooks(g, phase);
    index_filters(g);
    g->index.loggers = arena_alloc(&g->arena, sizeof(unsigned) * (g->module_count + 1));
    for (unsigned m = 0; m < g->module_count; m++)
        if (g->modules[m]->log != NULL)
            g->index.loggers[g->index.logger_count++] = m;
}

unsigned module_index(const struct generation *g, const struct module *m)
{
    for (unsigned i = 0; i < g->module_count; i++)
        if (g->modules[i] == m)
            return i;
    abort();
}

struct generation *generation_ref(struct generation *g)
{
    g->refs++;
    return g;
}

static void let_zones_go(struct generation *g)
{
    struct zone_line *const *all = g->zones.items;

    for (uint32_t i = 0; i < g->zones.len; i++)
        zone_unref(&all[i]->zone);
}

void generation_unref(struct generation **ref)
{
    struct generation *g = *ref;

    *ref = NULL;
    if (g == NULL || --g->refs > 0)
        return;
    for (unsigned m = g->module_count; m-- > 0;)
        if (g->worker != NULL && g->modules[m]->stop != NULL)
            g->modules[m]->stop(g->worker, g, settings_in(g->top, m));
    let_zones_go(g);
    expressions_free(g);
    if (g->bundle.len > 0)
        munmap((void *)(uintptr_t)g->bundle.at, g->bundle.len);
    arena_done(&g->arena);
    free(g);
}

const struct errlog *block_log(const struct worker *w, const struct generation *g,
                               const struct conf_block *block)
{
    const struct errlog *own = g->logs.of != NULL && block != NULL ? g->logs.of(g, block) : NULL;

    return own != NULL ? own : w->log;
}

struct span place_file(const struct generation *g, struct place place)
{
    const struct span *names = g->file_names.items;

    return place.file < g->file_names.len ? names[place.file] : (struct span){ NULL, 0 };
}

void generation_list_add(struct generation *g, struct conf_list *list, const void *item,
                         size_t size)
{
    if (list->len == list->room) {
        uint32_t room = list->room > 0 ? list->room * 2 : 8;
        char *items = arena_alloc(&g->arena, room * size);

        if (list->len > 0)
            memcpy(items, list->items, list->len * size);
        list->items = items;
        list->room = room;
        list->size = (uint32_t)size;
    }
    memcpy((char *)list->items + list->len++ * size, item, size);
}

const struct conf_block *listener_first_server(const struct listener *l, struct span named,
                                               struct worker *w)
{
    const struct conf_block *found =
        named.len > 0 && l->find != NULL ? l->find(l, named, w, NULL) : NULL;

    return found != NULL ? found : l->fallback;
}

bool generation_serves(struct conf_call *call, struct conf_block *block)
{
    struct generation *g = conf_user(call);
    struct conf_block **blocks = g->servers.items;

    if (g->servers.len > 0 && blocks[g->servers.len - 1] == block)
        return true;
    return conf_list_add(call, &g->servers, &block, sizeof(block));
}
