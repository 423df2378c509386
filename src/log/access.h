#ifndef LOG_ACCESS_H
#define LOG_ACCESS_H

#include "exchange/module.h"
#include "log/failure.h"

/* `access_log`, `log_format`: a line for each exchange. */
extern const struct module access_log_module;

/* Opens each file that lines would go to, and closes it: for `-t`. False: `ret` says which could
 * not be. */
bool access_logs_try(const struct generation *g, struct log_failure *ret);

#endif
