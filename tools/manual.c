/* Prints the manual pages and the completion for bash, from the tables of the command line and the
 * rows of the modules:
 *
 *     manual bifrons.8         ->  doc/man/bifrons.8
 *     manual bifrons.conf.5    ->  doc/man/bifrons.conf.5
 *     manual bash              ->  packaging/completion/bifrons
 *
 * `make reference` writes all; tests/docs fails when they are not what this prints. Owns nothing
 * but one text at a time. */
#include "base/buf.h"
#include "base/span.h"
#include "conf/directive.h"
#include "exchange/module.h"
#include "exchange/variable.h"
#include "run/module_list.h"
#include "run/row_words.h"
#include "run/usage.h"

#include <stdio.h>

enum { LONGEST = 16 * 1024 };

/* --- roff ------------------------------------------------------------------------------------- */

/* Nothing in the text is a request of roff, and a hyphen is that of a keyboard. */
static void print_text(struct span text)
{
    if (text.len > 0 && (text.at[0] == '.' || text.at[0] == '\''))
        fputs("\\&", stdout);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\\')
            fputs("\\e", stdout);
        else if (text.at[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text.at[i]);
    }
}

static void print_words(const char *text)
{
    print_text(span_of(text));
}

static void print_item(const char *text)
{
    fputs(".TP\n.B ", stdout);
    print_words(text);
    putchar('\n');
}

static void print_title(const char *name, const char *section, const char *what)
{
    printf(".\\\" Made by `make reference`; do not edit.\n"
           ".TH %s %s \"\" \"bifrons " BIFRONS_VERSION "\"\n.SH NAME\n",
           name, section);
    print_words(what);
    putchar('\n');
}

/* --- bifrons.8 -------------------------------------------------------------------------------- */

static void print_synopsis(void)
{
    fputs(".SH SYNOPSIS\n.B bifrons\n[", stdout);
    for (const struct usage_option *o = usage_options; o->flag != '\0'; o++)
        if (o->requires == NULL)
            printf("%s%c", o == usage_options ? "\\-" : "", o->flag);
    fputs("]", stdout);
    for (const struct usage_option *o = usage_options; o->flag != '\0'; o++)
        if (o->requires != NULL)
            printf(" [\\-%c %s]", o->flag, o->value);
    putchar('\n');
    for (const struct usage_command *c = usage_commands; c->name != NULL; c++) {
        fputs(".br\n.B bifrons ", stdout);
        print_words(c->name);
        fputs("\n", stdout);
        print_words(c->words);
        putchar('\n');
    }
}

static void print_options(void)
{
    fputs(".SH OPTIONS\n", stdout);
    for (const struct usage_option *o = usage_options; o->flag != '\0'; o++) {
        printf(".TP\n.B \\-%c", o->flag);
        if (o->value != NULL)
            printf(" \\fI%s\\fR", o->value);
        putchar('\n');
        print_words(o->help);
        putchar('\n');
    }
}

static void print_commands(void)
{
    fputs(".SH COMMANDS\nEach explains itself with\n.BR \\-h .\n", stdout);
    for (const struct usage_command *c = usage_commands; c->name != NULL; c++) {
        print_item(c->name);
        print_words(c->help);
        putchar('\n');
    }
}

static void print_program(void)
{
    print_title("BIFRONS", "8", "bifrons - a reverse and forward HTTP proxy");
    print_synopsis();
    fputs(".SH DESCRIPTION\n"
          "Serves in the foreground, by a configuration in the language of NGINX: as a reverse\n"
          "proxy before servers, as a forward proxy for clients, or both. The command line is\n"
          "that of NGINX, and a few commands of its own need no configuration.\n",
          stdout);
    print_options();
    print_commands();
    fputs(".SH EXIT STATUS\n"
          "0 if all went well, 1 if not.\n"
          ".B lint\n"
          "says 1 for warnings and 2 for errors.\n"
          ".SH FILES\n"
          ".TP\n.I /etc/bifrons/bifrons.conf\nthe configuration\n"
          ".TP\n.I /var/lib/bifrons/\nthe prefix: relative names of logs and folders begin here\n"
          ".SH SEE ALSO\n.BR bifrons.conf (5)\n",
          stdout);
}

/* --- bifrons.conf.5 --------------------------------------------------------------------------- */

static void print_fact(const char *what, struct span text)
{
    printf(".br\n%s: ", what);
    print_text(text);
    putchar('\n');
}

