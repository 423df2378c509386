/* `rewrite REGEX REPLACEMENT [last|break|redirect|permanent]` (nginx-semantics 6.2).
 *
 *     /path/$1 ? a=$2      a path with args: both are made anew; old args are added behind `&`,
 *                          unless the replacement ends in `?`
 *     http://host/$1?a     a redirect: one text, and what is escaped in its path is decoded again
 */
#include "base/buf.h"
#include "base/errlog.h"
#include "base/pattern.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "decide/rewrite_script.h"
#include "exchange/exchange.h"
#include "exchange/expression.h"
#include "exchange/log.h"
#include "exchange/template.h"
#include "exchange/worker.h"
#include "proto/byte_class.h"
#include "proto/uri.h"

enum rule_end {
    RULE_GOES_ON, /* with the next step */
    RULE_LAST,
    RULE_BREAK /* and the location stays */
};

struct rule {
    const struct expression *expression;
    struct template path; /* of a redirect: all of it */
    struct template args; /* is_set: there is a `?` */
    unsigned status;      /* of a redirect; else 0 */
    enum rule_end end;
    bool drops_args; /* those of the request */
    bool has_mark;   /* a redirect with a `?` that was written out */
};

static bool refuse_flag(struct conf_call *call, struct span flag)
{
    static const char *const flags[] = { "last", "break", "redirect", "permanent", NULL };

    conf_refuse(call, 3, "invalid parameter \"%s\"", arena_cstr(conf_arena(call), flag));
    return conf_suggest_one_of(call, 3, flags);
}

/* --- reading -------------------------------------------------------------------------------- */

static bool read_flag(struct conf_call *call, struct rule *rule)
{
    struct span flag = conf_word(call, 3);

    if (conf_count(call) < 4)
        return true;
    if (span_is(flag, "last"))
        rule->end = RULE_LAST;
    else if (span_is(flag, "break"))
        rule->end = RULE_BREAK;
    else if (span_is(flag, "redirect"))
        rule->status = 302;
    else if (span_is(flag, "permanent"))
        rule->status = 301;
    else
        return refuse_flag(call, flag);
    return true;
}

/* No name of a variable holds a `?`: the first one parts path and args. */
static bool compile(struct conf_call *call, struct rule *rule, struct span text)
{
    size_t mark = span_find(text, '?');

    rule->has_mark = mark < text.len;
    if (rule->status != 0 || !rule->has_mark)
        return template_compile_text(call, 2, text, &rule->path);
    return template_compile_text(call, 2, span_first(text, mark), &rule->path) &&
           template_compile_text(call, 2, span_from(text, mark + 1), &rule->args);
}

static enum flow take_rule(struct run *run, const struct step *s);

static bool set_rule(struct conf_call *call, void *field)
{
    struct rule *rule = arena_zalloc(conf_arena(call), sizeof(*rule));
    struct span text = conf_word(call, 2);

    rule->expression = expression_new(call, 1, conf_word(call, 1), false);
    if (rule->expression == NULL)
        return false;
    if (text.len == 0)
        return conf_refuse(call, 2, "empty replacement");
    if (script_is_url(text))
        rule->status = 302;
    if (!read_flag(call, rule))
        return false;
    if (rule->status == 0 && !span_starts(text, "/") && !span_starts(text, "$"))
        conf_warn(call, 2, "a path that does not begin with \"/\" is answered with 500");
    rule->drops_args = span_chop(&text, '?');
    return compile(call, rule, text) && script_add(call, field, take_rule, rule);
}

const struct conf_type rewrite_rule_line = { .set = set_rule,
                                             .size = sizeof(struct conf_list),
                                             .many = true };

/* --- taking it ------------------------------------------------------------------------------ */

static void add_old_args(const struct exchange *x, const struct rule *rule, char glue,
                         struct buf *out)
{
    if (rule->drops_args || x->request.args.len == 0)
        return;
    buf_add_byte(out, glue);
    buf_add(out, x->request.args);
}

static bool make_args(struct run *run, const struct rule *rule, struct span *ret)
{
    struct span old = run->x->request.args;
    struct buf made;

    *ret = rule->drops_args ? span_first(old, 0) : old;
    if (!rule->args.is_set)
        return true;
    buf_init(&made, SCRIPT_LONGEST, &run->x->worker->budget);
    script_text(run, &rule->args, true, &made);
    add_old_args(run->x, rule, '&', &made);
    return script_keep(run, &made, ret);
}

