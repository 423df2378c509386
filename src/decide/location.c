/* Locations by path (nginx-semantics 5). In each scope, a server or a location with others inside:
 *
 *     1. `=` that is equal
 *     2. the longest prefix, and what is nested in it; if that is only a prefix, and no `^~`:
 *     3. the first expression that matches, and what is nested in it
 *
 * `location @name` stands in the generation's list: exchange_restart_named alone leads there. */
#include "decide/location.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "base/pattern.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "decide/location_table.h"
#include "exchange/core.h"
#include "exchange/exchange.h"
#include "exchange/expression.h"
#include "exchange/generation.h"
#include "exchange/location_line.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/trace.h"
#include "exchange/worker.h"
#include "proto/framing.h"
#include "proto/uri.h"

struct location_settings {
    struct conf_list lines; /* of struct location, as they stand in the block */
    struct location_table prefixes;
    struct location_table exact;
    struct conf_list expressions; /* of struct location, in the order of the file */
    bool internal;
};

/* --- reading a line ------------------------------------------------------------------------- */

static bool read_line(struct conf_call *call, struct location *ret)
{
    struct location_line line;

    if (!location_line_read(call->node, &line))
        return conf_refuse(call, 1, "invalid location modifier \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, 1)));
    ret->kind = line.kind;
    ret->path = (struct span){ arena_cstr(conf_arena(call), line.path), line.path.len };
    if (ret->kind != LOCATION_EXPRESSION)
        return true;
    ret->expression = expression_new(call, conf_count(call) - 1, ret->path, line.caseless);
    return ret->expression != NULL;
}

/* As people write it, but for the modifiers of prefixes: those decide nothing once it was found. */
static struct span label_of(struct conf_call *call, const struct location *l)
{
    const char *modifier = span_starts(conf_word(call, 1), "~*") ? "~* " : "~ ";
    struct buf made;

    if (l->kind != LOCATION_EXPRESSION)
        return l->path;
    buf_init(&made, l->path.len + 4, NULL);
    buf_adds(&made, modifier);
    buf_add(&made, l->path);
    struct span kept = { arena_cstr(conf_arena(call), buf_view(&made)),
                         l->path.len + strlen(modifier) };
    buf_done(&made);
    return kept;
}

static void keep_named(struct conf_call *call, const struct location *l)
{
    struct generation *g = conf_user(call);
    struct named_location named = { call->block, l->path, l->block };

    generation_list_add(g, &g->named, &named, sizeof(named));
}

/* May it stand inside the location around it, whose line is not read yet? */
static bool nests_well(struct conf_call *call, const struct location *l)
{
    struct arena *arena = conf_arena(call);
    struct location_line outer;

    if (!(call->block->context & CTX_LOCATION) || !location_line_read(call->block->node, &outer))
        return true;
    const char *path = l->path.at, *around = arena_cstr(arena, outer.path);
    if (outer.kind == LOCATION_EXACT)
        return conf_refuse_inside(
            call, 0, "location \"%s\" cannot be inside the exact location \"%s\"", path, around);
    if (outer.kind == LOCATION_NAMED)
        return conf_refuse_inside(
            call, 0, "location \"%s\" cannot be inside the named location \"%s\"", path, around);
    if (l->kind == LOCATION_NAMED)
        return conf_refuse_inside(call, 0, "named location \"%s\" can be on the server level only",
                                  path);
    if (l->kind != LOCATION_EXPRESSION && !span_starts(l->path, around))
        return conf_refuse_inside(call, 0, "location \"%s\" is outside location \"%s\"", path,
                                  around);
    return true;
}

static bool set_location(struct conf_call *call, void *field)
{
    struct location made = { .block = call->inner, .place = conf_place(call, 0), .shorter = -1 };

    if (!read_line(call, &made) || !nests_well(call, &made))
        return false;
    call->inner->label = label_of(call, &made);
    if (made.kind == LOCATION_NAMED)
        keep_named(call, &made);
    return conf_list_add(call, field, &made, sizeof(made));
}

static bool set_internal(struct conf_call *call, void *field)
{
    *(bool *)field = conf_count(call) == 1;
    return true;
}

static const struct conf_type location_block = { .set = set_location,
                                                 .size = sizeof(struct conf_list),
                                                 .many = true };
static const struct conf_type internal_type = { .set = set_internal, .size = sizeof(bool) };

static const struct directive directives[] = {
    { "location", CTX_SERVER | CTX_LOCATION, 1, 2, &location_block,
      offsetof(struct location_settings, lines), NULL, NONE,
      "settings for paths: `/begins`, `= /equal`, `^~ /begins`, `~ regex`, `~* regex`, `@name`",
      CTX_LOCATION, NULL },
    { "internal", CTX_LOCATION, 0, 0, &internal_type, offsetof(struct location_settings, internal),
      NULL, WHOLE, "404 for clients that ask for it; internal redirects lead here", 0, NULL },
    {},
};

/* --- what was read -------------------------------------------------------------------------- */

/* Settings that a location has of its own, with locations inside. */
static void link_inner(struct conf *conf, struct location *l)
{
    const struct generation *g = conf_user_of(conf);
    const struct location_settings *inner =
        settings_in(l->block, module_index(g, &location_module));

    if (inner->lines.len > 0)
        l->inner = inner;
}

static bool matches_all(struct span label)
{
    static const char *const all[] = { "~ /",    "~ ^/",   "~ .*",    "~ .",    "~ ^",
                                       "~ ^.*$", "~ ^/.*", "~* /",    "~* ^/",  "~* .*",
                                       "~* .",   "~* ^",   "~* ^.*$", "~* ^/.*" };

    for (size_t i = 0; i < COUNT(all); i++)
        if (span_is(label, all[i]))
            return true;
    return false;
}

/* An expression that the search never comes to: an earlier one takes all that it could match. */
static void warn_of_hidden(struct conf *conf, const struct conf_list *expressions)
{
    enum { MOST_COMPARED = 1000 };
    const struct location *all = expressions->items;

    for (uint32_t i = 1; i < expressions->len && i < MOST_COMPARED; i++)
        for (uint32_t k = 0; k < i; k++) {
            struct span label = all[i].block->label, before = all[k].block->label;

            if (!span_same(label, before) && !matches_all(before))
                continue;
            conf_caution(conf, all[i].place, "location \"%.*s\" is never reached", (int)label.len,
                         label.at);
            conf_hint(conf, "\"%.*s\" of line %u comes first and takes all of its paths",
                      (int)before.len, before.at, all[k].place.line);
            break;
        }
}

/* A `return` of the server answers before any location is looked for. */
static void warn_of_return(struct conf *conf, const struct conf_block *block,
                           const struct location *first)
{
    static const char *const ways_round[] = { "if", "break", "rewrite" };

    if (block->context != CTX_SERVER || !conf_stands(conf, block, "return") ||
        first->kind == LOCATION_NAMED)
        return;
    for (size_t i = 0; i < COUNT(ways_round); i++)
        if (conf_stands(conf, block, ways_round[i]))
            return;
    conf_caution(conf, first->place, "location \"%s\" is never reached", first->path.at);
    conf_hint(conf, "the \"return\" of its server answers every request before");
}

/* Outer blocks come first; inner settings are linked before their tables are made. */
static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct location_settings *own = settings;
    struct location *lines = own->lines.items;
    struct generation *g = conf_user_of(conf);
    bool good = true;

    for (uint32_t i = 0; i < own->lines.len; i++) {
        link_inner(conf, &lines[i]);
        if (lines[i].kind == LOCATION_EXPRESSION)
            generation_list_add(g, &own->expressions, &lines[i], sizeof(lines[i]));
    }
    if (conf_advises(conf) && own->lines.len > 0) {
        warn_of_return(conf, block, lines);
        warn_of_hidden(conf, &own->expressions);
    }
    good = location_table_build(conf, &own->lines, false, &own->prefixes) && good;
    return location_table_build(conf, &own->lines, true, &own->exact) && good;
}

