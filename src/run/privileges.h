#ifndef RUN_PRIVILEGES_H
#define RUN_PRIVILEGES_H

#include "run/main_settings.h"

/* What is done with the rights of root, and how they are given up for good. */

/* Makes the folders of logs, temporary files and the pid, those that are missing; temporary ones
 * belong to `user` then. `pid` empty: there is no such file. */
bool privileges_make_folders(const struct generation *g, struct span error_log, struct span pid,
                             struct buf *messages);
/* As root: becomes `user` and its groups. Never dumps core. False: messages say why. */
bool privileges_drop(const struct main_settings *s, struct buf *messages);
/* RLIMIT_NOFILE as asked for, and as high as it may go. Returns the number of descriptors. */
uint64_t privileges_raise_descriptors(const struct main_settings *s, struct buf *messages);

#endif
