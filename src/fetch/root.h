#ifndef FETCH_ROOT_H
#define FETCH_ROOT_H

#include "exchange/exchange.h"
#include "exchange/template.h"

/* The folder under which files are served. Held open, so that each request resolves its path
 * beneath it and nowhere else (DESIGN 7.14); looked at again in each turn, since a deployment may
 * have put another folder there. */
struct root {
    struct template path;
    struct root_handle *handle; /* generation arena */
    struct place place;         /* line 0: the default */
};

extern const struct conf_type root_type; /* field: struct root */

/* The folder as text, ended by a zero, in x's arena or the configuration. */
struct span root_path(struct exchange *x, const struct root *r);
/* Opens what `uri` names below the root: a descriptor of a file or folder, or -errno (-EXDEV: it
 * leads out). */
int root_open(struct exchange *x, const struct root *r, struct span uri, int flags);
/* The start of a generation: opens all that are there already. */
void roots_open(struct generation *g);
/* The end of a generation: every root that it held open. */
void roots_close(struct generation *g);

#endif
