/* One exchange on the forward face: what it asked for, and what the rules and floors say.
 *
 *     POST_READ   the head: malformed, a loop?            400 405 508
 *     ACCESS      rules at the request stage, port floor  403
 *     DIAL        per candidate: rules again if one asks for addresses, both floors
 *
 * A stage can only confirm or refuse what the one before allowed. Lives in the exchange's arena. */
#include "decide/forward/visit.h"

#include "base/errlog.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "decide/forward/asked.h"
#include "decide/forward/forward.h"
#include "decide/forward/names.h"
#include "decide/forward/ports.h"
#include "decide/forward/report.h"
#include "decide/forward/rules.h"
#include "decide/forward/telling.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/log.h"
#include "exchange/worker.h"

static const char visit_key;

struct visit *visit_of(const struct exchange *x)
{
    return exchange_note(x, &visit_key);
}

static enum verdict refuse(struct exchange *x, struct visit *v, unsigned status)
{
    if (status == 400)
        x->keep_alive = false;
    exchange_keep(x, &exchange_explanation_key, &v->why);
    return exchange_refuse(x, status, arena_cstr(&x->arena, v->why));
}

static enum verdict fail_reading(struct exchange *x, struct visit *v, struct asked_fault fault)
{
    x->fault = FAULT_HTTP_REQUEST_ERROR;
    v->outcome = OUTCOME_ERROR;
    v->why = span_of(fault.why);
    return refuse(x, v, fault.status);
}

static enum verdict fail_loop(struct exchange *x, struct visit *v)
{
    static const struct place nowhere;

    x->fault = FAULT_PROXY_LOOP_DETECTED;
    v->outcome = OUTCOME_ERROR;
    v->cause = CAUSE_LOOP;
    v->why = span_of("the request has come in a loop of proxies");
    decided(x, DECIDED_FLOOR, REFUSE, nowhere, "loop");
    exchange_log(x, LEVEL_ERROR, 0,
                 "loop: the request has been here before, or passed too many proxies");
    exchange_keep(x, &exchange_explanation_key, &v->why);
    return exchange_fail(x);
}

static void note_facts(struct exchange *x, struct visit *v, const struct ruleset *set)
{
    uint64_t *sets = arena_zalloc(&x->arena, names_words(set->names) * sizeof(*sets));
    const struct address *literal = &v->asked.literal;

    v->facts = (struct facts){
        .method = x->request.method,
        .host = v->asked.host,
        .client = floor_plain(&x->client_address),
        .sets = sets,
        .protocol = x->request.method_id == METHOD_CONNECT ? PROTOCOL_CONNECT : PROTOCOL_HTTP,
        .port = v->asked.port,
    };
    if (literal->family != AF_UNSPEC)
        v->facts.literal = floor_plain(literal);
    else
        names_look(set->names, v->asked.host, sets);
}

/* `localhost` and all below are loopback without being asked of any name server (2.3). */
static void note_goal(struct destination *goal)
{
    if (!span_is(goal->host, "localhost") && !span_ends(goal->host, ".localhost"))
        return;
    goal->literal =
        (struct address){ .ip = { 127, 0, 0, 1 }, .port = goal->port, .family = AF_INET };
}

enum verdict visit_begin(struct exchange *x, const void *settings)
{
    const struct forward_settings *own = settings;

    if (x->block->context != CTX_FORWARD)
        return NEXT;
    struct visit *v = arena_zalloc(&x->arena, sizeof(*v));
    exchange_keep(x, &visit_key, v);
    if (x->request.method_id == METHOD_CONNECT)
        x->keep_alive = false; /* what follows a refused CONNECT may be anything (3.2) */
    struct asked_fault fault = asked_read(x, &v->asked);
    if (fault.status != 0)
        return fail_reading(x, v, fault);
    v->goal = v->asked;
    note_goal(&v->goal);
    x->asked = &v->asked;
    x->goal = &v->goal;
    note_facts(x, v, &own->set);
    tell_target(x, v);
    return asked_in_a_loop(x, own->most_hops) ? fail_loop(x, v) : NEXT;
}

static struct place place_of(const struct rule *rule)
{
    return rule != NULL ? rule->place : (struct place){ 0 };
}

static enum port_floor port_floor_of(enum forward_protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_HTTP:
        return PORT_FLOOR_HTTP;
    case PROTOCOL_CONNECT:
        return PORT_FLOOR_CONNECT;
    case PROTOCOLS:
        break;
    }
    return PORT_FLOOR_CONNECT;
}

