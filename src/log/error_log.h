#ifndef LOG_ERROR_LOG_H
#define LOG_ERROR_LOG_H

#include "base/errlog.h"
#include "base/span.h"
#include "conf/settings.h"
#include "net/timer.h"

struct generation;
struct log_failure;

/* `error_log`: several lines in a block, each with a level of its own; a block without lines has
 * those of the block around it. A file that several lines name is opened once. */
extern const struct module error_log_module;

struct error_file; /* a file or a syslog server, and its name */

struct error_logs {
    struct error_file *files;  /* owned */
    struct errlog *main;       /* owned: the lines of the process; NULL: nothing is open yet */
    struct log_opener *opener; /* NULL: files are opened here */
    struct loop *loop;         /* NULL: what is missing is said with the next record */
    struct timer due;          /* else: it is said then */
};

/* Where the process logs without a line of the configuration: `instead`, or the standard place if
 * that is empty. */
struct span error_logs_standard(const struct generation *g, struct span instead);
/* The line `error_log` number `i` of the process, in words that need no generation. False: there is
 * no such one. */
struct error_log_line {
    struct span path;            /* `stderr`, or absolute */
    const struct syslog *syslog; /* NULL: a file */
    enum level level;
    struct place place; /* line 0: the standard one */
};
bool error_logs_line(const struct generation *g, struct span instead, unsigned i,
                     struct error_log_line *ret);
/* Each file that a line of the configuration names, once for each line. */
void error_logs_each(const struct generation *g, void (*fn)(void *arg, struct placed_path file),
                     void *arg);
/* Where the process itself logs from now on; what could not be opened is left out. False: `ret`
 * says what that was. */
bool error_logs_open_main(struct error_logs *logs, const struct error_log_line *lines,
                          unsigned count, struct log_failure *ret);
/* Opens what the generation's lines name, which ends with the generation. Where the process logs,
 * too. False: `ret` says what could not be. */
bool error_logs_open(struct error_logs *logs, struct generation *g, struct span instead,
                     struct log_failure *ret);
/* From now on what is missing is said within two seconds; NULL: no longer. */
void error_logs_watch(struct error_logs *logs, struct loop *loop);
/* With the rights that are left; a file that cannot be opened anew stays as it is, and is said. */
void error_logs_reopen(struct error_logs *logs);
/* Says what is still to be said of lost records. No block may log any more. */
void error_logs_close(struct error_logs *logs);

#endif
