/* The command line: NGINX's flags with NGINX's words (nginx-semantics 2), each value joined or
 * separate, and quick commands that need no file. */
#include "run/options.h"

#include "base/arena.h"
#include "run/quick.h"
#include "run/usage.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static bool fail(struct options *o, const char *format, char flag, const char *what)
{
    fprintf(stderr, "bifrons: ");
    fprintf(stderr, format, flag, what);
    fputc('\n', stderr);
    o->task = TASK_FAIL;
    return false;
}

static bool take_signal(struct options *o, struct span name)
{
    static const struct {
        const char *name;
        int signal;
    } signals[] = {
        { "stop", SIGTERM }, { "quit", SIGQUIT }, { "reopen", SIGUSR1 }, { "reload", SIGHUP }
    };

    for (size_t i = 0; i < COUNT(signals); i++) {
        if (!span_is(name, signals[i].name))
            continue;
        o->task = TASK_SIGNAL;
        o->signal = signals[i].signal;
        return true;
    }
    fprintf(stderr, "bifrons: invalid option: \"-s %.*s\"\n", (int)name.len, name.at);
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
    case 's':
        return take_signal(o, text);
    default:
        return fail(o, "option \"-%c\" is known, not supported yet%s", flag, "");
    }
}

static bool take_flag(struct options *o, char flag)
{
    switch (flag) {
    case 't':
        o->task = o->task == TASK_DUMP ? TASK_DUMP : TASK_TEST;
        return true;
    case 'T':
        o->task = TASK_DUMP;
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
        const struct usage_option *known = usage_options;

        while (known->flag != '\0' && known->flag != *p)
            known++;
        if (known->flag == '\0')
            return fail(o, "invalid option: \"%c\"%s", *p, "");
        if (known->requires == NULL) {
            if (!take_flag(o, *p))
                return false;
            continue;
        }
        if (p[1] != '\0')
            return take_value(o, *p, p + 1);
        if (following == NULL)
            return fail(o, "option \"-%c\" requires %s", *p, known->requires);
        *ret_used = 2;
        return take_value(o, *p, following);
    }
    return true;
}

/* What an upgrade starts: the file of that name, which may be another one by then. */
static const char *binary_of(const char *word, struct arena *arena)
{
    enum { LONGEST = 1024 };
    char *path = arena_zalloc(arena, LONGEST);
    ssize_t len = readlink("/proc/self/exe", path, LONGEST - 1);

    return strchr(word, '/') != NULL || len <= 0 ? word : path;
}

struct options options_read(int argc, char **argv, struct arena *arena)
{
    struct options o = { .task = TASK_RUN, .arena = arena, .arguments = argv };
    int i = 1;

    o.binary = binary_of(argc > 0 ? argv[0] : "", arena);
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

        if (strcmp(argv[i], "--help") == 0) {
            o.task = TASK_HELP;
            return o;
        }
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
