#ifndef CONF_EXCERPT_H
#define CONF_EXCERPT_H

#include "base/span.h"

struct buf;
struct place;

/* A text from a file, fit for a terminal. */
void excerpt_plain(struct span text, struct buf *out);
/* The line of the text that `place` names (both its line and column are known), and the caret. */
void excerpt_line(struct span text, struct place place, struct buf *out);

#endif
