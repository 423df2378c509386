/* From the rules of a block as written to what requests are judged by, and the judging itself.
 *
 *     rules -> lists found -> each set of names numbered -> one table of names
 *     facts + table -> a bit for each set -> conditions test bits -> the first rule that matches
 *
 * A condition is true, false, or later: its fact can still come (forward-semantics 2.2). */
#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/settings.h"
#include "decide/forward/conditions.h"
#include "decide/forward/facts.h"
#include "decide/forward/lists.h"
#include "decide/forward/names.h"
#include "decide/forward/rules.h"

#include <stdlib.h>

/* While a block is compiled. */
struct compiler {
    struct conf *conf;
    const struct list_finder *finder;
    struct conf_list uses; /* of struct list_use *; generation arena */
    uint32_t sets;
    uint32_t names;
    struct name_entry *entries; /* owned, while the table is made */
    uint32_t filled;
};

static void grow(struct compiler *c, const struct list_use *use)
{
    struct conf_list *list = &c->uses;

    if (list->len == list->room) {
        uint32_t room = list->room > 0 ? list->room * 2 : 16;
        const struct list_use **more = arena_alloc(conf_arena_of(c->conf), room * sizeof(use));

        if (list->len > 0)
            memcpy(more, list->items, list->len * sizeof(use));
        list->items = more;
        list->room = room;
    }
    ((const struct list_use **)list->items)[list->len++] = use;
}

static const struct list_use *use_of(struct compiler *c, const struct value_list *list)
{
    const struct list_use *const *uses = c->uses.items;

    for (uint32_t i = 0; i < c->uses.len; i++)
        if (uses[i]->list == list)
            return uses[i];
    struct list_use *use = arena_alloc(conf_arena_of(c->conf), sizeof(*use));
    *use = (struct list_use){ list, c->sets };
    c->sets += 2;
    c->names += list->in.names.len + list->except.names.len;
    grow(c, use);
    return use;
}

static bool bind_list(struct compiler *c, const struct condition *condition, struct list_ref *ref)
{
    struct span near = { NULL, 0 };
    const struct value_list *list = c->finder->find(c->finder, ref->name, &near);

    if (list == NULL) {
        conf_complain(c->conf, ref->place, "unknown list \"%.*s\"", (int)ref->name.len,
                      ref->name.at);
        conf_suggest(c->conf, near);
        return false;
    }
    const char *fault = condition_list_fault(condition, list);
    if (fault != NULL)
        return conf_complain(c->conf, ref->place, "the list \"%.*s\" %s", (int)ref->name.len,
                             ref->name.at, fault);
    ref->use = use_of(c, list);
    return true;
}

/* A condition of a `when` stands in each of its rules: its names are those of the rule before, or
 * NULL. */
static const struct condition *same_before(const struct rule *rules, uint32_t i, uint32_t k)
{
    const struct condition *c = &rules[i].conditions[k], *before;

    if (i == 0 || k >= rules[i - 1].count)
        return NULL;
    before = &rules[i - 1].conditions[k];
    return before->values.names.items == c->values.names.items ? before : NULL;
}

static bool bind_condition(struct compiler *c, struct condition *condition,
                           const struct condition *same)
{
    struct list_ref *refs = condition->lists.items;
    bool good = true;

    for (uint32_t i = 0; i < condition->lists.len; i++)
        good = bind_list(c, condition, &refs[i]) && good;
    if (same != NULL) {
        condition->set = same->set;
    } else if (condition->values.names.len > 0) {
        condition->set = c->sets++;
        c->names += condition->values.names.len;
    }
    return good;
}

static void enter(struct compiler *c, const struct conf_list *patterns, uint32_t set)
{
    const struct name_pattern *all = patterns->items;

    for (uint32_t i = 0; i < patterns->len; i++)
        c->entries[c->filled++] = (struct name_entry){ all[i].name, all[i].reach, set };
}

static const struct names *make_table(struct compiler *c, const struct conf_list *rules)
{
    const struct rule *all = rules->items;
    const struct list_use *const *uses = c->uses.items;

    c->entries = calloc((size_t)c->names + 1, sizeof(*c->entries));
    if (c->entries == NULL)
        abort();
    for (uint32_t i = 0; i < rules->len; i++)
        for (uint32_t k = 0; k < all[i].count; k++)
            if (same_before(all, i, k) == NULL)
                enter(c, &all[i].conditions[k].values.names, all[i].conditions[k].set);
    for (uint32_t i = 0; i < c->uses.len; i++) {
        enter(c, &uses[i]->list->in.names, uses[i]->set);
        enter(c, &uses[i]->list->except.names, uses[i]->set + 1);
    }
    const struct names *table = names_build(c->entries, c->filled, c->sets, conf_arena_of(c->conf));
    free(c->entries);
    return table;
}

