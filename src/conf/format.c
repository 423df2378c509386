/* The layout of a text, word by word:
 *
 *     gap         word gap  word  gap end
 *     \n # note   root      /srv      ;
 *
 * A gap is what stands between two words: white space and comments. Gaps are made anew, words are
 * copied. Owns nothing. */
#include "conf/format.h"

#include "base/arena.h"
#include "base/buf.h"
#include "conf/lexer.h"
#include "conf/parser.h"
#include "conf/settings.h"
#include "conf/tree.h"

#include <stdio.h>
#include <stdlib.h>

enum { INDENT = 4 };

struct layout {
    struct lexer lexer;
    struct buf *out;
    const char *done; /* up to here the text is written */
    struct place opened[DEEPEST_BLOCK];
    unsigned depth;
    bool begins;   /* a block, or the text: no empty line here */
    bool one_line; /* in a block that stays on one line */
};

struct gap {
    unsigned lines; /* that end in it, behind its last comment */
    bool comments;
};

static void new_line(struct layout *l, unsigned depth, bool apart)
{
    if (l->out->len > 0)
        buf_adds(l->out, apart && !l->begins ? "\n\n" : "\n");
    for (unsigned i = 0; i < depth * INDENT; i++)
        buf_add_byte(l->out, ' ');
}

static struct span comment_at(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    struct span comment = { at, (size_t)((newline ? newline : end) - at) };

    while (comment.len > 0 && strchr(" \t\r", comment.at[comment.len - 1]) != NULL)
        comment.len--;
    return comment;
}

/* Passes what stands before `end`; its comments are written, each at the end of the line before or
 * on a line of its own, as it stood. */
static struct gap pass_gap(struct layout *l, const char *end, unsigned depth)
{
    struct gap gap = {};

    for (const char *at = l->done; at < end; at++) {
        gap.lines += *at == '\n';
        if (*at != '#')
            continue;
        struct span comment = comment_at(at, end);
        if (gap.lines == 0 && l->out->len > 0)
            buf_add_byte(l->out, ' ');
        else
            new_line(l, depth, gap.lines > 1);
        buf_add(l->out, comment);
        at = comment.at + comment.len - 1;
        gap = (struct gap){ .comments = true };
        l->begins = false;
    }
    l->done = end;
    return gap;
}

static void write_word(struct layout *l, const struct conf_word *word)
{
    buf_add(l->out, word->raw);
    l->done = word->raw.at + word->raw.len;
}

static void begin_line(struct layout *l, const char *at)
{
    if (l->one_line) {
        buf_add_byte(l->out, ' ');
    } else {
        struct gap gap = pass_gap(l, at, l->depth);
        new_line(l, l->depth, gap.lines > 1);
    }
    l->begins = false;
}

/* Two words may touch: a quoted one and the `)` behind it. */
static void between_words(struct layout *l, const char *at)
{
    if (at == l->done)
        return;
    if (pass_gap(l, at, l->depth + 1).lines > 0)
        new_line(l, l->depth + 1, false);
    else
        buf_add_byte(l->out, ' ');
}

static void write_line(struct layout *l, char end)
{
    begin_line(l, l->lexer.words[0].raw.at);
    write_word(l, &l->lexer.words[0]);
    for (unsigned i = 1; i < l->lexer.count; i++) {
        between_words(l, l->lexer.words[i].raw.at);
        write_word(l, &l->lexer.words[i]);
    }
    if (pass_gap(l, l->lexer.at - 1, l->depth + 1).comments)
        new_line(l, l->depth, false);
    else if (end == '{')
        buf_add_byte(l->out, ' ');
    buf_add_byte(l->out, end);
    l->done = l->lexer.at;
}

/* Does the block that has just been opened end on this line, with no other one inside? Only before
 * a line's end can there be a comment. */
static bool is_one_line(const struct layout *l)
{
    struct lexer ahead = l->lexer;
    enum lexed lexed = LEXED_LINE;

    while (lexed == LEXED_LINE && ahead.line == l->lexer.line)
        lexed = lexer_next(&ahead);
    return lexed == LEXED_CLOSE && ahead.line == l->lexer.line;
}

static bool refuse(struct layout *l, struct place place, const char *text)
{
    l->lexer.fault = (struct lexer_fault){ .place = place };
    snprintf(l->lexer.fault.text, sizeof(l->lexer.fault.text), "%s", text);
    return false;
}

static bool open_block(struct layout *l)
{
    struct place place = l->lexer.words[0].place;

    if (l->depth == DEEPEST_BLOCK)
        return refuse(l, place, "blocks are nested too deep, at most 64");
    write_line(l, '{');
    l->opened[l->depth++] = place;
    l->one_line = is_one_line(l);
    l->begins = true;
    return true;
}

static bool close_block(struct layout *l)
{
    struct place place = lexer_place(&l->lexer);

    if (l->depth == 0) {
        place.column--;
        return refuse(l, place, "unexpected \"}\"");
    }
    if (l->one_line) {
        buf_adds(l->out, l->begins ? "" : " ");
    } else {
        pass_gap(l, l->lexer.at - 1, l->depth);
        new_line(l, l->depth - 1, false);
    }
    buf_add_byte(l->out, '}');
    l->depth--;
    l->one_line = l->begins = false;
    l->done = l->lexer.at;
    return true;
}

static bool end_text(struct layout *l)
{
    if (l->depth > 0) {
        refuse(l, lexer_place(&l->lexer), "unexpected end of file, expecting \"}\"");
        l->lexer.fault.opened = l->opened[l->depth - 1];
        return false;
    }
    pass_gap(l, l->lexer.end, 0);
    if (l->out->len > 0)
        buf_add_byte(l->out, '\n');
    return true;
}

static bool write_text(struct layout *l)
{
    for (;;) {
        switch (lexer_next(&l->lexer)) {
        case LEXED_LINE:
            write_line(l, ';');
            break;
        case LEXED_OPEN:
            if (!open_block(l))
                return false;
            break;
        case LEXED_CLOSE:
            if (!close_block(l))
                return false;
            break;
        case LEXED_END:
            return end_text(l);
        case LEXED_BAD:
            return false;
        }
    }
}

bool conf_format(struct span text, struct buf *out, struct lexer_fault *ret)
{
    struct arena arena; /* of words with escapes */
    struct layout l = { .out = out, .begins = true };

    arena_init_growing(&arena);
    lexer_init(&l.lexer, text, 0, 1);
    l.lexer.arena = &arena;
    l.lexer.words = malloc(MOST_WORDS * sizeof(*l.lexer.words));
    if (l.lexer.words == NULL)
        abort();
    l.done = l.lexer.at;
    bool good = write_text(&l);
    if (!good)
        *ret = l.lexer.fault;
    free(l.lexer.words);
    arena_done(&arena);
    return good;
}
