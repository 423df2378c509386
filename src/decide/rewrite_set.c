/* `set $NAME VALUE` (nginx-semantics 6.2): evaluated at once, kept for the exchange. `$args` is the
 * query itself. */
#include "base/errlog.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "decide/rewrite.h"
#include "decide/rewrite_script.h"
#include "exchange/declared.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/log.h"
#include "exchange/template.h"

struct assignment {
    struct declared *variable; /* NULL: $args */
    struct template value;
};

static enum flow take_set(struct run *run, const struct step *s)
{
    const struct assignment *a = s->what;
    struct span value;

    if (!script_value(run, &a->value, &value))
        return script_end(run, exchange_refuse(run->x, 500, NULL));
    if (a->variable != NULL)
        declared_set(run->x, a->variable, value);
    else
        run->x->request.args = value;
    return FLOW_ON;
}

/* Nothing, and one warning for each request. */
static bool warn_unset(struct exchange *x, const struct declared *d, struct span *ret)
{
    const struct rewrite_settings *own;

    if (x->block == NULL) /* a request that was refused before anything was decided */
        return false;
    own = settings_in(x->block, module_index(x->generation, &rewrite_module));
    if (own->warns)
        exchange_log(x, LEVEL_WARN, 0, "using uninitialized \"%s\" variable", declared_name(d));
    *ret = span_of("");
    declared_set(x, d, *ret);
    return true;
}

static bool name_variable(struct conf_call *call, struct span name, struct assignment *a)
{
    if (span_is_caseless(name, "args"))
        return true;
    if (span_is_caseless(name, "limit_rate"))
        return conf_refuse(call, 1, "\"$limit_rate\" is known, not supported yet");
    a->variable = declared_add(call, 1, name);
    if (a->variable != NULL)
        declared_stand_in(a->variable, warn_unset);
    return a->variable != NULL;
}

static bool set_set(struct conf_call *call, void *field)
{
    struct assignment *a = arena_zalloc(conf_arena(call), sizeof(*a));
    struct span word = conf_word(call, 1), name = span_from(word, 1);

    if (!span_starts(word, "$") || !variable_is_name(name))
        return conf_refuse(call, 1, "invalid variable name \"%s\"",
                           arena_cstr(conf_arena(call), word));
    return name_variable(call, name, a) && template_compile(call, 2, &a->value) &&
           script_add(call, field, take_set, a);
}

const struct conf_type rewrite_set_line = { .set = set_set,
                                            .size = sizeof(struct conf_list),
                                            .many = true };
