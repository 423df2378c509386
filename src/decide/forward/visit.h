#ifndef DECIDE_FORWARD_VISIT_H
#define DECIDE_FORWARD_VISIT_H

#include "base/address.h"
#include "base/span.h"
#include "decide/forward/facts.h"
#include "decide/forward/floor.h"
#include "exchange/decision.h"
#include "exchange/destination.h"

struct exchange;

/* What the forward face knows and has decided of an exchange; kept in its notes. */
enum cause {
    CAUSE_NONE,
    CAUSE_RULE,
    CAUSE_DEFAULT,
    CAUSE_PORT_FLOOR,
    CAUSE_ADDRESS_FLOOR,
    CAUSE_LOOP
};
enum outcome { OUTCOME_OPEN, OUTCOME_ALLOW, OUTCOME_DENY, OUTCOME_ERROR };

struct visit {
    struct facts facts;
    struct destination asked;
    struct destination goal;
    struct standing candidate; /* facts.candidate points here once one was judged */
    const struct rule *first;  /* what the request stage came to: an allow; NULL: none */
    const struct rule *rule;   /* that decided; NULL: none did */
    struct address address;    /* the last candidate that was let pass; else of family AF_UNSPEC */
    enum cause cause;
    enum outcome outcome;
    enum stage stage;
    struct span why; /* a sentence: why it was denied; exchange arena */
};

/* NULL: not an exchange of a forward block, or its head was not read yet. */
struct visit *visit_of(const struct exchange *x);

/* The hooks: POST_READ, ACCESS, DIAL. */
enum verdict visit_begin(struct exchange *x, const void *settings);
enum verdict visit_judge(struct exchange *x, const void *settings);
enum verdict visit_judge_candidate(struct exchange *x, const struct address *candidate,
                                   const void *settings);

#endif
