#ifndef EXCHANGE_DECLARED_H
#define EXCHANGE_DECLARED_H

#include "base/span.h"

struct conf;
struct conf_call;
struct exchange;
struct generation;

/* Variables that a configuration declares: by `set`, and by the named groups of expressions. A name
 * may be used above the line that declares it, so templates note it, and what nobody has declared
 * at the end is refused where it was used first. */
struct declared;

/* The same name gives the same variable, however often it is declared. NULL: refused, the name is
 * one of ours. */
struct declared *declared_add(struct conf_call *call, unsigned word, struct span name);
const char *declared_name(const struct declared *d);
/* Gives what stands for the value while there is none; without one the variable is unset then. */
void declared_stand_in(struct declared *d,
                       bool (*get)(struct exchange *x, const struct declared *d, struct span *ret));
/* For one exchange; the value must live as long as it. */
void declared_set(struct exchange *x, const struct declared *d, struct span value);

/* --- for exchange/template.c and exchange/core.c -------------------------------------------- */

/* As find_in of the template: the row and what its `get` is given; NULL: not declared. */
const struct variable *declared_find(const struct generation *g, struct span name,
                                     struct span *ret_argument);
/* The same for a name in use (lower case), declared or not yet. */
const struct variable *declared_use(struct conf_call *call, unsigned word, struct span name,
                                    struct span *ret_argument);
/* After all is read. False: names were used that nobody has declared. */
bool declared_check(struct generation *g, struct conf *conf);

#endif
