#ifndef RUN_SANDBOX_SECCOMP_H
#define RUN_SANDBOX_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

struct call_rules;

/* The rules of calls.h as a program for the kernel. */
enum { SECCOMP_MOST_CODE = 1024 };

struct seccomp_program {
    struct sock_filter code[SECCOMP_MOST_CODE];
    unsigned short len;
    bool too_long; /* while it is made */
};

/* Later rules win over earlier ones. `self` is our process id. NULL: a table that does not fit,
 * which is our own bug. */
struct seccomp_program *seccomp_new(const struct call_rules *const *rules, size_t count,
                                    pid_t self);
void seccomp_free(struct seccomp_program **p);
/* For this process and all its threads, for good; no_new_privs must be set. 0 or -errno. */
int seccomp_enter(const struct seccomp_program *p);

#endif
