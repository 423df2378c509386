#ifndef FETCH_LINKS_H
#define FETCH_LINKS_H

#include "base/span.h"

struct exchange;
struct root_links;

/* Opens an absolute path, ended by a zero, whose symbolic links are judged by `links`: as
 * root_open. */
int links_open(struct exchange *x, const struct root_links *links, struct span path, int flags);

#endif
