#ifndef DECIDE_FORWARD_RULES_H
#define DECIDE_FORWARD_RULES_H

#include "base/address.h"
#include "base/span.h"
#include "conf/settings.h"

struct conf;
struct conf_call;
struct facts;
struct standing;

/* The rules of a forward block (forward-semantics 2.1, 2.2): read top-down, the first that matches
 * decides. */
enum rule_verdict { RULE_ALLOW, RULE_DENY };

/* `to=HOST[:PORT]`: dial this instead. */
struct rule_target {
    struct span host;       /* lower case; empty: as asked */
    struct address literal; /* if it is an address; port 0 */
    uint16_t port;          /* 0: as asked */
};

struct rule {
    const struct condition *conditions; /* generation arena; those of its `when` first */
    uint32_t count;
    enum rule_verdict verdict;
    struct rule_target to;
    struct span text; /* as written; ended by a zero */
    struct place place;
};

/* What a block's rules compile to. */
struct ruleset {
    const struct rule *rules; /* generation arena, as all here */
    uint32_t count;
    const struct names *names;
    bool asks_address; /* some rule cannot be judged before an address is known */
};

/* `rule VERDICT [SETTING ...] [if CONDITION [and CONDITION] ...];` field: struct conf_list of
 * struct rule */
extern const struct conf_type rule_type;

/* For `when CONDITION [and CONDITION] ... { }`: adds the rules of the block inside to `rules`, each
 * behind the conditions of the line. */
bool rules_add_inner(struct conf_call *call, const struct conf_list *inner,
                     struct conf_list *rules);

/* Finds the lists that the rules name, by `find`, and makes the table of names. False: said why. */
struct list_finder {
    const struct value_list *(*find)(const struct list_finder *f, struct span name,
                                     struct span *ret_near);
    const struct conf_block *block;
    unsigned module;
};
bool rules_compile(struct conf *conf, const struct list_finder *finder, struct conf_list *rules,
                   struct ruleset *ret);

/* What a reading finds. */
enum reading {
    READING_ALLOW,
    READING_DENY,
    READING_LATER, /* allowed if a later stage confirms it */
    READING_NONE   /* no rule matches: deny */
};
/* `ret_rule`: the one that decided; NULL for READING_NONE. */
enum reading rules_read(const struct ruleset *set, const struct facts *f,
                        const struct rule **ret_rule);

/* The rule opens that floor by naming it. */
bool rule_opens_port(const struct rule *r, uint16_t port);
bool rule_opens_address(const struct rule *r, const struct standing *s);
/* What made it match, as a sentence: `host .example.com, category social`. */
void rule_reason(const struct rule *r, const struct facts *f, struct buf *out);
/* The names of the lists that a category condition of the rule found, separated by commas. */
void rule_categories(const struct rule *r, const struct facts *f, struct buf *out);

/* The checks of a finished block. False: said why. */
bool rules_check_reach(struct conf *conf, const struct ruleset *set);
/* The first `allow` that lets strangers in: it names no clients. NULL: none. */
const struct rule *rules_find_open(const struct ruleset *set);
bool rules_allow_any(const struct ruleset *set); /* there is an `allow` at all */

#endif