static bool port_passes(const struct visit *v, const struct forward_settings *own,
                        const struct rule *rule, uint16_t port)
{
    return ports_allow(&own->ports, port_floor_of(v->facts.protocol), port) ||
           rule_opens_port(rule, port);
}

static uint16_t target_port(const struct visit *v, const struct rule *rule)
{
    return rule->to.port != 0 ? rule->to.port : v->asked.port;
}

/* With `to=` both ports are judged: what was asked for, and where it leads. */
static bool ports_pass(const struct visit *v, const struct forward_settings *own,
                       const struct rule *rule)
{
    return port_passes(v, own, rule, v->asked.port) &&
           port_passes(v, own, rule, target_port(v, rule));
}

static void set_goal(struct visit *v, const struct rule *rule)
{
    if (rule->to.host.len == 0)
        return;
    v->goal = (struct destination){ rule->to.host, rule->to.literal, target_port(v, rule) };
    v->goal.literal.port = v->goal.port;
    note_goal(&v->goal);
}

static void note_denial(struct exchange *x, struct visit *v, enum cause cause,
                        const struct rule *rule)
{
    bool by_rule = cause == CAUSE_RULE || cause == CAUSE_DEFAULT;

    v->outcome = OUTCOME_DENY;
    v->cause = cause;
    v->rule = rule;
    v->why = report_denial(x, v);
    x->fault = cause == CAUSE_ADDRESS_FLOOR || cause == CAUSE_LOOP ? FAULT_DESTINATION_IP_PROHIBITED
                                                                   : FAULT_HTTP_REQUEST_DENIED;
    decided(x, by_rule ? DECIDED_RULE : DECIDED_FLOOR, REFUSE, place_of(rule), report_detail(v));
    tell_reason(x, v);
}

static enum verdict deny(struct exchange *x, struct visit *v, enum cause cause,
                         const struct rule *rule)
{
    note_denial(x, v, cause, rule);
    return refuse(x, v, 403);
}

static enum verdict allow(struct exchange *x, struct visit *v, const struct rule *rule)
{
    v->first = v->rule = rule;
    set_goal(v, rule);
    if (!asked_ends_here(x))
        return PASS;
    return exchange_answer(x, 200, (struct span){ NULL, 0 }, (struct span){ NULL, 0 });
}

enum verdict visit_judge(struct exchange *x, const void *settings)
{
    const struct forward_settings *own = settings;
    struct visit *v = x->block->context == CTX_FORWARD ? visit_of(x) : NULL;
    const struct rule *rule = NULL;

    if (v == NULL)
        return NEXT;
    enum reading reading = rules_read(&own->set, &v->facts, &rule);
    tell_rules(x, &own->set, &v->facts, rule);
    switch (reading) {
    case READING_ALLOW:
        if (!ports_pass(v, own, rule)) {
            tell_match(x, rule, &v->facts);
            return deny(x, v, CAUSE_PORT_FLOOR, rule);
        }
        v->outcome = OUTCOME_ALLOW;
        v->cause = CAUSE_RULE;
        v->rule = rule;
        decided(x, DECIDED_RULE, PASS, rule->place, rule->text.at);
        tell_reason(x, v);
        return allow(x, v, rule);
    case READING_LATER: /* to be confirmed for each candidate, ports too: another rule may decide
                           then */
        return allow(x, v, rule);
    case READING_DENY:
        return deny(x, v, CAUSE_RULE, rule);
    case READING_NONE:
        break;
    }
    return deny(x, v, CAUSE_DEFAULT, NULL);
}

static bool is_own(const struct exchange *x, const struct forward_settings *own,
                   const struct address *plain)
{
    const struct address *further = own->own.items;

    for (unsigned i = 0; i < x->worker->own.count; i++) {
        struct address ours = floor_plain(&x->worker->own.at[i]);

        ours.scope = plain->scope;
        if (address_same_ip(&ours, plain))
            return true;
    }
    for (uint32_t i = 0; i < own->own.len; i++)
        if (address_same_ip(&further[i], plain))
            return true;
    return false;
}

/* An own address with a port where a forward face listens: a loop that no rule opens (4.2). */
static bool leads_back(const struct exchange *x, const struct standing *s, uint16_t port)
{
    struct listener *const *all = x->generation->listeners.items;
    uint32_t ours = 1u << FLOOR_OWN | 1u << FLOOR_LOOPBACK | 1u << FLOOR_UNSPECIFIED;

    if ((s->words & ours) == 0)
        return false;
    if (port == x->local_address.port)
        return true;
    for (uint32_t i = 0; i < x->generation->listeners.len; i++)
        if (all[i]->forward && all[i]->address.port == port)
            return true;
    return false;
}

