#ifndef RUN_CEILING_H
#define RUN_CEILING_H

#include "base/buf.h"

struct conf;
struct generation;

/* The most memory and descriptors that a configuration can come to use. What peers can multiply is
 * charged to a budget (DESIGN 7.11), and all else follows from the configuration, so the sum is a
 * ceiling by construction. `memory_limit` makes the budget so small that the sum fits.
 *
 *     limit >= zones + master + workers * (program + settings + lines + buffers + sessions
 *                                       + budget + around)
 */
struct ceiling {
    uint64_t limit;   /* memory_limit; 0: none */
    uint64_t workers; /* how many */
    struct ceiling_memory {
        uint64_t program;  /* with its libraries */
        uint64_t settings; /* of two generations: one is built while the other serves */
        uint64_t lines;    /* of logs, that wait */
        uint64_t buffers;  /* of logs: buffer= */
        uint64_t sessions; /* of TLS, that are kept */
        uint64_t budget;   /* what peers can make us hold */
        uint64_t around;   /* the heap's own, around what the budget counts */
    } worker;
    uint64_t zones, master; /* bytes, for all workers together */
    struct ceiling_descriptors {
        uint64_t limit;       /* the process's */
        uint64_t connections; /* to clients and upstreams */
        uint64_t beside;      /* files, pipes and spools of these */
        uint64_t kept;        /* open_file_cache */
        uint64_t fixed;       /* listening sockets, logs, zones, the loop's own */
    } descriptors;            /* of a worker */
};

struct ceiling ceiling_of(const struct generation *g);
/* False: memory_limit is too small for what the configuration asks for; complained at its line. */
bool ceiling_check(const struct generation *g, struct conf *conf);
uint64_t ceiling_memory(const struct ceiling *c); /* bytes in all */
void ceiling_print(const struct ceiling *c, struct buf *out);

#endif
