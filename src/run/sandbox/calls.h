#ifndef RUN_SANDBOX_CALLS_H
#define RUN_SANDBOX_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The system calls of a worker: which it may make, and what becomes of the others.
 *
 *     allowed  passes
 *     checked  passes if its arguments are among those listed, else EPERM
 *     missing  ENOSYS, as from an older kernel: the C library then takes an older call
 *     deadly   the process dies by SIGSYS: no worker of ours makes it, only one that was taken over
 *     the rest EPERM; beyond CALL_NEWEST, which this table has never heard of: ENOSYS
 *
 * To allow one: its name, in the group where it belongs, in calls.c. */
enum { CALL_NEWEST = 450, CALL_NUMBERS = 512, CALL_MOST_VALUES = 6, CALL_MOST_CHECKS = 3 };

/* A value that stands for our own process id, which is known when the filter is made. */
enum { CALL_OURSELVES = INT32_MAX };

/* The low 32 bits of an argument, under the mask, are one of the values. */
struct call_check {
    uint8_t argument, count;
    uint32_t mask;
    uint32_t values[CALL_MOST_VALUES];
};

struct checked_call {
    uint16_t number;
    struct call_check checks[CALL_MOST_CHECKS]; /* all must hold; unused: count 0 */
};

struct call_group {
    const uint16_t *numbers;
    size_t count;
};

struct call_rules {
    struct call_group allowed, missing, deadly;
    const struct checked_call *checked;
    size_t checked_count;
};

extern const struct call_rules calls_common;  /* of every machine */
extern const struct call_rules calls_machine; /* of this one alone: calls_x86_64.c ... */
extern const struct call_rules calls_build;   /* of this build: calls_plain.c, calls_watched.c */

extern const uint32_t calls_architecture; /* AUDIT_ARCH_...; 0: no table for this machine */
/* False in a build that is watched by sanitizers or counters, which write what they find. */
extern const bool calls_confine_files;

#endif
