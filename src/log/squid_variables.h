#ifndef LOG_SQUID_VARIABLES_H
#define LOG_SQUID_VARIABLES_H

#include "exchange/module.h"

/* `$forward_result`, `$forward_hierarchy`, `$request_msec`. */
extern const struct module squid_variables_module;

#endif
