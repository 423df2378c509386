/* Rows in words: their form, their contexts, their traits, an example. */
#include "run/row_words.h"

#include "base/buf.h"
#include "base/span.h"
#include "conf/directive.h"
#include "conf/types.h"
#include "run/examples.h"

static const struct {
    unsigned bit;
    const char *name;
} contexts[] = {
    { CTX_MAIN, "main" },          { CTX_EVENTS, "events" },       { CTX_HTTP, "http" },
    { CTX_SERVER, "server" },      { CTX_LOCATION, "location" },   { CTX_UPSTREAM, "upstream" },
    { CTX_FORWARD, "forward" },    { CTX_WHEN, "when" },           { CTX_IF, "if" },
    { CTX_LIMIT, "limit_except" }, { CTX_SERVER_IF, "server if" },
};

bool row_is_refused(const struct directive *d)
{
    return span_starts(span_of(d->help), "not here: ");
}

static const char *value_of(const struct directive *d)
{
    static const struct {
        const struct conf_type *type;
        const char *name;
    } values[] = {
        { &conf_flag, "on | off" },       { &conf_number, "NUMBER" }, { &conf_size, "SIZE" },
        { &conf_offset, "SIZE" },         { &conf_time, "TIME" },     { &conf_seconds, "TIME" },
        { &conf_buffers, "NUMBER SIZE" }, { &conf_path, "PATH" },
    };

    for (size_t i = 0; i < COUNT(values); i++)
        if (values[i].type == d->type)
            return values[i].name;
    return NULL;
}

static void add_choices(const struct directive *d, struct buf *out)
{
    for (const struct conf_name *n = d->extra; n->name != NULL; n++)
        buf_addf(out, "%s%s", n == d->extra ? " " : " | ", n->name);
    if (d->max_args > 1)
        buf_adds(out, " ...");
}

static void add_words(const struct directive *d, struct buf *out)
{
    unsigned shown = d->max_args < 3 ? d->max_args : 1;

    for (unsigned i = 0; i < shown; i++)
        buf_adds(out, i < d->min_args ? " VALUE" : " [VALUE]");
    if (shown < d->max_args)
        buf_adds(out, " ...");
}

void row_add_form(const struct directive *d, struct buf *out)
{
    const char *value = value_of(d);

    buf_adds(out, d->name);
    if (d->type == &conf_choice || d->type == &conf_choices)
        add_choices(d, out);
    else if (value != NULL && d->max_args < 3)
        buf_addf(out, " %s", value);
    else
        add_words(d, out);
    buf_adds(out, d->opens != 0 ? " { ... }" : ";");
}

void row_add_contexts(const struct directive *d, struct buf *out)
{
    const char *between = "";

    for (size_t i = 0; i < COUNT(contexts); i++) {
        if ((d->contexts & contexts[i].bit) == 0)
            continue;
        buf_addf(out, "%s%s", between, contexts[i].name);
        between = ", ";
    }
}

/* What several contexts may say, and an inner block does not take from an outer one. */
static bool is_local(const struct directive *d)
{
    bool several = (d->contexts & (d->contexts - 1)) != 0;
    bool applies = d->opens == 0 && d->type != &conf_nothing;

    return several && applies && (d->inherit == NONE || d->inherit == INTO_IF);
}

const char *row_next_note(const struct directive *d, unsigned *at)
{
    const struct {
        bool holds;
        const char *text;
    } notes[] = {
        { d->type->many, "may stand several times" },
        { is_local(d) && d->inherit == INTO_IF, "inherited only by an `if`" },
        { is_local(d) && d->inherit == NONE, "not inherited" },
        { d->inherit == LIST, "an inner block's lines are added to the outer block's" },
        { d->type == &conf_nothing, "accepted without effect" },
    };

    while (*at < COUNT(notes))
        if (notes[(*at)++].holds)
            return notes[*at - 1].text;
    return NULL;
}

const char *row_example(const struct directive *d)
{
    for (const char *const *line = directive_examples; *line != NULL; line++) {
        struct span name = span_first(span_of(*line), strcspn(*line, " ;"));

        bool opens =
            strchr(*line, '{') != NULL; /* `server` is a block, and a line of an upstream */

        if (span_is(name, d->name) && opens == (d->opens != 0))
            return *line;
    }
    return NULL;
}
