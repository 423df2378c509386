/* `return CODE [TEXT]`, `return CODE URL`, `return URL` (nginx-semantics 6.2). */
#include "decide/return.h"

#include "conf/types.h"
#include "exchange/carried.h"
#include "exchange/exchange.h"
#include "exchange/template.h"
#include "exchange/trace.h"

struct return_settings {
    struct return_line {
        uint64_t status; /* 0: there is no `return` here */
        struct template text;
        struct place place;
    } line;
};

static bool is_redirect(uint64_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool set_return(struct conf_call *call, void *field)
{
    struct return_line *line = field;
    struct span first = conf_word(call, 1);

    if (line->status != 0) /* the first one of a block answers; the rest can never run */
        return true;
    line->place = conf_place(call, 0);
    if (conf_read_number(first, 999, &line->status)) {
        if (line->status < 200) /* no final answer has such a status */
            return conf_refuse(call, 1, "invalid return code \"%s\"",
                               arena_cstr(conf_arena(call), first));
        return conf_count(call) < 3 || template_compile(call, 2, &line->text);
    }
    if (conf_count(call) > 2 || !(span_starts(first, "http://") || span_starts(first, "https://") ||
                                  span_starts(first, "$scheme")))
        return conf_refuse(call, 1, "invalid return code \"%s\"",
                           arena_cstr(conf_arena(call), first));
    line->status = 302;
    return template_compile(call, 1, &line->text);
}

static const struct conf_type return_type = { .set = set_return,
                                              .size = sizeof(struct return_line),
                                              .many = true };

static const struct directive directives[] = {
    { "return", CTX_SERVER | CTX_LOCATION, 1, 2, &return_type,
      offsetof(struct return_settings, line), NULL, NONE,
      "answer with a status, a text or a redirect", 0, NULL },
    {},
};

static enum verdict answer(struct exchange *x, const void *settings)
{
    const struct return_line *line = &((const struct return_settings *)settings)->line;
    unsigned status = (unsigned)line->status;

    if (status == 0)
        return NEXT;
    decided(x, DECIDED_RETURN, ANSWER, line->place, NULL);
    if (trace_of(x) != NULL)
        trace_why(x, "%u %.*s", status, (int)line->text.text.len,
                  line->text.text.len > 0 ? line->text.text.at : "");
    x->response.status = (uint16_t)status; /* the text may ask for it */
    if (is_redirect(status))
        return exchange_redirect(x, status, template_value(x, &line->text));
    if (status >= 400 && !line->text.is_set)
        return exchange_refuse(x, status, NULL);
    return exchange_answer(x, status, exchange_type(x), template_value(x, &line->text));
}

static const struct hook hooks[] = {
    { .phase = PHASE_SERVER_REWRITE, .run = answer },
    { .phase = PHASE_REWRITE, .run = answer },
    {},
};

const struct module return_module = {
    .name = "return",
    .directives = directives,
    .hooks = hooks,
    .settings_size = sizeof(struct return_settings),
};
