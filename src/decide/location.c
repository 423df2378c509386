/* Locations by path (nginx-semantics 5): an equal `=` location, else the longest prefix. Prefixes
 * are sorted; each knows the longest other one that it begins with, so the answer is the last entry
 * not above the path or one of its ancestors:
 *
 *     /   <- /api/ <- /api/v1/     path /api/v2: the search stops at /api/v1/, which is no prefix
 *         <- /static/              of it; its ancestor /api/ is
 */
#include "decide/location.h"

#include "conf/call.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "proto/uri.h"

#include <stdlib.h>

struct location {
    struct span path;
    const struct conf_block *block;
    struct place place;
    int32_t shorter; /* index of its longest proper prefix; -1: none */
    bool exact;
};

struct location_table { /* sorted by path */
    struct location *at;
    uint32_t count;
};

struct location_settings {
    struct conf_list lines; /* of struct location, as they stand in the server block */
    struct location_table prefixes;
    struct location_table exact;
};

/* `location [= | ^~] PATH`. Without regular expressions `^~` says nothing more than a plain prefix.
 */
static bool read_path(struct conf_call *call, struct location *ret)
{
    struct span first = conf_word(call, 1);
    bool modified = conf_count(call) == 3;

    ret->path = modified ? conf_word(call, 2) : first;
    if (span_starts(first, "~") || (!modified && span_starts(first, "@")))
        return conf_refuse(
            call, 1, "location \"%s\": regular expressions and names are known, not supported yet",
            arena_cstr(conf_arena(call), ret->path));
    if (modified && span_is(first, "=")) {
        ret->exact = true;
    } else if (!modified && span_starts(first, "=")) {
        ret->exact = true;
        ret->path = span_from(first, 1);
    } else if (!modified && span_starts(first, "^~")) {
        ret->path = span_from(first, 2);
    } else if (modified && !span_is(first, "^~")) {
        return conf_refuse(call, 1, "invalid location modifier \"%s\"",
                           arena_cstr(conf_arena(call), first));
    }
    return true;
}

static bool set_location(struct conf_call *call, void *field)
{
    struct location made = { .block = call->inner, .place = conf_place(call, 0), .shorter = -1 };

    if (call->block->context != CTX_SERVER)
        return conf_refuse(call, 0, "nested locations are known, not supported yet");
    if (!read_path(call, &made))
        return false;
    call->inner->label = (struct span){ arena_cstr(conf_arena(call), made.path), made.path.len };
    return conf_list_add(call, field, &made, sizeof(made));
}

static const struct conf_type location_block = { .set = set_location,
                                                 .size = sizeof(struct conf_list),
                                                 .many = true };

static const struct directive directives[] = {
    { "location", CTX_SERVER | CTX_LOCATION, 1, 2, &location_block,
      offsetof(struct location_settings, lines), NULL, NONE, "settings for paths that begin so",
      CTX_LOCATION, NULL },
    {},
};

/* --- tables --------------------------------------------------------------------------------- */

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

static bool build_table(struct conf *conf, const struct conf_list *lines, bool exact,
                        struct location_table *ret)
{
    const struct location *all = lines->items;
    bool good = true;

    ret->at = arena_alloc(conf_arena_of(conf), sizeof(*all) * (lines->len + 1));
    for (uint32_t i = 0; i < lines->len; i++)
        if (all[i].exact == exact)
            ret->at[ret->count++] = all[i];
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

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct location_settings *own = settings;

    if (block->context != CTX_SERVER)
        return true;
    bool good = build_table(conf, &own->lines, false, &own->prefixes);
    return build_table(conf, &own->lines, true, &own->exact) && good;
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

static const struct location *find_exact(const struct location_table *t, struct span path)
{
    int32_t at = last_not_above(t, path);

    return at >= 0 && compare(t->at[at].path, path) == 0 ? &t->at[at] : NULL;
}

static const struct location *find_prefix(const struct location_table *t, struct span path)
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

static const struct location *slashed_in(const struct location_table *t, struct span path)
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

/* The location `path/`, exact or not, if it answers for `path` with a redirect (nginx-semantics 5).
 */
static const struct location *find_slashed(const struct location_settings *own, struct span path)
{
    const struct location *found = slashed_in(&own->prefixes, path);

    if (found == NULL)
        found = slashed_in(&own->exact, path);
    return found != NULL && find_exact(&own->prefixes, path) == NULL ? found : NULL;
}

static enum verdict redirect_to(struct exchange *x, struct span path)
{
    struct buf location;

    buf_init(&location, 64 * 1024, &x->worker->budget);
    uri_escape(path, ESCAPE_URI, &location);
    if (x->request.args.len > 0) {
        buf_add_byte(&location, '?');
        buf_add(&location, x->request.args);
    }
    struct span text = arena_copy(&x->arena, buf_view(&location));
    buf_done(&location);
    return exchange_redirect(x, 301, text);
}

/* Checked each time a location is found (nginx-semantics 4.4). */
static enum verdict check_length(struct exchange *x)
{
    uint64_t limit = core_body_limit(x->core, exchange_is_forward(x));

    if (limit == 0 || x->request.framing != BODY_LENGTH || x->request.length <= limit)
        return NEXT;
    exchange_log(x, LEVEL_INFO, 0, "client intended to send too large body: %llu bytes",
                 (unsigned long long)x->request.length);
    x->fault = FAULT_BODY_TOO_LARGE;
    return exchange_fail(x);
}

static enum verdict find_location(struct exchange *x, const void *settings)
{
    const struct location_settings *own = settings;
    const struct location *found;

    if (exchange_is_forward(x))
        return NEXT;
    found = find_exact(&own->exact, x->request.uri);
    if (found == NULL) {
        const struct location *slashed = find_slashed(own, x->request.uri);

        if (slashed != NULL) {
            exchange_enter(x, slashed->block);
            decided(x, DECIDED_LOCATION, ANSWER, slashed->place, slashed->block->label.at);
            return redirect_to(x, slashed->path);
        }
        found = find_prefix(&own->prefixes, x->request.uri);
    }
    if (found != NULL) {
        exchange_enter(x, found->block);
        decided(x, DECIDED_LOCATION, NEXT, found->place, found->block->label.at);
    }
    return check_length(x);
}

static const struct hook hooks[] = {
    { .phase = PHASE_FIND, .run = find_location },
    {},
};

const struct module location_module = {
    .name = "location",
    .directives = directives,
    .hooks = hooks,
    .settings_size = sizeof(struct location_settings),
    .check = check,
};
