#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/span.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct buf;

/* An IP address with a port, as a value. All bytes are defined, so it may be a hash key. */
struct address {
    uint8_t ip[16];  /* network order; IPv4 in the first four bytes, the rest zero */
    uint32_t scope;  /* IPv6 link-local scope; else 0 */
    uint16_t port;   /* host order */
    uint16_t family; /* AF_INET, AF_INET6; AF_UNSPEC: none */
};

/* An address alone: `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`; strict dotted quad, no zone. Port
 * 0. */
bool address_parse_ip(struct span text, struct address *ret);
/* With an optional port: `192.0.2.1:80`, `[::1]:80`, `192.0.2.1`. Without one: `default_port`. */
bool address_parse(struct span text, uint16_t default_port, struct address *ret);
/* A port, 1 to 65535, digits only, no leading zero. */
bool port_parse(struct span text, uint16_t *ret);

/* False: neither AF_INET nor AF_INET6. */
bool address_of_sockaddr(const struct sockaddr *from, struct address *ret);
/* The length to pass to the kernel. */
socklen_t address_to_sockaddr(const struct address *a, struct sockaddr_storage *ret);

bool address_same(const struct address *a, const struct address *b); /* port too */
bool address_same_ip(const struct address *a, const struct address *b);
/* `::ffff:a.b.c.d` becomes IPv4; all else stays. */
struct address address_unmap(const struct address *a);

void address_print(const struct address *a, struct buf *out);    /* `192.0.2.1:80`, `[::1]:80` */
void address_print_ip(const struct address *a, struct buf *out); /* `192.0.2.1`, `::1` */

#endif
