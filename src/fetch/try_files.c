/* `try_files NAME ... LAST` (nginx-semantics 6.4).
 *
 *     NAME     a file, or with a slash at its end a folder: if it is there, it is the path
 *     LAST     =STATUS, @name, or a path where the phases start again
 *
 * It stands in fetch, not in decide, since files are opened below a root, and only there. */
#include "fetch/try_files.h"

#include "base/errlog.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/tree.h"
#include "conf/types.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/template.h"
#include "fetch/file.h"
#include "fetch/root.h"
#include "proto/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct try_name {
    struct template name;
    const char *written; /* for decisions; ended by a zero */
    bool folder;
};

struct try_settings {
    struct try_files {
        struct conf_list names; /* of struct try_name; the last is where else to go */
        unsigned status;        /* of `=STATUS`; 0: not that */
        struct place place;
    } files;
};

static bool set_status(struct conf_call *call, unsigned word, struct try_files *files)
{
    struct span text = conf_word(call, word);
    uint64_t status;

    if (!conf_read_number(span_from(text, 1), 999, &status) || status < 200)
        return conf_refuse(call, word, "invalid code \"%s\"",
                           arena_cstr(conf_arena(call), span_from(text, 1)));
    files->status = (unsigned)status;
    return true;
}

static bool add_name(struct conf_call *call, unsigned word, bool last, struct try_files *files)
{
    struct span text = conf_word(call, word);
    struct try_name name = { .written = arena_cstr(conf_arena(call), text) };

    if (!last)
        name.folder = span_chop(&text, '/');
    return template_compile_text(call, word, text, &name.name) &&
           conf_list_add(call, &files->names, &name, sizeof(name));
}

static bool set_files(struct conf_call *call, void *field)
{
    struct try_files *files = field;
    unsigned last = conf_count(call) - 1;

    files->place = conf_place(call, 0);
    for (unsigned i = 1; i <= last; i++)
        if (!add_name(call, i, i == last, files))
            return false;
    return !span_starts(conf_word(call, last), "=") || set_status(call, last, files);
}

static const struct conf_type files_type = { .set = set_files, .size = sizeof(struct try_files) };

static const struct directive directives[] = {
    { "try_files", CTX_SERVER | CTX_LOCATION, 2, ANY_ARGS, &files_type,
      offsetof(struct try_settings, files), NULL, NONE,
      "the first of these files that exists; else the last word: a path, `@name` or `=STATUS`", 0,
      NULL },
    {},
};

/* --- the hook ------------------------------------------------------------------------------- */

/* The name of the location is no part of what `alias` names, if a variable gave it. */
static struct span tail_of(struct exchange *x, const struct root *r, const struct try_name *t)
{
    struct span name = template_value(x, &t->name);
    bool begins = span_same(span_first(name, r->location.len), r->location);

    if (r->kind == ROOT_ALIAS && !template_is_literal(&t->name) && begins)
        return span_from(name, r->location.len);
    return name;
}

/* What is there is asked for once more when it is served: nothing follows from this check. */
static bool is_there(struct exchange *x, const struct file_settings *own, struct span tail,
                     bool folder)
{
    /* dot segments would pass by the locations that stand for what they lead to */
    int fd = path_has_dots(tail) ? -ENOENT : root_open(x, &own->root, &own->links, tail, O_PATH);
    struct stat st;

    if (fd < 0)
        return false;
    bool found = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) == folder;
    close(fd);
    return found;
}

static enum verdict go_elsewhere(struct exchange *x, const struct try_files *files,
                                 const struct try_name *last)
{
    struct span where = template_value(x, &last->name);

    if (files->status >= 300)
        return exchange_refuse(x, files->status, NULL);
    if (files->status > 0)
        return exchange_answer(x, files->status, (struct span){ "", 0 }, (struct span){ "", 0 });
    if (!span_starts(where, "@"))
        return exchange_restart_at(x, where) ? NEXT : exchange_refuse(x, 404, NULL);
    if (exchange_restart_named(x, where))
        return NEXT;
    exchange_log(x, LEVEL_ERROR, 0, "could not find named location \"%.*s\"", (int)where.len,
                 where.at);
    return exchange_refuse(x, 500, NULL);
}

static enum verdict try_files(struct exchange *x, const void *settings)
{
    const struct try_files *files = &((const struct try_settings *)settings)->files;
    const struct try_name *names = files->names.items;
    const struct file_settings *own;

    if (files->names.len == 0)
        return NEXT;
    own = file_settings_of(x);
    if (file_refuse_rewritten(x, own))
        return REFUSE;
    for (uint32_t i = 0; i + 1 < files->names.len; i++) {
        struct span tail = tail_of(x, &own->root, &names[i]);

        if (!is_there(x, own, tail, names[i].folder))
            continue;
        decided(x, DECIDED_TRY_FILES, NEXT, files->place, names[i].written);
        if (own->root.kind != ROOT_WHOLE || !names[i].folder)
            root_lead_to(x, &own->root, tail);
        return NEXT;
    }
    const struct try_name *last = &names[files->names.len - 1];
    decided(x, DECIDED_TRY_FILES, NEXT, files->place, last->written);
    return go_elsewhere(x, files, last);
}

static const struct hook hooks[] = {
    { .phase = PHASE_PRECONTENT, .run = try_files },
    {},
};

static bool is_named(const struct conf_node *node, const char *name)
{
    return span_is(node->words[0].text, name);
}

static bool holds(const struct conf_node *lines, const char *name)
{
    while (lines != NULL && !is_named(lines, name))
        lines = lines->next;
    return lines != NULL;
}

/* Where an `if` holds, its settings take the location's place, and files are not tried there. */
static bool check(struct conf *conf, struct conf_block *block, void *settings)
{
    (void)settings;
    if (!conf_advises(conf) || block->context != CTX_LOCATION ||
        !conf_stands(conf, block, "try_files"))
        return true;
    for (const struct conf_node *n = block->node->first; n != NULL; n = n->next) {
        if (!is_named(n, "if") || holds(n->first, "return") || holds(n->first, "rewrite"))
            continue;
        conf_caution(conf, n->words[0].place, "where this \"if\" holds, \"try_files\" is not run");
        conf_hint(conf, "the settings of the \"if\" take the place of the location's");
    }
    return true;
}

const struct module try_files_module = {
    .name = "try_files",
    .directives = directives,
    .hooks = hooks,
    .settings_size = sizeof(struct try_settings),
    .check = check,
};
