#ifndef NET_DNS_ASK_H
#define NET_DNS_ASK_H

#include "net/dns_wire.h"
#include "net/fiber.h"
#include "net/sock.h"

/* One question to one name server, on a fiber: over UDP, from a fresh random port with a random
 * id; over TCP when the answer does not fit into a datagram, or somebody is guessing. Only an
 * answer that matches in server, port, id, name, type and class counts. */
enum ask { ASK_ANSWERED, ASK_SILENT, ASK_UNABLE, ASK_CANCELLED };

struct dns_ask {
    struct loop *loop;
    struct dns_question question; /* but for the id: each try has its own */
    enum dns_reply reply;         /* of ASK_ANSWERED: not DNS_FOREIGN */
    struct dns_answer answer;
    struct sock sock; /* private, as what follows */
    struct wait closing;
};

/* ASK_SILENT: until `deadline`. ASK_UNABLE: the server, or the way to it, will not do. */
enum ask dns_ask(struct dns_ask *a, const struct address *server, uint64_t deadline);

#endif
