#ifndef DECIDE_FORWARD_LISTS_H
#define DECIDE_FORWARD_LISTS_H

#include "base/span.h"
#include "conf/settings.h"
#include "decide/forward/facts.h"
#include "decide/forward/values.h"

/* `list NAME { VALUE; ... except VALUE ...; }`: named values, in force for rules of this block and
 * of those inside. */
struct value_list {
    struct span name;
    struct place place;
    struct values in;
    struct values except; /* win over `in` */
};

/* A list as one block uses it. */
struct list_use {
    const struct value_list *list;
    uint32_t set; /* number of its names in the block's table; that of its exceptions is the next */
};

/* A list as a condition names it. */
struct list_ref {
    struct span name;
    struct place place;
    const struct list_use *use; /* set when all is read */
};

/* Field: struct conf_list of struct value_list *. */
extern const struct conf_type list_type;

/* NULL: there is none of this name. */
const struct value_list *lists_find(const struct conf_list *lists, struct span name);

bool list_has_host(const struct list_use *use, const struct facts *f);
bool list_has_address(const struct value_list *list, const struct address *plain);
/* Host or address of the destination is in it. */
enum truth list_has_destination(const struct list_use *use, const struct facts *f);

#endif
