#ifndef RUN_PATHS_H
#define RUN_PATHS_H

struct options;

/* What is to be built: all paths absolute, in the arena of the options. */
struct bundle_request paths_of(const struct options *o);

#endif
