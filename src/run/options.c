/* The command line: NGINX's flags with NGINX's words (nginx-semantics 2), each value joined or
 * separate, and quick commands that need no file. */
#include "run/options.h"

#include "run/quick.h"

#include <stdio.h>

static const struct {
    char flag;
    const char *what; /* of its value; NULL: it has none */
} flags[] = {
    { 'c', "file name" }, { 'p', "directory name" },
    { 'g', "parameter" }, { 'e', "file name" },
    { 's', "signal" },    { 't', NULL },
    { 'T', NULL },        { 'q', NULL },
    { 'v', NULL },        { 'V', NULL },
    { 'h', NULL },        { '?', NULL },
};

static bool fail(struct options *o, const char *format, char flag, const char *what)
{
    fprintf(stderr, "bifrons: ");
    fprintf(stderr, format, flag, what);
    fputc('\n', stderr);
    o->task = TASK_FAIL;
    return false;
}

static bool take_value(struct options *o, char flag, const char *value)
{
    struct span text = span_of(value);

    switch (flag) {
    case 'c':
        o->file = text;
        return true;
    case 'p':
        o->prefix = text;
        return true;
    case 'g':
        o->globals = text;
        return true;
    case 'e':
        o->error_log = text;
        return true;
    default:
        return fail(o, "option \"-%c\" is known, not supported yet%s", flag, "");
    }
}

static bool take_flag(struct options *o, char flag)
{
    switch (flag) {
    case 't':
        o->task = TASK_TEST;
        return true;
    case 'q':
        o->quiet = true;
        return true;
    case 'v':
        o->task = TASK_VERSION;
        return true;
    case 'V':
        o->task = TASK_BUILD_INFO;
        return true;
    case 'h':
    case '?':
        o->task = TASK_HELP;
        return true;
    default:
        return fail(o, "option \"-%c\" is known, not supported yet%s", flag, "");
    }
}

bool options_word(struct options *o, const char *word, const char *following, int *ret_used)
{
    *ret_used = 1;
    for (const char *p = word; *p != '\0'; p++) {
        size_t i = 0;

        while (i < COUNT(flags) && flags[i].flag != *p)
            i++;
        if (i == COUNT(flags))
            return fail(o, "invalid option: \"%c\"%s", *p, "");
        if (flags[i].what == NULL) {
            if (!take_flag(o, *p))
                return false;
            continue;
        }
        if (p[1] != '\0')
            return take_value(o, *p, p + 1);
        if (following == NULL)
            return fail(o, "option \"-%c\" requires %s", *p, flags[i].what);
        *ret_used = 2;
        return take_value(o, *p, following);
    }
    return true;
}

struct options options_read(int argc, char **argv, struct arena *arena)
{
    struct options o = { .task = TASK_RUN, .arena = arena };
    int i = 1;

    if (argc > 1 && argv[1][0] != '-') {
        if (!quick_knows(argv[1])) {
            fprintf(stderr, "bifrons: unknown command \"%s\"; see bifrons -h\n", argv[1]);
            o.task = TASK_FAIL;
            return o;
        }
        if (!quick_read(argc, argv, &o))
            o.task = TASK_FAIL;
        return o;
    }
    while (i < argc) {
        int used = 1;

        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            fprintf(stderr, "bifrons: invalid option: \"%s\"\n", argv[i]);
            o.task = TASK_FAIL;
            return o;
        }
        if (!options_word(&o, argv[i] + 1, i + 1 < argc ? argv[i + 1] : NULL, &used))
            return o;
        i += used;
    }
    return o;
}

void options_help(void)
{
    fputs("bifrons version: bifrons/" BIFRONS_VERSION "\n"
          "Usage: bifrons [-?hvVtq] [-p prefix] [-c filename] [-e filename] [-g directives]\n"
          "       bifrons reverse-proxy --from ADDRESS --to ADDRESS\n"
          "       bifrons forward-proxy [--listen ADDRESS] [--allow NETWORK] [--deny-list FILE]\n"
          "       bifrons file-server --root FOLDER [--listen ADDRESS]\n"
          "       bifrons explain [-c filename] URL\n"
          "       bifrons forward explain [-c filename] URL | HOST:PORT\n"
          "       bifrons COMMAND -h\n"
          "\n"
          "Options:\n"
          "  -?,-h         : this help\n"
          "  -v            : show version and exit\n"
          "  -V            : show version and how it was built, then exit\n"
          "  -t            : test configuration and exit\n"
          "  -q            : suppress non-error messages during configuration testing\n"
          "  -p prefix     : set prefix path (default: /var/lib/bifrons/)\n"
          "  -e filename   : set error log file (default: logs/error.log)\n"
          "  -c filename   : set configuration file (default: /etc/bifrons/bifrons.conf)\n"
          "  -g directives : set global directives out of configuration file\n",
          stderr);
}
