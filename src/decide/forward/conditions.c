/* The table of conditions: how the values of each are read, tested against the facts, and compared.
 *
 *     [ not ] NAME VALUE ...      any one of the values suffices
 *
 * What forward-semantics 2.1 knows beyond these stands here without a reader, and is refused by
 * name. */
#include "decide/forward/conditions.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/cidr.h"
#include "conf/call.h"
#include "decide/forward/floor.h"
#include "decide/forward/lists.h"
#include "decide/forward/names.h"
#include "decide/forward/nets.h"
#include "decide/forward/ports.h"
#include "proto/fields.h"

enum { MOST_PAIRS = 4096 /* of values that are compared one by one when the rules are checked */ };

static struct value_word value_at(const struct conf_call *call, unsigned word)
{
    return (struct value_word){ conf_word(call, word), conf_place(call, word),
                                conf_is_quoted(call, word) };
}

static bool add_list(struct conf_call *call, unsigned word, struct span name, struct condition *c)
{
    struct list_ref ref = { .name = name, .place = conf_place(call, word) };

    if (name.len == 0)
        return conf_refuse(call, word, "the name of the list is missing");
    return conf_list_add(call, &c->lists, &ref, sizeof(ref));
}

static const struct list_ref *refs(const struct condition *c)
{
    return c->lists.items;
}

static bool is_list(const struct conf_call *call, unsigned word)
{
    return !conf_is_quoted(call, word) && span_starts(conf_word(call, word), "@");
}

static bool lists_cover(const struct condition *outer, const struct condition *inner)
{
    if ((uint64_t)outer->lists.len * inner->lists.len > MOST_PAIRS)
        return false;
    for (uint32_t i = 0; i < inner->lists.len; i++) {
        uint32_t o = 0;

        while (o < outer->lists.len && !span_same(refs(outer)[o].name, refs(inner)[i].name))
            o++;
        if (o == outer->lists.len)
            return false;
    }
    return true;
}

static bool nets_and_lists_cover(const struct condition *outer, const struct condition *inner)
{
    return (outer->bits & inner->bits) == inner->bits && lists_cover(outer, inner) &&
           nets_cover(&outer->values.nets, &inner->values.nets);
}

/* --- client --------------------------------------------------------------------------------- */

static bool read_client(struct conf_call *call, unsigned word, struct condition *c)
{
    struct value_word value = value_at(call, word);

    if (is_list(call, word))
        return add_list(call, word, span_from(value.text, 1), c);
    return values_add_net(call, &value, &c->values);
}

static bool in_nets(const struct condition *c, const struct address *plain)
{
    if (nets_has(&c->values.nets, plain))
        return true;
    for (uint32_t i = 0; i < c->lists.len; i++)
        if (list_has_address(refs(c)[i].use->list, plain))
            return true;
    return false;
}

static enum truth test_client(const struct condition *c, const struct facts *f)
{
    return truth_of(in_nets(c, &f->client));
}

/* --- protocol, method, port ----------------------------------------------------------------- */

static const char *const protocols[] = { [PROTOCOL_HTTP] = "http",
                                         [PROTOCOL_CONNECT] = "connect",
                                         "socks",
                                         "socks4",
                                         "socks5",
                                         "bind",
                                         "udp",
                                         "transparent" };

static bool read_protocol(struct conf_call *call, unsigned word, struct condition *c)
{
    struct span text = conf_word(call, word);
    unsigned i = 0;

    while (i < COUNT(protocols) && !span_is(text, protocols[i]))
        i++;
    if (i == COUNT(protocols))
        return conf_refuse(call, word, "\"%.*s\" is no protocol, expected \"http\" or \"connect\"",
                           (int)text.len, text.at);
    if (i >= PROTOCOLS)
        return conf_refuse(call, word, "\"%s\" is known, not supported yet", protocols[i]);
    c->bits |= 1u << i;
    return true;
}

static enum truth test_protocol(const struct condition *c, const struct facts *f)
{
    return truth_of((c->bits >> f->protocol & 1) != 0);
}

static bool bits_cover(const struct condition *outer, const struct condition *inner)
{
    return (outer->bits & inner->bits) == inner->bits;
}

static bool read_method(struct conf_call *call, unsigned word, struct condition *c)
{
    struct span method = conf_word(call, word);

    if (!is_token(method))
        return conf_refuse(call, word, "\"%.*s\" is no method", (int)method.len, method.at);
    return conf_list_add(call, &c->methods, &method, sizeof(method));
}

static bool has_method(const struct condition *c, struct span method)
{
    const struct span *methods = c->methods.items;

    for (uint32_t i = 0; i < c->methods.len; i++)
        if (span_same(methods[i], method))
            return true;
    return false;
}

