/* The forward face, rule by rule, for whoever asks why (`bifrons forward explain`). */
#include "decide/forward/telling.h"

#include "base/address.h"
#include "base/buf.h"
#include "conf/settings.h"
#include "decide/forward/conditions.h"
#include "decide/forward/facts.h"
#include "decide/forward/floor.h"
#include "decide/forward/rules.h"
#include "exchange/decision.h"
#include "exchange/destination.h"
#include "exchange/trace.h"

static const struct place nowhere;

void tell_target(struct exchange *x, const struct visit *v)
{
    struct buf to;

    if (trace_of(x) == NULL)
        return;
    buf_init(&to, 1024, NULL);
    destination_print(&v->asked, 0, &to);
    trace_say(x, DECIDED_TARGET, NEXT, nowhere, "%.*s", (int)buf_view(&to).len, buf_view(&to).at);
    trace_why(x, v->facts.protocol == PROTOCOL_CONNECT ? "a tunnel (CONNECT)" : "plain HTTP");
    buf_done(&to);
}

/* The first condition that is false, else the first that is not yet known; NULL: all hold. */
static const struct condition *weakest(const struct rule *r, const struct facts *f,
                                       enum truth *ret_truth)
{
    const struct condition *found = NULL;

    *ret_truth = TRUTH_YES;
    for (uint32_t i = 0; i < r->count && *ret_truth != TRUTH_NO; i++) {
        enum truth truth = condition_test(&r->conditions[i], f);

        if (truth >= *ret_truth)
            continue;
        *ret_truth = truth;
        found = &r->conditions[i];
    }
    return found;
}

static void tell_rule(struct exchange *x, const struct rule *r, const struct facts *f)
{
    enum truth truth;
    const struct condition *c = weakest(r, f, &truth);

    trace_say(x, DECIDED_RULE, NEXT, r->place, "%.*s", (int)r->text.len, r->text.at);
    if (truth == TRUTH_NO)
        trace_why(x, "does not match: %.*s", (int)c->text.len, c->text.at);
    else if (truth == TRUTH_LATER && r->verdict == RULE_ALLOW)
        trace_why(x, "matches, if the address does: %.*s", (int)c->text.len, c->text.at);
    else if (truth == TRUTH_LATER)
        trace_why(x, "not yet: %.*s", (int)c->text.len, c->text.at);
    else
        trace_why(x, "matches");
}

void tell_rules(struct exchange *x, const struct ruleset *set, const struct facts *f,
                const struct rule *decider)
{
    enum truth truth;

    if (trace_of(x) == NULL)
        return;
    for (uint32_t i = 0; i < set->count && &set->rules[i] != decider; i++)
        tell_rule(x, &set->rules[i], f);
    if (decider != NULL && weakest(decider, f, &truth) != NULL)
        tell_rule(x, decider, f);
}

void tell_match(struct exchange *x, const struct rule *r, const struct facts *f)
{
    if (trace_of(x) != NULL)
        tell_rule(x, r, f);
}

void tell_reason(struct exchange *x, const struct visit *v)
{
    struct buf reason;

    if (trace_of(x) == NULL)
        return;
    buf_init(&reason, 4096, NULL);
    if (v->cause == CAUSE_RULE) {
        buf_adds(&reason, "matches: ");
        rule_reason(v->rule, &v->facts, &reason);
    } else {
        buf_add(&reason, v->why);
    }
    trace_why(x, "%.*s", (int)buf_view(&reason).len, buf_view(&reason).at);
    buf_done(&reason);
}

static const char *why(enum cause cause, const struct standing *s)
{
    switch (cause) {
    case CAUSE_NONE:
        return s->word == FLOOR_NONE ? "it may be dialled"
                                     : "it may be dialled: the rule names what the floor forbids";
    case CAUSE_RULE:
        return "denied by the rule";
    case CAUSE_DEFAULT:
        return "denied by default: no rule allows it";
    case CAUSE_PORT_FLOOR:
        return "denied by the port floor";
    case CAUSE_ADDRESS_FLOOR:
        return "denied by the address floor: no rule names it";
    case CAUSE_LOOP:
        return "denied: it leads back to this proxy";
    }
    return "";
}

void tell_candidate(struct exchange *x, const struct standing *s, enum cause cause,
                    const struct rule *rule)
{
    struct buf text;

    if (trace_of(x) == NULL)
        return;
    buf_init(&text, 128, NULL);
    address_print_ip(&s->plain, &text);
    trace_say(x, DECIDED_ADDRESS, cause == CAUSE_NONE ? PASS : REFUSE,
              rule != NULL ? rule->place : nowhere, "%.*s", (int)buf_view(&text).len,
              buf_view(&text).at);
    trace_why(x, "%s; %s", floor_word_name(s->word), why(cause, s));
    buf_done(&text);
}
