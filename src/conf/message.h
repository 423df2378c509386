#ifndef CONF_MESSAGE_H
#define CONF_MESSAGE_H

#include "base/span.h"
#include "conf/build.h"

#include <stdarg.h>

struct place;

/* What is wrong. Beyond the maximum it is only counted. */
struct messages {
    struct conf_message *first;
    struct conf_message **end;
    struct conf_message *last; /* the one that was noted last; NULL: it was too much */
    unsigned errors;
    unsigned warnings;
    bool unclosed; /* there is one of TROUBLE_UNCLOSED */
};

enum { MOST_MESSAGES = 100 }; /* of each severity */

void message_vadd(struct conf *c, enum conf_severity severity, struct place place,
                  const char *format, va_list args) __attribute__((format(printf, 4, 0)));
void message_error(struct conf *c, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What was noted last: a block is not closed; or something is misplaced in the block of `outer`. */
void message_mark_unclosed(struct conf *c);
void message_mark_misplaced(struct conf *c, const struct conf_node *outer);
/* Into the order of the files and lines; of what an unclosed block causes, only the first stays. */
void message_sort(struct conf *c);
/* Formatted, in the tree arena. */
struct span message_vtext(struct conf *c, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
struct span message_text(struct conf *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
