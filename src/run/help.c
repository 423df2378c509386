/* `bifrons help WORD`: what the rows say of a directive, and the tables of a variable.
 *
 *     proxy_pass VALUE;
 *         pass requests on to this upstream
 *         in:       location, if
 *         example:  proxy_pass http://127.0.0.1:3000/;
 */
#include "base/buf.h"
#include "base/span.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "exchange/module.h"
#include "exchange/variable.h"
#include "run/module_list.h"
#include "run/row_words.h"
#include "run/tools.h"
#include "run/usage.h"

#include <stdio.h>

enum { LONGEST_HELP = 64 * 1024, MOST_NAMES = 2048 };

static void add_line(const char *what, const char *text, struct buf *out)
{
    buf_addf(out, "    %-9s %s\n", what, text);
}

static void add_row(const struct directive *d, struct buf *out)
{
    const char *example = row_example(d), *note;

    row_add_form(d, out);
    buf_addf(out, "\n    %s\n    %-9s ", d->help, "in:");
    row_add_contexts(d, out);
    buf_adds(out, "\n");
    if (d->fallback != NULL)
        add_line("default:", d->fallback, out);
    for (unsigned at = 0; (note = row_next_note(d, &at)) != NULL;)
        add_line("note:", note, out);
    if (example != NULL)
        add_line("example:", example, out);
}

static void add_refusal(const struct directive *d, struct buf *out)
{
    buf_addf(out, "%s\n    in a forward block it is refused: %s\n", d->name,
             (const char *)d->extra);
}

static void add_rows(struct span name, bool refused, struct buf *out)
{
    for (unsigned i = 0; i < module_list_count; i++)
        for (const struct directive *d = module_list[i]->directives; d && d->name != NULL; d++)
            if (span_is(name, d->name) && row_is_refused(d) == refused)
                (refused ? add_refusal : add_row)(d, out);
}

static void add_directives(struct span name, struct buf *out)
{
    add_rows(name, false, out);
    add_rows(name, true, out);
}

static bool is_meant(const struct variable *v, struct span name)
{
    return variable_is_family(v) ? span_starts_caseless(name, v->name)
                                 : span_is_caseless(name, v->name);
}

static void add_variables(struct span name, struct buf *out)
{
    for (unsigned i = 0; i < module_list_count; i++)
        for (const struct variable *v = module_list[i]->variables; v && v->name != NULL; v++)
            if (is_meant(v, name))
                buf_addf(out, "$%s%s\n    %s\n", v->name, variable_is_family(v) ? "NAME" : "",
                         v->help);
}

static bool is_later(struct span name)
{
    for (const char *const *later = later_directives; *later != NULL; later++) {
        struct span known = span_of(*later);

        if (span_same(name, known) ||
            (span_chop(&known, '*') && span_same(span_first(name, known.len), known)))
            return true;
    }
    return false;
}

static struct span nearest(struct span name)
{
    static struct span names[MOST_NAMES];
    size_t count = 0;

    for (unsigned i = 0; i < module_list_count; i++)
        for (const struct directive *d = module_list[i]->directives; d && d->name != NULL; d++)
            if (count < MOST_NAMES)
                names[count++] = span_of(d->name);
    return conf_nearest(name, names, count);
}

static int refuse(struct span name)
{
    struct span near = nearest(name);

    if (is_later(name))
        return fprintf(stderr, "bifrons: \"%s\" is known, not supported yet\n", name.at), 1;
    fprintf(stderr, "bifrons: there is no \"%s\"\n", name.at);
    if (near.len > 0)
        fprintf(stderr, "did you mean \"%.*s\"?\n", (int)near.len, near.at);
    return 1;
}

int help_main(int argc, char **argv)
{
    struct buf out;

    if (argc < 3 || usage_is_wanted(argv[2]))
        return usage_print(), 0;
    if (argc > 3)
        return fputs("bifrons: help: one word is explained at a time\n", stderr), 1;
    struct span name = span_of(argv[2]);
    buf_init(&out, LONGEST_HELP, NULL);
    if (span_starts(name, "$"))
        add_variables(span_from(name, 1), &out);
    else
        add_directives(name, &out);
    struct span text = buf_view(&out);
    bool found = text.len > 0;
    if (found)
        fwrite(text.at, 1, text.len, stdout);
    buf_done(&out);
    if (found)
        return fflush(stdout) == 0 ? 0 : 1;
    return usage_print_command(argv[2]) ? 0 : refuse(name);
}
