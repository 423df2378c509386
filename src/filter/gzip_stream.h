#ifndef FILTER_GZIP_STREAM_H
#define FILTER_GZIP_STREAM_H

#include <stdint.h>

struct exchange;

/* The compressor: a source round a source. */

extern const char gzip_stream_key; /* key of the note: the source, for $gzip_ratio */

/* `length`: of what will be compressed, LENGTH_UNKNOWN: not known; the smaller, the less memory.
 * The new source owns `inner`. NULL: no memory for it; then nothing has changed. */
struct source *gzip_stream_new(struct exchange *x, struct source *inner, unsigned level,
                               uint64_t length);

/* Bytes in and out so far. */
void gzip_stream_counts(const struct source *s, uint64_t *ret_in, uint64_t *ret_out);

#endif
