/* Words of the configuration language (nginx-semantics 1.1):
 *
 *     proxy_set_header  X-Name  "two words" ;      # a comment
 *     name              word    quoted word  end   comments.after, at the next call
 *
 * Words are slices of the text; only one with escapes is copied. Owns nothing. */
#include "conf/lexer.h"

#include "base/arena.h"
#include "conf/tree.h"

#include <stdio.h>

/* END: of a bare word. STOP: of interest inside one. */
enum { SPACE = 1, END = 2, STOP = 4, BLANK = SPACE | END | STOP };

static const unsigned char classes[256] = {
    [' '] = BLANK,      ['\t'] = BLANK,     ['\r'] = BLANK, ['\n'] = BLANK,
    [';'] = END | STOP, ['{'] = END | STOP, ['\\'] = STOP,  ['$'] = STOP,
};

static unsigned class_of(char c)
{
    return classes[(unsigned char)c];
}

static struct place place_at(const struct lexer *l, const char *at)
{
    size_t column = (size_t)(at - l->line_start) + 1;

    return (struct place){ l->line, l->file,
                           (uint16_t)(column < UINT16_MAX ? column : UINT16_MAX) };
}

struct place lexer_place(const struct lexer *l)
{
    return place_at(l, l->at);
}

void lexer_init(struct lexer *l, struct span text, uint16_t file, uint32_t first_line)
{
    if (text.at == NULL)
        text = (struct span){ "", 0 };
    if (span_starts(text, "\xEF\xBB\xBF"))
        text = span_from(text, 3);
    l->at = l->line_start = text.at;
    l->end = text.at + text.len;
    l->line = first_line;
    l->file = file;
    l->count = 0;
    l->ended_line = l->comment_line = 0;
    l->comments = (struct lexer_comments){};
}

static void pass_newline(struct lexer *l, const char *at)
{
    l->line++;
    l->line_start = at + 1;
}

/* What the two faults at the end of a text have in common. */
static enum lexed bad_end(struct lexer *l)
{
    l->fault = (struct lexer_fault){ .place = place_at(l, l->end), .at_end = true };
    snprintf(l->fault.text, sizeof(l->fault.text), "%s",
             l->is_parameter ? "unexpected end of parameter, expecting \";\""
                             : "unexpected end of file, expecting \";\" or \"}\"");
    return LEXED_BAD;
}

static enum lexed bad_byte(struct lexer *l, const char *at)
{
    l->fault = (struct lexer_fault){ .place = place_at(l, at) };
    snprintf(l->fault.text, sizeof(l->fault.text), "unexpected \"%c\"", *at);
    l->at = at;
    return LEXED_BAD;
}

static struct span resolve_escapes(struct arena *arena, struct span raw)
{
    char *text = arena_alloc(arena, raw.len);
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.at[i];
        char next = i + 1 < raw.len ? raw.at[i + 1] : '\0';
        const char *known = c == '\\' && next ? strchr("\"'\\tnr", next) : NULL;

        if (known != NULL) {
            c = next == 't' ? '\t' : next == 'n' ? '\n' : next == 'r' ? '\r' : next;
            i++;
        }
        text[len++] = c;
    }
    return (struct span){ text, len };
}

/* Comments belong to the line below only if nothing stands between. */
static void first_word(struct lexer *l, uint32_t line)
{
    if (l->comment_line + 1 != line)
        l->comments.above = (struct span){};
}

static bool add_word(struct lexer *l, struct conf_word word, bool escaped)
{
    if (l->count == MOST_WORDS) {
        l->fault = (struct lexer_fault){ .place = word.place };
        snprintf(l->fault.text, sizeof(l->fault.text), "too many words in a directive, at most %d",
                 MOST_WORDS);
        return false;
    }
    if (escaped)
        word.text = resolve_escapes(l->arena, word.text);
    if (l->count == 0)
        first_word(l, word.place.line);
    l->words[l->count++] = word;
    return true;
}

/* As far as a word that starts here may go: one byte more than fits. */
static const char *limit_of(const struct lexer *l, const char *start)
{
    return l->end - start > LONGEST_WORD ? start + LONGEST_WORD + 1 : l->end;
}

static const char *pass_escape(struct lexer *l, const char *at, const char *limit)
{
    if (at + 1 >= limit)
        return at;
    if (at[1] == '\n')
        pass_newline(l, at + 1);
    return at + 1;
}

static bool word_without_end(struct lexer *l, const char *start, const char *limit)
{
    if (limit == l->end) {
        bad_end(l);
    } else {
        l->fault = (struct lexer_fault){ .place = place_at(l, start) };
        snprintf(l->fault.text, sizeof(l->fault.text), "too long parameter \"%.10s...\" started",
                 start);
    }
    l->at = limit;
    return false;
}

