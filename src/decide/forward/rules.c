/* A line of rules, word by word:
 *
 *     rule  VERDICT  SETTING ...  if  CONDITION  and  CONDITION ... ;
 *
 * Lists are only named here; ruleset.c finds them when the whole file is read. Lies in the
 * generation arena. */
#include "decide/forward/rules.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "decide/forward/conditions.h"
#include "decide/forward/names.h"
#include "proto/uri.h"

enum { MOST_RULES = 10000, LONGEST_SHOWN = 300 };

static const char *const later_verdicts[] = { "redirect", "challenge", "set" };
static const char *const verdicts[] = { "allow", "deny", "redirect", "challenge", "set" };

/* With a value, and without: those of forward-semantics 2.1. */
static const char *const settings[] = { "to",        "via",    "out",  "url",       "rate",
                                        "bandwidth", "max",    "idle", "lifetime",  "anonymity",
                                        "peek",      "mark",   "dscp", "cache",     "ttl",
                                        "log",       "tag",    "name", "intercept", "status",
                                        "page",      "message" };
static const char *const switches[] = { "explain", "reset", "dry_run" };

static bool is_one_of(struct span word, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_is(word, names[i]))
            return true;
    return false;
}

static struct span nearest(struct span word, const char *const *names, size_t count)
{
    struct span spans[COUNT(settings) + COUNT(switches)];

    for (size_t i = 0; i < count; i++)
        spans[i] = span_of(names[i]);
    return conf_nearest(word, spans, count);
}

static bool refuse_unknown(struct conf_call *call, unsigned at, const char *what, struct span word,
                           struct span near)
{
    conf_refuse(call, at, "unknown %s \"%.*s\"", what, (int)word.len, word.at);
    conf_suggest(call->conf, near);
    return false;
}

static bool read_verdict(struct conf_call *call, enum rule_verdict *ret)
{
    struct span word = conf_word(call, 1);
    bool quoted = conf_is_quoted(call, 1);

    if (!quoted && is_one_of(word, later_verdicts, COUNT(later_verdicts)))
        return conf_refuse(call, 1, "\"%.*s\" is known, not supported yet", (int)word.len, word.at);
    if (!quoted && (span_is(word, "allow") || span_is(word, "deny"))) {
        *ret = span_is(word, "allow") ? RULE_ALLOW : RULE_DENY;
        return true;
    }
    return refuse_unknown(call, 1, "verdict", word, nearest(word, verdicts, COUNT(verdicts)));
}

static bool read_target(struct conf_call *call, unsigned at, struct span text,
                        struct rule_target *ret)
{
    struct rule_target found = { .port = 0 };
    struct name_pattern pattern;
    struct host host;
    const char *fault = NULL;

    if (text.len == 0 || !host_parse(text, &host))
        return conf_refuse(call, at, "\"%.*s\" is no HOST[:PORT]", (int)text.len, text.at);
    fault = name_read(host.name, conf_arena(call), &pattern);
    if (fault != NULL || pattern.reach != REACH_ITSELF)
        return conf_refuse(call, at, "\"%.*s\" %s", (int)host.name.len, host.name.at,
                           fault != NULL ? fault : "is no single host");
    found.host = pattern.name.len > 0 ? pattern.name : arena_copy(conf_arena(call), host.name);
    found.literal = pattern.address;
    found.port = host.port;
    *ret = found;
    return true;
}

static bool read_setting(struct conf_call *call, unsigned at, struct rule *rule)
{
    struct span word = conf_word(call, at), name = word, value = { NULL, 0 };
    bool has_value = span_cut(word, '=', &name, &value);

    if (has_value && span_is(name, "to")) {
        if (rule->verdict != RULE_ALLOW)
            return conf_refuse(call, at, "\"to=\" goes with \"allow\" only");
        if (rule->to.host.len > 0)
            return conf_refuse(call, at, "\"to=\" is duplicate");
        return read_target(call, at, value, &rule->to);
    }
    if (!has_value && is_one_of(word, switches, COUNT(switches)))
        return conf_refuse(call, at, "\"%.*s\" is known, not supported yet", (int)word.len,
                           word.at);
    if (has_value && is_one_of(name, settings, COUNT(settings)))
        return conf_refuse(call, at, "\"%.*s\" is known, not supported yet", (int)name.len,
                           name.at);
    if (!has_value && is_one_of(name, settings, COUNT(settings)))
        return conf_refuse(call, at, "a value is missing: \"%.*s=...\"", (int)name.len, name.at);
    if (has_value)
        return refuse_unknown(call, at, "setting", name, nearest(name, settings, COUNT(settings)));
    if (span_is(word, "and") || span_is(word, "not"))
        return conf_refuse(call, at, "\"if\" is missing before \"%.*s\"", (int)word.len, word.at);
    return refuse_unknown(call, at, "setting", word, nearest(word, switches, COUNT(switches)));
}

