#ifndef RUN_SANDBOX_SANDBOX_H
#define RUN_SANDBOX_SANDBOX_H

#include "base/span.h"

struct buf;
struct errlog;
struct generation;

/* The sandbox of a process that reads peers' bytes. It gives up, for good, what the settings do not
 * need: all capabilities, execution of programs, writing elsewhere than in its own folders, system
 * calls that a proxy never makes. No part of it can be widened later. */

/* What is left to it beside the settings. */
struct sandbox_request {
    struct span error_log;    /* the file that no line of the configuration names; empty: none */
    const struct errlog *log; /* hears what is in force, and what this kernel lacks */
};

/* With `sandbox on`: now, at the end of all that needs more, by the process itself and before it has
 * other threads. Parts that the kernel does not have are said once, and the rest stands. False: it
 * could not be entered, and messages say why. */
bool sandbox_enter(const struct generation *g, const struct sandbox_request *request,
                   struct buf *messages);

#endif
