/* The lines of a configuration that ask for shared memory. */
#include "exchange/zone_line.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/generation.h"

enum { LEAST_PAGES = 8, PAGE = 4096 }; /* NGINX's least: eight pages */

static const char zone_equals[] = "zone=";

bool zone_is_word(struct span word)
{
    return span_starts(word, zone_equals);
}

bool zone_read(struct conf_call *call, unsigned word, struct span *ret_name, size_t *ret_size)
{
    struct span all = conf_word(call, word), rest = span_from(all, sizeof(zone_equals) - 1);
    size_t colon = span_find(rest, ':');
    const char *text = arena_cstr(conf_arena(call), all);
    uint64_t size;

    if (colon == 0)
        return conf_refuse(call, word, "\"%s\" must have \"zone\" parameter", call->row->name);
    if (colon == rest.len || !conf_read_size(span_from(rest, colon + 1), false, &size) ||
        size > UINT32_MAX)
        return conf_refuse(call, word, "invalid zone size \"%s\"", text);
    if (size < LEAST_PAGES * PAGE)
        return conf_refuse(call, word, "zone \"%s\" is too small", text);
    *ret_name = (struct span){ rest.at, colon };
    *ret_size = size;
    return true;
}

void zone_declare(struct generation *g, const struct zone_line *line)
{
    struct zone_line *kept = arena_alloc(&g->arena, sizeof(*kept));

    *kept = *line;
    generation_list_add(g, &g->zones, &kept, sizeof(kept));
}

struct zone_line *zone_named(const struct generation *g, struct span name)
{
    struct zone_line *const *all = g->zones.items;

    for (uint32_t i = 0; i < g->zones.len; i++)
        if (span_same(all[i]->name, name))
            return all[i];
    return NULL;
}

struct zone_line *zone_meant(struct conf *conf, struct place place, struct span name,
                             const char *use)
{
    struct zone_line *line = zone_named(conf_user_of(conf), name);
    int len = (int)name.len;

    if (line == NULL)
        conf_complain(conf, place, "zero size shared memory zone \"%.*s\": no \"%s\" declares it",
                      len, name.at, use);
    else if (strcmp(line->use, use) != 0)
        conf_complain(conf, place,
                      "the shared memory zone \"%.*s\" is already declared for a different use",
                      len, name.at);
    else
        return line;
    return NULL;
}
