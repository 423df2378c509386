/* The files that a configuration consists of and names: found by name, read once through the
 * source, so that a worker's texts come from the bundle. Also paths: what they are relative to. */
#include "conf/files.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/load.h"
#include "conf/message.h"
#include "conf/rows.h"
#include "conf/settings.h"
#include "conf/state.h"

#include <errno.h>

enum { FIRST_ROOM = 64 };

static uint16_t *slot_of(const struct files *f, struct span name)
{
    uint32_t i = name_hash(name) & f->mask;

    while (f->slots[i] != NO_FILE && !span_same(name, f->all[f->slots[i]].name))
        i = (i + 1) & f->mask;
    return &f->slots[i];
}

/* Twice as many slots as files: a look-up always ends. */
static void grow(struct conf *c)
{
    struct files *f = &c->files;
    unsigned room = f->room > 0 ? f->room * 2 : FIRST_ROOM;
    struct conf_file *all = arena_zalloc(&c->arena, room * sizeof(*all));

    if (f->count > 0)
        memcpy(all, f->all, f->count * sizeof(*all));
    f->all = all;
    f->room = room;
    f->mask = room * 2 - 1;
    f->slots = arena_alloc(&c->arena, room * 2 * sizeof(*f->slots));
    memset(f->slots, 0xff, room * 2 * sizeof(*f->slots));
    for (unsigned i = 0; i < f->count; i++)
        *slot_of(f, all[i].name) = (uint16_t)i;
}

uint16_t files_add(struct conf *c, struct span name)
{
    struct files *f = &c->files;

    if (f->count == f->room)
        grow(c);
    uint16_t *slot = slot_of(f, name);
    if (*slot != NO_FILE)
        return *slot;
    if (f->count == MOST_FILES)
        return NO_FILE;
    f->all[f->count].name = arena_copy(&c->arena, name);
    *slot = (uint16_t)f->count;
    return (uint16_t)f->count++;
}

static const char *name_of_error(int error)
{
    const char *text = strerrordesc_np(error);

    return text ? text : "unknown error";
}

struct span files_reason(struct conf *c, struct span path, enum conf_kind kind, int error,
                         const char *reason)
{
    int len = (int)path.len;

    if (*reason == '\0')
        return message_text(c, "open() \"%.*s\" failed (%d: %s)", len, path.at, -error,
                            name_of_error(-error));
    switch (kind) {
    case CONF_TEXT:
    case CONF_BYTES:
        break;
    case CONF_CHAIN:
        return message_text(c, "cannot load certificate \"%.*s\": %s", len, path.at, reason);
    case CONF_KEY:
        return message_text(c, "cannot load certificate key \"%.*s\": %s", len, path.at, reason);
    }
    return message_text(c, "cannot read \"%.*s\": %s", len, path.at, reason);
}

bool files_load(struct conf *c, uint16_t file, struct place place)
{
    struct conf_file *f = &c->files.all[file];
    struct conf_source *source = c->input.source;
    char reason[CONF_REASON] = "";

    if (f->loaded)
        return true;
    int error = source->load(source, f->name, CONF_TEXT, &f->text, reason);
    if (error < 0) {
        struct span text = files_reason(c, f->name, CONF_TEXT, error, reason);
        message_error(c, place, "%.*s", (int)text.len, text.at);
        return false;
    }
    if (f->text.len > LARGEST_FILE) {
        message_error(c, place, "\"%.*s\" is too large, at most %d MiB", (int)f->name.len,
                      f->name.at, LARGEST_FILE >> 20);
        return false;
    }
    f->loaded = true;
    return true;
}

struct span files_join(struct arena *arena, struct span folder, struct span path)
{
    if (span_starts(path, "/"))
        folder.len = 0;
    char *text = arena_alloc(arena, folder.len + path.len + 1);

    if (folder.len > 0)
        memcpy(text, folder.at, folder.len);
    if (path.len > 0)
        memcpy(text + folder.len, path.at, path.len);
    text[folder.len + path.len] = '\0';
    return (struct span){ text, folder.len + path.len };
}

bool files_is_pattern(struct span path)
{
    return span_find(path, '*') < path.len || span_find(path, '?') < path.len ||
           span_find(path, '[') < path.len;
}

struct span conf_prefix_path(const struct conf_call *call, struct span path)
{
    return files_join(conf_arena(call), call->conf->input.prefix, path);
}

struct span conf_file_path(const struct conf_call *call, struct span path)
{
    return files_join(conf_arena(call), call->conf->files.folder, path);
}

bool conf_load(struct conf_call *call, unsigned word, struct span path, enum conf_kind kind,
               struct span *ret)
{
    struct conf_source *source = call->conf->input.source;
    char reason[CONF_REASON] = "";
    struct span bytes = { NULL, 0 };
    int error = source->load(source, path, kind, &bytes, reason);

    if (error < 0) {
        struct span text = files_reason(call->conf, path, kind, error, reason);
        return conf_refuse(call, word, "%.*s", (int)text.len, text.at);
    }
    *ret = bytes;
    return true;
}

struct span conf_file_name(const struct conf *conf, uint16_t file)
{
    return file < conf->files.count ? conf->files.all[file].name : (struct span){ "", 0 };
}

struct span conf_file_text(const struct conf *c, uint16_t file)
{
    return file < c->files.count ? c->files.all[file].text : (struct span){ "", 0 };
}

unsigned conf_file_count(const struct conf *c)
{
    return c->files.count;
}
