#ifndef EXCHANGE_DESTINATION_H
#define EXCHANGE_DESTINATION_H

#include "base/address.h"
#include "base/span.h"

/* Where the forward face is asked to go, and where it goes. */
struct destination {
    struct span host;       /* lower case, no brackets, no trailing dot */
    struct address literal; /* if the host is an address; else family AF_UNSPEC */
    uint16_t port;
};

/* `a.example:80`, `[::1]:80`; a port that goes without saying is left out. */
void destination_print(const struct destination *d, uint16_t port_left_out, struct buf *out);

#endif
