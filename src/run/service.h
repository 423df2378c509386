#ifndef RUN_SERVICE_H
#define RUN_SERVICE_H

struct options;

/* Runs the service until a signal ends it. The exit code. */
int service_run(const struct options *o);
/* `-t`: reads, opens logs and folders, binds; the exit code. */
int service_test(const struct options *o);
/* `-s`: to the one whose pid file the configuration names; the exit code. */
int service_signal(const struct options *o);

#endif
