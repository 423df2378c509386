/* What Squid's log columns need and nothing else knows: how a request of the forward face ended,
 * and where its answer came from (forward-semantics 8). */
#include "log/squid_variables.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "exchange/fault.h"
#include "exchange/module.h"
#include "exchange/request.h"
#include "exchange/template.h"
#include "exchange/turn.h"
#include "exchange/variable.h"

static bool copy(struct exchange *x, struct buf *text, struct span *ret)
{
    *ret = arena_copy(&x->arena, buf_view(text));
    buf_done(text);
    return true;
}

static bool get_result(struct exchange *x, struct span arg, struct span *ret)
{
    unsigned status = x->response.status;
    struct buf text = { .max = 64 };

    (void)arg;
    if (x->fault == FAULT_HTTP_REQUEST_DENIED || x->fault == FAULT_DESTINATION_IP_PROHIBITED ||
        status == 407)
        buf_adds(&text, "TCP_DENIED");
    else if (x->asked == NULL)
        buf_adds(&text, "NONE_NONE");
    else
        buf_adds(&text, x->request.method_id == METHOD_CONNECT ? "TCP_TUNNEL" : "TCP_MISS");
    if (x->fault == FAULT_CLIENT_GONE || x->fault == FAULT_CLIENT_TIMEOUT)
        buf_adds(&text, "_ABORTED");
    return copy(x, &text, ret);
}

static bool get_hierarchy(struct exchange *x, struct span arg, struct span *ret)
{
    struct buf text = { .max = 256 };
    struct span peer;

    (void)arg;
    if (variable_value(x, span_of("upstream_addr"), &peer) && peer.len > 0) {
        buf_adds(&text, "HIER_DIRECT/");
        buf_add(&text, peer);
    } else {
        buf_adds(&text, "HIER_NONE/-");
    }
    return copy(x, &text, ret);
}

static bool get_request_msec(struct exchange *x, struct span arg, struct span *ret)
{
    struct buf text = { .max = 64 };

    (void)arg;
    buf_add_decimal(&text, exchange_now(x) - x->started);
    return copy(x, &text, ret);
}

static const struct variable variables[] = {
    { "forward_result", NO_FAMILY, get_result, "Squid's result code" },
    { "forward_hierarchy", NO_FAMILY, get_hierarchy, "Squid's hierarchy code and the address" },
    { "request_msec", LATE, get_request_msec,
      "milliseconds from the first byte read to the last byte sent" },
    {},
};

const struct module squid_variables_module = { .name = "squid_variables", .variables = variables };
