#ifndef LOG_SQUID_VARIABLES_H
#define LOG_SQUID_VARIABLES_H

/* `$forward_result`, `$forward_hierarchy`, `$request_msec`. */
extern const struct module squid_variables_module;

#endif
