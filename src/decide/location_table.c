/* Locations by path. Prefixes are sorted; each knows the longest other one that it begins with, so
 * the answer is the last entry not above the path or one of its ancestors:
 *
 *     /   <- /api/ <- /api/v1/     path /api/v2: the search stops at /api/v1/, which is no prefix
 *         <- /static/              of it; its ancestor /api/ is
 */
#include "decide/location_table.h"

#include "base/arena.h"
#include "conf/call.h"

#include <stdlib.h>

static int compare(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.at, b.at, len) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_locations(const void *a, const void *b)
{
    return compare(((const struct location *)a)->path, ((const struct location *)b)->path);
}

static bool begins_with(struct span path, struct span prefix)
{
    return span_same(span_first(path, prefix.len), prefix);
}

static bool belongs(const struct location *l, bool exact)
{
    return exact ? l->kind == LOCATION_EXACT : location_is_prefix(l);
}

bool location_table_build(struct conf *conf, const struct conf_list *lines, bool exact,
                          struct location_table *ret)
{
    const struct location *all = lines->items;
    uint32_t count = 0, at = 0;
    bool good = true;

    for (uint32_t i = 0; i < lines->len; i++)
        count += belongs(&all[i], exact);
    if (count == 0)
        return true;
    ret->at = arena_alloc(conf_arena_of(conf), sizeof(*all) * count);
    ret->count = count;
    for (uint32_t i = 0; i < lines->len; i++)
        if (belongs(&all[i], exact))
            ret->at[at++] = all[i];
    qsort(ret->at, ret->count, sizeof(*ret->at), compare_locations);
    for (uint32_t i = 1; i < ret->count; i++) {
        struct location *own = &ret->at[i];

        if (compare(own[-1].path, own->path) == 0)
            good = conf_complain(conf, own->place, "duplicate location \"%.*s\"",
                                 (int)own->path.len, own->path.at);
        own->shorter = (int32_t)i - 1;
        while (own->shorter >= 0 && !begins_with(own->path, ret->at[own->shorter].path))
            own->shorter = ret->at[own->shorter].shorter;
    }
    return good;
}

/* The last entry that is not above `path`; -1: none. */
static int32_t last_not_above(const struct location_table *t, struct span path)
{
    uint32_t low = 0, high = t->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (compare(t->at[middle].path, path) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (int32_t)low - 1;
}

const struct location *location_table_equal(const struct location_table *t, struct span path)
{
    int32_t at = last_not_above(t, path);

    return at >= 0 && compare(t->at[at].path, path) == 0 ? &t->at[at] : NULL;
}

const struct location *location_table_prefix(const struct location_table *t, struct span path)
{
    int32_t at = last_not_above(t, path);

    while (at >= 0 && !begins_with(path, t->at[at].path))
        at = t->at[at].shorter;
    return at >= 0 ? &t->at[at] : NULL;
}

/* Where `path/` stands beside `entry`: others may stand between `path` and it (`/a-b` sorts before
 * `/a/`). */
static int compare_slashed(struct span entry, struct span path)
{
    int order = compare(span_first(entry, path.len), path);

    if (order != 0 || entry.len == path.len)
        return order != 0 ? order : -1;
    if (entry.at[path.len] != '/')
        return (unsigned char)entry.at[path.len] < '/' ? -1 : 1;
    return entry.len > path.len + 1;
}

const struct location *location_table_slashed(const struct location_table *t, struct span path)
{
    uint32_t low = 0, high = t->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_slashed(t->at[middle].path, path);

        if (order == 0)
            return t->at[middle].block->slash_redirect ? &t->at[middle] : NULL;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
