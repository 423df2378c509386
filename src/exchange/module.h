#ifndef EXCHANGE_MODULE_H
#define EXCHANGE_MODULE_H

#include "base/address.h"
#include "conf/directive.h"
#include "exchange/phase.h"

/* Everything that plugs in: one file with a `struct module`, one line in run/modules.h. */

struct exchange;
struct generation;
struct worker;
struct source;
struct draft_writer;

/* A connection before anything was asked on it. */
struct arrival {
    struct address client;
    const struct listener *listener;
};

struct hook {
    enum phase phase;
    union { /* three kinds, by what they are given */
        /* ACCEPT, HELLO: a connection. REFUSE: reset without an answer */
        enum verdict (*on_arrival)(const struct arrival *a, const void *settings);
        /* DIAL: a candidate. REFUSE: it drops out */
        enum verdict (*on_candidate)(struct exchange *x, const struct address *candidate,
                                     const void *settings);
        /* all the rest: the exchange */
        enum verdict (*run)(struct exchange *x, const void *settings);
    };
};

/* A variable is one name, or a family: `http_` with what follows as argument (lower case). The
 * families say whether values may be credentials, which no log shows (DESIGN 7.12). */
enum variable_family {
    NO_FAMILY,
    LATE, /* no family; its value changes until the end, that of a tunnel, too: exchange/draft.h
             says what its `get` may read */
    FAMILY,
    FAMILY_OF_FIELDS, /* the argument names a header field, and the field says it */
    FAMILY_OF_SECRETS
};

struct variable {
    const char *name; /* a family's ends with `_` */
    enum variable_family family;
    /* False: unset. The value lives until the exchange ends. */
    bool (*get)(struct exchange *x, struct span arg, struct span *ret);
    const char *help;
};

static inline bool variable_is_family(const struct variable *v)
{
    return v->family != NO_FAMILY && v->family != LATE;
}

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

struct module {
    const char *name;
    const struct directive *directives; /* ends with a row without name */
    const struct variable *variables;   /* likewise */
    const struct hook *hooks;           /* ends with a hook without a function */
    const struct filter *filter;
    void (*log)(struct exchange *x, const void *settings); /* once, at its end; must not block */
    /* The same for an exchange that goes first (exchange/draft.h): in two steps. */
    void (*draft)(struct exchange *x, const void *settings, struct draft_writer *w);
    void (*log_draft)(struct exchange *last, struct span draft);
    size_t settings_size;                           /* zeroed, in the generation arena */
    void (*merge)(void *child, const void *parent); /* only where the rows cannot say it */
    bool (*check)(struct conf *conf, struct conf_block *block, void *settings);
    /* After everything is read and checked; `settings`: those of the top block. False:
     * conf_complain said why. */
    bool (*init)(struct generation *g, struct conf *conf, void *settings);
    /* In a worker, once the generation is whole and before it serves; and when its last exchange
     * has ended. */
    void (*start)(struct worker *w, struct generation *g, void *settings);
    void (*stop)(struct worker *w, struct generation *g, void *settings);
};

#endif