static void print_directive(const struct directive *d)
{
    const char *example = row_example(d), *note;
    struct buf text;

    buf_init(&text, LONGEST, NULL);
    row_add_form(d, &text);
    buf_add_byte(&text, '\0');
    print_item(text.data);
    print_words(d->help);
    puts(".");
    buf_clear(&text);
    row_add_contexts(d, &text);
    print_fact("In", buf_view(&text));
    if (d->fallback != NULL)
        print_fact("Default", span_of(d->fallback));
    for (unsigned at = 0; (note = row_next_note(d, &at)) != NULL;)
        print_fact("Note", span_of(note));
    if (example != NULL)
        print_fact("Example", span_of(example));
    buf_done(&text);
}

static void print_module(const struct module *m)
{
    bool begun = false;

    for (const struct directive *d = m->directives; d != NULL && d->name != NULL; d++) {
        if (row_is_refused(d))
            continue;
        if (!begun)
            printf(".SS %s\n", m->name);
        begun = true;
        print_directive(d);
    }
}

static void print_variables(void)
{
    fputs(".SH VARIABLES\n", stdout);
    for (unsigned i = 0; i < module_list_count; i++)
        for (const struct variable *v = module_list[i]->variables; v && v->name != NULL; v++) {
            printf(".TP\n.B $%s%s\n", v->name, variable_is_family(v) ? "NAME" : "");
            print_words(v->help);
            puts(".");
        }
}

static void print_language(void)
{
    print_title("BIFRONS.CONF", "5", "bifrons.conf - the configuration of bifrons");
    fputs(".SH DESCRIPTION\n"
          "A directive is a name, words, and a semicolon, or a block in braces. Words with white\n"
          "space, semicolons or braces stand in quotes. A comment goes from a number sign to the\n"
          "end of its line. What a block does not say it takes from the block around it. The\n"
          "block\n.B http\nmay be left out: a file may begin with\n.BR server .\n"
          ".PP\n"
          ".B include\n"
          "FILE; reads another file in its place; a pattern reads all that match, in their\n"
          "order.\n"
          ".PP\n"
          "SIZE is a number of bytes, with k or m behind it if you like; TIME is seconds, or\n"
          "numbers with ms s m h d w.\n"
          ".SH DIRECTIVES\n",
          stdout);
    for (unsigned i = 0; i < module_list_count; i++)
        print_module(module_list[i]);
    print_variables();
    fputs(".SH SEE ALSO\n.BR bifrons (8)\n", stdout);
}

/* --- completion ------------------------------------------------------------------------------- */

static void print_names(void)
{
    fputs("_bifrons_directives='", stdout);
    for (unsigned i = 0; i < module_list_count; i++)
        for (const struct directive *d = module_list[i]->directives; d && d->name != NULL; d++)
            if (!row_is_refused(d))
                printf("%s\n", d->name);
    fputs("'\n\n", stdout);
}

static void print_completion(void)
{
    fputs("# Completion of bifrons for bash. Made by `make reference`; do not edit.\n\n", stdout);
    print_names();
    fputs("_bifrons() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words\n"
          "    local command=${COMP_WORDS[1]}\n"
          "    [ \"$command ${COMP_WORDS[2]}\" != 'forward explain' ] || command='forward explain'\n"
          "    COMPREPLY=()\n"
          "    case $before in\n"
          "    -s) words='stop quit reopen reload' ;;\n"
          "    -c | -e | -p | --root | --deny-list)\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "        return\n"
          "        ;;\n"
          "    esac\n"
          "    if [ -z \"$words\" ] && [ \"$COMP_CWORD\" = 1 ]; then\n"
          "        words='",
          stdout);
    for (const struct usage_option *o = usage_options; o->flag != '\0'; o++)
        printf("-%c ", o->flag);
    for (const struct usage_command *c = usage_commands; c->name != NULL; c++)
        if (strchr(c->name, ' ') == NULL)
            printf("%s ", c->name);
    fputs("forward'\n    fi\n    [ -n \"$words\" ] || case $command in\n"
          "    help) words=$_bifrons_directives ;;\n"
          "    forward) words=explain ;;\n",
          stdout);
    for (const struct usage_command *c = usage_commands; c->name != NULL; c++)
        if (c->options[0] != '\0')
            printf("    '%s') words='%s' ;;\n", c->name, c->options);
    fputs("    esac\n"
          "    if [ \"$command\" = fmt ] && [ \"${word#-}\" = \"$word\" ]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "    else\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
          "    fi\n"
          "}\n"
          "complete -F _bifrons bifrons\n",
          stdout);
}

int main(int argc, char **argv)
{
    struct span what = argc == 2 ? span_of(argv[1]) : span_of("");

    if (span_is(what, "bifrons.8"))
        print_program();
    else if (span_is(what, "bifrons.conf.5"))
        print_language();
    else if (span_is(what, "bash"))
        print_completion();
    else
        return fputs("expected: manual bifrons.8 | bifrons.conf.5 | bash\n", stderr), 2;
    return fflush(stdout) == 0 ? 0 : 1;
}
