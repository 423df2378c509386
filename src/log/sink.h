#ifndef LOG_SINK_H
#define LOG_SINK_H

#include "base/budget.h"
#include "base/span.h"
#include "log/failure.h"
#include "net/loop.h"

struct generation;
/* Where logs go: files, our own output, syslog. Opened before rights are dropped. The lines of one
 * turn of the loop leave in one write each, or as a buffer fills; nothing here waits, and what
 * cannot be written is lost and counted, which is said once a second. */
struct log_sink;

struct log_sinks {
    struct log_sink *first;
    struct log_sink *passing; /* of this turn: files whose names hold variables */
    unsigned passing_count;
    struct turn_end flush;
    struct budget budget; /* of all that waits: its own, so that a peer who spends the worker's
                             costs no line */
    size_t limit;         /* of it, without buffer= */
    struct worker *worker;
    struct log_opener *opener; /* NULL: files are opened here */
    struct log_failure failed; /* the last one */
    uint64_t complained;       /* ms: about a path with variables */
};

struct sink_spec {
    struct span path;            /* absolute, `stderr`, or the whole `syslog:...` */
    const struct syslog *syslog; /* NULL: a file */
    size_t fixed;                /* bytes of a folder that no peer chose, with its slash; the rest
                                    of `path` is opened below it; 0: no peer chose any of it */
    size_t buffer;               /* bytes; 0: lines leave at the end of their turn */
    uint64_t flush;              /* ms after the first line; 0: only when it is full */
    int gzip;                    /* level; 0: as text */
};

/* All of them together hold so much at most (beside what buffer= asks for), unless there is a
 * smaller limit. */
enum { SINKS_MOST = 64 * 1024 * 1024 };
void sinks_start(struct worker *w);
void sinks_limit(struct worker *w, size_t bytes);
/* Bytes of a generation's buffer=, full. */
size_t sinks_buffers(const struct generation *g);
/* Opens (or finds) it, and counts a user; appends. NULL: `-errno` in ret_error. */
struct log_sink *sink_open(struct worker *w, const struct sink_spec *spec, int *ret_error);
/* What waits in buffers leaves; whoever opens them from now on says anew how they are buffered. */
void sinks_unbuffer(struct worker *w);
struct log_sink *sink_ref(struct log_sink *s);
void sink_unref(struct log_sink **s); /* the last: what waits is written, and it is closed */
/* For lines of this turn alone; then it is gone. Below the first `fixed` bytes of the path. NULL:
 * the failure was said. */
struct log_sink *sink_pass(struct worker *w, struct span path, size_t fixed);
/* Where the next line is to be written; then sink_line. */
struct buf *sink_buffer(struct log_sink *s);
void sink_line(struct log_sink *s);
void sinks_flush(struct worker *w); /* buffers, too */
/* Writes what waits and has each file opened anew; one that fails stays as it is, and is said. */
void sinks_reopen(struct worker *w);
void sinks_note_failure(struct worker *w, struct log_failure failure);
/* A log that could not be opened; NULL: all could. */
const struct log_failure *sinks_failure(const struct worker *w);
void sinks_free(struct worker *w);

#endif
