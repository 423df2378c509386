/* The holds of an exchange: a list, newest first, in a note. */
#include "exchange/hold.h"

#include "exchange/exchange.h"

static const char holds_key; /* of a note: the newest struct hold */

struct hold *exchange_newest_hold(const struct exchange *x)
{
    return exchange_note(x, &holds_key);
}

void exchange_hold(struct exchange *x, struct hold *h)
{
    h->next = exchange_newest_hold(x);
    exchange_keep(x, &holds_key, h);
}

struct hold *exchange_take_holds(struct exchange *x)
{
    struct hold *all = exchange_newest_hold(x);

    if (all != NULL)
        exchange_keep(x, &holds_key, NULL);
    return all;
}

void holds_release(struct hold **all, struct worker *w)
{
    while (*all != NULL) {
        struct hold *first = *all;

        *all = first->next;
        first->release(first, w);
    }
}

void exchange_release_holds(struct exchange *x, const struct hold *until)
{
    while (exchange_newest_hold(x) != until) {
        struct hold *newest = exchange_newest_hold(x);

        exchange_keep(x, &holds_key, newest->next);
        newest->release(newest, x->worker);
    }
}
