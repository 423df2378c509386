/* Access rules: may a client from this address pass?
 *
 *     allow 10.0.0.0/8;      first match decides;
 *     deny  all;             no match: pass
 *
 * A block with rules of its own takes none from outside (NGINX's rule). */
#include "decide/access.h"

#include "base/cidr.h"
#include "base/errlog.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "exchange/exchange.h"
#include "exchange/listener.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/trace.h"

struct rule {
    struct cidr net;
    struct place place;
    const char *text; /* as written */
    bool allow;
};

struct access_settings {
    struct conf_list rules; /* of struct rule; in the order of the file */
};

static bool set_rule(struct conf_call *call, void *field)
{
    struct rule rule = { .allow = span_is(conf_word(call, 0), "allow"),
                         .place = conf_place(call, 0) };
    struct span word = conf_word(call, 1);

    if (span_is(word, "unix:"))
        return conf_refuse(call, 1, "\"unix:\" is known, not supported yet");
    if (!cidr_parse(word, &rule.net))
        return conf_refuse(
            call, 1, "invalid parameter \"%s\": neither an address, nor a network, nor \"all\"",
            arena_cstr(conf_arena(call), word));
    rule.text = arena_cstr(conf_arena(call), word);
    return conf_list_add(call, field, &rule, sizeof(rule));
}

static const struct rule *deciding(const struct access_settings *own, const struct address *client)
{
    const struct rule *rules = own->rules.items;

    for (uint32_t i = 0; i < own->rules.len; i++)
        if (cidr_has(&rules[i].net, client))
            return &rules[i];
    return NULL;
}

/* Of a forward block only: for all others no server is known yet. */
static enum verdict on_arrival(const struct arrival *a, const void *settings)
{
    const struct rule *rule = a->listener->forward ? deciding(settings, &a->client) : NULL;

    return rule != NULL && !rule->allow ? REFUSE : NEXT;
}

static void tell_none(struct exchange *x, const struct access_settings *own)
{
    const struct rule *rules = own->rules.items;

    trace_say(x, DECIDED_RULE, NEXT, rules[0].place, "none");
    trace_why(x, "no \"allow\" or \"deny\" names the client: it passes");
}

static enum verdict on_access(struct exchange *x, const void *settings)
{
    const struct access_settings *own = settings;
    const struct rule *rule = deciding(own, &x->client_address);

    if (rule == NULL) {
        if (trace_of(x) != NULL && own->rules.len > 0)
            tell_none(x, own);
        return NEXT;
    }
    decided(x, DECIDED_RULE, rule->allow ? PASS : REFUSE, rule->place,
            rule->allow ? "allow" : "deny");
    if (trace_of(x) != NULL)
        trace_why(x, "%s %s", rule->allow ? "allow" : "deny", rule->text);
    if (rule->allow)
        return PASS;
    exchange_log(x, LEVEL_ERROR, 0, "access forbidden by rule");
    return exchange_refuse(x, 403, NULL);
}

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION | CTX_FORWARD };
enum { RULES = offsetof(struct access_settings, rules) };

static const struct conf_type rule_line = { .set = set_rule,
                                            .size = sizeof(struct conf_list),
                                            .many = true };

static const struct directive directives[] = {
    { "allow", ANYWHERE, 1, 1, &rule_line, RULES, NULL, WHOLE, "let clients of this address pass",
      0, NULL },
    { "deny", ANYWHERE, 1, 1, &rule_line, RULES, NULL, WHOLE, "refuse clients of this address", 0,
      NULL },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_ACCEPT, .on_arrival = on_arrival },
    { .phase = PHASE_ACCESS, .run = on_access },
    {},
};

const struct module access_module = {
    .name = "access",
    .directives = directives,
    .hooks = hooks,
    .settings_size = sizeof(struct access_settings),
};
