/* From the words to the tree: blocks, comments, `include`.
 *
 *     server { listen 80; include x; }   ->   server
 *                                               listen 80, (the nodes of x), ...
 *
 * An error does not end the reading: it goes on behind the next `;`, or at the `}`. `include`
 * belongs to the language; no other name is known here. */
#include "conf/parser.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/files.h"
#include "conf/lexer.h"
#include "conf/message.h"
#include "conf/rows.h"
#include "conf/settings.h"
#include "conf/source.h"
#include "conf/state.h"
#include "conf/tree.h"

#include <stdlib.h>

/* One reading of all texts. */
struct parser {
    struct conf *conf;
    struct conf_node *last; /* to whom a comment at a line's end belongs */
    size_t directives;
    size_t words;
    size_t text;
    bool full; /* one of the sums is over its maximum */
    struct {
        const struct conf_node *opener; /* the first block whose `}` stands further left */
        struct place closer;
    } odd;
};

/* One text that is being read. */
struct reading {
    struct lexer lexer;
    const struct reading *outer; /* that includes it */
    unsigned includes;           /* how many texts are open */
    bool over;                   /* its end has been complained of */
};

/* Where the next node goes. */
struct level {
    struct conf_node **end;
    const struct conf_node *opener; /* NULL: the text itself */
    unsigned depth;
};

static void read_level(struct parser *p, struct reading *r, struct level *level);

/* Joins raw comments, line by line. */
static struct span join(struct parser *p, struct span a, struct span b)
{
    if (a.len == 0 || b.len == 0)
        return a.len > 0 ? a : b;
    char *text = arena_alloc(&p->conf->arena, a.len + 1 + b.len);

    memcpy(text, a.at, a.len);
    text[a.len] = '\n';
    memcpy(text + a.len + 1, b.at, b.len);
    return (struct span){ text, a.len + 1 + b.len };
}

static struct conf_node *add_node(struct parser *p, struct reading *r, struct level *level)
{
    struct lexer *l = &r->lexer;
    size_t size = l->count * sizeof(struct conf_word);
    struct conf_node *node = arena_alloc(&p->conf->arena, sizeof(*node));

    *node = (struct conf_node){
        .words = memcpy(arena_alloc(&p->conf->arena, size), l->words, size),
        .count = l->count,
        .row = NO_ROW,
        .comment = join(p, l->comments.above, l->comments.within),
    };
    *level->end = node;
    level->end = &node->next;
    p->last = node;
    return node;
}

/* Ends the reading of this text, and, since the sum stays over its maximum, of all others. */
static bool too_much(struct parser *p, struct reading *r, struct place place, const char *what)
{
    if (!p->full)
        message_error(p->conf, place, "too %s in this configuration", what);
    p->full = true;
    r->lexer.at = r->lexer.end;
    r->over = true;
    return false;
}

static bool may_go_on(struct parser *p, struct reading *r)
{
    struct place place = r->lexer.words[0].place;

    p->words += r->lexer.count;
    if (++p->directives > MOST_DIRECTIVES)
        return too_much(p, r, place, "many directives");
    return p->words <= MOST_WORDS_IN_ALL || too_much(p, r, place, "many words");
}

/* Passes the rest of a block that nobody wants, however deep it is. */
static void skip_block(struct reading *r)
{
    unsigned depth = 1;

    while (depth > 0) {
        switch (lexer_next(&r->lexer)) {
        case LEXED_LINE:
            break;
        case LEXED_OPEN:
            depth++;
            break;
        case LEXED_CLOSE:
            depth--;
            break;
        case LEXED_END:
            return;
        case LEXED_BAD:
            depth += lexer_resync(&r->lexer) == '{';
            break;
        }
    }
}

/* A directive that has not ended: most likely a `;` is missing behind its last word. */
static void hint_at_end(struct parser *p, const struct reading *r)
{
    const struct conf_word *first = r->lexer.words, *last = first + r->lexer.count - 1;

    conf_hint(p->conf, "\"%.*s\" of line %u has no end%s", (int)first->text.len, first->text.at,
              first->place.line,
              last->place.line < r->lexer.fault.place.line ? ": is a \";\" missing?" : "");
}

static void note_fault(struct parser *p, struct reading *r)
{
    const struct lexer_fault *fault = &r->lexer.fault;
    bool again = fault->at_end && r->over;

    if (!again) {
        message_error(p->conf, fault->place, "%s", fault->text);
        if (fault->opened.line > 0)
            conf_hint(p->conf, "the quote was opened in line %u, column %u", fault->opened.line,
                      fault->opened.column);
        else if (r->lexer.count > 0 && (fault->at_end || *r->lexer.at == '}'))
            hint_at_end(p, r);
    }
    r->over = r->over || fault->at_end;
    if (lexer_resync(&r->lexer) == '{')
        skip_block(r);
}

