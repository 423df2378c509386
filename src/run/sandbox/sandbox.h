#ifndef RUN_SANDBOX_SANDBOX_H
#define RUN_SANDBOX_SANDBOX_H

#include <stdbool.h>

struct buf;
struct errlog;
struct manifest;

/* The sandbox of a process that reads peers' bytes. It gives up, for good, what the settings do not
 * need: all capabilities, execution of programs, writing elsewhere than in its own folders, system
 * calls that a proxy never makes. No part of it can be widened later. */

/* What is in force: told once there is a log. */
struct sandbox_report {
    bool on;
    int capabilities, files, calls; /* 0, or -errno: what this kernel lacks */
};

/* With `sandbox on`: now, at the end of all that needs more, by the process itself and before it
 * has other threads. Parts that the kernel does not have are noted, and the rest stands. False: it
 * could not be entered, and messages say why. */
bool sandbox_enter(const struct manifest *m, struct sandbox_report *ret, struct buf *messages);
void sandbox_say(const struct sandbox_report *r, const struct errlog *log);

#endif
