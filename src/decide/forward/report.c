/* The forward face in words: the sentence of a deny page, and the variables `$forward_...`
 * (forward-semantics 8). A page names no address that a name led to: what lies inside is nobody's
 * business outside. */
#include "decide/forward/report.h"

#include "base/address.h"
#include "base/arena.h"
#include "base/buf.h"
#include "conf/settings.h"
#include "decide/forward/facts.h"
#include "decide/forward/floor.h"
#include "decide/forward/rules.h"
#include "decide/forward/visit.h"
#include "exchange/destination.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/request.h"

enum { LONGEST_REPORT = 8192 };

static void begin(struct buf *out)
{
    buf_init(out, LONGEST_REPORT, NULL);
}

static struct span end(struct exchange *x, struct buf *out)
{
    struct span text = arena_copy(&x->arena, buf_view(out));

    buf_done(out);
    return text;
}

/* `office.conf:12`: the file's name without its folder. */
static void add_place(const struct exchange *x, struct place place, struct buf *out)
{
    struct span file = place_file(x->generation, place);
    size_t start = file.len;

    while (start > 0 && file.at[start - 1] != '/')
        start--;
    buf_add(out, span_from(file, start));
    buf_addf(out, ":%u", place.line);
}

static void add_port_floor(const struct visit *v, struct buf *out)
{
    bool connect = v->facts.protocol == PROTOCOL_CONNECT;

    buf_addf(out, "denied by the port floor: port %u is not open for %s", v->asked.port,
             connect ? "CONNECT" : "plain HTTP");
    if (v->rule->to.port != 0)
        buf_adds(out, ", or the one that a rule leads to is not");
}

struct span report_denial(struct exchange *x, const struct visit *v)
{
    struct buf out;

    begin(&out);
    switch (v->cause) {
    case CAUSE_RULE:
        buf_adds(&out, "denied by ");
        add_place(x, v->rule->place, &out);
        buf_adds(&out, ": ");
        buf_add(&out, v->rule->text);
        break;
    case CAUSE_NONE:
    case CAUSE_DEFAULT:
        buf_adds(&out, "denied by default: no rule allows it");
        break;
    case CAUSE_PORT_FLOOR:
        add_port_floor(v, &out);
        break;
    case CAUSE_ADDRESS_FLOOR:
        buf_addf(&out, "denied by the address floor: the destination is of the kind \"%s\"",
                 floor_word_name(v->candidate.word));
        break;
    case CAUSE_LOOP:
        buf_adds(&out, "denied by the address floor: the destination is this proxy itself");
        break;
    }
    return end(x, &out);
}

const char *report_detail(const struct visit *v)
{
    switch (v->cause) {
    case CAUSE_RULE:
        return v->rule->text.at;
    case CAUSE_NONE:
    case CAUSE_DEFAULT:
        return "default";
    case CAUSE_PORT_FLOOR:
        return "port floor";
    case CAUSE_ADDRESS_FLOOR:
        return floor_word_name(v->candidate.word);
    case CAUSE_LOOP:
        return "loop";
    }
    return NULL;
}

/* --- variables ------------------------------------------------------------------------------ */

static bool constant(const char *text, struct span *ret)
{
    *ret = span_of(text);
    return true;
}

/* What was asked is known: the head was sound. */
static const struct visit *known(const struct exchange *x)
{
    const struct visit *v = visit_of(x);

    return v != NULL && v->asked.host.len > 0 ? v : NULL;
}

static bool get_protocol(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    if (visit_of(x) == NULL)
        return false;
    return constant(x->request.method_id == METHOD_CONNECT ? "connect" : "http", ret);
}

static bool get_host(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = known(x);

    (void)arg;
    if (v == NULL)
        return false;
    *ret = v->asked.host;
    return true;
}

static bool get_port(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = known(x);
    struct buf out;

    (void)arg;
    if (v == NULL)
        return false;
    begin(&out);
    buf_add_decimal(&out, v->asked.port);
    *ret = end(x, &out);
    return true;
}

/* Without the query: what stands there is private until `log_query` says otherwise. */
static bool get_url(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = known(x);
    struct span target = x->request.target;
    struct buf out;

    (void)arg;
    if (v == NULL)
        return false;
    begin(&out);
    if (v->facts.protocol == PROTOCOL_CONNECT) {
        destination_print(&v->asked, 0, &out);
    } else {
        buf_adds(&out, "http://");
        destination_print(&v->asked, 80, &out);
        buf_add(&out, span_first(target, span_find(target, '?')));
    }
    *ret = buf_ok(&out) ? end(x, &out) : (buf_done(&out), v->asked.host);
    return true;
}

