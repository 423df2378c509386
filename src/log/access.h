#ifndef LOG_ACCESS_H
#define LOG_ACCESS_H

#include "exchange/module.h"

/* `access_log`, `log_format`: a line for each exchange. */
extern const struct module access_log_module;

#endif
