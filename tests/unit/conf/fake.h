/* What the tests of conf share: files that exist only here, and a configuration built from them. */
#ifndef TESTS_UNIT_CONF_FAKE_H
#define TESTS_UNIT_CONF_FAKE_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/build.h"
#include "conf/call.h"
#include "conf/source.h"

#include <errno.h>
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct fake_file {
    const char *name;
    const char *text;
};

/* A source of a few files, in the order of their names; ends with a file without a name. */
struct fake_source {
    struct conf_source source;
    const struct fake_file *files;
    unsigned loads;
};

static inline int fake_load(struct conf_source *source, struct span path, enum conf_kind kind,
                            struct span *ret, char ret_reason[CONF_REASON])
{
    struct fake_source *s = (struct fake_source *)source;

    s->loads++;
    for (const struct fake_file *f = s->files; f != NULL && f->name != NULL; f++)
        if (span_is(path, f->name)) {
            *ret = span_of(f->text);
            return 0;
        }
    if (kind == CONF_KEY)
        snprintf(ret_reason, CONF_REASON, "no key is in it");
    return -ENOENT;
}

static inline int fake_glob(struct conf_source *source, struct span pattern, struct span *ret)
{
    static char list[65536];
    struct fake_source *s = (struct fake_source *)source;
    char cpattern[1024];
    size_t len = 0;

    if (!span_to_cstr(pattern, sizeof(cpattern), cpattern))
        return -EINVAL;
    for (const struct fake_file *f = s->files; f != NULL && f->name != NULL; f++)
        if (fnmatch(cpattern, f->name, FNM_PATHNAME) == 0)
            len += (size_t)snprintf(list + len, sizeof(list) - len, "%s\n", f->name);
    *ret = (struct span){ list, len };
    return 0;
}

/* A built configuration and all that it stands on. */
struct fake {
    struct fake_source source;
    struct arena arena;
    struct conf_input input;
    struct conf *conf;
    struct buf out;
};

static inline void fake_init(struct fake *f, const struct conf_module *modules, size_t count)
{
    *f = (struct fake){ .source.source = { .load = fake_load, .glob = fake_glob } };
    arena_init(&f->arena, 65536, NULL);
    buf_init(&f->out, 1 << 20, NULL);
    f->input = (struct conf_input){
        .source = &f->source.source,
        .file = SPAN("/etc/b.conf"),
        .prefix = SPAN("/prefix/"),
        .modules = modules,
        .module_count = count,
        .arena = &f->arena,
        .user = f,
    };
}

static inline void fake_build(struct fake *f, const char *text)
{
    conf_free(&f->conf);
    f->input.text = span_of(text);
    f->conf = conf_build(&f->input);
}

/* All messages: `LINE:COLUMN TEXT [HINT]` and a line feed each. Good until the next call. */
static inline const char *fake_said(struct fake *f)
{
    buf_clear(&f->out);
    for (const struct conf_message *m = conf_messages(f->conf); m != NULL; m = m->next) {
        if (m->place.file > 0) {
            buf_add(&f->out, conf_file_name(f->conf, m->place.file));
            buf_adds(&f->out, ":");
        }
        buf_addf(&f->out, "%u:%u ", m->place.line, m->place.column);
        buf_add(&f->out, m->text);
        if (m->hint.len > 0) {
            buf_adds(&f->out, " [");
            buf_add(&f->out, m->hint);
            buf_adds(&f->out, "]");
        }
        buf_adds(&f->out, "\n");
    }
    buf_add(&f->out, (struct span){ "", 1 });
    assert_true(buf_ok(&f->out));
    return f->out.data;
}

static inline void fake_done(struct fake *f)
{
    conf_free(&f->conf);
    arena_done(&f->arena);
    buf_done(&f->out);
}

#endif