static enum truth test_method(const struct condition *c, const struct facts *f)
{
    return truth_of(has_method(c, f->method));
}

static bool methods_cover(const struct condition *outer, const struct condition *inner)
{
    const struct span *methods = inner->methods.items;

    if ((uint64_t)outer->methods.len * inner->methods.len > MOST_PAIRS)
        return false;
    for (uint32_t i = 0; i < inner->methods.len; i++)
        if (!has_method(outer, methods[i]))
            return false;
    return true;
}

static bool read_port(struct conf_call *call, unsigned word, struct condition *c)
{
    struct span text = conf_word(call, word);
    struct port_range range;

    if (!port_range_parse(text, &range))
        return conf_refuse(call, word,
                           "invalid port \"%.*s\", expected a number from 1 to 65535, or A-B",
                           (int)text.len, text.at);
    return conf_list_add(call, &c->ports, &range, sizeof(range));
}

static bool has_ports(const struct condition *c, uint16_t first, uint16_t last)
{
    const struct port_range *ranges = c->ports.items;

    for (uint32_t i = 0; i < c->ports.len; i++)
        if (ranges[i].first <= first && last <= ranges[i].last)
            return true;
    return false;
}

static enum truth test_port(const struct condition *c, const struct facts *f)
{
    return truth_of(has_ports(c, f->port, f->port));
}

static bool ports_cover(const struct condition *outer, const struct condition *inner)
{
    const struct port_range *ranges = inner->ports.items;

    if ((uint64_t)outer->ports.len * inner->ports.len > MOST_PAIRS)
        return false;
    for (uint32_t i = 0; i < inner->ports.len; i++)
        if (!has_ports(outer, ranges[i].first, ranges[i].last))
            return false;
    return true;
}

/* --- host, category ------------------------------------------------------------------------- */

static bool read_host(struct conf_call *call, unsigned word, struct condition *c)
{
    struct value_word value = value_at(call, word);

    if (is_list(call, word))
        return add_list(call, word, span_from(value.text, 1), c);
    return values_add_host(call, &value, &c->values);
}

static enum truth test_host(const struct condition *c, const struct facts *f)
{
    if (values_have_host(&c->values, c->set, f))
        return TRUTH_YES;
    for (uint32_t i = 0; i < c->lists.len; i++)
        if (list_has_host(refs(c)[i].use, f))
            return TRUTH_YES;
    return TRUTH_NO;
}

static bool hosts_cover(const struct condition *outer, const struct condition *inner)
{
    const struct name_pattern *around = outer->values.names.items;
    const struct name_pattern *names = inner->values.names.items;
    uint32_t have = outer->values.names.len;

    if ((uint64_t)have * inner->values.names.len > MOST_PAIRS)
        return false;
    for (uint32_t i = 0; i < inner->values.names.len; i++) {
        uint32_t o = 0;

        while (o < have && !name_covers(&around[o], &names[i]))
            o++;
        if (o == have)
            return false;
    }
    bool literals = (outer->values.kinds & HOST_LITERAL) != 0 ||
                    nets_cover(&outer->values.nets, &inner->values.nets);
    return literals && (outer->values.kinds & inner->values.kinds) == inner->values.kinds &&
           lists_cover(outer, inner);
}

static bool read_category(struct conf_call *call, unsigned word, struct condition *c)
{
    if (is_list(call, word))
        return conf_refuse(call, word, "category takes the name of a list, without \"@\"");
    return add_list(call, word, conf_word(call, word), c);
}

static enum truth test_category(const struct condition *c, const struct facts *f)
{
    enum truth truth = TRUTH_NO;

    for (uint32_t i = 0; i < c->lists.len && truth != TRUTH_YES; i++)
        truth = truth_or(truth, list_has_destination(refs(c)[i].use, f));
    return truth;
}

/* --- address -------------------------------------------------------------------------------- */

static bool read_address(struct conf_call *call, unsigned word, struct condition *c)
{
    struct value_word value = value_at(call, word);
    struct span names[FLOOR_WORDS];
    enum floor_word floor;

    if (is_list(call, word))
        return add_list(call, word, span_from(value.text, 1), c);
    if (!value.quoted && floor_word_parse(value.text, &floor)) {
        c->bits |= 1u << floor;
        return true;
    }
    for (floor = 0; floor < FLOOR_WORDS; floor++)
        names[floor] = span_of(floor_word_name(floor));
    if (values_add_net(call, &value, &c->values))
        return true;
    conf_suggest(call->conf, conf_nearest(value.text, names + 1, FLOOR_WORDS - 1));
    return false;
}

