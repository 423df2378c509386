#ifndef FETCH_RESOLVER_H
#define FETCH_RESOLVER_H

struct exchange;

/* `resolver`: who is asked for the addresses of names. Each forward block has a resolver of its
 * own, the reverse face one, and so has each server or location that names its servers itself; so
 * that no answer crosses from one to the other (DNS-19). */
extern const struct module resolver_module;

struct resolver *resolver_of(const struct exchange *x);

#endif
