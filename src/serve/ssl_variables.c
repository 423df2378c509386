/* What a request can tell of its TLS connection. */
#include "base/span.h"
#include "exchange/client.h"
#include "exchange/exchange.h"
#include "exchange/variable.h"
#include "net/conn.h"

static bool info_of(struct exchange *x, struct conn_info *ret)
{
    const struct conn *c = x->client->ops->conn(x->client);

    *ret = (struct conn_info){ 0 };
    if (c != NULL)
        conn_info(c, ret);
    return ret->encrypted;
}

static bool get_protocol(struct exchange *x, struct span arg, struct span *ret)
{
    struct conn_info info;

    (void)arg;
    if (!info_of(x, &info))
        return false;
    *ret = info.protocol;
    return true;
}

static bool get_cipher(struct exchange *x, struct span arg, struct span *ret)
{
    struct conn_info info;

    (void)arg;
    if (!info_of(x, &info))
        return false;
    *ret = info.cipher;
    return true;
}

static bool get_server_name(struct exchange *x, struct span arg, struct span *ret)
{
    struct conn_info info;

    (void)arg;
    if (!info_of(x, &info))
        return false;
    *ret = info.server_name;
    return info.server_name.len > 0;
}

static bool get_reused(struct exchange *x, struct span arg, struct span *ret)
{
    struct conn_info info;

    (void)arg;
    if (!info_of(x, &info))
        return false;
    *ret = span_of(info.resumed ? "r" : ".");
    return true;
}

const struct variable ssl_variables[] = {
    { "ssl_protocol", NO_FAMILY, get_protocol, "version of TLS" },
    { "ssl_cipher", NO_FAMILY, get_cipher, "cipher of the connection" },
    { "ssl_server_name", NO_FAMILY, get_server_name,
      "the name that the client asked for in its hello" },
    { "ssl_session_reused", NO_FAMILY, get_reused, "`r` if the session was resumed, else `.`" },
    {},
};
