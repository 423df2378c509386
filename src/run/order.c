/* Orders: lists of descriptors, each with what it is. Owns them until somebody takes them out. */
#include "run/order.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void order_init(struct order *o)
{
    *o = (struct order){ .bundle = -1 };
}

void order_list_add(struct order_list *l, struct order_item item, int fd)
{
    struct order_item *items = realloc(l->items, (l->count + 1) * sizeof(*items));
    int *fds = realloc(l->fds, (l->count + 1) * sizeof(*fds));

    if (items == NULL || fds == NULL)
        abort();
    l->items = items;
    l->fds = fds;
    l->items[l->count] = item;
    l->fds[l->count++] = fd;
}

void order_list_done(struct order_list *l)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (l->fds[i] >= 0)
            close(l->fds[i]);
    free(l->items);
    free(l->fds);
    *l = (struct order_list){ .count = 0 };
}

void order_done(struct order *o)
{
    if (o->bundle >= 0)
        close(o->bundle);
    order_list_done(&o->sockets);
    order_list_done(&o->logs);
    order_list_done(&o->zones);
    explicit_bzero(&o->seed, sizeof(o->seed));
    order_init(o);
}
