/* Regular expressions of a configuration: compiled once for a generation, which owns them; matched
 * in the worker's room. What matched is a note of the exchange. */
#include "exchange/expression.h"

#include "base/errlog.h"
#include "conf/call.h"
#include "exchange/declared.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/log.h"
#include "exchange/variable.h"
#include "exchange/worker.h"

enum { GROUPS = 10, SHOWN = 200 };

struct expression_name {
    const struct declared *variable;
    unsigned group;
};

struct expression {
    struct pattern *pattern; /* owned by the generation's list */
    struct span text;        /* as written; ended by a zero */
    struct expression_name *names;
};

static const char groups_key; /* of a note: struct span[GROUPS] */

static bool get_group(struct exchange *x, struct span arg, struct span *ret)
{
    const struct span *groups = exchange_note(x, &groups_key);
    unsigned n = (unsigned)(arg.at[0] - '0');

    if (groups == NULL || groups[n].at == NULL)
        return false;
    *ret = groups[n];
    return true;
}

const struct variable expression_group = { .name = "1", .get = get_group };

static bool declare_names(struct conf_call *call, unsigned word, struct expression *e)
{
    unsigned count = pattern_name_count(e->pattern);

    e->names = arena_alloc(conf_arena(call), (count + 1) * sizeof(*e->names));
    for (unsigned i = 0; i < count; i++) {
        struct span name = pattern_name(e->pattern, i, &e->names[i].group);

        e->names[i].variable = declared_add(call, word, name);
        if (e->names[i].variable == NULL)
            return false;
    }
    return true;
}

const struct expression *expression_new(struct conf_call *call, unsigned word, struct span text,
                                        bool caseless)
{
    struct expression *e = arena_zalloc(conf_arena(call), sizeof(*e));
    struct generation *g = conf_user(call);
    char reason[PATTERN_REASON];
    size_t at;

    e->text = (struct span){ arena_cstr(conf_arena(call), text), text.len };
    e->pattern = pattern_new(e->text, caseless, reason, &at);
    if (e->pattern == NULL && at < text.len)
        conf_refuse(call, word, "pcre2_compile() failed: %s in \"%s\" at \"%s\"", reason,
                    e->text.at, e->text.at + at);
    else if (e->pattern == NULL)
        conf_refuse(call, word, "pcre2_compile() failed: %s in \"%s\"", reason, e->text.at);
    if (e->pattern == NULL)
        return NULL;
    generation_list_add(g, &g->patterns, &e->pattern, sizeof(e->pattern));
    return declare_names(call, word, e) ? e : NULL;
}

bool expression_has_groups(const struct expression *e)
{
    return pattern_group_count(e->pattern) > 0;
}

struct span expression_text(const struct expression *e)
{
    return e->text;
}

void expression_forget(struct exchange *x)
{
    struct span *groups = exchange_note(x, &groups_key);

    if (groups != NULL)
        memset(groups, 0, GROUPS * sizeof(*groups));
}

/* A group lives as long as the exchange, its subject perhaps not: the groups get a copy of it. */
static void keep_groups(struct exchange *x, const struct expression *e, struct span subject,
                        struct pattern_groups *found)
{
    struct span *groups = exchange_note(x, &groups_key);

    if (groups == NULL) {
        groups = arena_alloc(&x->arena, GROUPS * sizeof(*groups));
        exchange_keep(x, &groups_key, groups);
    }
    found->subject = arena_copy(&x->arena, subject);
    for (unsigned i = 0; i < GROUPS; i++)
        groups[i] = pattern_group(found, i);
    for (unsigned i = 0; i < pattern_name_count(e->pattern); i++)
        declared_set(x, e->names[i].variable, pattern_group(found, e->names[i].group));
}

enum pattern_verdict expression_match(struct exchange *x, const struct expression *e,
                                      struct span subject)
{
    struct pattern_groups found;
    enum pattern_verdict verdict =
        pattern_match(e->pattern, &x->worker->pattern_room, subject, &found);

    switch (verdict) {
    case PATTERN_MATCH:
        keep_groups(x, e, subject, &found);
        break;
    case PATTERN_LIMIT:
        exchange_log(x, LEVEL_ERROR, 0,
                     "\"%.*s\" was given up with \"%.*s\": too many steps, or no UTF-8",
                     (int)span_first(e->text, SHOWN).len, e->text.at,
                     (int)span_first(subject, SHOWN).len, subject.at);
        break;
    case PATTERN_NO:
        break;
    }
    return verdict;
}

enum pattern_verdict expression_test(struct worker *w, const struct expression *e,
                                     struct span subject)
{
    struct pattern_groups found;

    return pattern_match(e->pattern, &w->pattern_room, subject, &found);
}

void expressions_free(struct generation *g)
{
    struct pattern **all = g->patterns.items;

    for (uint32_t i = 0; i < g->patterns.len; i++)
        pattern_free(&all[i]);
    g->patterns.len = 0;
}