static bool get_to(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = known(x);
    struct buf out;

    (void)arg;
    if (v == NULL || v->first == NULL || v->first->to.host.len == 0)
        return false;
    begin(&out);
    destination_print(&v->goal, 0, &out);
    *ret = end(x, &out);
    return true;
}

static bool get_verdict(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = visit_of(x);

    (void)arg;
    if (v == NULL)
        return false;
    switch (v->outcome) {
    case OUTCOME_ALLOW:
        return constant("allow", ret);
    case OUTCOME_DENY:
        return constant("deny", ret);
    case OUTCOME_OPEN:
    case OUTCOME_ERROR:
        break;
    }
    return constant("error", ret);
}

static bool get_rule(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = visit_of(x);
    struct buf out;

    (void)arg;
    if (v == NULL || v->outcome == OUTCOME_OPEN || v->outcome == OUTCOME_ERROR)
        return false;
    switch (v->cause) {
    case CAUSE_RULE:
        begin(&out);
        add_place(x, v->rule->place, &out);
        *ret = end(x, &out);
        return true;
    case CAUSE_PORT_FLOOR:
        return constant("floor:port", ret);
    case CAUSE_ADDRESS_FLOOR:
    case CAUSE_LOOP:
        return constant("floor:address", ret);
    case CAUSE_NONE:
    case CAUSE_DEFAULT:
        break;
    }
    return constant("default", ret);
}

static bool get_stage(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = visit_of(x);

    (void)arg;
    if (v == NULL || v->outcome == OUTCOME_OPEN || v->outcome == OUTCOME_ERROR)
        return false;
    return constant(v->stage == STAGE_ADDRESS ? "address" : "request", ret);
}

static void add_reason(const struct visit *v, struct buf *out)
{
    if (v->cause == CAUSE_RULE) {
        rule_reason(v->rule, &v->facts, out);
        return;
    }
    if (v->outcome == OUTCOME_DENY && (v->cause == CAUSE_ADDRESS_FLOOR || v->cause == CAUSE_LOOP)) {
        buf_addf(out, "%s address ", floor_word_name(v->candidate.word));
        address_print_ip(&v->candidate.plain, out);
        return;
    }
    buf_add(out, v->why);
}

static bool get_reason(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = visit_of(x);
    struct buf out;

    (void)arg;
    if (v == NULL || v->outcome == OUTCOME_OPEN)
        return false;
    begin(&out);
    add_reason(v, &out);
    *ret = end(x, &out);
    return ret->len > 0;
}

static bool get_category(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = visit_of(x);
    struct buf out;

    (void)arg;
    if (v == NULL || v->rule == NULL || v->cause != CAUSE_RULE)
        return false;
    begin(&out);
    rule_categories(v->rule, &v->facts, &out);
    *ret = end(x, &out);
    return ret->len > 0;
}

static bool get_address(struct exchange *x, struct span arg, struct span *ret)
{
    const struct visit *v = visit_of(x);
    struct buf out;

    (void)arg;
    if (v == NULL || v->address.family == AF_UNSPEC)
        return false;
    begin(&out);
    address_print_ip(&v->address, &out);
    *ret = end(x, &out);
    return true;
}

const struct variable report_variables[] = {
    { "forward_protocol", NO_FAMILY, get_protocol, "http or connect" },
    { "forward_host", NO_FAMILY, get_host, "the host that was asked for" },
    { "forward_port", NO_FAMILY, get_port, "the port that was asked for" },
    { "forward_url", NO_FAMILY, get_url,
      "what was asked for, without its query; of a tunnel host:port" },
    { "forward_to", NO_FAMILY, get_to, "where a rule's to= leads instead" },
    { "forward_verdict", NO_FAMILY, get_verdict, "allow, deny or error" },
    { "forward_rule", NO_FAMILY, get_rule,
      "file:line of the deciding rule, default, floor:port or floor:address" },
    { "forward_stage", NO_FAMILY, get_stage, "the stage that decided: request or address" },
    { "forward_reason", NO_FAMILY, get_reason, "why, as a sentence" },
    { "forward_category", NO_FAMILY, get_category, "the lists that the deciding rule found" },
    { "forward_address", NO_FAMILY, get_address, "the address that was let pass last" },
    {},
};
