#ifndef DECIDE_FORWARD_VALUES_H
#define DECIDE_FORWARD_VALUES_H

#include "base/span.h"
#include "conf/settings.h"
#include "decide/forward/nets.h"

struct facts;

/* Hosts and networks that a condition or a list names. Zeroed: none. */
enum { HOST_PLAIN = 1, HOST_LITERAL = 2 };

struct values {
    struct conf_list names; /* of struct name_pattern, names only */
    struct nets nets;       /* networks, and hosts that are addresses */
    uint32_t kinds;         /* HOST_PLAIN | HOST_LITERAL */
};

/* A word as the setters see it: from a line or from inside a raw block. */
struct value_word {
    struct span text;
    struct place place;
    bool quoted; /* then it is no keyword */
};

/* As `host` reads it: a name, `.name`, `*.name`, address, `plain`, `literal`. False: said why. */
bool values_add_host(struct conf_call *call, const struct value_word *word, struct values *v);
/* An address, a network, `A-B`. */
bool values_add_net(struct conf_call *call, const struct value_word *word, struct values *v);
/* As a list reads it, by look: networks, else as `host`. */
bool values_add_any(struct conf_call *call, const struct value_word *word, struct values *v);

static inline bool values_any(const struct values *v)
{
    return v->names.len > 0 || v->kinds != 0 || nets_any(&v->nets);
}
/* The requested host is among them. `set`: the number of these names in the block's table. */
bool values_have_host(const struct values *v, uint32_t set, const struct facts *f);

#endif
