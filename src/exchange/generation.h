#ifndef EXCHANGE_GENERATION_H
#define EXCHANGE_GENERATION_H

#include "base/arena.h"
#include "base/span.h"
#include "conf/settings.h"
#include "exchange/phase.h"

struct conf_call;

/* An immutable, counted tree of settings. Built from a bundle alone; each exchange holds a
 * reference to the one it began with; freed when its last exchange ends. */

/* `location @name`: reached by exchange_restart_named alone. */
struct named_location {
    const struct conf_block *server;
    struct span name; /* with its `@` */
    const struct conf_block *block;
};

struct hook_entry {
    const struct hook *hook;
    unsigned module; /* index of its settings */
};

struct generation {
    uint32_t refs;
    uint32_t number; /* 1, 2 ... in this worker */
    struct arena arena;
    struct span bundle;    /* mapped; outlives the generation's readers of DER */
    struct worker *worker; /* NULL while it is only checked */
    const struct module *const *modules;
    unsigned module_count;
    struct generation_index { /* how an exchange finds its way */
        struct hook_entry *hooks[PHASES];
        unsigned hook_count[PHASES];
        unsigned *filters; /* indexes of modules with a filter, by slot */
        unsigned filter_count;
        unsigned *loggers; /* indexes of modules with log */
        unsigned logger_count;
    } index;
    struct conf_block *top;
    struct conf_list listeners;  /* of struct listener * */
    struct conf_list servers;    /* of struct conf_block *: server and forward blocks, in order */
    struct conf_list file_names; /* of struct span: for places */
    struct conf_list declared;   /* of struct declared *: variables of the configuration */
    struct conf_list patterns;   /* of struct pattern *: owned */
    struct conf_list named;      /* of struct named_location */
    struct generation_dns {
        struct span hosts, resolv_conf; /* the system's files; in the bundle */
        struct resolver *resolver;      /* NULL while it is only checked */
        struct block_resolvers *all;    /* those of blocks; fetch/resolver.c */
        struct dns_silence { /* of a rehearsal: the hosts file answers, no name server is asked */
            bool servers, forward;
        } silent;
    } dns;
    uint32_t starting;        /* upstream names that are still being resolved */
    struct conf_list folders; /* of struct placed_path: the worker's own, made with root's rights */
    struct generation_logs {
        struct conf_list paths;    /* of struct placed_path: files whose folders are made, too */
        struct conf_list access;   /* of struct conf_list: the lists of all blocks */
        struct conf_list buffered; /* of struct sink_spec */
        struct conf_list errors;   /* of struct conf_list: the lists of all blocks */
        /* Where records go that belong to a block; NULL: to those of the process. */
        const struct errlog *(*of)(const struct generation *g, const struct conf_block *block);
    } logs;
    struct root_handle *roots;     /* fetch: folders held open */
    struct open_files *open_files; /* fetch: files held open */
    uint16_t forward_port;         /* of the first forward listener; 0: none */
    struct conf_list zones;        /* of struct zone_line *: shared memory */
    uint32_t worker_slots;         /* how many workers zones keep count of; a multiple of 8 */
};

/* Appends a copy of the item, in the generation arena. */
void generation_list_add(struct generation *g, struct conf_list *list, const void *item,
                         size_t size);
/* A server or forward block, from its row's setter or its `listen`; once, however often it is said.
 */
bool generation_serves(struct conf_call *call, struct conf_block *block);
/* Builds from the top block's modules; part of run/generation.c's path. */
void generation_index_modules(struct generation *g);
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation **g); /* the last: stops its modules, frees all */
/* Index of a module in the generation; a module that is not there is our own bug. */
unsigned module_index(const struct generation *g, const struct module *m);
/* Where records go that belong to a block. */
const struct errlog *block_log(const struct worker *w, const struct generation *g,
                               const struct conf_block *block);
struct span place_file(const struct generation *g, struct place place);

#endif
