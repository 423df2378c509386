/* Values with variables: compiled once, evaluated for each exchange. Owns nothing: parts lie in the
 * generation arena.
 *
 *     "/a/$host/${uri}b"  ->  literal "/a/" | host | literal "/" | uri | literal "b"
 *
 * A value without variables has no parts, only its text: it costs no copy. In logs the parts are
 * printed one by one, so that each value is escaped by itself, and secrets are hidden. */
#include "exchange/template.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/declared.h"
#include "exchange/draft.h"
#include "exchange/exchange.h"
#include "exchange/expression.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/variable.h"
#include "exchange/worker.h"
#include "proto/fields.h"
#include "proto/uri.h"

enum { LONGEST_VALUE = 64 * 1024 };

struct template_part {
    struct span literal;             /* if `variable` is NULL */
    const struct variable *variable; /* get's row */
    struct span argument;            /* of a family */
};

/* In one module's rows. A family needs a rest: `$http_` alone is no variable. */
static const struct variable *find_in(const struct variable *rows, struct span name,
                                      struct span *ret_argument)
{
    for (const struct variable *v = rows; v != NULL && v->name != NULL; v++) {
        if (!variable_is_family(v) && span_is(name, v->name)) {
            *ret_argument = (struct span){ NULL, 0 };
            return v;
        }
        if (variable_is_family(v) && span_starts(name, v->name) && name.len > strlen(v->name)) {
            *ret_argument = span_from(name, strlen(v->name));
            return v;
        }
    }
    return NULL;
}

/* Exact names win over families, whatever the order of modules. */
static const struct variable *find_ours(const struct generation *g, struct span name,
                                        struct span *ret_argument)
{
    const struct variable *family = NULL;
    struct span argument = { NULL, 0 };

    for (unsigned m = 0; m < g->module_count; m++) {
        const struct variable *v = find_in(g->modules[m]->variables, name, &argument);

        if (v != NULL && !variable_is_family(v)) {
            *ret_argument = argument;
            return v;
        }
        if (v != NULL && family == NULL) {
            family = v;
            *ret_argument = argument;
        }
    }
    return family;
}

static const struct variable *find_variable(const struct generation *g, struct span name,
                                            struct span *ret_argument)
{
    const struct variable *v = find_ours(g, name, ret_argument);

    return v != NULL ? v : declared_find(g, name, ret_argument);
}

bool variable_exists(const struct generation *g, struct span name)
{
    struct span argument;

    return find_variable(g, name, &argument) != NULL;
}

bool variable_is_ours(const struct generation *g, struct span name)
{
    struct span argument;

    return find_ours(g, name, &argument) != NULL;
}

