#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include "base/span.h"

/* What the command line asks for. */
enum task {
    TASK_RUN,
    TASK_TEST,
    TASK_DUMP,
    TASK_SIGNAL, /* -s: to the master that runs */
    TASK_PRINT,  /* the configuration of a quick command */
    TASK_VERSION,
    TASK_BUILD_INFO,
    TASK_HELP,
    TASK_NOTHING, /* all is said */
    TASK_FAIL
};

struct options {
    enum task task;
    struct span file, prefix, globals, error_log; /* empty: not given */
    struct span text;                             /* of a quick command: the configuration itself */
    int signal;                                   /* of -s */
    bool quiet;
    bool quick;
    char **arguments;   /* of the process */
    const char *binary; /* what was started: absolute */
    struct arena *arena;
};

/* Says on stderr what is wrong with the words, if it is TASK_FAIL. */
struct options options_read(int argc, char **argv, struct arena *arena);
/* One word without its `-`: `tq`, `cFILE`, or `c` with what follows. `ret_used`: how many arguments
 * it took. False: said on stderr. */
bool options_word(struct options *o, const char *word, const char *following, int *ret_used);

#endif
