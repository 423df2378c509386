#ifndef RUN_SANDBOX_LANDLOCK_H
#define RUN_SANDBOX_LANDLOCK_H

#include <stdint.h>

/* Landlock: what may be written, beyond what the user's rights say. Reading stays as it is, nothing
 * can be executed, and no signal leaves for another process (where the kernel can see to that). */
struct landlock {
    int fd; /* of the rules */
    uint64_t handled;
};

/* Rules that allow nothing yet. 0, or -errno: -ENOSYS and -EOPNOTSUPP of a kernel without it. */
int landlock_open(struct landlock *l);
/* The log may be opened for writing, and made anew after a rotation: so may all of its folder, but
 * not removed. A terminal or device is allowed by itself, without its folder. What this user cannot
 * reach is left out: there is nothing to allow. 0 or -errno. */
int landlock_let_log(struct landlock *l, const char *file);
/* Files and folders below it may be made, written, renamed and removed. */
int landlock_let_write(struct landlock *l, const char *folder);
/* From now on, for good; no_new_privs must be set. Closes the rules. 0 or -errno. */
int landlock_enter(struct landlock *l);

#endif
