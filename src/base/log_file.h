#ifndef BASE_LOG_FILE_H
#define BASE_LOG_FILE_H

#include "base/span.h"

/* What lines are written to: a file, a pipe, a terminal. Nothing here waits for a reader. */
struct log_file {
    int fd;         /* -1: none */
    bool may_block; /* inherited, and not ours to open anew: it is asked before each write */
};

/* Who opens files: NULL is ourselves, by log_file_open; else somebody else has opened them for us.
 */
struct log_opener {
    /* 0 or -errno; -ENODATA: it was not opened, what is open already stays. */
    int (*open)(struct log_opener *o, const char *path, struct log_file *ret);
};

/* Appends; `stderr`, `/dev/stdout`, `/dev/stderr` and `/proc/self/fd/N` are our own. A pipe may be
 * without a reader: lines wait in it for one. As root no symbolic link is followed (-ELOOP) and no
 * file with a second name is opened (-EMLINK): whoever may write to the folder would choose what
 * root appends to. 0 or -errno. */
int log_file_open(const char *path, struct log_file *ret);
/* Our own, as said above: there is nothing to open anew. */
bool log_file_is_ours(const char *path);
/* Below a folder, by a path that a peer had a part in: no link, no `..` leads out, and only a
 * regular file is opened (-EPERM). */
int log_file_open_beneath(const char *folder, const char *path, struct log_file *ret);
/* By whoever opens. */
static inline int log_file_get(struct log_opener *o, const char *path, struct log_file *ret)
{
    return o != NULL ? o->open(o, path, ret) : log_file_open(path, ret);
}
/* As much as is taken now. 0: `ret_written`; -EAGAIN: it takes no more now; else -errno. */
int log_file_write(const struct log_file *f, struct span text, size_t *ret_written);
void log_file_close(struct log_file *f); /* also of none */

#endif
