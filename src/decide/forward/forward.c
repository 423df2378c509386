/* The forward face: `forward { }`, its rules and floors, as one module.
 *
 *     rules.c ruleset.c      a line of rules; compiled and judged
 *     conditions.c           the table of conditions
 *     lists.c values.c       what rules name; names.c nets.c ports.c: sets of it
 *     floor.c                addresses that no rule opens unnamed
 *     visit.c asked.c        one exchange: what it asked for, what was decided
 *     report.c               all of it in words
 *
 * Here: the rows, and what is checked once a block is whole. */
#include "decide/forward/forward.h"

#include "base/address.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/tree.h"
#include "conf/types.h"
#include "decide/forward/floor.h"
#include "decide/forward/lists.h"
#include "decide/forward/report.h"
#include "decide/forward/visit.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/module.h"
#include "exchange/phase.h"

enum { DEEPEST_WHEN = 4 };

static unsigned index_of(const struct generation *g)
{
    return module_index(g, &forward_module);
}

static bool set_forward(struct conf_call *call, void *field)
{
    unsigned index = index_of(conf_user(call));
    struct forward_block own = { call->inner, conf_word(call, 1), conf_place(call, 0) };
    struct conf_block *top = call->block;

    (void)field; /* of this block; wherever it stands, the top block knows all */
    while (top->parent != NULL)
        top = top->parent;
    struct forward_settings *settings = settings_in(top, index);
    const struct forward_block *blocks = settings->blocks.items;
    for (uint32_t i = 0; i < settings->blocks.len; i++)
        if (own.name.len > 0 && span_same(blocks[i].name, own.name))
            return conf_refuse(call, 1, "duplicate forward block \"%.*s\"", (int)own.name.len,
                               own.name.at);
    return conf_list_add(call, &settings->blocks, &own, sizeof(own));
}

/* Rules and `when`s inside a `when`, in their order; their conditions come behind its own. */
static bool read_when(struct conf_call *call, struct conf_list *rules, unsigned depth)
{
    struct conf_list inner = { 0 };
    bool good = true;

    if (depth > DEEPEST_WHEN)
        return conf_refuse(call, 0, "\"when\" is nested too deep, at most %d", DEEPEST_WHEN);
    for (struct conf_node *node = call->node->first; node != NULL; node = node->next) {
        struct conf_call line = *call;
        struct span name = node->words[0].text;

        line.node = node;
        if (span_is(name, "when") && node->has_block && node->count > 1)
            good = read_when(&line, &inner, depth + 1) && good;
        else if (span_is(name, "rule") && !node->has_block && node->count > 1)
            good = rule_type.set(&line, &inner) && good;
        else
            good = conf_refuse(&line, 0,
                               "\"%.*s\": only \"rule VERDICT ...;\" and \"when CONDITION { }\" "
                               "may stand in a \"when\"",
                               (int)name.len, name.at);
    }
    return good && rules_add_inner(call, &inner, rules);
}

static bool set_when(struct conf_call *call, void *field)
{
    return read_when(call, field, 1);
}

static bool set_own_address(struct conf_call *call, void *field)
{
    struct address a;

    for (unsigned i = 1; i < conf_count(call); i++) {
        struct span word = conf_word(call, i);

        if (!address_parse_ip(word, &a))
            return conf_refuse(call, i, "\"%.*s\" is no address", (int)word.len, word.at);
        a = floor_plain(&a);
        if (!conf_list_add(call, field, &a, sizeof(a)))
            return false;
    }
    return true;
}

static bool set_deny_special(struct conf_call *call, void *field)
{
    if (!conf_flag.set(call, field))
        return false;
    if (!*(bool *)field)
        conf_warn(
            call, 1,
            "with \"deny_special off\" clients reach private, loopback and metadata addresses");
    return true;
}

static bool set_misplaced(struct conf_call *call, void *field)
{
    (void)field;
    return conf_refuse(call, 0, "\"%s\" has no meaning in a forward block: %s", call->row->name,
                       (const char *)call->row->extra);
}

