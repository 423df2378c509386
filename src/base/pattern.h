#ifndef BASE_PATTERN_H
#define BASE_PATTERN_H

#include "base/span.h"

/* Regular expressions (PCRE2, bytes without meaning beyond ASCII), with limits: whoever writes the
 * subject must not decide how long a match takes. */
struct pattern;      /* immutable once compiled; heap */
struct pattern_room; /* what matching works in: one for a worker, made at its first match */

enum { PATTERN_MOST_GROUPS = 100, PATTERN_REASON = 160 };

/* NULL: `ret_reason` says why, and `ret_at` where in `text`. */
struct pattern *pattern_new(struct span text, bool caseless, char ret_reason[PATTERN_REASON],
                            size_t *ret_at);
void pattern_free(struct pattern **p);

unsigned pattern_group_count(const struct pattern *p); /* without the whole match, group 0 */
unsigned pattern_name_count(const struct pattern *p);
/* The i-th named group: its name (as long as the pattern lives, ended by a zero) and number. */
struct span pattern_name(const struct pattern *p, unsigned i, unsigned *ret_group);

enum pattern_verdict {
    PATTERN_NO,
    PATTERN_MATCH,
    /* Given up: too many steps, too much memory; or no UTF-8 where `(*UTF)` wants it. That is no
     * PATTERN_NO: what is forbidden by an expression would be open for such a subject. */
    PATTERN_LIMIT
};

struct pattern_groups { /* good until the next match in the same room */
    struct span subject;
    const size_t *bounds;
    unsigned count; /* beyond: took no part */
};

/* `room` is made if it is NULL; whoever holds it frees it. */
enum pattern_verdict pattern_match(const struct pattern *p, struct pattern_room **room,
                                   struct span subject, struct pattern_groups *ret);
/* Group n of a match; `at` is NULL: it took no part. */
struct span pattern_group(const struct pattern_groups *g, unsigned n);
void pattern_room_free(struct pattern_room **room);

#endif
