#ifndef CONF_TYPES_H
#define CONF_TYPES_H

#include "base/span.h"

/* The values of nginx-semantics 1.2. Each `set` reads word 1. */
extern const struct conf_type conf_flag;   /* bool: on, off */
extern const struct conf_type conf_number; /* uint64_t; extra: struct conf_range or NULL */
extern const struct conf_type conf_size;   /* uint64_t bytes: digits with k K m M */
extern const struct conf_type conf_offset; /* uint64_t bytes: also g G */
extern const struct conf_type conf_time;   /* uint64_t milliseconds; no unit is seconds; no `y M` */
extern const struct conf_type conf_seconds; /* uint64_t milliseconds; with `y M`, no `ms` */
extern const struct conf_type conf_text;    /* struct span */
extern const struct conf_type conf_path;    /* struct placed_path: made absolute by the prefix */
/* struct placed_path: conf_path, then up to three levels of folders below it: only checked */
extern const struct conf_type conf_temp_path;
extern const struct conf_type conf_choice; /* unsigned; extra: conf_names, a NULL name ends them */
extern const struct conf_type
    conf_choices; /* unsigned: bits of each word, together; extra: as above */
extern const struct conf_type conf_buffers; /* struct conf_buffers: number and size */
/* No effect: warns once for each name; no field. extra: the type by which the value is read all the
 * same, one that needs no extra itself, or NULL. */
extern const struct conf_type conf_nothing;

struct conf_range {
    uint64_t min, max;
};

struct conf_name {
    const char *name;
    unsigned value; /* of conf_choices: a bit */
};

/* For setters of their own. */
bool conf_read_number(struct span text, uint64_t max, uint64_t *ret);
bool conf_read_size(struct span text, bool giga, uint64_t *ret);
bool conf_read_time(struct span text, uint64_t *ret_ms);
bool conf_read_seconds(struct span text, uint64_t *ret_ms);

#endif
