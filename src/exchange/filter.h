#ifndef EXCHANGE_FILTER_H
#define EXCHANGE_FILTER_H

#include <stdbool.h>

struct exchange;

/* The slots of filters, from the source outwards (nginx-semantics 8): the enum is the order. */
enum filter_slot {
    SLOT_STORE,       /* the cache's */
    SLOT_BUFFERING,   /* proxy_buffering */
    SLOT_CONDITIONAL, /* 304, 412 */
    SLOT_HEADERS,     /* add_header, expires */
    SLOT_SUB,         /* sub_filter */
    SLOT_GZIP,
    SLOT_RANGE,
    FILTER_SLOTS
};

struct filter {
    enum filter_slot slot;
    /* Asked after the wrapper before it changed the head. It may change the head itself. */
    bool (*wants)(struct exchange *x, const void *settings);
    /* The new outer source, which owns the inner one; never NULL. NULL as a function: `wants` has
     * done all. */
    struct source *(*wrap)(struct exchange *x, const void *settings, struct source *inner);
};

#endif
