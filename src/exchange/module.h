#ifndef EXCHANGE_MODULE_H
#define EXCHANGE_MODULE_H

#include "base/span.h"
#include "exchange/decision.h"
#include "exchange/phase.h"

struct address;
struct arrival;
struct conf;
struct conf_block;

/* Everything that plugs in: one file with a `struct module`, one line in run/modules.h. */

struct draft_writer;
struct exchange;
struct generation;
struct source;
struct worker;

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
