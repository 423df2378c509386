#ifndef DECIDE_FORWARD_TELLING_H
#define DECIDE_FORWARD_TELLING_H

#include "decide/forward/visit.h"

struct exchange;
struct ruleset;

/* What the forward face says in a rehearsal, beyond what it decides (exchange/trace.h). Each call
 * does nothing on live traffic. */

/* What was asked for, before any rule is read. */
void tell_target(struct exchange *x, const struct visit *v);
/* The rules before `decider`, and the condition by which each failed; the decider too, if it waits
 * for an address. NULL: all of them. */
void tell_rules(struct exchange *x, const struct ruleset *set, const struct facts *f,
                const struct rule *decider);
/* One that matches, though a floor still refuses. */
void tell_match(struct exchange *x, const struct rule *r, const struct facts *f);
/* Of the decision that was just noted. */
void tell_reason(struct exchange *x, const struct visit *v);
/* An address, and whether it may be dialled; `cause` CAUSE_NONE: it may. */
void tell_candidate(struct exchange *x, const struct standing *s, enum cause cause,
                    const struct rule *rule);

#endif
