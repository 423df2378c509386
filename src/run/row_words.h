#ifndef RUN_ROW_WORDS_H
#define RUN_ROW_WORDS_H

#include <stdbool.h>

struct buf;
struct directive;

/* What a row says, in words: for `bifrons help`, the reference and the manual. */

/* The forward face refuses it by name; `extra` is what to write instead. */
bool row_is_refused(const struct directive *d);
/* `name VALUE ...;` or `name { ... }` */
void row_add_form(const struct directive *d, struct buf *out);
/* `server, location` */
void row_add_contexts(const struct directive *d, struct buf *out);
/* Further traits, as `may stand several times`: the next one, from `*at` = 0 on; NULL: no more. */
const char *row_next_note(const struct directive *d, unsigned *at);
/* A line that uses it; NULL: what the row says is enough. */
const char *row_example(const struct directive *d);

#endif
