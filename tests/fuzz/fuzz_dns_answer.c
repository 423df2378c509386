/* An answer of a name server: the first byte says whether A or AAAA was asked for, the rest is the
 * datagram. The question is always that for "a.example" with id 0x1234, so that the corpus gets
 * past the match. */
#include "net/dns_wire.h"

#include <stdlib.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_answer answer;
    struct dns_name name, again;

    if (size == 0)
        return 0;
    must(dns_name_read(span_of("a.example"), &name));
    struct dns_question q = { &name, data[0] & 1 ? DNS_AAAA : DNS_A, 0x1234, DNS_MOST_ALIASES };
    enum dns_reply reply =
        dns_answer_read((struct span){ (const char *)data + 1, size - 1 }, &q, &answer);

    if (reply == DNS_ADDRESSES) {
        must(answer.count > 0 && answer.count <= DNS_MOST_ADDRESSES);
        must(answer.addresses[0].family == (data[0] & 1 ? AF_INET6 : AF_INET));
    }
    if (reply == DNS_ALIAS) /* whatever a server says, what is asked for next is a host name */
        must(dns_name_read(dns_name_span(&answer.alias), &again) &&
             answer.aliases <= DNS_MOST_ALIASES);
    if (reply >= DNS_NO_NAME)
        must(answer.seconds <= INT32_MAX);
    return 0;
}
