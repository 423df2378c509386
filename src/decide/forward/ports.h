#ifndef DECIDE_FORWARD_PORTS_H
#define DECIDE_FORWARD_PORTS_H

#include "base/span.h"

/* Ports, and the port floor (forward-semantics 2.4): which a protocol reaches unless a rule names
 * others. */
struct port_range {
    uint16_t first, last;
};

/* `80`, `1024-65535`. */
bool port_range_parse(struct span text, struct port_range *ret);

enum port_floor { PORT_FLOOR_HTTP, PORT_FLOOR_CONNECT, PORT_FLOOR_SOCKS, PORT_FLOORS };

struct port_set;

/* Zeroed: the defaults. */
struct port_floors {
    const struct port_set *of[PORT_FLOORS]; /* generation arena; NULL: the default */
};

bool ports_allow(const struct port_floors *f, enum port_floor which, uint16_t port);

/* `ports http|connect|socks LIST|none|any [except LIST]`; field: struct port_floors. */
extern const struct conf_type ports_type;

#endif
