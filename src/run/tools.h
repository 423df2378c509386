#ifndef RUN_TOOLS_H
#define RUN_TOOLS_H

struct options;

/* Commands around a configuration. Each is given all words of the command line, and returns the
 * exit code. */

int fmt_main(int argc, char **argv);  /* fmt.c */
int lint_main(int argc, char **argv); /* lint.c */
int help_main(int argc, char **argv); /* help.c */
/* `-T`, once it is tested (lint.c). */
int tools_dump(const struct options *o);

#endif