/* --- the search ----------------------------------------------------------------------------- */

struct search {
    struct exchange *x;
    struct span path;
    const struct location *at; /* the deepest found; NULL: none */
};

enum found {
    FOUND_NOTHING,
    FOUND_PREFIX, /* an expression may still win */
    FOUND_FINAL,
    FOUND_SLASHED, /* `path/`: a redirect to it */
    FOUND_LIMIT    /* an expression was given up */
};

/* A location `path/`, exact or not, answers for `path` with a redirect if `path` has none. */
static enum found find_path(struct search *s, const struct location_settings *own)
{
    const struct location *equal = location_table_equal(&own->exact, s->path), *slashed;

    if (equal != NULL) {
        s->at = equal;
        return FOUND_FINAL;
    }
    slashed = location_table_slashed(&own->prefixes, s->path);
    if (slashed == NULL)
        slashed = location_table_slashed(&own->exact, s->path);
    if (slashed != NULL && location_table_equal(&own->prefixes, s->path) == NULL) {
        s->at = slashed;
        return FOUND_SLASHED;
    }
    const struct location *prefix = location_table_prefix(&own->prefixes, s->path);
    if (prefix == NULL)
        return FOUND_NOTHING;
    s->at = prefix;
    return FOUND_PREFIX;
}

