/* What limits have in common: words, statuses, and keys that limit nobody. */
#include "decide/limit.h"

#include "base/errlog.h"
#include "conf/call.h"
#include "exchange/exchange.h"
#include "exchange/template.h"
#include "exchange/zone_line.h"

const struct conf_name limit_levels[] = { { "info", LEVEL_INFO },
                                          { "notice", LEVEL_NOTICE },
                                          { "warn", LEVEL_WARN },
                                          { "error", LEVEL_ERROR },
                                          {} };
const struct conf_range limit_statuses = { 400, 599 };

unsigned limit_status(const struct exchange *x, uint64_t said)
{
    if (said != 0)
        return (unsigned)said;
    return exchange_is_forward(x) ? 429 : 503;
}

bool limit_refuse_word(struct conf_call *call, unsigned word)
{
    return conf_refuse(call, word, "invalid parameter \"%s\"",
                       arena_cstr(conf_arena(call), conf_word(call, word)));
}

bool limit_zone_is_new(struct conf_call *call, const struct zone_line *line)
{
    const struct zone_line *other = zone_named(conf_user(call), line->name);
    int len = (int)line->name.len;

    if (other == NULL)
        return true;
    if (strcmp(other->use, line->use) != 0)
        return conf_refuse(
            call, 0, "the shared memory zone \"%.*s\" is already declared for a different use", len,
            line->name.at);
    const struct template *key = other->of;
    return conf_refuse(call, 0, "%s \"%.*s\" is already bound to key \"%.*s\"", line->use, len,
                       line->name.at, (int)key->text.len, key->text.at);
}

void limit_warn_of_key(struct conf_call *call, const struct template *key)
{
    if (span_starts(key->text, "$http_") || span_starts(key->text, "$cookie_") ||
        span_starts(key->text, "$arg_"))
        conf_warn(call, 1,
                  "clients choose \"%s\" themselves: who leaves it out, or changes it, is not "
                  "limited",
                  arena_cstr(conf_arena(call), key->text));
}
