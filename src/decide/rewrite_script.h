#ifndef DECIDE_REWRITE_SCRIPT_H
#define DECIDE_REWRITE_SCRIPT_H

#include "base/pattern.h"
#include "base/span.h"
#include "conf/settings.h"
#include "exchange/decision.h"

struct buf;
struct conf_call;
struct expression;
struct template;

/* What the rewrite directives of a block do, one step for each, in the order in which they stand. A
 * block is run from its first step to the one that ends it; an `if` that holds runs its own steps
 * on the way. */

struct rewrite_settings {
    struct conf_list steps; /* of struct step; sorted once the file is read */
    bool logs;              /* rewrite_log */
    bool warns;             /* uninitialized_variable_warn */
};

/* One run through a block. */
struct run {
    struct exchange *x;
    const struct rewrite_settings *own; /* of the block whose steps are run */
    enum verdict verdict;               /* NEXT, unless a step has answered */
    bool changed;                       /* the path: the location has to be searched again */
    bool quotes; /* `$1` to `$9` come escaped: NGINX's rule, until a `rewrite` matches */
};

enum flow { FLOW_ON, FLOW_END };

struct step {
    enum flow (*take)(struct run *run, const struct step *s);
    const void *what; /* take's; generation arena */
    struct place place;
    unsigned order; /* among the lines of its block */
};

/* The lines. Fields: the list of steps. */
extern const struct conf_type rewrite_rule_line, rewrite_if_block, rewrite_set_line, return_line;

/* For setters. Always true unless there are too many. */
bool script_add(struct conf_call *call, struct conf_list *steps,
                enum flow (*take)(struct run *run, const struct step *s), const void *what);
/* What is written begins like a URL of another place: it can only be a redirect. */
bool script_is_url(struct span text);
/* After the file is read: `if` blocks were added behind all other lines. */
void script_sort(struct conf_list *steps);

/* Runs the steps of these settings, those of the block itself or of an `if` in it. */
enum flow script_run(struct run *run, const struct rewrite_settings *own);

/* --- for steps ------------------------------------------------------------------------------ */

/* Ends the run with this verdict. */
enum flow script_end(struct run *run, enum verdict verdict);
/* Matches as `if` and `rewrite` do: no match unsets `$1` to `$9`. After PATTERN_LIMIT nothing
 * remains but script_end with a 500. */
enum pattern_verdict script_match(struct run *run, const struct expression *e, struct span subject);
/* Appends the value; groups escaped for a query if `quotes`, and the path that was asked for held
 * something escaped. */
void script_text(struct run *run, const struct template *t, bool quotes, struct buf *out);
/* The value, as long as the exchange lives. False: too long; said in the error log, and what
 * remains is script_end with a 500. */
bool script_value(struct run *run, const struct template *t, struct span *ret);
/* The buffer's bytes in the exchange's arena; the buffer is done. False: as script_value. */
bool script_keep(struct run *run, struct buf *made, struct span *ret);
/* A redirect by `directive`, whose Location may hold what a peer chose. */
enum flow script_redirect(struct run *run, const char *directive, unsigned status,
                          struct span location);

enum { SCRIPT_LONGEST = 64 * 1024 }; /* of a value, a path, a Location */

#endif
