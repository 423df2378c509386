#ifndef EXCHANGE_ZONE_LINE_H
#define EXCHANGE_ZONE_LINE_H

#include "base/span.h"
#include "base/shape.h"
#include "conf/settings.h"

struct conf;
struct conf_call;

/* Zones of a configuration: `zone=NAME:SIZE`. All of them have one space of names; the same name
 * with the same use and shape is the same memory before and after a reload. */

struct generation;

struct zone_line {
    struct span name;
    const char *use; /* the directive: who else uses the name means another thing */
    struct place place;
    struct zone_shape shape;
    void *of;          /* what the directive says besides */
    struct zone *zone; /* in a worker; NULL: memory was refused. Owned */
};

/* Reads `zone=NAME:SIZE` at a word. False: refused. */
bool zone_read(struct conf_call *call, unsigned word, struct span *ret_name, size_t *ret_size);
/* Adds the line, which a module made. */
void zone_declare(struct generation *g, const struct zone_line *line);
struct zone_line *zone_named(const struct generation *g, struct span name); /* NULL: none */
/* The one that a line elsewhere means. NULL: complained. */
struct zone_line *zone_meant(struct conf *conf, struct place place, struct span name,
                             const char *use);
/* Are the words of `zone=` at this word? */
bool zone_is_word(struct span word);

#endif