/* Hint: a bare name of two labels is rarely what a deny rule means. */
static void warn_of_bare_name(struct conf_call *call, const struct condition *c)
{
    const struct name_pattern *names = c->values.names.items;

    if (!condition_is_host(c) || c->negated)
        return;
    for (uint32_t i = 0; i < c->values.names.len; i++) {
        struct span name = names[i].name, rest = name, first;

        if (names[i].reach == REACH_ITSELF && span_cut(name, '.', &first, &rest) &&
            span_find(rest, '.') == rest.len)
            conf_caution(
                call->conf, c->place,
                "\"%.*s\" stands for that name alone: write \".%.*s\" for all below it too",
                (int)name.len, name.at, (int)name.len, name.at);
    }
}

static struct span shown(const struct conf_call *call)
{
    struct span text = conditions_text(call, 0, conf_count(call));

    if (text.len <= LONGEST_SHOWN)
        return text;
    char *shorter = arena_cstr(conf_arena(call), span_first(text, LONGEST_SHOWN));
    memcpy(shorter + LONGEST_SHOWN - 3, "...", 3);
    return (struct span){ shorter, LONGEST_SHOWN };
}

static bool add_rule(struct conf_call *call, unsigned word, struct conf_list *rules,
                     const struct rule *rule)
{
    if (rules->len >= MOST_RULES)
        return conf_refuse(call, word, "too many rules, at most %d", MOST_RULES);
    return conf_list_add(call, rules, rule, sizeof(*rule));
}

static bool set_rule(struct conf_call *call, void *field)
{
    struct rule rule = { .place = conf_place(call, 0), .text = shown(call) };
    struct conf_list conditions = { 0 };
    unsigned at = 2;
    bool good = read_verdict(call, &rule.verdict);

    for (; at < conf_count(call); at++) {
        if (!conf_is_quoted(call, at) && span_is(conf_word(call, at), "if"))
            break;
        if (good)
            good = read_setting(call, at, &rule);
    }
    if (!good)
        return false;
    if (at < conf_count(call) && !conditions_read(call, at + 1, &conditions))
        return false;
    rule.conditions = conditions.items;
    rule.count = conditions.len;
    for (uint32_t i = 0; i < rule.count && rule.verdict == RULE_DENY; i++)
        warn_of_bare_name(call, &rule.conditions[i]);
    return add_rule(call, 0, field, &rule);
}

const struct conf_type rule_type = { .set = set_rule,
                                     .size = sizeof(struct conf_list),
                                     .many = true };

static bool add_behind(struct conf_call *call, const struct conf_list *outer,
                       const struct rule *inner, struct conf_list *rules)
{
    struct rule rule = *inner;
    struct conf_list all = { 0 };
    bool good = true;

    for (uint32_t i = 0; i < outer->len; i++)
        good = good && conf_list_add(call, &all, (const struct condition *)outer->items + i,
                                     sizeof(struct condition));
    for (uint32_t i = 0; i < inner->count; i++)
        good = good && conf_list_add(call, &all, &inner->conditions[i], sizeof(struct condition));
    rule.conditions = all.items;
    rule.count = all.len;
    return good && add_rule(call, 0, rules, &rule);
}

bool rules_add_inner(struct conf_call *call, const struct conf_list *inner, struct conf_list *rules)
{
    const struct rule *all = inner->items;
    struct conf_list outer = { 0 };

    if (!conditions_read(call, 1, &outer))
        return false;
    for (uint32_t i = 0; i < inner->len; i++)
        if (!add_behind(call, &outer, &all[i], rules))
            return false;
    return true;
}
