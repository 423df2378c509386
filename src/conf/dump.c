/* `-T`: the texts as they stand, but for two things:
 *
 *     include conf.d/[ab];        ->    # include conf.d/[ab];
 *                                     # configuration file /etc/bifrons/conf.d/a:
 *                                     (its text)
 *     a secret                  ->    ***
 *
 * Owns nothing. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "conf/build.h"
#include "conf/files.h"
#include "conf/lexer.h"
#include "conf/rows.h"
#include "conf/state.h"
#include "conf/tree.h"

struct dump {
    struct conf *conf;
    struct buf *out;
    struct arena arena;
};

static void dump_file(struct dump *d, uint16_t file);

static void copy_to(struct dump *d, const char **done, const char *at)
{
    buf_add(d->out, (struct span){ *done, (size_t)(at - *done) });
    *done = at;
}

static void dump_included(struct dump *d, struct span path)
{
    struct conf *c = d->conf;
    struct conf_source *source = c->input.source;
    struct span list, one;

    if (!files_is_pattern(path)) {
        dump_file(d, files_add(c, path));
        return;
    }
    if (source->glob(source, path, &list) < 0)
        return;
    list = arena_copy(&d->arena, list);
    while (span_cut(list, '\n', &one, &list))
        dump_file(d, files_add(c, one));
}

static void dump_include(struct dump *d, const struct conf_word *path)
{
    struct conf *c = d->conf;

    buf_adds(d->out, "# include ");
    buf_add(d->out, path->raw);
    buf_adds(d->out, ";\n");
    dump_included(d, files_join(&d->arena, c->files.folder, path->text));
}

static const struct conf_type *type_of(const struct dump *d, const struct conf_word *name)
{
    uint32_t row = rows_find(&d->conf->rows, name->text);

    return row != NO_ROW ? d->conf->rows.all[row].directive->type : NULL;
}

static void dump_words(struct dump *d, const struct lexer *l, const char **done)
{
    const struct conf_type *type = type_of(d, &l->words[0]);

    if (type == NULL || type->hides == NULL)
        return;
    for (unsigned i = 1; i < l->count; i++) {
        if (!type->hides(l->words, i))
            continue;
        copy_to(d, done, l->words[i].raw.at);
        buf_adds(d->out, "***");
        *done += l->words[i].raw.len;
    }
}

static void dump_text(struct dump *d, struct lexer *l)
{
    const char *done = l->at;

    for (;;) {
        enum lexed lexed = lexer_next(l);

        if (lexed == LEXED_END || lexed == LEXED_BAD)
            break;
        if (l->count == 2 && span_is(l->words[0].text, "include")) {
            struct conf_word path = l->words[1]; /* the included text takes the room over */

            copy_to(d, &done, l->words[0].raw.at);
            dump_include(d, &path);
            done = l->at;
        } else if (l->count > 0) {
            dump_words(d, l, &done);
        }
    }
    copy_to(d, &done, l->end);
    buf_add_byte(d->out, '\n');
}

static void dump_file(struct dump *d, uint16_t file)
{
    struct lexer l = {};

    if (file == NO_FILE)
        return;
    lexer_init(&l, d->conf->files.all[file].text, file, 1);
    l.words = d->conf->words;
    l.arena = &d->arena;
    buf_adds(d->out, "# configuration file ");
    buf_add(d->out, d->conf->files.all[file].name);
    buf_adds(d->out, ":\n");
    dump_text(d, &l);
}

void conf_dump(struct conf *c, struct buf *out)
{
    enum { MAIN_FILE = 0 };
    struct dump d = { .conf = c, .out = out };

    arena_init_growing(&d.arena);
    dump_file(&d, MAIN_FILE);
    arena_done(&d.arena);
}
