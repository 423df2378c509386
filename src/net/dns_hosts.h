#ifndef NET_DNS_HOSTS_H
#define NET_DNS_HOSTS_H

#include "base/span.h"

struct address;
struct dns_name;

/* The text of /etc/hosts, made searchable. No file is read. */
struct hosts {
    char *text;        /* owned; in lower case */
    struct host *rows; /* owned; sorted by name, within a name as in the text */
    size_t count;
};

enum { HOSTS_MOST_ROWS = 1 << 20 };

/* Bad lines are skipped, as the C library does. -ENOMEM: nothing is left to free. */
int hosts_init(struct hosts *h, struct span text);
void hosts_done(struct hosts *h); /* also of a zeroed one */
/* The addresses of `name`, of one family, in the order of the text; port 0. How many; at most
 * `max`. */
unsigned hosts_find(const struct hosts *h, const struct dns_name *name, uint16_t family,
                    unsigned max, struct address *ret);

#endif
