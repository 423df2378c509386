/* What rules and lists name, read by look:
 *
 *     10.0.0.0/8     a network           .a.example   it and all below
 *     192.0.2.1      an address          plain        a name without a dot
 *     [2001:db8::1]  an address          literal      an address
 *
 * Names go into the block's table (names.h) once all rules are read; here they stay as written. */
#include "decide/forward/values.h"

#include "base/address.h"
#include "base/cidr.h"
#include "conf/call.h"
#include "decide/forward/facts.h"
#include "decide/forward/floor.h"
#include "decide/forward/names.h"

enum { MOST_VALUES = 16 * 1000 * 1000 };

static bool later(struct conf_call *call, const struct value_word *word, const char *what)
{
    return conf_complain(call->conf, word->place, "\"%.*s\": %s known, not supported yet",
                         (int)word->text.len, word->text.at, what);
}

static bool add_name(struct conf_call *call, const struct value_word *word, struct values *v)
{
    struct name_pattern pattern;
    struct cidr net;
    const char *fault = name_read(word->text, conf_arena(call), &pattern);

    if (fault != NULL)
        return conf_complain(call->conf, word->place, "\"%.*s\" %s", (int)word->text.len,
                             word->text.at, fault);
    if (v->names.len + v->nets.given.len >= MOST_VALUES)
        return conf_complain(call->conf, word->place, "too many values, at most %d", MOST_VALUES);
    if (pattern.name.len > 0)
        return conf_list_add(call, &v->names, &pattern, sizeof(pattern));

    struct address plain = floor_plain(&pattern.address);
    net = (struct cidr){ .family = plain.family };
    memcpy(net.first, plain.ip, sizeof(net.first));
    memcpy(net.last, plain.ip, sizeof(net.last));
    return nets_add(call, &v->nets, &net);
}

bool values_add_host(struct conf_call *call, const struct value_word *word, struct values *v)
{
    if (span_starts(word->text, "~"))
        return later(call, word, "regular expressions are");
    if (!word->quoted && span_is(word->text, "plain"))
        v->kinds |= HOST_PLAIN;
    else if (!word->quoted && span_is(word->text, "literal"))
        v->kinds |= HOST_LITERAL;
    else
        return add_name(call, word, v);
    return true;
}

bool values_add_net(struct conf_call *call, const struct value_word *word, struct values *v)
{
    struct cidr net;

    if (!nets_parse(word->text, &net))
        return conf_complain(call->conf, word->place,
                             "\"%.*s\" is neither an address, nor a network, nor a range \"A-B\"",
                             (int)word->text.len, word->text.at);
    return nets_add(call, &v->nets, &net);
}

bool values_add_any(struct conf_call *call, const struct value_word *word, struct values *v)
{
    struct cidr net;

    if (nets_parse(word->text, &net))
        return nets_add(call, &v->nets, &net);
    if (!span_starts(word->text, "~") && span_find(word->text, '/') < word->text.len)
        return later(call, word, "prefixes of URLs are");
    return values_add_host(call, word, v);
}

bool values_have_host(const struct values *v, uint32_t set, const struct facts *f)
{
    if (f->literal.family != AF_UNSPEC)
        return (v->kinds & HOST_LITERAL) != 0 || nets_has(&v->nets, &f->literal);
    if ((v->kinds & HOST_PLAIN) != 0 && span_find(f->host, '.') == f->host.len)
        return true;
    return v->names.len > 0 && facts_in_set(f, set);
}
