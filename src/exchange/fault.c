/* What each fault becomes on the wire: one table for HTTP, Proxy-Status (RFC 9209 2.3) and SOCKS5
 * (RFC 1928 6). forward-semantics 3.1 is its source. */
#include "exchange/fault.h"

static const struct fault_row rows[FAULTS] = {
    [FAULT_NONE] = { 500, 1, "proxy_internal_error" },
    [FAULT_DNS_TIMEOUT] = { 504, 4, "dns_timeout" },
    [FAULT_DNS_ERROR] = { 502, 4, "dns_error" },
    [FAULT_DESTINATION_NOT_FOUND] = { 502, 1, "destination_not_found" },
    [FAULT_DESTINATION_IP_PROHIBITED] = { 403, 2, "destination_ip_prohibited" },
    [FAULT_DESTINATION_IP_UNROUTABLE] = { 502, 3, "destination_ip_unroutable" },
    [FAULT_CONNECTION_REFUSED] = { 502, 5, "connection_refused" },
    [FAULT_CONNECTION_TERMINATED] = { 502, 1, "connection_terminated" },
    [FAULT_CONNECTION_TIMEOUT] = { 504, 4, "connection_timeout" },
    [FAULT_CONNECTION_LIMIT] = { 429, 2, "connection_limit_reached" },
    [FAULT_CONNECTION_WRITE_TIMEOUT] = { 504, 1, "connection_write_timeout" },
    [FAULT_HTTP_REQUEST_ERROR] = { 400, 1, "http_request_error" },
    [FAULT_HTTP_REQUEST_DENIED] = { 403, 2, "http_request_denied" },
    [FAULT_HTTP_PROTOCOL_ERROR] = { 502, 1, "http_protocol_error" },
    [FAULT_HTTP_RESPONSE_TIMEOUT] = { 504, 1, "http_response_timeout" },
    [FAULT_HTTP_RESPONSE_INCOMPLETE] = { 502, 1, "http_response_incomplete" },
    [FAULT_PROXY_LOOP_DETECTED] = { 508, 2, "proxy_loop_detected" },
    [FAULT_PROXY_INTERNAL_ERROR] = { 503, 1, "proxy_internal_error" },
    [FAULT_NO_SOCKET] = { 502, 1, "connection_limit_reached" },
    [FAULT_STORAGE] = { 500, 1, "proxy_internal_error" },
    [FAULT_CLIENT_GONE] = { 499, 1, "connection_terminated" },
    [FAULT_CLIENT_TIMEOUT] = { 408, 1, "connection_read_timeout" },
    [FAULT_BODY_TOO_LARGE] = { 413, 1, "http_request_error" },
    [FAULT_BODY_MALFORMED] = { 400, 1, "http_request_error" },
};

const struct fault_row *fault_row(enum fault fault)
{
    return &rows[fault];
}