static bool bare_word(struct lexer *l)
{
    const char *start = l->at, *limit = limit_of(l, start), *at = start;
    struct place place = place_at(l, start);
    bool escaped = false;

    for (;; at++) {
        while (at < limit && !(class_of(*at) & STOP))
            at++;
        if (at >= limit || class_of(*at) & END)
            break;
        if (*at == '$') {
            while (at + 1 < limit && at[1] == '{')
                at++;
        } else {
            escaped = true;
            at = pass_escape(l, at, limit);
        }
    }
    if (at >= limit)
        return word_without_end(l, start, limit);
    l->at = at;
    struct span text = { start, (size_t)(at - start) };
    return add_word(l, (struct conf_word){ text, text, place, .quoted = false }, escaped);
}

/* Where a quote was opened. */
struct opening {
    const char *at;
    const char *line_start;
    uint32_t line;
    struct place place;
};

/* The quote has no end: says so, and goes back to its start, so that the rest of the file is still
 * read. */
static bool quote_without_end(struct lexer *l, const char *at, const struct opening *quote)
{
    if (at >= l->end) {
        bad_end(l);
    } else {
        l->fault = (struct lexer_fault){ .place = quote->place };
        snprintf(l->fault.text, sizeof(l->fault.text),
                 "too long parameter, probably missing terminating \"%c\" character", *quote->at);
    }
    l->fault.opened = quote->place;
    l->at = quote->at + 1;
    l->line = quote->line;
    l->line_start = quote->line_start;
    return false;
}

static bool may_follow_quote(const char *at)
{
    return class_of(*at) & END || *at == ')';
}

static bool quoted_word(struct lexer *l)
{
    const struct opening quote = { l->at, l->line_start, l->line, lexer_place(l) };
    const char *start = l->at + 1, *limit = limit_of(l, start), *at = start;
    bool escaped = false;

    for (; at < limit && *at != *quote.at; at++) {
        if (*at == '\n') {
            pass_newline(l, at);
        } else if (*at == '\\') {
            escaped = true;
            at = pass_escape(l, at, limit);
        }
    }
    if (at >= limit)
        return quote_without_end(l, at, &quote);

    struct conf_word word = {
        .text = { start, (size_t)(at - start) },
        .raw = { start - 1, (size_t)(at - start) + 2 },
        .place = quote.place,
        .quoted = true,
    };
    l->at = at + 1;
    if (l->at < l->end && !may_follow_quote(l->at)) {
        bad_byte(l, l->at);
        return false;
    }
    return add_word(l, word, escaped);
}

static void pass_space(struct lexer *l)
{
    const char *at = l->at;

    for (; at < l->end && class_of(*at) & SPACE; at++)
        if (*at == '\n')
            pass_newline(l, at);
    l->at = at;
}

static void pass_comment(struct lexer *l)
{
    const char *start = l->at;
    const char *end = memchr(start, '\n', (size_t)(l->end - start));

    l->at = end ? end : l->end;
    struct span text = { start, (size_t)(l->at - start) };
    span_chop(&text, '\r');
    if (l->count > 0) {
        l->comments.within = text;
    } else if (l->ended_line == l->line) {
        l->comments.after = text;
    } else {
        bool goes_on = l->comment_line + 1 == l->line && l->comments.above.len > 0;

        if (goes_on)
            text = (struct span){ l->comments.above.at,
                                  (size_t)(text.at + text.len - l->comments.above.at) };
        l->comments.above = text;
        l->comment_line = l->line;
    }
}

static enum lexed ended(struct lexer *l, enum lexed how)
{
    l->at++;
    l->ended_line = l->line;
    return how;
}

enum lexed lexer_next(struct lexer *l)
{
    l->count = 0;
    l->comments = (struct lexer_comments){};
    for (;;) {
        pass_space(l);
        if (l->at == l->end)
            return l->count > 0 ? bad_end(l) : LEXED_END;
        switch (*l->at) {
        case '#':
            pass_comment(l);
            break;
        case ';':
            return l->count > 0 ? ended(l, LEXED_LINE) : bad_byte(l, l->at);
        case '{':
            return l->count > 0 ? ended(l, LEXED_OPEN) : bad_byte(l, l->at);
        case '}':
            return l->count == 0 ? ended(l, LEXED_CLOSE) : bad_byte(l, l->at);
        case '"':
        case '\'':
            if (!quoted_word(l))
                return LEXED_BAD;
            break;
        default:
            if (!bare_word(l))
                return LEXED_BAD;
        }
    }
}

char lexer_resync(struct lexer *l)
{
    for (; l->at < l->end; l->at++) {
        if (*l->at == '\n')
            pass_newline(l, l->at);
        if (*l->at == '}')
            return '}';
        if (*l->at == ';' || *l->at == '{')
            return *l->at++;
    }
    return '\0';
}
