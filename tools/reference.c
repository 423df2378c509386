/* Prints doc/reference: every directive and every variable that the binary knows, from the rows
 * themselves.
 *
 *     reference directives    ->  doc/reference/directives.md
 *     reference variables     ->  doc/reference/variables.md
 *
 * `make reference` writes both; tests/docs fails when they are not what this prints. Owns nothing
 * but one paragraph at a time. */
#include "base/buf.h"
#include "base/span.h"
#include "conf/directive.h"
#include "exchange/module.h"
#include "exchange/variable.h"
#include "run/module_list.h"
#include "run/row_words.h"

#include <stdio.h>

enum { COLUMNS = 100, LONGEST = 16 * 1024 };

/* --- text ------------------------------------------------------------------------------------- */

/* One paragraph, broken at spaces so that no line is longer than COLUMNS; further lines are set in
 * by `margin`. */
static void print_paragraph(const struct buf *text, int margin)
{
    struct span rest = buf_view(text);
    size_t room = COLUMNS;

    while (rest.len > room) {
        size_t at = room;

        while (at > 0 && rest.at[at] != ' ')
            at--;
        if (at == 0) /* one word of that length: it stays whole */
            at = span_find(rest, ' ');
        printf("%.*s\n%*s", (int)at, rest.at, margin, "");
        rest = span_from(rest, at < rest.len ? at + 1 : at);
        room = COLUMNS - (size_t)margin;
    }
    printf("%.*s\n", (int)rest.len, rest.at);
}

static void add_sentence(struct buf *out, const char *help)
{
    buf_adds(out, help);
    buf_adds(out, ".");
}

/* --- directives ------------------------------------------------------------------------------- */

static void print_directive(const struct directive *d)
{
    const char *note;
    struct buf text;

    buf_init(&text, LONGEST, NULL);
    buf_adds(&text, "- `");
    row_add_form(d, &text);
    buf_adds(&text, "`: ");
    add_sentence(&text, d->help);
    buf_adds(&text, " *In:* ");
    row_add_contexts(d, &text);
    if (d->fallback != NULL)
        buf_addf(&text, "; *default:* `%s`", d->fallback);
    for (unsigned at = 0; (note = row_next_note(d, &at)) != NULL;)
        buf_addf(&text, "; %s", note);
    buf_adds(&text, ".");
    print_paragraph(&text, 2);
    buf_done(&text);
}

static void print_module(const struct module *m)
{
    unsigned shown = 0;

    for (const struct directive *d = m->directives; d != NULL && d->name != NULL; d++) {
        if (row_is_refused(d))
            continue;
        if (shown++ == 0)
            printf("\n## %s\n\n", m->name);
        print_directive(d);
    }
}

static void print_refused(void)
{
    fputs("\n## Refused in a forward block\n\n"
          "Known elsewhere; here an error that names the replacement.\n\n",
          stdout);
    for (unsigned i = 0; i < module_list_count; i++)
        for (const struct directive *d = module_list[i]->directives; d && d->name != NULL; d++)
            if (row_is_refused(d))
                printf("- `%s`: %s\n", d->name, (const char *)d->extra);
}

static bool has_row(const char *name)
{
    for (unsigned i = 0; i < module_list_count; i++)
        for (const struct directive *d = module_list[i]->directives; d && d->name != NULL; d++)
            if (span_same(span_of(d->name), span_of(name)) && !row_is_refused(d))
                return true;
    return false;
}

static void print_later(void)
{
    struct buf text;

    buf_init(&text, LONGEST, NULL);
    for (const char *const *name = later_directives; *name != NULL; name++)
        if (!has_row(*name))
            buf_addf(&text, "%s`%s`", text.len > 0 ? ", " : "", *name);
    buf_adds(&text, ".");
    fputs("\n## Known, not supported yet\n\n"
          "A configuration that uses one of these is refused at its line.\n\n",
          stdout);
    print_paragraph(&text, 0);
    buf_done(&text);
}

static void print_directives(void)
{
    fputs(
        "# Directives\n"
        "\n"
        "Made by `make reference` from the rows of the modules; do not edit. The order is that of\n"
        "`src/run/modules.h`. `http` is also the top of a file: `http { }` is optional. SIZE is a\n"
        "number of bytes, with `k` or `m` behind it if you like; TIME is seconds, or numbers with\n"
        "`ms s m h d w`. What a block does not say it takes from the block around it, unless the\n"
        "line says otherwise; several lines of a name are taken or replaced together.\n",
        stdout);
    for (unsigned i = 0; i < module_list_count; i++)
        print_module(module_list[i]);
    print_refused();
    print_later();
}

/* --- variables -------------------------------------------------------------------------------- */

static void print_variables_of(const struct module *m)
{
    for (const struct variable *v = m->variables; v != NULL && v->name != NULL; v++) {
        struct buf text;

        if (v == m->variables)
            printf("\n## %s\n\n", m->name);
        buf_init(&text, LONGEST, NULL);
        buf_addf(&text, "- `$%s%s`: ", v->name, variable_is_family(v) ? "NAME" : "");
        add_sentence(&text, v->help);
        print_paragraph(&text, 2);
        buf_done(&text);
    }
}

static void print_variables(void)
{
    fputs("# Variables\n\n"
          "Made by `make reference` from the tables of the modules; do not edit. Names do not "
          "depend on\ncase. NAME is lower case, with `_` for `-`.\n",
          stdout);
    for (unsigned i = 0; i < module_list_count; i++)
        print_variables_of(module_list[i]);
}

int main(int argc, char **argv)
{
    struct span what = argc == 2 ? span_of(argv[1]) : span_of("");

    if (span_is(what, "directives"))
        print_directives();
    else if (span_is(what, "variables"))
        print_variables();
    else
        return fputs("expected: reference directives | variables\n", stderr), 2;
    return fflush(stdout) == 0 ? 0 : 1;
}