static enum found find_in(struct search *s, const struct location_settings *own);

/* What is nested in the location just found; `found` if nothing there fits. */
static enum found find_deeper(struct search *s, enum found found)
{
    enum found deeper = s->at->inner != NULL ? find_in(s, s->at->inner) : FOUND_NOTHING;

    return deeper != FOUND_NOTHING ? deeper : found;
}

static enum found find_expression(struct search *s, const struct location_settings *own,
                                  enum found found)
{
    const struct location *all = own->expressions.items;

    for (uint32_t i = 0; i < own->expressions.len; i++) {
        switch (expression_match(s->x, all[i].expression, s->path)) {
        case PATTERN_NO:
            continue;
        case PATTERN_LIMIT:
            return FOUND_LIMIT;
        case PATTERN_MATCH:
            s->at = &all[i];
            return find_deeper(s, FOUND_FINAL) == FOUND_LIMIT ? FOUND_LIMIT : FOUND_FINAL;
        }
    }
    return found;
}

/* As deep as blocks are nested in the file, which the parser bounds. */
static enum found find_in(struct search *s, const struct location_settings *own)
{
    enum found found = find_path(s, own);
    bool ask = true;

    if (found == FOUND_PREFIX) {
        ask = s->at->kind != LOCATION_CARET;
        found = find_deeper(s, found);
    }
    return ask && (found == FOUND_PREFIX || found == FOUND_NOTHING) ? find_expression(s, own, found)
                                                                    : found;
}

/* --- the hook ------------------------------------------------------------------------------- */

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
    exchange_log(x, LEVEL_ERROR, 0, "client intended to send too large body: %llu bytes",
                 (unsigned long long)x->request.length);
    decided(x, DECIDED_LIMIT, REFUSE, x->block->place, "client_max_body_size");
    x->fault = FAULT_BODY_TOO_LARGE;
    return exchange_fail(x);
}

static bool is_forbidden(const struct exchange *x)
{
    const struct location_settings *own =
        settings_in(x->block, module_index(x->generation, &location_module));

    return own->internal && !exchange_is_internal(x);
}

static const char *way_to(const struct location *l, bool slashed)
{
    if (slashed)
        return "it answers for the path without its slash";
    switch (l->kind) {
    case LOCATION_PREFIX:
        return "longest prefix";
    case LOCATION_CARET:
        return "longest prefix, no expression is asked";
    case LOCATION_EXACT:
        return "equal";
    case LOCATION_EXPRESSION:
        return "first expression that matches";
    case LOCATION_NAMED:
        break;
    }
    return "by its name";
}

/* Nested ones are told with the block around them. */
static void tell_way(struct exchange *x, const struct location *l, enum verdict verdict)
{
    const struct conf_block *around = l->block->parent;
    const char *way = way_to(l, verdict == ANSWER);

    if (verdict == REFUSE)
        trace_why(x, "%s, but it is internal", way);
    else if (around != NULL && around->context == CTX_LOCATION)
        trace_why(x, "%s, inside %s", way, around->label.at);
    else
        trace_why(x, "%s", way);
}

static enum verdict enter(struct exchange *x, const struct location *l, enum verdict verdict)
{
    exchange_enter(x, l->block);
    if (is_forbidden(x))
        verdict = REFUSE;
    decided(x, DECIDED_LOCATION, verdict, l->place, l->block->label.at);
    if (trace_of(x) != NULL)
        tell_way(x, l, verdict);
    return verdict == REFUSE ? exchange_refuse(x, 404, NULL) : verdict;
}

static void tell_none(struct exchange *x, enum verdict verdict, const char *why)
{
    static const struct place nowhere;

    if (trace_of(x) == NULL)
        return;
    trace_say(x, DECIDED_LOCATION, verdict, nowhere, "none");
    trace_why(x, "%s", why);
}

static enum verdict find_location(struct exchange *x, const void *settings)
{
    struct search search = { .x = x, .path = x->request.uri };
    enum verdict verdict = NEXT;

    if (exchange_is_forward(x))
        return NEXT;
    switch (find_in(&search, settings)) {
    case FOUND_NOTHING:
        tell_none(x, NEXT, "no location has the path");
        break;
    case FOUND_PREFIX:
    case FOUND_FINAL:
        verdict = enter(x, search.at, NEXT);
        break;
    case FOUND_SLASHED:
        verdict = enter(x, search.at, ANSWER);
        return verdict == ANSWER ? redirect_to(x, search.at->path) : verdict;
    case FOUND_LIMIT:
        tell_none(x, REFUSE, "an expression was given up at its limit");
        return exchange_refuse(x, 500, NULL);
    }
    return verdict == NEXT ? check_length(x) : verdict;
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
