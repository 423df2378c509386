/* The addresses of our interfaces, asked of the kernel. */
#include "run/own_addresses.h"

#include "base/address.h"
#include "exchange/worker.h"

#include <ifaddrs.h>
#include <stdlib.h>

void worker_note_own_addresses(struct worker *w)
{
    struct ifaddrs *all = NULL;
    unsigned count = 0;

    if (getifaddrs(&all) < 0)
        return;
    for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
        count++;
    w->own.at = calloc(count + 1, sizeof(*w->own.at));
    for (struct ifaddrs *i = all; i != NULL && w->own.at != NULL; i = i->ifa_next) {
        struct address *a = &w->own.at[w->own.count];

        if (i->ifa_addr != NULL && address_of_sockaddr(i->ifa_addr, a)) {
            a->scope = 0;
            w->own.count++;
        }
    }
    freeifaddrs(all);
}
