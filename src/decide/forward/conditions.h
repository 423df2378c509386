#ifndef DECIDE_FORWARD_CONDITIONS_H
#define DECIDE_FORWARD_CONDITIONS_H

#include "base/span.h"
#include "conf/settings.h"
#include "decide/forward/facts.h"
#include "decide/forward/values.h"

struct value_list;

/* The conditions of rules (forward-semantics 2.1). A new one is a row in conditions.c. */
struct condition;

struct condition_kind {
    const char *name;
    enum stage stage; /* when it can be told at the latest */
    /* Adds the value that stands at `word`; NULL: known, but not supported yet. */
    bool (*read)(struct conf_call *call, unsigned word, struct condition *c);
    enum truth (*test)(const struct condition *c, const struct facts *f);
    /* Whatever holds for `inner` holds for `outer` (both without `not`). */
    bool (*covers)(const struct condition *outer, const struct condition *inner);
};

struct condition {
    const struct condition_kind *kind;
    struct span text; /* as written, `not` included */
    struct place place;
    struct values values;     /* client, host, address */
    struct conf_list lists;   /* of struct list_ref: @list and category */
    struct conf_list ports;   /* of struct port_range */
    struct conf_list methods; /* of struct span */
    uint32_t bits;            /* 1 << a protocol, or a floor word */
    uint32_t set;             /* host: the number of its names in the block's table */
    bool negated;
};

/* Reads `[not] NAME VALUE ... [and ...]` from word `at` to the line's end, and adds each to `ret`
 * (of struct condition). False: said why. */
bool conditions_read(struct conf_call *call, unsigned at, struct conf_list *ret);

/* The words of a line from `from` to before `to`, as one text without control bytes; ended by a
 * zero. */
struct span conditions_text(const struct conf_call *call, unsigned from, unsigned to);

enum truth condition_test(const struct condition *c, const struct facts *f);
/* Where `inner` holds, `outer` holds too; false also when that cannot be told. */
bool condition_covers(const struct condition *outer, const struct condition *inner);

/* Facts about the rows, for the floors and the checks. */
bool condition_opens_port(const struct condition *c, uint16_t port);
bool condition_opens_address(const struct condition *c, const struct standing *s);
/* It says who may ask, and not everybody. */
bool condition_names_clients(const struct condition *c);
/* It cannot be told before an address is known. */
bool condition_needs_address(const struct condition *c);
/* `category social`: what of the condition held, for a sentence. */
void condition_reason(const struct condition *c, const struct facts *f, struct buf *out);
/* The lists of a `category` condition that have the destination, after a comma if `out` is not
 * empty. */
void condition_categories(const struct condition *c, const struct facts *f, struct buf *out);
bool condition_is_host(const struct condition *c);
/* A list of this kind makes sense here; else what it lacks, as the end of a message. */
const char *condition_list_fault(const struct condition *c, const struct value_list *list);

#endif
