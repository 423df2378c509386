/* Warnings of what is legal and most likely not meant, that concern the language alone:
 *
 *     add_header A 1;                      (outer block)
 *     location / { add_header B 2; }       A is not set in here
 */
#include "base/span.h"
#include "conf/call.h"
#include "conf/rows.h"
#include "conf/settings.h"
#include "conf/state.h"
#include "conf/tree.h"

/* Of an outer block, looked at for each inner one: with ten thousand of them, all were too much. */
enum { MOST_LINES = 500 };

static const struct conf_node *lines_of(const struct conf *c, const struct conf_block *block)
{
    return block->node != NULL ? block->node->first : c->first;
}

static bool is_line(const struct conf_node *node, const char *name)
{
    return node->row != NO_ROW && node->count > 1 && span_is(node->words[0].text, name);
}

static const struct conf_node *first_line(const struct conf_node *node, const char *name,
                                          struct span word)
{
    for (; node != NULL; node = node->next)
        if (is_line(node, name) &&
            (word.at == NULL || span_same_caseless(node->words[1].text, word)))
            return node;
    return NULL;
}

static void warn(struct conf *c, const struct conf_node *own, const struct conf_node *lost,
                 const char *name)
{
    struct span word = lost->words[1].text, file = conf_file_name(c, lost->words[0].place.file);

    conf_caution(c, own->words[0].place,
                 "these \"%s\" lines replace those of the outer block: \"%.*s\" is lost here", name,
                 (int)word.len, word.at);
    conf_hint(c, "it stands in %.*s:%u; repeat it, if it is meant here, too", (int)file.len,
              file.at, lost->words[0].place.line);
}

void conf_warn_of_replaced(struct conf *c, const struct conf_block *block, const char *name)
{
    const struct span any = { NULL, 0 };
    const struct conf_block *outer = block->parent;

    if (!c->input.advice || outer == NULL || !conf_stands(c, block, name))
        return;
    while (outer->parent != NULL && !conf_stands(c, outer, name))
        outer = outer->parent;
    if (!conf_stands(c, outer, name))
        return;
    const struct conf_node *own = first_line(lines_of(c, block), name, any);
    if (own == NULL)
        return;
    unsigned left = MOST_LINES;
    for (const struct conf_node *n = lines_of(c, outer); n != NULL && left-- > 0; n = n->next)
        if (is_line(n, name) && first_line(lines_of(c, block), name, n->words[1].text) == NULL) {
            warn(c, own, n, name);
            return;
        }
}
