#ifndef BASE_CIDR_H
#define BASE_CIDR_H

#include "base/span.h"

struct address;

/* A network, or a range of addresses: all from `first` to `last`, both of one family. */
struct cidr {
    uint8_t first[16];
    uint8_t last[16];
    uint16_t family; /* AF_UNSPEC: every address of both families */
};

/* `192.0.2.0/24`, `2001:db8::/32`, one address, `all`. Bits below the mask are dropped, as NGINX
 * does. */
bool cidr_parse(struct span text, struct cidr *ret);
/* The same, and `192.0.2.1-192.0.2.9`. */
bool cidr_parse_range(struct span text, struct cidr *ret);
bool cidr_has(const struct cidr *net, const struct address *a); /* a v4-mapped address is IPv4 */
bool cidr_inside(const struct cidr *inner, const struct cidr *outer);

#endif
