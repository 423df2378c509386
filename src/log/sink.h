#ifndef LOG_SINK_H
#define LOG_SINK_H

#include "exchange/worker.h"

/* The files that logs are written to. Opened before rights are dropped; the lines of one turn of
 * the loop leave in one write each. */
struct log_sink;

struct log_sinks {
    struct log_sink *first;
    struct turn_end flush;
    struct worker *worker;
    struct span failed; /* a path that could not be opened; generation arena */
    int error;
};

void sinks_start(struct worker *w);
/* Opens (or finds) the file; appends. NULL: `-errno` in ret_error. */
struct log_sink *sink_open(struct worker *w, struct span path, int *ret_error);
/* Where the next line is to be written; then sink_line. */
struct buf *sink_buffer(struct log_sink *s);
void sink_line(struct log_sink *s);
void sinks_flush(struct worker *w);
void sinks_note_failure(struct worker *w, struct span path, int error);
/* False: a log could not be opened; the message is appended. */
bool sinks_good(const struct worker *w, struct buf *messages);
void sinks_free(struct worker *w);

#endif