/* Conditions of a `when` were copied into each of its rules, so each copy is ours to change. */
bool rules_compile(struct conf *conf, const struct list_finder *finder, struct conf_list *rules,
                   struct ruleset *ret)
{
    struct compiler c = { .conf = conf, .finder = finder };
    struct ruleset set = { .rules = rules->items, .count = rules->len };
    const struct rule *all = rules->items;
    bool good = true;

    for (uint32_t i = 0; i < rules->len; i++) {
        for (uint32_t k = 0; k < all[i].count; k++) {
            struct condition *condition = (struct condition *)(uintptr_t)&all[i].conditions[k];

            if (!bind_condition(&c, condition, same_before(all, i, k)))
                good = false;
            else if (condition_needs_address(condition))
                set.asks_address = true;
        }
    }
    if (!good)
        return false;
    set.names = make_table(&c, rules);
    *ret = set;
    return true;
}

static enum truth test_rule(const struct rule *r, const struct facts *f)
{
    enum truth truth = TRUTH_YES;

    for (uint32_t i = 0; i < r->count && truth != TRUTH_NO; i++)
        truth = truth_and(truth, condition_test(&r->conditions[i], f));
    return truth;
}

enum reading rules_read(const struct ruleset *set, const struct facts *f,
                        const struct rule **ret_rule)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct rule *r = &set->rules[i];
        enum truth truth = test_rule(r, f);

        if (truth == TRUTH_NO || (truth == TRUTH_LATER && r->verdict != RULE_ALLOW))
            continue;
        *ret_rule = r;
        if (truth == TRUTH_LATER)
            return READING_LATER;
        return r->verdict == RULE_ALLOW ? READING_ALLOW : READING_DENY;
    }
    *ret_rule = NULL;
    return READING_NONE;
}

bool rule_opens_port(const struct rule *r, uint16_t port)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (condition_opens_port(&r->conditions[i], port))
            return true;
    return false;
}

bool rule_opens_address(const struct rule *r, const struct standing *s)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (condition_opens_address(&r->conditions[i], s))
            return true;
    return false;
}

void rule_reason(const struct rule *r, const struct facts *f, struct buf *out)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (i > 0)
            buf_adds(out, ", ");
        condition_reason(&r->conditions[i], f, out);
    }
    if (r->count == 0)
        buf_adds(out, "whatever is asked");
}

void rule_categories(const struct rule *r, const struct facts *f, struct buf *out)
{
    for (uint32_t i = 0; i < r->count; i++)
        condition_categories(&r->conditions[i], f, out);
}

/* Whenever `later` matches, `earlier` has matched before. */
static bool shadows(const struct rule *earlier, const struct rule *later)
{
    for (uint32_t i = 0; i < earlier->count; i++) {
        uint32_t k = 0;

        while (k < later->count &&
               !condition_covers(&earlier->conditions[i], &later->conditions[k]))
            k++;
        if (k == later->count)
            return false;
    }
    return true;
}

bool rules_check_reach(struct conf *conf, const struct ruleset *set)
{
    bool good = true;

    for (uint32_t i = 1; i < set->count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            const struct rule *earlier = &set->rules[k], *later = &set->rules[i];

            if (!shadows(earlier, later))
                continue;
            struct span file = conf_file_name(conf, earlier->place.file);
            good =
                conf_complain(conf, later->place,
                              "this rule cannot be reached: the one in %.*s:%u decides before it",
                              (int)file.len, file.at, earlier->place.line);
            break;
        }
    }
    return good;
}

const struct rule *rules_find_open(const struct ruleset *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct rule *r = &set->rules[i];
        bool named = false;

        for (uint32_t k = 0; k < r->count; k++)
            named = named || condition_names_clients(&r->conditions[k]);
        if (r->verdict == RULE_ALLOW && !named)
            return r;
    }
    return NULL;
}

bool rules_allow_any(const struct ruleset *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->rules[i].verdict == RULE_ALLOW)
            return true;
    return false;
}
