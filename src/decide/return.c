/* `return CODE [TEXT]`, `return CODE URL`, `return URL` (nginx-semantics 6.2). */
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "decide/rewrite_script.h"
#include "exchange/carried.h"
#include "exchange/exchange.h"
#include "exchange/template.h"
#include "exchange/trace.h"

struct answer_line {
    uint64_t status;
    struct template text;
};

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static enum flow take_return(struct run *run, const struct step *s)
{
    const struct answer_line *line = s->what;
    unsigned status = (unsigned)line->status;
    struct exchange *x = run->x;

    decided(x, DECIDED_RETURN, ANSWER, s->place, NULL);
    if (trace_of(x) != NULL)
        trace_why(x, "%u %.*s", status, (int)line->text.text.len,
                  line->text.text.len > 0 ? line->text.text.at : "");
    x->response.status = (uint16_t)status; /* the text may ask for it */
    if (is_redirect(status))
        return script_redirect(run, "return", status, template_value(x, &line->text));
    if (status >= 400 && !line->text.is_set)
        return script_end(run, exchange_refuse(x, status, NULL));
    return script_end(run,
                      exchange_answer(x, status, exchange_type(x), template_value(x, &line->text)));
}

static bool refuse_code(struct conf_call *call)
{
    return conf_refuse(call, 1, "invalid return code \"%s\"",
                       arena_cstr(conf_arena(call), conf_word(call, 1)));
}

static bool set_return(struct conf_call *call, void *field)
{
    struct answer_line *line = arena_zalloc(conf_arena(call), sizeof(*line));
    struct span first = conf_word(call, 1);
    bool has_text = conf_count(call) > 2, has_code = conf_read_number(first, 999, &line->status);

    if (has_code && line->status < 200) /* no final answer has such a status */
        return refuse_code(call);
    if (!has_code && (has_text || !script_is_url(first)))
        return refuse_code(call);
    if (!has_code)
        line->status = 302;
    if ((!has_code || has_text) && !template_compile(call, has_code ? 2 : 1, &line->text))
        return false;
    return script_add(call, field, take_return, line);
}

const struct conf_type return_line = { .set = set_return,
                                       .size = sizeof(struct conf_list),
                                       .many = true };
