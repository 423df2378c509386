#ifndef FETCH_ROOT_H
#define FETCH_ROOT_H

#include "base/span.h"
#include "conf/settings.h"
#include "exchange/template.h"

/* The folder under which files are served: `root`, `alias`. Held open, so that each request
 * resolves its path beneath it and nowhere else (DESIGN 7.14); looked at again in each turn, since
 * a deployment may have put another folder there. */
enum root_kind {
    ROOT_PLAIN, /* root: the path stands behind it */
    ROOT_ALIAS, /* alias: what follows the location's name stands behind it */
    ROOT_WHOLE  /* alias in a location by expression: it is the file */
};

struct root {
    struct template path;
    struct root_handle *handle; /* of `folder`; generation arena */
    struct span folder;         /* what is held open: ends with a slash, holds no variable */
    struct span prefix;         /* of the process, for a path whose start is a variable */
    struct span location;       /* ROOT_ALIAS: the name that is replaced */
    enum root_kind kind;
    struct place place; /* line 0: the default */
};

enum symlinks { SYMLINKS_FOLLOWED, SYMLINKS_REFUSED, SYMLINKS_OF_OWNER };

struct root_links { /* disable_symlinks */
    enum symlinks rule;
    struct template from; /* up to here they are followed */
};

extern const struct conf_type root_type;  /* field: struct root */
extern const struct conf_type links_type; /* field: struct root_links */

/* The folder as text, ended by a zero, in x's arena or the configuration. */
struct span root_path(struct exchange *x, const struct root *r);
/* What of `uri` stands behind the root's own text. */
struct span root_tail(const struct exchange *x, const struct root *r, struct span uri);
/* The exchange's path becomes the one whose tail this is (nginx-semantics 6.4: try_files). */
void root_lead_to(struct exchange *x, const struct root *r, struct span tail);
/* The file that the tail names, as text, likewise. */
struct span root_file(struct exchange *x, const struct root *r, struct span tail);
/* Opens that file: a descriptor of a file or folder, or -errno. What would lead out does not exist:
 * -ENOENT. A symbolic link that may not be followed: -ELOOP. */
int root_open(struct exchange *x, const struct root *r, const struct root_links *links,
              struct span tail, int flags);
/* The start of a generation: opens all that are there already. */
void roots_open(struct generation *g);
/* The end of a generation: every root that it held open. */
void roots_close(struct generation *g);

#endif
