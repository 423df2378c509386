/* Files that stay open (open_file_cache).
 *
 *     path --hash--> entry      all entries in a ring, the one used last first: the other end goes
 *                               when `max` is reached, or `inactive` is over
 *
 * An entry that somebody still sends leaves the table at once, and ends with its last user. Owns
 * the entries and their descriptors. */
#include "fetch/open_files.h"

#include "base/arena.h"
#include "base/charged.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/link.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_BUCKETS = 1 << 16, DROPS_A_LOOK = 2 };

struct entry {
    struct open_file file; /* fd -1 and error 0: used too seldom so far */
    struct open_files *cache;
    struct entry *next; /* of its bucket */
    struct link link;   /* of the ring */
    const void *root;
    uint64_t looked, last_used; /* ms */
    uint64_t uses;
    uint32_t refs;
    bool gone; /* from the table */
    uint32_t path_len;
    char path[];
};

struct open_files { /* generation arena; of the block that names it, shared with those inside */
    struct open_files *older;
    uint64_t most;
    uint64_t inactive;
    struct entry **buckets; /* owned; NULL: not used yet */
    uint32_t mask;
    uint64_t count;
    struct link ring;
    struct budget *budget;
};

struct open_files_settings {
    struct open_files *cache;
    uint64_t valid;
    uint64_t least_uses;
    bool errors;
};

/* --- rows ----------------------------------------------------------------------------------- */

static bool set_cache(struct conf_call *call, void *field)
{
    struct open_files *cache = arena_zalloc(conf_arena(call), sizeof(*cache));
    struct generation *g = conf_user(call);

    if (conf_count(call) == 2 && span_is(conf_word(call, 1), "off"))
        return true;
    cache->inactive = 60000;
    for (unsigned i = 1; i < conf_count(call); i++) {
        struct span word = conf_word(call, i);
        bool good =
            span_starts(word, "max=")
                ? conf_read_number(span_from(word, 4), 10000000, &cache->most) && cache->most > 0
                : span_starts(word, "inactive=") &&
                      conf_read_time(span_from(word, 9), &cache->inactive);

        if (!good)
            return conf_refuse(call, i, "invalid \"open_file_cache\" parameter \"%s\"",
                               arena_cstr(conf_arena(call), word));
    }
    if (cache->most == 0)
        return conf_refuse(call, 0, "\"open_file_cache\" must have the \"max\" parameter");
    link_init(&cache->ring);
    cache->older = g->open_files;
    g->open_files = cache;
    *(struct open_files **)field = cache;
    return true;
}

static const struct conf_type cache_type = { .set = set_cache, .size = sizeof(void *) };
static const struct conf_range uses = { 1, UINT32_MAX };

enum { ANYWHERE = CTX_HTTP | CTX_SERVER | CTX_LOCATION };

#define FIELD(f) offsetof(struct open_files_settings, f)
static const struct directive directives[] = {
    { "open_file_cache", ANYWHERE, 1, 2, &cache_type, FIELD(cache), NULL, WHOLE,
      "files that stay open: `max=` of them, unless not used for `inactive=`", 0, NULL },
    { "open_file_cache_valid", ANYWHERE, 1, 1, &conf_seconds, FIELD(valid), "60s", WHOLE,
      "how long one is not looked at again", 0, NULL },
    { "open_file_cache_min_uses", ANYWHERE, 1, 1, &conf_number, FIELD(least_uses), "1", WHOLE,
      "requests before a file stays open", 0, &uses },
    { "open_file_cache_errors", ANYWHERE, 1, 1, &conf_flag, FIELD(errors), "off", WHOLE,
      "also that a file is not there", 0, NULL },
    {},
};
#undef FIELD

uint64_t open_files_most(const struct generation *g)
{
    uint64_t most = 0;

    for (const struct open_files *c = g->open_files; c != NULL; c = c->older)
        most += c->most;
    return most;
}

/* --- entries -------------------------------------------------------------------------------- */

void file_facts_of(const struct stat *st, struct file_facts *ret)
{
    *ret = (struct file_facts){ .size = (uint64_t)st->st_size, .modified = st->st_mtime };
    http_date_print(st->st_mtime, ret->date);
    snprintf(ret->etag, sizeof(ret->etag), "\"%llx-%llx\"", (unsigned long long)st->st_mtime,
             (unsigned long long)st->st_size);
}

static void entry_free(struct entry *e)
{
    if (e->file.fd >= 0)
        close(e->file.fd);
    charged_free(e, sizeof(*e) + e->path_len, e->cache->budget);
}

static struct entry **place_of(struct open_files *c, const struct hash_key *key, const void *root,
                               struct span path)
{
    struct entry **at = &c->buckets[hash_keyed(key, path) & c->mask];

    while (*at != NULL &&
           ((*at)->root != root || !span_same((struct span){ (*at)->path, (*at)->path_len }, path)))
        at = &(*at)->next;
    return at;
}

/* Whoever still sends it ends it. */
static void take_out(struct entry **at)
{
    struct entry *e = *at;

    *at = e->next;
    link_remove(&e->link);
    e->cache->count--;
    e->gone = true;
    if (e->refs == 0)
        entry_free(e);
}