static enum truth test_address(const struct condition *c, const struct facts *f)
{
    if (f->candidate == NULL)
        return TRUTH_LATER;
    return truth_of((c->bits & f->candidate->words) != 0 || in_nets(c, &f->candidate->plain));
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct condition_kind kinds[] = {
    { "client", STAGE_REQUEST, read_client, test_client, nets_and_lists_cover },
    { "protocol", STAGE_REQUEST, read_protocol, test_protocol, bits_cover },
    { "method", STAGE_REQUEST, read_method, test_method, methods_cover },
    { "port", STAGE_REQUEST, read_port, test_port, ports_cover },
    { "host", STAGE_REQUEST, read_host, test_host, hosts_cover },
    { "category", STAGE_ADDRESS, read_category, test_category, lists_cover },
    { "address", STAGE_ADDRESS, read_address, test_address, nets_and_lists_cover },
    { .name = "listener" },
    { .name = "scheme" },
    { .name = "user" },
    { .name = "group" },
    { .name = "url" },
    { .name = "path" },
    { .name = "time" },
    { .name = "quota" },
    { .name = "sni", .stage = STAGE_HELLO },
    { .name = "alpn", .stage = STAGE_HELLO },
    { .name = "tls", .stage = STAGE_HELLO },
    { .name = "ech", .stage = STAGE_HELLO },
    { .name = "status", .stage = STAGE_RESPONSE },
    { .name = "type", .stage = STAGE_RESPONSE },
    { .name = "length", .stage = STAGE_RESPONSE },
};

static bool is_keyword(const struct conf_call *call, unsigned word, const char *text)
{
    return !conf_is_quoted(call, word) && span_is(conf_word(call, word), text);
}

/* NULL: said why. */
static const struct condition_kind *read_kind(struct conf_call *call, unsigned at)
{
    struct span word = conf_word(call, at), names[COUNT(kinds)];

    if (at >= conf_count(call) || is_keyword(call, at, "and")) {
        conf_refuse(call, at < conf_count(call) ? at : at - 1, "a condition is missing here");
        return NULL;
    }
    for (unsigned i = 0; i < COUNT(kinds) && !conf_is_quoted(call, at); i++) {
        if (!span_is(word, kinds[i].name))
            continue;
        if (kinds[i].read != NULL)
            return &kinds[i];
        conf_refuse(call, at, "\"%s\" is known, not supported yet", kinds[i].name);
        return NULL;
    }
    if (span_starts(word, "$")) {
        conf_refuse(call, at, "\"%.*s\" is known, not supported yet", (int)word.len, word.at);
        return NULL;
    }
    for (unsigned i = 0; i < COUNT(kinds); i++)
        names[i] = span_of(kinds[i].name);
    conf_refuse(call, at, "unknown condition \"%.*s\"", (int)word.len, word.at);
    conf_suggest(call->conf, conf_nearest(word, names, COUNT(kinds)));
    return NULL;
}

struct span conditions_text(const struct conf_call *call, unsigned from, unsigned to)
{
    size_t len = 0;

    for (unsigned i = from; i < to; i++)
        len += conf_word(call, i).len + 1;
    char *text = arena_alloc(conf_arena(call), len + 1);

    len = 0;
    for (unsigned i = from; i < to; i++) {
        struct span word = conf_word(call, i);

        if (i > from)
            text[len++] = ' ';
        for (size_t b = 0; b < word.len; b++)
            text[len++] = (unsigned char)word.at[b] < 0x20 || word.at[b] == 0x7f ? '?' : word.at[b];
    }
    text[len] = '\0';
    return (struct span){ text, len };
}

/* `host example.com port 443`: a name that begins a condition, where a value stands. Taken for a
 * value it would be a condition the less, and the rule would be wider than it reads. */
static bool begins_condition(const struct conf_call *call, unsigned word)
{
    bool found = is_keyword(call, word, "not");

    for (unsigned i = 0; i < COUNT(kinds); i++)
        found = found || is_keyword(call, word, kinds[i].name);
    return found;
}

static bool read_values(struct conf_call *call, unsigned *at, struct condition *ret)
{
    bool good = true;

    for (; *at < conf_count(call) && !is_keyword(call, *at, "and"); ++*at) {
        if (begins_condition(call, *at))
            return conf_refuse(call, *at,
                               "\"and\" is missing before \"%s\" (quote it if it is a value)",
                               arena_cstr(conf_arena(call), conf_word(call, *at)));
        good = ret->kind->read(call, *at, ret) && good;
    }
    return good;
}

/* One condition from word `*at` on; `*at` then stands behind its values. */
static bool read_condition(struct conf_call *call, unsigned *at, struct condition *ret)
{
    unsigned first = *at;

    ret->place = conf_place(call, first);
    ret->negated = first < conf_count(call) && is_keyword(call, first, "not");
    *at += ret->negated;
    ret->kind = read_kind(call, *at);
    if (ret->kind == NULL)
        return false;
    unsigned name = (*at)++;
    bool good = read_values(call, at, ret);

    if (good && *at == name + 1)
        return conf_refuse(call, name, "values are missing after \"%s\"", ret->kind->name);
    nets_finish(&ret->values.nets, conf_arena(call));
    ret->text = conditions_text(call, first, *at);
    return good;
}

bool conditions_read(struct conf_call *call, unsigned at, struct conf_list *ret)
{
    for (;;) {
        struct condition c = { 0 };

        if (!read_condition(call, &at, &c) || !conf_list_add(call, ret, &c, sizeof(c)))
            return false;
        if (at == conf_count(call))
            return true;
        at++; /* `and` */
    }
}

enum truth condition_test(const struct condition *c, const struct facts *f)
{
    enum truth truth = c->kind->test(c, f);

