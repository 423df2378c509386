#ifndef BASE_LINK_H
#define BASE_LINK_H

#include <stdbool.h>
#include <stddef.h>

/* A link of a ring: embed it; a ring's head is a link of its own. All calls take constant time. */
struct link {
    struct link *prev;
    struct link *next;
};

/* The object that embeds `member`. */
#define CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void link_init(struct link *l)
{
    l->prev = l->next = l;
}

static inline bool link_alone(const struct link *l) /* of a head: the ring is empty */
{
    return l->next == l || l->next == NULL;
}

static inline void link_remove(struct link *l) /* harmless when alone or zeroed */
{
    if (l->next == NULL)
        return;
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}

static inline void link_insert(struct link *after, struct link *l)
{
    l->prev = after;
    l->next = after->next;
    after->next->prev = l;
    after->next = l;
}

static inline void link_append(struct link *head, struct link *l)
{
    link_insert(head->prev, l);
}

#endif