static bool make_path(struct run *run, const struct rule *rule, struct span *ret)
{
    struct buf made;

    buf_init(&made, SCRIPT_LONGEST, &run->x->worker->budget);
    script_text(run, &rule->path, false, &made);
    return script_keep(run, &made, ret);
}

static bool is_path(struct exchange *x, struct span path)
{
    if (path.len > 0 && path.at[0] == '/')
        return true;
    if (path.len == 0)
        exchange_log(x, LEVEL_ERROR, 0, "the rewritten URI has a zero length");
    else
        exchange_log(x, LEVEL_ERROR, 0, "the rewritten URI \"%.*s\" does not begin with \"/\"",
                     (int)path.len, path.at);
    return false;
}

static enum flow change_path(struct run *run, const struct rule *rule)
{
    struct exchange *x = run->x;
    struct span path, args;

    if (!make_path(run, rule, &path) || !make_args(run, rule, &args))
        return script_end(run, exchange_refuse(x, 500, NULL));
    if (run->own->logs)
        exchange_log(x, LEVEL_NOTICE, 0, "rewritten data: \"%.*s\", args: \"%.*s\"", (int)path.len,
                     path.at, (int)args.len, args.at);
    exchange_rewrite(x, path, args);
    if (!is_path(x, path))
        return script_end(run, exchange_refuse(x, 500, NULL));
    if (path_has_dots(path)) /* they would pass by the locations that stand for what they lead to */
        return script_end(run, exchange_refuse(x, 404, "a rewritten path holds a dot segment"));
    run->changed = rule->end != RULE_BREAK;
    if (rule->end == RULE_BREAK)
        x->request.path_use = PATH_ALONE;
    return rule->end == RULE_GOES_ON ? FLOW_ON : FLOW_END;
}

/* The value of `%XX` at the start of the text; -1: none stands there. */
static int escaped_byte(struct span text)
{
    int high = text.len > 2 && text.at[0] == '%' ? hex_value(text.at[1]) : -1;
    int low = high >= 0 ? hex_value(text.at[2]) : -1;

    return low >= 0 ? high << 4 | low : -1;
}

/* Groups came escaped for a query. Up to the first `?`, what means nothing in a path is plain
 * again: `%26` is `&`, but `%20` and `%25` stay. */
static void decode_path(struct span text, struct buf *out)
{
    char byte = '\0';

    while (text.len > 0 && byte != '?') {
        int value = escaped_byte(text);
        bool plain = value > '%' && value < 0x7f;

        byte = plain ? (char)value : text.at[0];
        text = span_from(text, plain ? 3 : 1);
        buf_add_byte(out, byte);
    }
    buf_add(out, text);
}

static enum flow redirect(struct run *run, const struct rule *rule)
{
    struct exchange *x = run->x;
    struct buf text, made;
    struct span location;

    buf_init(&text, SCRIPT_LONGEST, &x->worker->budget);
    buf_init(&made, SCRIPT_LONGEST, &x->worker->budget);
    script_text(run, &rule->path, true, &text);
    decode_path(buf_view(&text), &made);
    add_old_args(x, rule, rule->has_mark ? '&' : '?', &made);
    made.failed = made.failed || !buf_ok(&text);
    buf_done(&text);
    if (!script_keep(run, &made, &location))
        return script_end(run, exchange_refuse(x, 500, NULL));
    if (run->own->logs)
        exchange_log(x, LEVEL_NOTICE, 0, "rewritten redirect: \"%.*s\"", (int)location.len,
                     location.at);
    return script_redirect(run, "rewrite", rule->status, location);
}

static enum flow take_rule(struct run *run, const struct step *s)
{
    const struct rule *rule = s->what;

    switch (script_match(run, rule->expression, run->x->request.uri)) {
    case PATTERN_NO:
        return FLOW_ON;
    case PATTERN_LIMIT:
        return script_end(run, exchange_refuse(run->x, 500, NULL));
    case PATTERN_MATCH:
        break;
    }
    decided(run->x, DECIDED_REWRITE, rule->status != 0 ? ANSWER : NEXT, s->place,
            expression_text(rule->expression).at);
    run->quotes = false;
    return rule->status != 0 ? redirect(run, rule) : change_path(run, rule);
}
