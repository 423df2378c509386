/* Named lists of hosts and networks. What is excepted in a list is not in it, however it was asked
 * for. */
#include "decide/forward/lists.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/tree.h"
#include "decide/forward/floor.h"
#include "decide/forward/nets.h"

static struct value_word word_of(const struct conf_call *call, const struct conf_word *word)
{
    return (struct value_word){ arena_copy(conf_arena(call), word->text), word->place,
                                word->quoted };
}

static bool is_word(const struct conf_node *line, unsigned i, const char *text)
{
    return !line->words[i].quoted && span_is(line->words[i].text, text);
}

static bool add_exceptions(struct conf_call *call, const struct conf_node *line,
                           struct value_list *list)
{
    bool good = true;

    if (line->count < 2)
        return conf_complain(call->conf, line->words[0].place,
                             "values are missing after \"except\"");
    for (unsigned i = 1; i < line->count; i++) {
        struct value_word word = word_of(call, &line->words[i]);

        good = values_add_any(call, &word, &list->except) && good;
    }
    return good;
}

static bool add_line(struct conf_call *call, const struct conf_node *line, struct value_list *list)
{
    struct value_word word = word_of(call, &line->words[0]);

    if (line->has_block)
        return conf_complain(call->conf, word.place, "no block may stand in a list");
    if (is_word(line, 0, "except"))
        return add_exceptions(call, line, list);
    if ((is_word(line, 0, "file") && line->count > 1) || is_word(line, 0, "except_file"))
        return conf_complain(call->conf, word.place, "\"%.*s\" is known, not supported yet",
                             (int)word.text.len, word.text.at);
    if (line->count > 1)
        return conf_complain(call->conf, line->words[1].place,
                             "one value a line: end \"%.*s\" with \";\"", (int)word.text.len,
                             word.text.at);
    return values_add_any(call, &word, &list->in);
}

const struct value_list *lists_find(const struct conf_list *lists, struct span name)
{
    const struct value_list *const *all = lists->items;

    for (uint32_t i = 0; i < lists->len; i++)
        if (span_same(all[i]->name, name))
            return all[i];
    return NULL;
}

static bool set_list(struct conf_call *call, void *field)
{
    struct value_list *list = arena_zalloc(conf_arena(call), sizeof(*list));
    struct span name = conf_word(call, 1);
    bool good = true;

    *list = (struct value_list){ .name = name, .place = conf_place(call, 1) };
    if (name.len == 0)
        return conf_refuse(call, 1, "the name of the list is empty");
    if (lists_find(field, name) != NULL)
        return conf_refuse(call, 1, "duplicate list \"%.*s\"", (int)name.len, name.at);
    for (const struct conf_node *line = call->node->first; line != NULL; line = line->next)
        good = add_line(call, line, list) && good;
    nets_finish(&list->in.nets, conf_arena(call));
    nets_finish(&list->except.nets, conf_arena(call));
    return conf_list_add(call, field, &list, sizeof(list)) && good;
}

const struct conf_type list_type = { .set = set_list,
                                     .size = sizeof(struct conf_list),
                                     .many = true };

bool list_has_host(const struct list_use *use, const struct facts *f)
{
    return values_have_host(&use->list->in, use->set, f) &&
           !values_have_host(&use->list->except, use->set + 1, f);
}

bool list_has_address(const struct value_list *list, const struct address *plain)
{
    return nets_has(&list->in.nets, plain) && !nets_has(&list->except.nets, plain);
}

static enum truth has_destination(const struct values *v, uint32_t set, const struct facts *f)
{
    if (values_have_host(v, set, f))
        return TRUTH_YES;
    if (!nets_any(&v->nets))
        return TRUTH_NO;
    if (f->candidate != NULL)
        return truth_of(nets_has(&v->nets, &f->candidate->plain));
    return f->literal.family != AF_UNSPEC ? TRUTH_NO : TRUTH_LATER;
}

enum truth list_has_destination(const struct list_use *use, const struct facts *f)
{
    return truth_and(has_destination(&use->list->in, use->set, f),
                     truth_not(has_destination(&use->list->except, use->set + 1, f)));
}