static void note_end(struct parser *p, struct reading *r, const struct level *level)
{
    if (level->opener == NULL || r->over)
        return;
    const struct conf_word *name = &level->opener->words[0];

    message_error(p->conf, lexer_place(&r->lexer), "unexpected end of file, expecting \"}\"");
    message_mark_unclosed(p->conf);
    if (p->odd.opener != NULL) {
        name = &p->odd.opener->words[0];
        conf_hint(
            p->conf,
            "\"%.*s\" of line %u is most likely not closed: the \"}\" in line %u stands further "
            "left",
            (int)name->text.len, name->text.at, name->place.line, p->odd.closer.line);
    } else {
        conf_hint(p->conf, "the block \"%.*s\" was opened in line %u, column %u",
                  (int)name->text.len, name->text.at, name->place.line, name->place.column);
    }
    r->over = true;
}

/* Why no block may open here; NULL: it may. */
static const char *block_fault(const struct reading *r, const struct level *level)
{
    if (r->lexer.is_parameter)
        return "block directives are not supported in -g option";
    if (span_is(r->lexer.words[0].text, "include"))
        return "directive \"include\" is not terminated by \";\"";
    if (level->depth == DEEPEST_BLOCK)
        return "blocks are nested too deep, at most 64";
    return NULL;
}

static void add_block(struct parser *p, struct reading *r, struct level *level)
{
    const char *fault = block_fault(r, level);

    if (fault != NULL) {
        message_error(p->conf, r->lexer.words[0].place, "%s", fault);
        skip_block(r);
        return;
    }
    struct conf_node *node = add_node(p, r, level);
    struct level inner = { .end = &node->first, .opener = node, .depth = level->depth + 1 };

    node->has_block = true;
    read_level(p, r, &inner);
    p->last = node;
}

static bool is_open(const struct reading *r, uint16_t file)
{
    for (; r != NULL; r = r->outer)
        if (r->lexer.file == file)
            return true;
    return false;
}

/* The place of a byte of a text. */
static struct place place_of(uint16_t file, struct span text, const char *at)
{
    struct lexer l;

    lexer_init(&l, text, file, 1);
    for (; l.at < at; l.at++)
        if (*l.at == '\n') {
            l.line++;
            l.line_start = l.at + 1;
        }
    return lexer_place(&l);
}

static void read_text(struct parser *p, struct reading *r, uint16_t file, struct level *level)
{
    struct span text = p->conf->files.all[file].text;
    const char *zero = text.len > 0 ? memchr(text.at, '\0', text.len) : NULL;

    if (zero != NULL) {
        message_error(p->conf, place_of(file, text, zero), "unexpected zero byte");
        return;
    }
    lexer_init(&r->lexer, text, file, 1);
    r->lexer.words = p->conf->words;
    r->lexer.arena = &p->conf->arena;
    p->last = NULL;
    p->text += text.len;
    if (p->text > MOST_TEXT)
        too_much(p, r, lexer_place(&r->lexer), "much text");
    read_level(p, r, level);
    p->last = NULL;
}

/* The depth of blocks goes on in there, but what is open out here cannot be closed there. False: no
 * further file is possible. */
static bool include_file(struct parser *p, const struct reading *outer, struct span path,
                         struct place place, struct level *level)
{
    struct conf *c = p->conf;
    uint16_t file = files_add(c, path);
    int len = (int)path.len;

    if (file == NO_FILE) {
        message_error(c, place, "too many files, at most %d", MOST_FILES);
        return false;
    }
    if (is_open(outer, file)) {
        message_error(c, place, "include loop: \"%.*s\" includes itself", len, path.at);
        return true;
    }
    if (outer->includes == DEEPEST_INCLUDE) {
        message_error(c, place, "includes are nested too deep, at most %d", DEEPEST_INCLUDE);
        return true;
    }
    if (!files_load(c, file, place))
        return true;
    struct reading inner = { .outer = outer, .includes = outer->includes + 1 };
    struct level same = { .end = level->end, .depth = level->depth };

    read_text(p, &inner, file, &same);
    level->end = same.end;
    return true;
}

static void include_all(struct parser *p, const struct reading *outer, struct span pattern,
                        struct place place, struct level *level)
{
    struct conf_source *source = p->conf->input.source;
    struct span list = { NULL, 0 }, path;
    int error = source->glob(source, pattern, &list);

