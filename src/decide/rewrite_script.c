/* The steps of a block, and what they share. Owns nothing: steps lie in the generation arena. */
#include "decide/rewrite_script.h"

#include "base/buf.h"
#include "base/errlog.h"
#include "conf/call.h"
#include "conf/tree.h"
#include "exchange/exchange.h"
#include "exchange/expression.h"
#include "exchange/log.h"
#include "exchange/template.h"
#include "exchange/worker.h"
#include "proto/fields.h"

#include <stdlib.h>

bool script_add(struct conf_call *call, struct conf_list *steps,
                enum flow (*take)(struct run *run, const struct step *s), const void *what)
{
    struct step step = { take, what, conf_place(call, 0), call->node->order };

    return conf_list_add(call, steps, &step, sizeof(step));
}

bool script_is_url(struct span text)
{
    return span_starts(text, "http://") || span_starts(text, "https://") ||
           span_starts(text, "$scheme");
}

static int compare_order(const void *a, const void *b)
{
    unsigned first = ((const struct step *)a)->order, second = ((const struct step *)b)->order;

    return (first > second) - (first < second);
}

void script_sort(struct conf_list *steps)
{
    if (steps->len > 0)
        qsort(steps->items, steps->len, sizeof(struct step), compare_order);
}

enum flow script_run(struct run *run, const struct rewrite_settings *own)
{
    const struct rewrite_settings *outer = run->own;
    const struct step *steps = own->steps.items;
    enum flow flow = FLOW_ON;

    run->own = own;
    for (uint32_t i = 0; i < own->steps.len && flow == FLOW_ON; i++)
        flow = steps[i].take(run, &steps[i]);
    run->own = outer;
    return flow;
}

enum flow script_end(struct run *run, enum verdict verdict)
{
    run->verdict = verdict;
    return FLOW_END;
}

enum pattern_verdict script_match(struct run *run, const struct expression *e, struct span subject)
{
    enum pattern_verdict verdict = expression_match(run->x, e, subject);

    if (verdict == PATTERN_NO)
        expression_forget(run->x);
    if (run->own->logs && verdict != PATTERN_LIMIT)
        exchange_log(run->x, LEVEL_NOTICE, 0, "\"%s\" %s \"%.*s\"", expression_text(e).at,
                     verdict == PATTERN_MATCH ? "matches" : "does not match", (int)subject.len,
                     subject.at);
    return verdict;
}

void script_text(struct run *run, const struct template *t, bool quotes, struct buf *out)
{
    if (quotes && run->x->request.escaped)
        template_add_escaped(run->x, t, out);
    else
        template_add(run->x, t, out);
}

bool script_keep(struct run *run, struct buf *made, struct span *ret)
{
    bool good = buf_ok(made);

    if (good)
        *ret = arena_copy(&run->x->arena, buf_view(made));
    else
        exchange_log(run->x, LEVEL_ERROR, 0, "what a rewrite directive makes is too long");
    buf_done(made);
    return good;
}

bool script_value(struct run *run, const struct template *t, struct span *ret)
{
    struct buf made;

    if (template_is_literal(t)) {
        *ret = t->text;
        return true;
    }
    buf_init(&made, SCRIPT_LONGEST, &run->x->worker->budget);
    script_text(run, t, run->quotes, &made);
    return script_keep(run, &made, ret);
}

enum flow script_redirect(struct run *run, const char *directive, unsigned status,
                          struct span location)
{
    if (is_field_value(location))
        return script_end(run, exchange_redirect(run->x, status, location));
    exchange_log(run->x, LEVEL_ERROR, 0, "a control byte in the Location of \"%s\" was refused",
                 directive);
    return script_end(run, exchange_refuse(run->x, 500, NULL));
}
