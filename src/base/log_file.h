#ifndef LOG_LOG_FILE_H
#define LOG_LOG_FILE_H

#include "base/span.h"

/* What lines are written to: a file, a pipe, a terminal. Nothing here waits for a reader. */

/* Appends; `stderr`, `/dev/stdout` and `/dev/stderr` are our own. A pipe may be without a reader:
 * lines wait in it for one. A descriptor, or -errno. */
int log_file_open(const char *path);
/* As much as is taken now. 0: `ret_written`; -EAGAIN: it takes no more now; else -errno. */
int log_file_write(int fd, struct span text, size_t *ret_written);

#endif
