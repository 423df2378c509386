/* A host as it stands in Host and in an authority: a name or address, and perhaps a port.
 *
 *     example.com   example.com.   192.0.2.1:80   [2001:db8::1]:443
 *
 * The reverse face takes what a name may hold by RFC 3986, but for `%` and `,`; the forward face,
 * which will look it up, is stricter. */
#include "base/address.h"
#include "base/span.h"
#include "proto/byte_class.h"
#include "proto/uri.h"

enum { LONGEST_HOST = 255, LONGEST_NAME = 253, LONGEST_LABEL = 63 };

/* `` or `:` or `:80`. */
static bool read_port(struct span rest, struct host *h)
{
    if (rest.len == 0)
        return true;
    if (rest.at[0] != ':')
        return false;
    h->port_text = span_from(rest, 1);
    return h->port_text.len == 0 || port_parse(h->port_text, &h->port);
}

static bool read_literal(struct span raw, struct host *h)
{
    struct address address;
    size_t close = span_find(raw, ']');

    if (close == raw.len)
        return false;
    h->name = span_first(raw, close + 1);
    h->literal = true;
    return address_parse_ip(h->name, &address) && read_port(span_from(raw, close + 1), h);
}

static bool has_empty_label(struct span name)
{
    if (name.at[0] == '.' || name.at[name.len - 1] == '.')
        return true;
    for (size_t i = 1; i < name.len; i++)
        if (name.at[i] == '.' && name.at[i - 1] == '.')
            return true;
    return false;
}

static bool read_name(struct span raw, struct host *h)
{
    struct address address;
    size_t colon = span_find(raw, ':');

    h->name = span_first(raw, colon);
    if (h->name.len > LONGEST_HOST || byte_run(h->name, BYTE_HOST) < h->name.len)
        return false;
    span_chop(&h->name, '.');
    if (h->name.len == 0 || has_empty_label(h->name))
        return false;
    h->literal = address_parse_ip(h->name, &address);
    return read_port(span_from(raw, colon), h);
}

bool host_parse(struct span raw, struct host *ret)
{
    struct host found = { .port = 0 };

    if (raw.len == 0)
        return false;
    if (raw.at[0] == '[' ? !read_literal(raw, &found) : !read_name(raw, &found))
        return false;
    *ret = found;
    return true;
}

/* What a resolver, or another program, might take for a number: `7`, `0x7f`, `0x`. */
static bool is_number(struct span label)
{
    if (byte_run(label, BYTE_DIGIT) == label.len)
        return true;
    if (!span_starts_caseless(label, "0x"))
        return false;
    for (size_t i = 2; i < label.len; i++)
        if (hex_value((unsigned char)label.at[i]) < 0)
            return false;
    return true;
}

static bool is_strict_label(struct span label)
{
    if (label.len == 0 || label.len > LONGEST_LABEL)
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!byte_is(label.at[i], BYTE_PLAIN) && label.at[i] != '_')
            return false;
    return true;
}

bool host_is_strict(const struct host *h)
{
    struct span rest = h->name, label;

    if (h->literal)
        return true;
    if (rest.len > LONGEST_NAME)
        return false;
    while (span_cut(rest, '.', &label, &rest))
        if (!is_strict_label(label))
            return false;
    return is_strict_label(rest) && !is_number(rest);
}