/* --- checks --------------------------------------------------------------------------------- */

/* From the block outwards, the inner list first. */
static const struct value_list *find_list(const struct list_finder *f, struct span name,
                                          struct span *ret_near)
{
    struct span near = { NULL, 0 };

    for (const struct conf_block *b = f->block; b != NULL; b = b->parent) {
        const struct forward_settings *s = settings_in(b, f->module);
        const struct value_list *const *all = s->lists.items, *found = lists_find(&s->lists, name);

        if (found != NULL)
            return found;
        for (uint32_t i = 0; i < s->lists.len && near.len == 0; i++)
            near = conf_nearest(name, &all[i]->name, 1);
    }
    *ret_near = near;
    return NULL;
}

static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    struct forward_settings *own = settings;
    struct list_finder finder = { find_list, block, index_of(conf_user_of(conf)) };

    if (block->context != CTX_FORWARD)
        return true;
    return rules_compile(conf, &finder, &own->rules, &own->set) &&
           rules_check_reach(conf, &own->set);
}

static bool is_loopback(const struct listener *l)
{
    return floor_stand(&l->address, false).word == FLOOR_LOOPBACK;
}

static bool check_open(const struct listener *l, const struct forward_settings *own,
                       struct conf *conf)
{
    const struct rule *open = is_loopback(l) || own->open_proxy ? NULL : rules_find_open(&own->set);

    return open == NULL ||
           conf_complain(
               conf, open->place,
               "this rule lets in everybody who reaches %.*s: add \"if client ...\", or say "
               "\"open_proxy on\"",
               (int)l->text.len, l->text.at);
}

static bool check_block(const struct generation *g, const struct forward_block *b,
                        struct conf *conf)
{
    const struct forward_settings *own = settings_in(b->block, index_of(g));
    struct listener *const *listeners = g->listeners.items;
    bool listens = false, good = true;

    for (uint32_t i = 0; i < g->listeners.len; i++) {
        if (listeners[i]->fallback != b->block)
            continue;
        listens = true;
        good = good && check_open(listeners[i], own, conf);
    }
    if (!listens)
        good = conf_complain(conf, b->place, "no \"listen\" is in this forward block");
    if (!rules_allow_any(&own->set))
        good = conf_complain(conf, b->place,
                             "this forward block is closed to all: it has no \"rule allow\"");
    if (own->peek != PEEK_OFF)
        conf_caution(conf, b->place,
                     "\"tunnel_peek\" counts as \"off\" in this version: tunnels are not looked "
                     "into; say \"tunnel_peek off\" to agree");
    return good;
}

static bool init(struct generation *g, struct conf *conf, void *settings)
{
    const struct forward_settings *top = settings;
    const struct forward_block *blocks = top->blocks.items;
    bool good = true;

    for (uint32_t i = 0; i < top->blocks.len; i++)
        good = check_block(g, &blocks[i], conf) && good;
    return good;
}

/* --- rows ----------------------------------------------------------------------------------- */

#define FIELD(member) offsetof(struct forward_settings, member)

static const struct conf_type forward_type = { .set = set_forward,
                                               .size = sizeof(struct conf_list),
                                               .many = true };
static const struct conf_type when_type = { .set = set_when,
                                            .size = sizeof(struct conf_list),
                                            .many = true };
static const struct conf_type own_address_type = { .set = set_own_address,
                                                   .size = sizeof(struct conf_list),
                                                   .many = true };
static const struct conf_type deny_special_type = { .set = set_deny_special, .size = sizeof(bool) };
static const struct conf_type misplaced = { .set = set_misplaced, .many = true };

static const struct conf_range hops = { 1, 255 };
static const struct conf_name peeks[] = {
    { "on", PEEK_ON }, { "off", PEEK_OFF }, { "require", PEEK_REQUIRE }, { NULL, 0 }
};

