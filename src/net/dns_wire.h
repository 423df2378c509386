#ifndef NET_DNS_WIRE_H
#define NET_DNS_WIRE_H

#include "base/address.h"
#include "base/span.h"

/* DNS messages (RFC 1035): a question made, an answer read. No socket, no clock. */
enum {
    DNS_LONGEST_NAME = 253,
    DNS_MOST_ADDRESSES = 64,
    DNS_MOST_ALIASES = 8,
    DNS_HEADER_SIZE = 12
};

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_SOA = 6, DNS_AAAA = 28 };

/* A host name: lower case, no dot at the end; labels of letters, digits, hyphen, underscore. */
struct dns_name {
    uint8_t len;
    char text[DNS_LONGEST_NAME];
};

static inline struct span dns_name_span(const struct dns_name *n)
{
    return (struct span){ n->text, n->len };
}

/* False: no such name. A dot at the end is allowed and dropped. */
bool dns_name_read(struct span text, struct dns_name *ret);

struct dns_question {
    const struct dns_name *name; /* borrowed for the call */
    enum dns_type type;          /* DNS_A, DNS_AAAA */
    uint16_t id;
    unsigned aliases_left; /* how many CNAMEs may still be followed */
};

/* At most 12 + 255 + 4 bytes. */
void dns_question_write(const struct dns_question *q, struct buf *out);

/* What a datagram says of our question. */
enum dns_reply {
    DNS_FOREIGN, /* answers something else: another id, name, type, class; ignore it */
    DNS_BROKEN,  /* ours, and malformed, or a chain of too many aliases */
    DNS_UNABLE,  /* the server will not say: REFUSED, SERVFAIL, FORMERR ..., a stump of a message */
    DNS_NO_NAME, /* the name does not exist; `seconds` set */
    DNS_NO_DATA, /* no address of this kind; `seconds` set */
    DNS_ALIAS,   /* it is another name, for which to ask: `alias`, `aliases`, `seconds` set */
    DNS_ADDRESSES, /* `addresses`, `count`, `aliases`, `seconds` set */
};

struct dns_answer {
    struct address addresses[DNS_MOST_ADDRESSES]; /* port 0; what is beyond is left out */
    unsigned count;
    unsigned aliases; /* followed within this message */
    bool truncated;   /* there is more than fitted: ask over TCP */
    uint32_t seconds; /* to live: the least of all that led here; 0 for what is not to be kept */
    struct dns_name alias;
};

/* Believes only records whose owner is the asked name, or what its aliases lead to, in the answer
 * section; of the authority section only the SOA's time for negatives. A truncated message counts
 * for what is whole in it. */
enum dns_reply dns_answer_read(struct span message, const struct dns_question *q,
                               struct dns_answer *ret);

#endif