static void drop_oldest(struct open_files *c, const struct hash_key *key)
{
    struct entry *e = CONTAINER(c->ring.prev, struct entry, link);

    take_out(place_of(c, key, e->root, (struct span){ e->path, e->path_len }));
}

/* Two at a time keep up with whatever comes in. */
static void drop_unused(struct open_files *c, const struct hash_key *key, uint64_t now)
{
    for (int i = 0; i < DROPS_A_LOOK && !link_alone(&c->ring); i++) {
        if (now - CONTAINER(c->ring.prev, struct entry, link)->last_used < c->inactive)
            return;
        drop_oldest(c, key);
    }
}

static bool make_buckets(struct open_files *c, struct budget *budget)
{
    uint32_t count = 16;

    while (count < c->most && count < MOST_BUCKETS)
        count *= 2;
    c->budget = budget;
    c->mask = count - 1;
    c->buckets = charged_new(count * sizeof(*c->buckets), budget);
    return c->buckets != NULL;
}

static struct entry *entry_new(struct open_files *c, const void *root, struct span path)
{
    struct entry *e = charged_new(sizeof(*e) + path.len, c->budget);

    if (e == NULL)
        return NULL;
    e->cache = c;
    e->root = root;
    e->file.fd = -1;
    e->path_len = (uint32_t)path.len;
    memcpy(e->path, path.at, path.len);
    return e;
}

static void note_use(struct open_files *c, struct entry *e, uint64_t now)
{
    e->uses++;
    e->last_used = now;
    link_remove(&e->link);
    link_insert(&c->ring, &e->link);
}

/* --- what is asked -------------------------------------------------------------------------- */

static const struct open_files_settings *settings_of(const struct exchange *x)
{
    return settings_in(x->block, module_index(x->generation, &open_files_module));
}

struct open_files *open_files_of(const struct exchange *x)
{
    return settings_of(x)->cache;
}

struct open_file *open_file_find(struct exchange *x, const void *root, struct span path)
{
    const struct open_files_settings *own = settings_of(x);
    struct open_files *c = own->cache;
    uint64_t now = exchange_now(x);

    if (c == NULL || c->buckets == NULL)
        return NULL;
    drop_unused(c, &x->worker->hash_key, now);
    struct entry *e = *place_of(c, &x->worker->hash_key, root, path);
    bool known = e != NULL && (e->file.fd >= 0 || e->file.error != 0);
    if (!known || now - e->looked >= own->valid)
        return NULL;
    note_use(c, e, now);
    e->refs++;
    return &e->file;
}

/* In the table, with nothing known of it yet; its uses are counted on. NULL: no memory. */
static struct entry *entry_anew(struct exchange *x, struct open_files *c, const void *root,
                                struct span path)
{
    const struct hash_key *key = &x->worker->hash_key;
    struct entry **at = place_of(c, key, root, path);
    uint64_t uses_so_far = 0;

    if (*at != NULL && (*at)->file.fd < 0 && (*at)->refs == 0) {
        (*at)->file.error = 0;
        return *at;
    }
    if (*at != NULL) {
        uses_so_far = (*at)->uses;
        take_out(at);
    } else if (c->count >= c->most) {
        drop_oldest(c, key);
    }
    struct entry *e = entry_new(c, root, path);
    if (e == NULL)
        return NULL;
    e->uses = uses_so_far;
    at = place_of(c, key, root, path);
    e->next = *at;
    *at = e;
    c->count++;
    return e;
}

struct open_file *open_file_keep(struct exchange *x, const void *root, struct span path, int fd,
                                 int error, const struct file_facts *facts)
{
    const struct open_files_settings *own = settings_of(x);
    struct open_files *c = own->cache;

    if (c == NULL || (error != 0 && !own->errors) ||
        (c->buckets == NULL && !make_buckets(c, &x->worker->budget)))
        return NULL;
    struct entry *e = entry_anew(x, c, root, path);
    if (e == NULL)
        return NULL;
    note_use(c, e, exchange_now(x));
    if (e->uses < own->least_uses)
        return NULL;
    e->looked = exchange_now(x);
    e->file.fd = fd;
    e->file.error = error;
    if (facts != NULL)
        e->file.facts = *facts;
    e->refs++;
    return &e->file;
}

void open_file_put(struct open_file *f)
{
    struct entry *e = CONTAINER(f, struct entry, file);

    if (--e->refs == 0 && e->gone)
        entry_free(e);
}

/* --- the module ----------------------------------------------------------------------------- */

static void close_all(struct worker *w, struct generation *g, void *settings)
{
    (void)settings;
    for (struct open_files *c = g->open_files; c != NULL; c = c->older) {
        while (c->count > 0)
            drop_oldest(c, &w->hash_key);
        if (c->buckets != NULL)
            charged_free(c->buckets, (c->mask + 1) * sizeof(*c->buckets), c->budget);
        c->buckets = NULL;
    }
}

const struct module open_files_module = {
    .name = "open_files",
    .directives = directives,
    .settings_size = sizeof(struct open_files_settings),
    .stop = close_all,
};
