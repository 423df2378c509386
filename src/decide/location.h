#ifndef DECIDE_LOCATION_H
#define DECIDE_LOCATION_H

/* `location`: which settings hold for a path. */
extern const struct module location_module;

#endif