static bool leads_to_same(const struct rule *a, const struct rule *b)
{
    return span_same(a->to.host, b->to.host) && a->to.port == b->to.port;
}

/* One candidate, judged. */
struct trial {
    struct standing standing;
    struct facts facts;
    const struct rule *rule; /* that decides; NULL: none */
    enum cause cause;        /* of its denial; CAUSE_NONE: it may be dialled */
};

/* Reads the list again with the address known. */
static enum cause confirm(const struct visit *v, const struct forward_settings *own,
                          struct trial *t)
{
    t->rule = v->first;
    if (!own->set.asks_address)
        return CAUSE_NONE;
    switch (rules_read(&own->set, &t->facts, &t->rule)) {
    case READING_ALLOW:
        if (!ports_pass(v, own, t->rule))
            return CAUSE_PORT_FLOOR;
        /* another `to=` would lead elsewhere than to what was resolved */
        return leads_to_same(t->rule, v->first) ? CAUSE_NONE : CAUSE_DEFAULT;
    case READING_DENY:
        return CAUSE_RULE;
    case READING_LATER:
    case READING_NONE:
        break;
    }
    return CAUSE_DEFAULT;
}

static enum cause judge(const struct exchange *x, const struct visit *v,
                        const struct forward_settings *own, uint16_t port, struct trial *t)
{
    enum cause cause = confirm(v, own, t);

    if (cause != CAUSE_NONE)
        return cause;
    if (leads_back(x, &t->standing, port))
        return CAUSE_LOOP;
    bool passes = !own->deny_special || t->standing.word == FLOOR_NONE;
    return passes || rule_opens_address(t->rule, &t->standing) ? CAUSE_NONE : CAUSE_ADDRESS_FLOOR;
}

/* What decided is kept with what it saw. */
static void keep(struct visit *v, const struct trial *t)
{
    v->candidate = t->standing;
    v->facts.candidate = &v->candidate;
}

static void pass(struct exchange *x, struct visit *v, const struct trial *t,
                 const struct address *candidate)
{
    bool first = v->outcome != OUTCOME_ALLOW;

    if (first) {
        if (x->fault == FAULT_DESTINATION_IP_PROHIBITED || x->fault == FAULT_HTTP_REQUEST_DENIED)
            x->fault = FAULT_NONE;
        exchange_keep(x, &exchange_explanation_key, NULL);
        decided(x, DECIDED_RULE, PASS, t->rule->place, t->rule->text.at);
        v->stage = STAGE_ADDRESS;
    }
    keep(v, t);
    v->outcome = OUTCOME_ALLOW;
    v->cause = CAUSE_RULE;
    v->rule = t->rule;
    v->address = *candidate;
    if (first)
        tell_reason(x, v);
}

/* Of denied candidates the first one's reason is told, if none is left (2.2). */
static void drop(struct exchange *x, struct visit *v, const struct trial *t)
{
    if (v->address.family != AF_UNSPEC || v->outcome == OUTCOME_DENY)
        return;
    keep(v, t);
    v->stage = STAGE_ADDRESS;
    note_denial(x, v, t->cause, t->rule);
    exchange_keep(x, &exchange_explanation_key, &v->why);
    exchange_log(x, LEVEL_INFO, 0, "%.*s", (int)v->why.len, v->why.at);
}

enum verdict visit_judge_candidate(struct exchange *x, const struct address *candidate,
                                   const void *settings)
{
    const struct forward_settings *own = settings;
    struct visit *v = x->block->context == CTX_FORWARD ? visit_of(x) : NULL;
    struct trial t;

    if (v == NULL)
        return NEXT;
    if (v->first == NULL)
        return REFUSE; /* nothing was allowed: nobody should have asked */
    struct address plain = floor_plain(candidate);
    t = (struct trial){ .standing = floor_stand(&plain, is_own(x, own, &plain)),
                        .facts = v->facts };
    t.facts.candidate = &t.standing;
    t.cause = judge(x, v, own, candidate->port, &t);
    if (own->set.asks_address)
        tell_rules(x, &own->set, &t.facts, t.rule);
    tell_candidate(x, &t.standing, t.cause, t.rule);
    if (t.cause != CAUSE_NONE) {
        drop(x, v, &t);
        return REFUSE;
    }
    pass(x, v, &t, candidate);
    return PASS;
}
