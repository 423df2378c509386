#ifndef EXCHANGE_HOLD_H
#define EXCHANGE_HOLD_H

/* What an exchange holds of the world until its end, and must give back: its place in a limit. A
 * tunnel takes the holds over, and gives them back at its own end; so a hold points into neither
 * exchange nor generation. */

struct exchange;
struct worker;

struct hold { /* embed it in memory of your own */
    struct hold *next;
    void (*release)(struct hold *h, struct worker *w); /* frees it, too */
};

void exchange_hold(struct exchange *x, struct hold *h);
/* All of them, no longer the exchange's. */
struct hold *exchange_take_holds(struct exchange *x);
void holds_release(struct hold **all, struct worker *w);
/* The newest ones, down to `until`, which stays (NULL: all). */
void exchange_release_holds(struct exchange *x, const struct hold *until);
struct hold *exchange_newest_hold(const struct exchange *x); /* NULL: it has none */

#endif
