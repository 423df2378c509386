#ifndef RUN_SANDBOX_CAPABILITIES_H
#define RUN_SANDBOX_CAPABILITIES_H

/* Capabilities, by raw system calls. Nothing that is configured needs one once sockets are bound,
 * so all are given up. */

/* None can be gained any more, by whatever is executed. Needs root's rights; without them there is
 * nothing to be lost: no_new_privs stands for it. */
void capabilities_limit(void);
/* None is left: effective, permitted, inheritable, ambient. 0 or -errno. */
int capabilities_drop(void);

#endif
