#ifndef RUN_TERMINAL_H
#define RUN_TERMINAL_H

#include "base/span.h"

/* Whoever started us: reads messages while we start, and waits for it in the background's case. */
struct terminal {
    int messages; /* -1: nobody reads any more */
    int ready;    /* a pipe to whoever waits; -1: nobody does */
};

/* In the foreground: nobody waits. */
struct terminal terminal_stay(void);
/* `daemon on`: goes on in a child, whose streams lead nowhere. False: this is the parent, which has
 * waited until the child was ready, or has failed: `ret_code` is its exit code. */
bool terminal_leave(struct terminal *ret, int *ret_code);
void terminal_say(const struct terminal *t, struct span text);
/* We serve: whoever waits may go on. */
void terminal_ready(struct terminal *t);

#endif
