#ifndef EXCHANGE_EXPRESSION_H
#define EXCHANGE_EXPRESSION_H

#include "base/pattern.h"
#include "base/span.h"

struct conf_call;
struct exchange;
struct generation;
struct worker;

/* Regular expressions of a configuration. The groups of the last one that matched are `$1` to `$9`
 * of the exchange; its named groups are variables, which keep their value until another expression
 * that has the name matches. */
struct expression;

/* From word `word`, whose text it is or ends. NULL: refused. Lives as long as the generation. */
const struct expression *expression_new(struct conf_call *call, unsigned word, struct span text,
                                        bool caseless);
bool expression_has_groups(const struct expression *e);
struct span expression_text(const struct expression *e); /* as written; ended by a zero */

/* `subject` lives as long as the exchange. PATTERN_LIMIT is said in the error log: what remains is
 * to answer 500. */
enum pattern_verdict expression_match(struct exchange *x, const struct expression *e,
                                      struct span subject);
/* `$1` to `$9` are unset; named groups stay. */
void expression_forget(struct exchange *x);
/* Where there is no request yet: keeps nothing, says nothing. */
enum pattern_verdict expression_test(struct worker *w, const struct expression *e,
                                     struct span subject);

void expressions_free(struct generation *g);

/* `$1` to `$9`: the row whose argument is the digit. */
extern const struct variable expression_group;

#endif
