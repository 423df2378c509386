/* `location [MODIFIER] PATH`: the modifiers (nginx-semantics 5). Owns nothing. */
#include "exchange/location_line.h"

#include "conf/tree.h"

static const struct {
    const char *text;
    enum location_kind kind;
    bool caseless;
} modifiers[] = {
    { "=", LOCATION_EXACT, false },
    { "^~", LOCATION_CARET, false },
    { "~*", LOCATION_EXPRESSION, true }, /* before the one that it begins with */
    { "~", LOCATION_EXPRESSION, false },
};

bool location_line_read(const struct conf_node *node, struct location_line *ret)
{
    struct span first = node->words[1].text;
    bool apart = node->count > 2;

    *ret = (struct location_line){ .path = apart ? node->words[2].text : first };
    for (size_t i = 0; i < COUNT(modifiers); i++) {
        if (apart ? !span_is(first, modifiers[i].text) : !span_starts(first, modifiers[i].text))
            continue;
        ret->kind = modifiers[i].kind;
        ret->caseless = modifiers[i].caseless;
        if (!apart)
            ret->path = span_from(first, strlen(modifiers[i].text));
        return true;
    }
    if (!apart && span_starts(first, "@"))
        ret->kind = LOCATION_NAMED;
    return !apart;
}
