#ifndef RUN_MAIN_SETTINGS_H
#define RUN_MAIN_SETTINGS_H

#include "base/span.h"
#include "conf/settings.h"
#include "exchange/generation.h"

/* What the process itself is told: `user`, `pid`, `events { }` ... */
struct main_settings {
    struct main_user {
        struct span name, group; /* empty group: the user's own */
        struct place place;
    } user;
    struct placed_path pid;
    struct main_workers {
        uint32_t count;
    } workers;
    struct main_priority {
        int32_t nice;
    } priority;
    struct main_cpus {          /* worker_cpu_affinity */
        struct conf_list masks; /* of cpu_set_t, as written */
        struct place place;
        bool automatic; /* one CPU for each worker, of those of the mask */
    } affinity;
    struct conf_list cpus;     /* of cpu_set_t: of the workers in turn, the last one for the rest */
    uint64_t shutdown_timeout; /* ms; 0: none */
    bool master_process, background;
    struct main_sandbox {
        bool on;
    } sandbox;
    uint64_t worker_connections; /* 0: as many as the descriptor limit allows */
    uint64_t rlimit_nofile;      /* 0: as it is */
    struct main_memory {
        uint64_t limit; /* bytes of all processes together; 0: none */
        struct place place;
    } memory;
};

extern const struct module main_module;

static inline const struct main_settings *main_settings_of(const struct generation *g)
{
    return settings_in(g->top, module_index(g, &main_module));
}

#endif