bool variable_value(struct exchange *x, struct span name, struct span *ret)
{
    struct span argument;
    const struct variable *v = find_variable(x->generation, name, &argument);

    return v != NULL && v->get(x, argument, ret);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool variable_is_name(struct span name)
{
    size_t len = 0;

    while (len < name.len && is_name_byte(name.at[len]))
        len++;
    return len == name.len && len > 0 && len <= LONGEST_NAME &&
           !(len == 1 && name.at[0] >= '0' && name.at[0] <= '9');
}

/* `text` stands behind a `$`. Takes the name off it. */
static bool take_name(struct conf_call *call, unsigned word, struct span *text,
                      struct span *ret_name)
{
    bool braces = text->len > 0 && text->at[0] == '{';
    struct span rest = braces ? span_from(*text, 1) : *text;
    size_t len = 0;

    while (len < rest.len && is_name_byte(rest.at[len]))
        len++;
    if (len == 0 || len > LONGEST_NAME)
        return conf_refuse(call, word, "invalid variable name");
    *ret_name = span_first(rest, len);
    rest = span_from(rest, len);
    if (braces && (rest.len == 0 || rest.at[0] != '}'))
        return conf_refuse(call, word, "the closing bracket in \"%.*s\" variable is missing",
                           (int)ret_name->len, ret_name->at);
    *text = span_from(rest, braces ? 1 : 0);
    return true;
}

/* Our names are looked up at once; others may be declared further down. */
static struct template_part variable_part(struct conf_call *call, unsigned word, struct span name)
{
    const struct generation *g = conf_user(call);
    struct template_part part = { .literal = { NULL, 0 } };
    char *lower = arena_cstr(conf_arena(call), name);

    for (size_t i = 0; i < name.len; i++)
        lower[i] = ascii_lower(lower[i]);
    part.variable = find_ours(g, (struct span){ lower, name.len }, &part.argument);
    if (part.variable == NULL)
        part.variable = declared_use(call, word, (struct span){ lower, name.len }, &part.argument);
    return part;
}

/* `text` stands behind a `$`: a name, or one digit. Takes it off. */
static bool take_variable(struct conf_call *call, unsigned word, struct span *text,
                          struct template_part *ret)
{
    struct span name;

    if (text->len > 0 && text->at[0] >= '1' && text->at[0] <= '9') {
        *ret = (struct template_part){ .variable = &expression_group,
                                       .argument = span_first(*text, 1) };
        *text = span_from(*text, 1);
        return true;
    }
    if (!take_name(call, word, text, &name))
        return false;
    *ret = variable_part(call, word, name);
    return true;
}

/* Each `$` begins a variable, and has at most one literal before it; one more at the end. */
static size_t most_parts(struct span text)
{
    size_t dollars = 0;

    for (size_t i = 0; i < text.len; i++)
        dollars += text.at[i] == '$';
    return 2 * dollars + 1;
}

bool template_compile_text(struct conf_call *call, unsigned word, struct span text,
                           struct template *ret)
{
    struct template made = { .is_set = true, .text = text };
    struct span rest = text;

    if (span_find(text, '$') == text.len) {
        *ret = made;
        return true;
    }
    struct template_part *parts = arena_alloc(conf_arena(call), most_parts(text) * sizeof(*parts));
    while (rest.len > 0) {
        size_t literal = span_find(rest, '$');

        if (literal > 0)
            parts[made.count++] = (struct template_part){ .literal = span_first(rest, literal) };
        if (literal == rest.len)
            break;
        rest = span_from(rest, literal + 1);
        if (!take_variable(call, word, &rest, &parts[made.count++]))
            return false;
    }
    made.parts = parts;
    *ret = made;
    return true;
}

bool template_compile(struct conf_call *call, unsigned word, struct template *ret)
{
    return template_compile_text(call, word, conf_word(call, word), ret);
}

static bool set_template(struct conf_call *call, void *field)
{
    return template_compile(call, 1, field);
}

const struct conf_type template_type = { .set = set_template, .size = sizeof(struct template) };

static bool part_value(struct exchange *x, const struct template_part *p, struct span *ret)
{
    if (p->variable != NULL)
        return p->variable->get(x, p->argument, ret);
    *ret = p->literal;
    return true;
}

void template_add(struct exchange *x, const struct template *t, struct buf *out)
{
    struct span value;

    if (t->count == 0)
        buf_add(out, t->text);
    for (uint32_t i = 0; i < t->count; i++)
        if (part_value(x, &t->parts[i], &value))
            buf_add(out, value);
}

void template_add_escaped(struct exchange *x, const struct template *t, struct buf *out)
{
    struct span value;

    if (t->count == 0)
        buf_add(out, t->text);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct template_part *p = &t->parts[i];

        if (!part_value(x, p, &value))
            continue;
        if (p->variable == &expression_group)
            uri_escape(value, ESCAPE_ARGS, out);
        else
            buf_add(out, value);
    }
}

struct span template_value(struct exchange *x, const struct template *t)
{
    struct span value = { NULL, 0 };
    struct buf made;

