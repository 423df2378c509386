#ifndef RUN_COMPLAINT_H
#define RUN_COMPLAINT_H

#include <stdbool.h>

struct buf;
struct generation;
struct manifest;
struct manifest_place;
struct place;
struct placed_path;

/* What fails at the start, in the form of an error of the configuration: with the line that wants
 * it and a caret, if there is one. Always false. */
bool complain_at(const struct generation *g, struct place place, struct buf *messages,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same, from a manifest. */
bool complain_in(const struct manifest *m, struct manifest_place place, struct buf *messages,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* `CALL("NAME") failed (ERROR: REASON)`, with its place. Always false. */
bool complain_of_call(const struct generation *g, const struct placed_path *what, const char *call,
                      int error, struct buf *messages);

#endif
