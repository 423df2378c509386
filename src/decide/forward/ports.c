/* The port floor: three sets of ports as bits, or what holds without a `ports` line.
 *
 *     http     80 443 1024-65535 without those that browsers refuse
 *     connect  443
 *     socks    any except 25 */
#include "decide/forward/ports.h"

#include "base/address.h"
#include "base/arena.h"
#include "conf/call.h"
#include "conf/directive.h"

struct port_set {
    uint64_t bits[65536 / 64];
};

static const char *const floors[PORT_FLOORS] = { "http", "connect", "socks" };

/* Those from 1024 up that the Fetch standard blocks: services that take an HTTP request for a
 * command. */
static const uint16_t browser_blocked[] = { 1719, 1720, 1723, 2049, 3659, 4045, 4190,
                                            5060, 5061, 6000, 6566, 6665, 6666, 6667,
                                            6668, 6669, 6679, 6697, 10080 };

bool port_range_parse(struct span text, struct port_range *ret)
{
    struct span from = text, to = text;
    struct port_range found;

    span_cut(text, '-', &from, &to);
    if (!port_parse(from, &found.first) || !port_parse(to, &found.last) || found.first > found.last)
        return false;
    *ret = found;
    return true;
}

static bool http_default(uint16_t port)
{
    if (port < 1024)
        return port == 80 || port == 443;
    for (size_t i = 0; i < COUNT(browser_blocked); i++)
        if (browser_blocked[i] == port)
            return false;
    return true;
}

bool ports_allow(const struct port_floors *f, enum port_floor which, uint16_t port)
{
    const struct port_set *set = f->of[which];

    if (set != NULL)
        return set->bits[port / 64] >> (port % 64) & 1;
    switch (which) {
    case PORT_FLOOR_HTTP:
        return http_default(port);
    case PORT_FLOOR_CONNECT:
        return port == 443;
    case PORT_FLOOR_SOCKS:
        return port != 25;
    case PORT_FLOORS:
        break;
    }
    return false;
}

static void mark(struct port_set *set, struct port_range range, bool on)
{
    for (unsigned port = range.first; port <= range.last; port++) {
        uint64_t bit = UINT64_C(1) << (port % 64);

        set->bits[port / 64] = on ? set->bits[port / 64] | bit : set->bits[port / 64] & ~bit;
    }
}

/* Words from `at` on, up to `except` or the end. */
static bool read_ranges(struct conf_call *call, unsigned *at, struct port_set *set, bool on)
{
    unsigned first = *at;
    struct port_range range;

    for (; *at < conf_count(call) && !span_is(conf_word(call, *at), "except"); ++*at) {
        struct span word = conf_word(call, *at);

        if (!port_range_parse(word, &range))
            return conf_refuse(call, *at,
                               "invalid port \"%.*s\", expected a number from 1 to 65535, or A-B",
                               (int)word.len, word.at);
        mark(set, range, on);
    }
    return *at > first ||
           conf_refuse(call, first - 1, "ports are missing after \"%.*s\"",
                       (int)conf_word(call, first - 1).len, conf_word(call, first - 1).at);
}

static bool read_floor(struct conf_call *call, enum port_floor *ret)
{
    struct span word = conf_word(call, 1);

    for (enum port_floor which = 0; which < PORT_FLOORS; which++) {
        if (span_is(word, floors[which])) {
            *ret = which;
            return true;
        }
    }
    return conf_refuse(call, 1,
                       "invalid value \"%.*s\", expected \"http\", \"connect\" or \"socks\"",
                       (int)word.len, word.at);
}

static bool set_ports(struct conf_call *call, void *field)
{
    struct port_floors *f = field;
    struct port_set *set = arena_zalloc(conf_arena(call), sizeof(*set));
    struct span kind = conf_word(call, 2);
    enum port_floor which = PORT_FLOOR_HTTP;
    unsigned at = 3;

    if (!read_floor(call, &which))
        return false;
    if (f->of[which] != NULL)
        return conf_refuse(call, 1, "\"ports %s\" is duplicate", floors[which]);
    if (span_is(kind, "any"))
        mark(set, (struct port_range){ 1, UINT16_MAX }, true);
    else if (!span_is(kind, "none") && (at = 2, !read_ranges(call, &at, set, true)))
        return false;
    if (at < conf_count(call)) {
        if (!span_is(conf_word(call, at), "except"))
            return conf_refuse(call, at, "expected \"except\"");
        at++;
        if (!read_ranges(call, &at, set, false))
            return false;
        if (at < conf_count(call))
            return conf_refuse(call, at, "\"except\" may stand once");
    }
    f->of[which] = set;
    return true;
}

const struct conf_type ports_type = { .set = set_ports,
                                      .size = sizeof(struct port_floors),
                                      .many = true };
