#ifndef NET_DNS_CACHE_H
#define NET_DNS_CACHE_H

#include "base/hash.h"
#include "base/link.h"

struct dns_name;
struct resolve_result;

/* What names were found to be, until when: at most DNS_CACHE_MOST names; the one that was not asked
 * for the longest makes room. Addresses stay for a day longer, in case nobody can say anything
 * newer (RFC 8767): they are stale then. */
enum { DNS_CACHE_MOST = 4096, DNS_CACHE_BUCKETS = 1024, DNS_CACHE_STALE_MS = 24 * 60 * 60 * 1000 };

struct dns_cache {
    struct hash_key key;
    struct budget *budget; /* charged with each name */
    struct link recent;    /* owned; the one asked for last first */
    struct cached *buckets[DNS_CACHE_BUCKETS];
    unsigned count;
};

void dns_cache_init(struct dns_cache *c, struct budget *budget);
void dns_cache_done(struct dns_cache *c);
/* False: not known, or no longer. */
bool dns_cache_find(struct dns_cache *c, const struct dns_name *name, uint64_t now,
                    struct resolve_result *ret);
/* The same for stale addresses, too. */
bool dns_cache_find_stale(struct dns_cache *c, const struct dns_name *name, uint64_t now,
                          struct resolve_result *ret);
/* Nobody could say anything newer: stale addresses count as fresh until `until`, but for no longer
 * than the day. False: there are none. */
bool dns_cache_renew(struct dns_cache *c, const struct dns_name *name, uint64_t now, uint64_t until,
                     struct resolve_result *ret);
/* Replaces what was known. Over the budget, or without memory, it is simply not kept. */
void dns_cache_put(struct dns_cache *c, const struct dns_name *name,
                   const struct resolve_result *found, uint64_t until);

#endif
