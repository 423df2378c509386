#ifndef DECIDE_FORWARD_REPORT_H
#define DECIDE_FORWARD_REPORT_H

#include "base/span.h"
#include "exchange/variable.h"

struct exchange;
struct visit;

/* What is told of a visit: to the client on the deny page, to the logs as variables. */

/* One sentence: which rule, or what floor. Exchange arena. */
struct span report_denial(struct exchange *x, const struct visit *v);
/* The same in a word, or as the rule stands; ended by a zero; constant or generation arena. */
const char *report_detail(const struct visit *v);

extern const struct variable report_variables[]; /* $forward_... */

#endif
