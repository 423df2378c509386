#ifndef TLS_CLIENT_HELLO_H
#define TLS_CLIENT_HELLO_H

#include "base/cursor.h"
#include "base/span.h"

/* The first message of a TLS client (RFC 8446 4.1.2, RFC 6066 3), read before OpenSSL sees it. */
struct client_hello {
    struct span name; /* SNI host_name as it came: 1-255 visible ASCII bytes, no `/`; empty: none */
    bool has_ech;     /* encrypted_client_hello present */
};

/* Of the message; it may lie in at most so many records. */
enum { CLIENT_HELLO_MOST = 16384, CLIENT_HELLO_RECORDS = 64 };

/* `in`: all bytes so far, records with their headers. One message over several records: `scratch`
 * (CLIENT_HELLO_MOST bytes) holds the joined message, and the name then points there; else it
 * points into `in`. PARSE_BAD: no ClientHello, or malformed, or longer than the maximum, or a name
 * that no host can have. What follows the message is not looked at. */
enum parse client_hello_parse(struct span in, char *scratch, struct client_hello *ret);

/* The name in the body of a server_name extension. False: malformed, as above. */
bool client_hello_name(struct span extension, struct span *ret_name);

#endif
