#ifndef CONF_FORMAT_H
#define CONF_FORMAT_H

#include "base/span.h"

struct buf;
struct lexer_fault;

/* Lays out one text of the language: a line for each directive, four spaces for each block, at most
 * one empty line in a row. Words stay as they stand, with their quotes; comments stay; what was
 * broken over several lines stays so, and a block that was written on one line stays on one. What
 * is laid out once stays as it is.
 *
 * False: the text has no sound form, `ret` says where (`opened`: the block or quote that is not
 * closed; line 0: none), and nothing of `out` is to be used. */
bool conf_format(struct span text, struct buf *out, struct lexer_fault *ret);

#endif