    return c->negated ? truth_not(truth) : truth;
}

bool condition_covers(const struct condition *outer, const struct condition *inner)
{
    if (outer->kind != inner->kind || outer->negated != inner->negated)
        return false;
    return outer->negated ? inner->kind->covers(inner, outer) : outer->kind->covers(outer, inner);
}

bool condition_opens_port(const struct condition *c, uint16_t port)
{
    return c->kind->read == read_port && !c->negated && has_ports(c, port, port);
}

static bool nets_open(const struct nets *n, const struct standing *s)
{
    const struct cidr *given = n->given.items;

    for (uint32_t i = 0; i < n->given.len; i++)
        if (floor_net_opens(s, &given[i]))
            return true;
    return false;
}

bool condition_opens_address(const struct condition *c, const struct standing *s)
{
    if (c->kind->read != read_address || c->negated)
        return false;
    for (enum floor_word word = 0; word < FLOOR_WORDS; word++)
        if ((c->bits >> word & 1) != 0 && floor_word_opens(s, word))
            return true;
    if (nets_open(&c->values.nets, s))
        return true;
    for (uint32_t i = 0; i < c->lists.len; i++) {
        const struct value_list *list = refs(c)[i].use->list;

        if (nets_open(&list->in.nets, s) && !nets_has(&list->except.nets, &s->plain))
            return true;
    }
    return false;
}

bool condition_names_clients(const struct condition *c)
{
    bool everyone = nets_is_everyone(&c->values.nets);

    for (uint32_t i = 0; i < c->lists.len; i++)
        everyone = everyone || nets_is_everyone(&refs(c)[i].use->list->in.nets);
    return c->kind->read == read_client && !c->negated && !everyone;
}

bool condition_needs_address(const struct condition *c)
{
    if (c->kind->read == read_address)
        return true;
    for (uint32_t i = 0; i < c->lists.len && c->kind->read == read_category; i++) {
        const struct value_list *list = refs(c)[i].use->list;

        if (nets_any(&list->in.nets) || nets_any(&list->except.nets))
            return true;
    }
    return false;
}

void condition_categories(const struct condition *c, const struct facts *f, struct buf *out)
{
    if (c->kind->read != read_category || c->negated)
        return;
    for (uint32_t i = 0; i < c->lists.len; i++) {
        if (list_has_destination(refs(c)[i].use, f) != TRUTH_YES)
            continue;
        if (out->len > 0)
            buf_add_byte(out, ',');
        buf_add(out, refs(c)[i].name);
    }
}

void condition_reason(const struct condition *c, const struct facts *f, struct buf *out)
{
    bool first = true;

    if (c->kind->read != read_category || c->negated) {
        buf_add(out, c->text);
        return;
    }
    buf_adds(out, "category");
    for (uint32_t i = 0; i < c->lists.len; i++) {
        if (list_has_destination(refs(c)[i].use, f) != TRUTH_YES)
            continue;
        buf_adds(out, first ? " " : "/");
        buf_add(out, refs(c)[i].name);
        first = false;
    }
}

bool condition_is_host(const struct condition *c)
{
    return c->kind->read == read_host;
}

const char *condition_list_fault(const struct condition *c, const struct value_list *list)
{
    bool addresses = c->kind->read == read_client || c->kind->read == read_address;

    if (addresses && !nets_any(&list->in.nets))
        return "holds no addresses";
    return values_any(&list->in) ? NULL : "is empty";
}
