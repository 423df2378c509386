/* Status codes and methods: the facts about them that several rooms ask for (RFC 9110 9, 15). */
#include "base/span.h"
#include "exchange/exchange.h"
#include "exchange/request.h"
#include "exchange/response.h"

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 404, "Not Found" },
    { 304, "Not Modified" },
    { 206, "Partial Content" },
    { 301, "Moved Permanently" },
    { 302, "Moved Temporarily" }, /* as NGINX says it */
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 103, "Early Hints" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 205, "Reset Content" },
    { 303, "See Other" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 405, "Not Allowed" }, /* as NGINX says it */
    { 406, "Not Acceptable" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Time-out" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Request Entity Too Large" },
    { 414, "Request-URI Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Requested Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 425, "Too Early" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 451, "Unavailable For Legal Reasons" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Temporarily Unavailable" },
    { 504, "Gateway Time-out" },
    { 505, "HTTP Version Not Supported" },
    { 507, "Insufficient Storage" },
    { 508, "Loop Detected" },
};

const char *status_reason(unsigned status)
{
    for (size_t i = 0; i < COUNT(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

/* NGINX counts LOCK, POST and PATCH as not idempotent, and every other method as safe to repeat. */
bool is_safe_to_retry(enum method method)
{
    return method != METHOD_POST && method != METHOD_PATCH && method != METHOD_LOCK;
}

bool response_has_no_body(const struct exchange *x)
{
    unsigned status = x->response.status;

    return x->request.method_id == METHOD_HEAD || status == 204 || status == 304 || status < 200;
}
