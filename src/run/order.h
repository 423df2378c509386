#ifndef RUN_ORDER_H
#define RUN_ORDER_H

#include <stdint.h>

/* What a worker is to serve with from now on: a bundle, and descriptors that it could not open by
 * itself. Start, reload and respawn are all an order. */
enum { ORDER_SECRET = 32, ORDER_TOKEN = 4 };

struct order_item {  /* what a descriptor is */
    uint32_t number; /* of a socket: listener->socket; of a log or zone: that in the manifest */
    uint32_t id;     /* of a socket: the same in every order; of a log: 1 if it may block */
};

struct order_list {
    struct order_item *items; /* owned */
    int *fds;                 /* owned, and what they name */
    uint32_t count;
};

struct order {
    uint64_t serial;
    uint32_t slot;  /* of the worker */
    uint32_t place; /* its own in zones: of no other that lives */
    struct order_seed {
        unsigned char secret[ORDER_SECRET]; /* all workers know it, and nobody else */
        unsigned char token[ORDER_TOKEN];   /* by which we know ourselves in Via */
    } seed;
    int bundle; /* -1: none yet */
    struct order_list sockets, logs, zones;
};

void order_init(struct order *o);
/* Closes what is still in it. */
void order_done(struct order *o);
void order_list_add(struct order_list *l, struct order_item item, int fd);
void order_list_done(struct order_list *l);

#endif
