#ifndef LOG_ACCESS_H
#define LOG_ACCESS_H

#include <stdbool.h>

struct generation;
struct log_failure;
struct placed_path;

/* `access_log`, `log_format`: a line for each exchange. */
extern const struct module access_log_module;

/* Each file that lines go to and whose name is known beforehand, once for each line. */
void access_logs_each(const struct generation *g, void (*fn)(void *arg, struct placed_path file),
                      void *arg);

#endif