    if (error < 0) {
        struct span text = files_reason(p->conf, pattern, CONF_TEXT, error, "");
        message_error(p->conf, place, "%.*s", (int)text.len, text.at);
        return;
    }
    list = arena_copy(&p->conf->arena, list); /* what is included may ask for a list of its own */
    while (span_cut(list, '\n', &path, &list))
        if (!include_file(p, outer, path, place, level))
            return;
}

/* The words lie in the room for a line, which the included text takes over: nothing is kept of
 * them. */
static void include(struct parser *p, const struct reading *outer, struct level *level)
{
    struct conf *c = p->conf;
    const struct lexer *l = &outer->lexer;
    struct place place = l->words[l->count > 1].place;

    if (l->count != 2) {
        message_error(c, l->words[0].place, "invalid number of arguments in \"include\" directive");
        return;
    }
    struct span path = files_join(&c->arena, c->files.folder, l->words[1].text);

    if (files_is_pattern(path))
        include_all(p, outer, path, place, level);
    else
        include_file(p, outer, path, place, level);
}

static struct place place_before(const struct lexer *l) /* of the byte that was just read */
{
    struct place place = lexer_place(l);

    place.column--;
    return place;
}

/* People set a `}` under what it closes: one further left was meant for an outer block. */
static void note_closer(struct parser *p, const struct reading *r, const struct conf_node *opener)
{
    struct place closer = place_before(&r->lexer), begin = opener->words[0].place;

    if (p->odd.opener != NULL || closer.line == begin.line || closer.column >= begin.column)
        return;
    p->odd.opener = opener;
    p->odd.closer = closer;
}

static void add_line(struct parser *p, struct reading *r, struct level *level)
{
    if (span_is(r->lexer.words[0].text, "include"))
        include(p, r, level);
    else
        add_node(p, r, level);
}

static void read_level(struct parser *p, struct reading *r, struct level *level)
{
    for (;;) {
        enum lexed lexed = lexer_next(&r->lexer);

        if (r->lexer.comments.after.len > 0 && p->last != NULL)
            p->last->comment = join(p, p->last->comment, r->lexer.comments.after);
        switch (lexed) {
        case LEXED_LINE:
            if (may_go_on(p, r))
                add_line(p, r, level);
            break;
        case LEXED_OPEN:
            if (may_go_on(p, r))
                add_block(p, r, level);
            break;
        case LEXED_CLOSE:
            if (level->opener != NULL) {
                note_closer(p, r, level->opener);
                return;
            }
            message_error(p->conf, place_before(&r->lexer), "unexpected \"}\"");
            break;
        case LEXED_END:
            note_end(p, r, level);
            return;
        case LEXED_BAD:
            note_fault(p, r);
            break;
        }
    }
}

static void read_globals(struct parser *p, struct level *top)
{
    struct conf *c = p->conf;
    struct reading r = { .lexer.is_parameter = true };

    if (c->input.globals.len == 0)
        return;
    c->files.command_line = files_add(c, (struct span)SPAN("command line"));
    c->files.all[c->files.command_line].text = c->input.globals;
    read_text(p, &r, c->files.command_line, top);
}

static struct span folder_of(struct span path, struct span otherwise)
{
    while (path.len > 0 && path.at[path.len - 1] != '/')
        path.len--;
    return path.len > 0 ? path : otherwise;
}

static void read_main(struct parser *p, uint16_t file, struct level *top)
{
    struct conf *c = p->conf;
    struct reading r = {};

    if (c->input.text.at != NULL) {
        c->files.all[file].text = c->input.text;
        c->files.all[file].loaded = true;
    }
    if (files_load(c, file, (struct place){}))
        read_text(p, &r, file, top);
}

struct conf_node *parser_read(struct conf *c)
{
    struct conf_node *first = NULL;
    struct level top = { .end = &first };
    struct parser p = { .conf = c };
    uint16_t file = files_add(c, c->input.file);
    c->files.folder = folder_of(c->files.all[file].name, c->input.prefix);
    read_globals(&p, &top);
    read_main(&p, file, &top);
    return first;
}

struct conf_node *parser_line(struct conf *c, struct span text)
{
    struct conf_node *node = NULL;
    struct level level = { .end = &node };
    struct parser p = { .conf = c };
    struct reading r = { .lexer.arena = &c->arena, .lexer.words = c->words };

    lexer_init(&r.lexer, text, 0, 0);
    if (lexer_next(&r.lexer) != LEXED_LINE)
        abort();
    return add_node(&p, &r, &level);
}
