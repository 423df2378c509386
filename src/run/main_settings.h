#ifndef RUN_MAIN_SETTINGS_H
#define RUN_MAIN_SETTINGS_H

#include "base/errlog.h"
#include "exchange/generation.h"
#include "log/syslog.h"

/* What the process itself is told: `user`, `pid`, `error_log`, `events { }` ... */
struct main_settings {
    struct span user, group; /* empty group: the user's own */
    struct span pid;         /* path */
    struct main_error_log {
        struct span path;            /* "stderr", absolute, or what syslog is told */
        const struct syslog *syslog; /* NULL: a file */
        enum level level;
        bool given; /* it stands in the configuration: -e does not replace it */
    } error_log;
    uint64_t worker_connections; /* 0: as many as the descriptor limit allows */
    uint64_t rlimit_nofile;      /* 0: as it is */
};

extern const struct module main_module;

static inline const struct main_settings *main_settings_of(const struct generation *g)
{
    return settings_in(g->top, module_index(g, &main_module));
}

#endif