static const struct directive directives[] = {
    { "forward", CTX_MAIN | CTX_HTTP, 0, 1, &forward_type, FIELD(blocks), NULL, NONE,
      "a forward proxy: acts for clients, by its own rules", CTX_FORWARD, NULL },
    { "rule", CTX_FORWARD, 1, ANY_ARGS, &rule_type, FIELD(rules), NULL, NONE,
      "allow or deny if all conditions hold; the first rule that matches decides, none is a denial",
      0, NULL },
    { "when", CTX_FORWARD, 1, ANY_ARGS, &when_type, FIELD(rules), NULL, NONE,
      "puts its conditions before each rule inside", CTX_RAW, NULL },
    { "list", CTX_MAIN | CTX_HTTP | CTX_FORWARD, 1, 1, &list_type, FIELD(lists), NULL, NONE,
      "named hosts and networks for rules; what is behind \"except\" is not in it", CTX_RAW, NULL },
    { "ports", CTX_FORWARD, 2, ANY_ARGS, &ports_type, FIELD(ports), NULL, NONE,
      "which ports http, connect and socks reach without a rule that names others", 0, NULL },
    { "deny_special", CTX_FORWARD, 1, 1, &deny_special_type, FIELD(deny_special), "on", NONE,
      "refuse private, loopback, metadata and own addresses, unless a rule names them", 0, NULL },
    { "own_address", CTX_FORWARD, 1, ANY_ARGS, &own_address_type, FIELD(own), NULL, NONE,
      "further addresses that lead to this machine: of a NAT, of a balancer", 0, NULL },
    { "open_proxy", CTX_FORWARD, 1, 1, &conf_flag, FIELD(open_proxy), "off", NONE,
      "accept rules that let in everybody", 0, NULL },
    { "tunnel_peek", CTX_FORWARD, 1, 1, &conf_choice, FIELD(peek), "on", NONE,
      "judge the name in a tunnel's TLS hello; counts as off in this version", 0, peeks },
    { "forward_max_hops", CTX_FORWARD, 1, 1, &conf_number, FIELD(most_hops), "16", NONE,
      "more entries in Via are taken for a loop", 0, &hops },

    { "server_name", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE,
      "not here: rules ask for the host", 0,
      "a rule asks for the host, \"rule allow if host ...\"" },
    { "location", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE, "not here: rules decide",
      CTX_RAW, "\"rule ... if host ...\" decides" },
    { "root", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE,
      "not here: files are served by servers", 0, "files are served by a \"server\" block" },
    { "alias", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE,
      "not here: files are served by servers", 0, "files are served by a \"server\" block" },
    { "try_files", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE,
      "not here: files are served by servers", 0, "files are served by a \"server\" block" },
    { "proxy_pass", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE,
      "not here: the client names the destination", 0,
      "the client names the destination; \"rule allow to=HOST:PORT\" leads elsewhere" },
    { "rewrite", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE,
      "not here: rules lead elsewhere", 0, "\"rule allow to=HOST:PORT\" leads elsewhere" },
    { "return", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE, "not here: rules refuse", 0,
      "\"rule deny\" refuses" },
    { "if", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE, "not here: rules have conditions",
      CTX_RAW, "\"rule ... if ...\" or \"when ... { }\" has conditions" },
    { "satisfy", CTX_FORWARD, 0, ANY_ARGS, &misplaced, 0, NULL, NONE,
      "not here: the first rule that matches decides", 0, "the first rule that matches decides" },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_POST_READ, .run = visit_begin },
    { .phase = PHASE_ACCESS, .run = visit_judge },
    { .phase = PHASE_DIAL, .on_candidate = visit_judge_candidate },
    {},
};

const struct module forward_module = {
    .name = "forward",
    .directives = directives,
    .variables = report_variables,
    .hooks = hooks,
    .settings_size = sizeof(struct forward_settings),
    .check = check,
    .init = init,
};
