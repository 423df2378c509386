#ifndef FILTER_SUB_STREAM_H
#define FILTER_SUB_STREAM_H

#include "base/span.h"

struct exchange;

/* A source in which texts are replaced. */
struct replacement {
    const struct template *by_text; /* evaluated once, when it is needed */
    struct span value;
    bool made;
};

struct replacements { /* lists of equal length, in x's arena */
    struct wanted_text *texts;
    struct replacement *by_texts;
    size_t count;
    bool once; /* each of them one time */
};

/* NULL: no memory for it. Owns `inner` from then on. */
struct source *sub_stream_new(struct exchange *x, struct source *inner,
                              const struct replacements *r);

#endif
