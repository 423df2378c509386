#ifndef FETCH_FILE_H
#define FETCH_FILE_H

#include "base/span.h"
#include "conf/settings.h"
#include "exchange/decision.h"
#include "fetch/root.h"

/* `root`, `alias`, `index`: files as answers. */
struct file_settings {
    struct root root;
    struct conf_list index; /* of struct template */
    struct root_links links;
    struct file_switches {
        bool etag, log_not_found;
    } switches;
};

extern const struct module file_module;

/* Of the block in force. */
const struct file_settings *file_settings_of(const struct exchange *x);
/* An `alias` stands for the location's name, and a `rewrite ... break` has taken that out of the
 * path: refused. False: the path can be opened. */
bool file_refuse_rewritten(struct exchange *x, const struct file_settings *own);
/* Opens what a path names below the root: as root_open. */
int file_open(struct exchange *x, const struct file_settings *own, struct span uri, int flags);
/* In a rehearsal: where it was looked for, and what was found; 0: it is there. */
void file_tell(struct exchange *x, const struct file_settings *own, int error);
/* A file that cannot be opened (`error`: errno), with its line in the error log. */
enum verdict file_refuse(struct exchange *x, const struct file_settings *own, int error);

#endif
