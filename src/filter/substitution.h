#ifndef FILTER_SUBSTITUTION_H
#define FILTER_SUBSTITUTION_H

#include "base/span.h"

/* Several texts looked for in one that comes in pieces: where the first of them begins, letters in
 * any case. Of two that begin in the same place the earlier one in the list wins. */
enum { SUBSTITUTION_LONGEST = 4096 };

struct wanted_text {
    struct span text; /* 1 to SUBSTITUTION_LONGEST bytes, lower case */
    bool done;        /* not looked for any more */
};

struct substitution {
    struct wanted_text *texts; /* the caller's */
    size_t count;
    size_t shortest;
    uint8_t skip[256]; /* how far to go on if this byte stands where the shortest would end */
};

void substitution_init(struct substitution *s, struct wanted_text *texts, size_t count);
/* FOUND: text *ret_which begins at *ret_at, nothing before it. NONE: none begins before *ret_at,
 * and what follows there might be the beginning of one; all of `bytes` if `last`. TIRED: so many
 * bytes were compared that others have to run; none begins before *ret_at, and there it goes on. */
enum substitution_found { SUBSTITUTION_NONE, SUBSTITUTION_FOUND, SUBSTITUTION_TIRED };
enum substitution_found substitution_find(const struct substitution *s, struct span bytes,
                                          bool last, size_t *ret_at, size_t *ret_which);

#endif
