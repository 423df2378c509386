#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/address.h"
#include "base/span.h"
#include "net/io.h"

struct loop;

/* A resolver of our own: it asks the configured name servers over UDP, A and AAAA side by side,
 * from a fresh random port with a random id for each query, and believes only an answer that
 * matches in server, port, id, name, type and class. /etc/hosts comes first; its text is given, no
 * file is read. No search list, ever: only the absolute name is asked (DNS-16). */
enum { RESOLVE_MOST = 64, RESOLVER_MOST_SERVERS = 8 };

struct resolver_options {
    struct address servers[RESOLVER_MOST_SERVERS]; /* with ports */
    unsigned server_count;
    struct span hosts;   /* the text of /etc/hosts; copied */
    uint64_t timeout_ms; /* for a whole lookup (resolver_timeout) */
    uint64_t valid_ms;   /* 0: obey the TTLs, at most a day */
    bool ipv4, ipv6;     /* which to ask for */
};

enum resolve_fault { RESOLVE_FOUND, RESOLVE_NO_NAME, RESOLVE_SILENT, RESOLVE_BROKEN };

struct resolve_result {
    struct address addresses[RESOLVE_MOST]; /* port 0; IPv6 first */
    unsigned count;
    enum resolve_fault fault;
};

struct resolver;
struct resolver *resolver_new(struct loop *l, const struct resolver_options *options);
/* One more user, who frees it too; what it knows is known to both. */
struct resolver *resolver_share(struct resolver *r);
/* Was it made with these? `hosts` is not compared. */
bool resolver_has(const struct resolver *r, const struct resolver_options *options);
/* The last user's: no lookup may be under way. Questions that nobody waits for any more may be:
 * they end in the loop's next turns, and hold what they need until then. */
void resolver_free(struct resolver **r);
/* On a fiber. `name`: letters, digits, hyphen, underscore, dots; at most 253 bytes; else
 * RESOLVE_NO_NAME. Equal questions at the same time are asked once. IO_OK: see ret->fault; else
 * IO_TIMEOUT, IO_CANCELLED. */
enum io resolver_lookup(struct resolver *r, struct span name, uint64_t deadline,
                        struct resolve_result *ret);

/* The `nameserver` lines of a resolv.conf: at most RESOLVER_MOST_SERVERS, port 53; bad lines are
 * skipped. */
unsigned resolv_conf_servers(struct span text, struct address *ret);

#endif
