#ifndef RUN_READER_H
#define RUN_READER_H

#include <sys/types.h>

struct buf;
struct bundle_request;

/* A throw-away child that makes a bundle: it alone parses what files hold, and may crash. */
struct reader {
    pid_t pid;        /* 0: none runs */
    int bundle, said; /* memory files: what it makes, what it says */
};

/* 0 or -errno. */
int reader_start(struct reader *r, const struct bundle_request *request);
/* It has ended, with a status as of waitpid. The bundle, or -1; what it said, and why there is no
 * bundle, is appended. */
int reader_end(struct reader *r, int status, struct buf *messages);
/* Kills it; nothing comes of it. */
void reader_stop(struct reader *r);
/* All of it at once, waiting. */
int reader_read(const struct bundle_request *request, struct buf *messages);

#endif
