#ifndef RUN_SINGLE_H
#define RUN_SINGLE_H

struct options;
struct supply;
struct terminal;

/* `master_process off`: this process serves by itself until a signal ends it. The supply is taken
 * over. The exit code. */
int single_run(const struct options *o, struct supply *s, const struct terminal *terminal);

#endif
