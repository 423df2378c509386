#ifndef EXCHANGE_FAULT_H
#define EXCHANGE_FAULT_H

#include <stdint.h>

/* Why an exchange failed, named after the error types of RFC 9209 2.3. Set where the cause is
 * known; one table (fault.c) makes status, Proxy-Status and SOCKS reply of it. */
enum fault {
    FAULT_NONE,
    FAULT_DNS_TIMEOUT,
    FAULT_DNS_ERROR,
    FAULT_DESTINATION_NOT_FOUND, /* no live upstream */
    FAULT_DESTINATION_IP_PROHIBITED,
    FAULT_DESTINATION_IP_UNROUTABLE,
    FAULT_CONNECTION_REFUSED,
    FAULT_CONNECTION_TERMINATED,
    FAULT_CONNECTION_TIMEOUT,
    FAULT_CONNECTION_LIMIT, /* of a key: ours, no upstream's */
    FAULT_CONNECTION_WRITE_TIMEOUT,
    FAULT_HTTP_REQUEST_ERROR,  /* the client's request is malformed */
    FAULT_HTTP_REQUEST_DENIED, /* by a rule */
    FAULT_HTTP_PROTOCOL_ERROR, /* the upstream's answer is malformed */
    FAULT_HTTP_RESPONSE_TIMEOUT,
    FAULT_HTTP_RESPONSE_INCOMPLETE,
    FAULT_PROXY_LOOP_DETECTED,
    FAULT_PROXY_INTERNAL_ERROR, /* ours: descriptors, memory */
    FAULT_NO_SOCKET,            /* ours: no descriptor or local port for one more connection */
    FAULT_STORAGE,              /* ours: a file that a body needs cannot be made or written */
    /* The client's side; nobody is left to be answered: */
    FAULT_CLIENT_GONE,    /* 499 */
    FAULT_CLIENT_TIMEOUT, /* 408 */
    FAULT_BODY_TOO_LARGE, /* 413 */
    FAULT_BODY_MALFORMED, /* 400 */
    FAULTS
};

struct fault_row {
    uint16_t status;
    uint8_t socks5;
    const char *proxy_status;
};
const struct fault_row *fault_row(enum fault fault);

#endif
