/* The layout of a stranger's text: what is laid out has the same words and the same ends, and stays
 * as it is a second time. */
#include "base/arena.h"
#include "base/buf.h"
#include "conf/format.h"
#include "conf/lexer.h"
#include "conf/tree.h"

#include <stdlib.h>

static struct conf_word rooms[2][MOST_WORDS];

static void begin(struct lexer *l, struct span text, struct arena *arena, unsigned room)
{
    lexer_init(l, text, 0, 1);
    l->arena = arena;
    l->words = rooms[room];
}

static void check_same_words(const struct lexer *a, const struct lexer *b)
{
    if (a->count != b->count)
        abort();
    for (unsigned i = 0; i < a->count; i++)
        if (!span_same(a->words[i].raw, b->words[i].raw))
            abort();
}

static void check_same_meaning(struct span before, struct span after)
{
    struct lexer a = {}, b = {};
    struct arena arena;
    enum lexed lexed;

    arena_init(&arena, 65536, NULL);
    begin(&a, before, &arena, 0);
    begin(&b, after, &arena, 1);
    do {
        lexed = lexer_next(&a);
        if (lexer_next(&b) != lexed || lexed == LEXED_BAD)
            abort();
        check_same_words(&a, &b);
    } while (lexed != LEXED_END);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    struct lexer_fault fault;
    struct buf once, twice;

    buf_init(&once, 16 << 20, NULL);
    buf_init(&twice, 16 << 20, NULL);
    if (conf_format(text, &once, &fault) && buf_ok(&once)) {
        check_same_meaning(text, buf_view(&once));
        if (!conf_format(buf_view(&once), &twice, &fault) ||
            !span_same(buf_view(&once), buf_view(&twice)))
            abort();
    }
    buf_done(&once);
    buf_done(&twice);
    return 0;
}
