#ifndef EXCHANGE_TEMPLATE_H
#define EXCHANGE_TEMPLATE_H

#include "base/span.h"

struct buf;
struct conf_call;

/* A value with variables: literals and variables in turn. Names are looked up once, while the
 * configuration is read; an unknown one is refused at its place. */
struct draft_writer;
struct exchange;
struct template_part;

enum { LONGEST_NAME = 64 }; /* of a variable */

struct template
{
    const struct template_part *parts; /* generation arena */
    uint32_t count;
    bool is_set;      /* false: the directive is not there */
    struct span text; /* as written; the whole value if `count` is 0 */
};

extern const struct conf_type template_type; /* field: struct template; reads word 1 */

/* Compiles word `i` of a line. */
bool template_compile(struct conf_call *call, unsigned word, struct template *ret);
/* Compiles any text, complaining at that word. */
bool template_compile_text(struct conf_call *call, unsigned word, struct span text,
                           struct template *ret);
static inline bool template_is_literal(const struct template *t)
{
    return t->count == 0;
}
/* Appends the value. Unset variables give nothing. */
void template_add(struct exchange *x, const struct template *t, struct buf *out);
/* The same; what `$1` to `$9` give is escaped for a query. */
void template_add_escaped(struct exchange *x, const struct template *t, struct buf *out);
/* The value as a span: of the template, of a variable, or made in x's arena. */
struct span template_value(struct exchange *x, const struct template *t);
/* Piece by piece, for logs: literals as they are, each value through `print` (with `set` false:
 * unset). Of all values together at most `most` bytes; what is cut ends in `...`. Credentials are
 * not shown: of those of HTTP the scheme, of others nothing. */
void template_log(struct exchange *x, const struct template *t, struct buf *out,
                  void (*print)(struct span value, bool set, struct buf *out), size_t most);
/* As template_log, into a draft: LATE variables are holes. */
void template_draft(struct exchange *x, const struct template *t, struct draft_writer *w,
                    void (*print)(struct span value, bool set, struct buf *out), size_t most);
/* A LATE variable is in it. */
bool template_is_late(const struct template *t);
/* The field that the argument of `http_` means: `x_a` -> `x-a`, in `room`. */
struct span variable_field(struct span argument, char room[LONGEST_NAME]);
/* A variable by its name (lower case), for code; false: unset. */
bool variable_value(struct exchange *x, struct span name, struct span *ret);
/* The variable is known. */
struct generation;
bool variable_exists(const struct generation *g, struct span name);
bool variable_is_ours(const struct generation *g, struct span name); /* not the configuration's */
bool variable_is_name(struct span name); /* letters, digits, `_`; not one of `$0` to `$9` */

#endif
