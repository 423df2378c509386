/* Builds generations: configuration, then modules' init, then the tables of hooks; and swaps them
 * in. */
#include "run/generation_build.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "conf/build.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/source.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/worker.h"
#include "run/bundle.h"
#include "run/main_settings.h"
#include "run/module_list.h"
#include "run/zones.h"

#include <stdlib.h>

static const struct conf_module *rows_of_modules(struct arena *arena)
{
    struct conf_module *rows = arena_zalloc(arena, sizeof(*rows) * module_list_count);
    static const struct directive none[] = { {} };

    for (unsigned i = 0; i < module_list_count; i++) {
        const struct module *m = module_list[i];

        rows[i] = (struct conf_module){ .name = m->name,
                                        .directives = m->directives ? m->directives : none,
                                        .settings_size = m->settings_size,
                                        .merge = m->merge,
                                        .check = m->check };
    }
    return rows;
}

static struct span load_system_file(struct conf_source *source, const char *path)
{
    char reason[CONF_REASON];
    struct span text = { "", 0 };

    if (source->load(source, span_of(path), CONF_BYTES, &text, reason) < 0)
        return (struct span){ "", 0 }; /* a machine without it is a machine without it */
    return text;
}

/* One for each worker, and for one that still leaves while its successor serves. */
static uint32_t places_of(uint32_t workers)
{
    enum { EIGHTS = 8, MOST = 256 };
    uint32_t places = (2 * workers + EIGHTS - 1) / EIGHTS * EIGHTS;

    return places < MOST ? places : MOST;
}

static void init_modules(struct generation *g, struct conf *conf)
{
    for (unsigned i = 0; i < g->module_count && conf_is_good(conf); i++)
        if (g->modules[i]->init != NULL)
            g->modules[i]->init(g, conf, settings_in(g->top, i));
}

static void keep_file_names(struct generation *g, const struct conf *conf)
{
    for (unsigned i = 0; i < conf_file_count(conf); i++) {
        struct span name = conf_file_name(conf, (uint16_t)i);
        struct span kept = { arena_cstr(&g->arena, name), name.len };

        generation_list_add(g, &g->file_names, &kept, sizeof(kept));
    }
}

struct conf *generation_make(const struct bundle_request *request, struct conf_source *source,
                             struct generation **ret)
{
    struct generation *g = calloc(1, sizeof(*g));

    if (g == NULL)
        abort();
    arena_init_growing(&g->arena);
    g->refs = 1;
    g->modules = module_list;
    g->module_count = module_list_count;
    g->dns.hosts = load_system_file(source, "/etc/hosts");
    g->dns.resolv_conf = load_system_file(source, "/etc/resolv.conf");
    struct conf_input input = { .source = source,
                                .file = request->file,
                                .text = request->text,
                                .prefix = request->prefix,
                                .globals = request->globals,
                                .modules = rows_of_modules(&g->arena),
                                .module_count = module_list_count,
                                .later = later_directives,
                                .arena = &g->arena,
                                .user = g,
                                .advice = request->advice };
    struct conf *conf = conf_build(&input);
    g->top = conf_top(conf);
    if (conf_is_good(conf)) {
        g->worker_slots = places_of(main_settings_of(g)->workers.count);
        init_modules(g, conf);
        keep_file_names(g, conf);
        generation_index_modules(g);
    }
    *ret = g;
    return conf;
}

void generation_messages(const struct conf *conf, struct buf *out)
{
    for (const struct conf_message *m = conf_messages(conf); m != NULL; m = m->next)
        conf_print_message(conf, m, out);
}

struct generation *generation_build(int bundle_fd, struct buf *messages)
{
    struct bundle_source source;
    struct generation *g = NULL;

    if (bundle_open(&source, bundle_fd) < 0) {
        buf_adds(messages, "bifrons: [emerg] the bundle cannot be read\n");
        return NULL;
    }
    struct conf *conf = generation_make(&source.request, &source.source, &g);
    if (conf_is_good(conf)) {
        g->bundle = source.map; /* certificates stand in it: unmapped with the generation */
    } else {
        generation_messages(conf, messages);
        generation_unref(&g);
        bundle_close(&source);
    }
    conf_free(&conf);
    return g;
}

void generation_swap(struct worker *w, struct generation *g, const int *zones)
{
    struct generation *before = w->generation;

    g->worker = w;
    g->number = before != NULL ? before->number + 1 : 1;
    zones_take(w, g, zones);
    for (unsigned i = 0; i < g->module_count; i++)
        if (g->modules[i]->start != NULL)
            g->modules[i]->start(w, g, settings_in(g->top, i));
    w->generation = g;
    generation_unref(&before);
}
