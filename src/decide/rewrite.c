/* The rewrite directives (nginx-semantics 6.2): in a server before the location is searched, in a
 * location after it was found. A path that the location's steps have changed is searched again:
 *
 *     server's steps -> search -> location's steps -> access, content ...
 *                         ^------ path changed
 */
#include "decide/rewrite.h"

#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "decide/rewrite_script.h"
#include "exchange/exchange.h"
#include "exchange/module.h"
#include "exchange/phase.h"

static enum flow take_break(struct run *run, const struct step *s)
{
    if (run->changed) { /* NGINX's rule: as if the rewrite had said `break` */
        run->changed = false;
        run->x->request.path_use = PATH_ALONE;
    }
    decided(run->x, DECIDED_BREAK, NEXT, s->place, NULL);
    return FLOW_END;
}

static bool set_break(struct conf_call *call, void *field)
{
    return script_add(call, field, take_break, NULL);
}

static const struct conf_type break_line = { .set = set_break,
                                             .size = sizeof(struct conf_list),
                                             .many = true };

enum {
    STEPPED = CTX_SERVER | CTX_SERVER_IF | CTX_LOCATION | CTX_IF,
    ANYWHERE = CTX_HTTP | STEPPED
};

#define STEPS offsetof(struct rewrite_settings, steps)

static const struct directive directives[] = {
    { "rewrite", STEPPED, 2, 3, &rewrite_rule_line, STEPS, NULL, NONE,
      "a path that matches becomes another; `last`, `break`, or a `redirect`, `permanent`", 0,
      NULL },
    { "set", STEPPED, 2, 2, &rewrite_set_line, STEPS, NULL, NONE, "give a variable a value", 0,
      NULL },
    { "break", STEPPED, 0, 0, &break_line, STEPS, NULL, NONE,
      "leave out the rewrite directives that follow", 0, NULL },
    { "return", STEPPED, 1, 2, &return_line, STEPS, NULL, NONE,
      "answer with a status, a text or a redirect", 0, NULL },
    { "if", CTX_LOCATION, 1, ANY_ARGS, &rewrite_if_block, STEPS, NULL, NONE,
      "settings in force where a condition holds: `($v)`, `=`, `!=`, `~`, `~*`, `-f`, `-d`, `-e`, "
      "`-x`",
      CTX_IF, NULL },
    { "if", CTX_SERVER, 1, ANY_ARGS, &rewrite_if_block, STEPS, NULL, NONE,
      "rewrite directives that run where a condition holds", CTX_SERVER_IF, NULL },
    { "rewrite_log", ANYWHERE, 1, 1, &conf_flag, offsetof(struct rewrite_settings, logs), "off",
      WHOLE, "write what `rewrite` and `if` do to the error log, at level notice", 0, NULL },
    { "uninitialized_variable_warn", ANYWHERE, 1, 1, &conf_flag,
      offsetof(struct rewrite_settings, warns), "on", WHOLE,
      "warn when a variable is used that no `set` has set", 0, NULL },
    {},
};

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct rewrite_settings *own = settings;

    (void)conf, (void)block;
    script_sort(&own->steps);
    return true;
}

static enum verdict run_server(struct exchange *x, const void *settings)
{
    struct run run = { .x = x, .verdict = NEXT, .quotes = true };

    script_run(&run, settings);
    return run.verdict;
}

static enum verdict run_location(struct exchange *x, const void *settings)
{
    struct run run = { .x = x, .verdict = NEXT, .quotes = true };

    if (x->block == x->server) /* none was found, and the server's steps have run */
        return NEXT;
    script_run(&run, settings);
    return run.verdict == NEXT && run.changed ? exchange_search(x) : run.verdict;
}

static const struct hook hooks[] = {
    { .phase = PHASE_SERVER_REWRITE, .run = run_server },
    { .phase = PHASE_REWRITE, .run = run_location },
    {},
};

const struct module rewrite_module = {
    .name = "rewrite",
    .directives = directives,
    .hooks = hooks,
    .settings_size = sizeof(struct rewrite_settings),
    .check = check,
};
