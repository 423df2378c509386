/* IP addresses as values: read, compared, shown. Opens no socket. */
#include "base/address.h"

#include "base/buf.h"
#include "base/cursor.h"

#include <arpa/inet.h>

bool port_parse(struct span text, uint16_t *ret)
{
    struct cursor c = cursor_of(text);
    uint64_t value;

    if (!cursor_decimal(&c, UINT16_MAX, &value) || cursor_left(&c) > 0 || value == 0)
        return false;
    *ret = (uint16_t)value;
    return true;
}

bool address_parse_ip(struct span text, struct address *ret)
{
    struct address found = { .family = AF_INET };
    char word[INET6_ADDRSTRLEN];

    if (text.len >= 2 && text.at[0] == '[' && text.at[text.len - 1] == ']') {
        text = (struct span){ text.at + 1, text.len - 2 };
        found.family = AF_INET6;
    } else if (span_find(text, ':') < text.len) {
        found.family = AF_INET6;
    }
    if (!span_to_cstr(text, sizeof(word), word) || inet_pton(found.family, word, found.ip) != 1)
        return false;
    *ret = found;
    return true;
}

bool address_parse(struct span text, uint16_t default_port, struct address *ret)
{
    struct span host = text, port = { NULL, 0 };
    struct address found;
    uint16_t number = default_port;

    if (text.len > 0 && text.at[0] == '[') {
        size_t close = span_find(text, ']');
        host = span_first(text, close + 1);
        port = span_from(text, close + 1);
    } else if (!span_cut(text, ':', &host, &port)) {
        host = text;
    } else {
        port = span_from(text, host.len);
    }
    if (port.len > 0 && (port.at[0] != ':' || !port_parse(span_from(port, 1), &number)))
        return false;
    if (!address_parse_ip(host, &found))
        return false;
    found.port = number;
    *ret = found;
    return true;
}

bool address_of_sockaddr(const struct sockaddr *from, struct address *ret)
{
    *ret = (struct address){ .family = AF_UNSPEC };
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)from;

        ret->family = AF_INET;
        ret->port = ntohs(in4->sin_port);
        memcpy(ret->ip, &in4->sin_addr, 4);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

        ret->family = AF_INET6;
        ret->port = ntohs(in6->sin6_port);
        ret->scope = in6->sin6_scope_id;
        memcpy(ret->ip, &in6->sin6_addr, 16);
        return true;
    }
    return false;
}

socklen_t address_to_sockaddr(const struct address *a, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (a->family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(a->port);
        in6->sin6_scope_id = a->scope;
        memcpy(&in6->sin6_addr, a->ip, 16);
        return sizeof(*in6);
    }
    struct sockaddr_in *in4 = (struct sockaddr_in *)ret;

    in4->sin_family = AF_INET;
    in4->sin_port = htons(a->port);
    memcpy(&in4->sin_addr, a->ip, 4);
    return sizeof(*in4);
}

bool address_same_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->ip, b->ip, 16) == 0;
}

bool address_same(const struct address *a, const struct address *b)
{
    return a->port == b->port && address_same_ip(a, b);
}

struct address address_unmap(const struct address *a)
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
    struct address plain = *a;

    if (a->family == AF_INET6 && memcmp(a->ip, prefix, sizeof(prefix)) == 0) {
        plain = (struct address){ .family = AF_INET, .port = a->port };
        memcpy(plain.ip, a->ip + 12, 4);
    }
    return plain;
}

void address_print_ip(const struct address *a, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];

    if (a->family == AF_INET) {
        for (unsigned i = 0; i < 4; i++) {
            if (i > 0)
                buf_add_byte(out, '.');
            buf_add_decimal(out, a->ip[i]);
        }
    } else if (a->family == AF_INET6 && inet_ntop(AF_INET6, a->ip, text, sizeof(text))) {
        buf_adds(out, text);
    }
}

void address_print(const struct address *a, struct buf *out)
{
    if (a->family == AF_INET6)
        buf_add_byte(out, '[');
    address_print_ip(a, out);
    if (a->family == AF_INET6)
        buf_add_byte(out, ']');
    buf_add_byte(out, ':');
    buf_add_decimal(out, a->port);
}
