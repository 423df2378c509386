#ifndef RUN_PRIVILEGES_H
#define RUN_PRIVILEGES_H

#include "base/span.h"

struct buf;
struct generation;
struct main_settings;
struct manifest;
struct manifest_rights;

/* What is done with the rights of root, and how they are given up for good. */

/* Folders that are made if they are missing. Below the prefix, which is ours, all of a path;
 * elsewhere a folder of temporary files alone, in one that is there, as NGINX does. */
struct folder_request {
    struct span prefix;
    struct span error_log; /* the file that no line of the configuration names; empty: none */
    bool pid;
};

/* For logs, temporary files and the pid; temporary ones belong to `user` then. */
bool privileges_make_folders(const struct generation *g, const struct folder_request *request,
                             struct buf *messages);
/* What a worker becomes before it reads anything: its user and groups if we are root, its priority.
 * Never dumps core, never gains rights. False: messages say why. */
bool privileges_drop(const struct manifest *m, struct buf *messages);
/* RLIMIT_NOFILE as asked for, or as high as it may go. Returns the number of descriptors. */
uint64_t privileges_raise_descriptors(const struct manifest_rights *rights, struct buf *messages);
/* The CPUs of the worker number `slot`. */
void privileges_choose_cpus(const struct manifest *m, unsigned slot);

#endif