    if (t->count == 0)
        return t->text;
    if (t->count == 1)
        return part_value(x, &t->parts[0], &value) ? value : (struct span){ NULL, 0 };
    buf_init(&made, LONGEST_VALUE, &x->worker->budget);
    template_add(x, t, &made);
    value = arena_copy(&x->arena, buf_view(&made));
    buf_done(&made);
    return value;
}

/* --- in logs -------------------------------------------------------------------------------- */

struct span variable_field(struct span argument, char room[LONGEST_NAME])
{
    size_t len = argument.len < LONGEST_NAME ? argument.len : LONGEST_NAME - 1;

    for (size_t i = 0; i < len; i++)
        room[i] = argument.at[i] == '_' ? '-' : argument.at[i];
    return (struct span){ room, len };
}

static bool is_secret(const struct template_part *p)
{
    char room[LONGEST_NAME];

    switch (p->variable->family) {
    case NO_FAMILY:
    case LATE:
    case FAMILY:
        return false;
    case FAMILY_OF_FIELDS:
        return field_is_sensitive(field_id_of(variable_field(p->argument, room)));
    case FAMILY_OF_SECRETS:
        return true;
    }
    return true;
}

/* `Basic dXNlcjpwYXNz` -> `Basic ***`; what has no scheme is a secret whole. */
static struct span hidden(struct exchange *x, const struct template_part *p, struct span value)
{
    enum { LONGEST_SCHEME = 32 };
    static const char stars[] = "***";
    size_t scheme = span_find(value, ' ');
    bool credentials = p->variable->family == FAMILY_OF_FIELDS && scheme < value.len &&
                       scheme <= LONGEST_SCHEME && span_ends(p->argument, "authorization");

    if (value.len == 0)
        return value;
    if (!credentials)
        return span_of(stars);
    char *shown = arena_alloc(&x->arena, scheme + sizeof(stars));
    memcpy(shown, value.at, scheme + 1);
    memcpy(shown + scheme + 1, stars, sizeof(stars) - 1);
    return (struct span){ shown, scheme + sizeof(stars) };
}

/* How values are shown, and how many bytes of them still may be. */
struct showing {
    void (*print)(struct span value, bool set, struct buf *out);
    size_t most;
};

static void show_part(struct exchange *x, const struct template_part *p, struct showing *s,
                      struct buf *out)
{
    struct span value;

    if (p->variable == NULL) {
        buf_add(out, p->literal);
        return;
    }
    bool set = part_value(x, p, &value);
    if (!set)
        value = (struct span){ NULL, 0 };
    else if (is_secret(p))
        value = hidden(x, p, value);
    s->print(span_first(value, s->most), set, out);
    if (value.len > s->most)
        buf_adds(out, "...");
    s->most -= value.len < s->most ? value.len : s->most;
}

void template_log(struct exchange *x, const struct template *t, struct buf *out,
                  void (*print)(struct span value, bool set, struct buf *out), size_t most)
{
    struct showing showing = { print, most };

    if (t->count == 0)
        buf_add(out, t->text);
    for (uint32_t i = 0; i < t->count; i++)
        show_part(x, &t->parts[i], &showing, out);
}

/* Its value is not final before a tunnel has ended: a draft keeps its variable, not its value. */
static bool is_late(const struct template_part *p)
{
    return p->variable != NULL && p->variable->family == LATE;
}

bool template_is_late(const struct template *t)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (is_late(&t->parts[i]))
            return true;
    return false;
}

void template_draft(struct exchange *x, const struct template *t, struct draft_writer *w,
                    void (*print)(struct span value, bool set, struct buf *out), size_t most)
{
    struct showing showing = { print, most };

    if (t->count == 0)
        buf_add(draft_text(w), t->text);
    for (uint32_t i = 0; i < t->count; i++) {
        const struct template_part *p = &t->parts[i];

        if (is_late(p))
            draft_hole(w, p->variable);
        else
            show_part(x, p, &showing, draft_text(w));
    }
}
