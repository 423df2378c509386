/* stub_status: what NGINX's tools read of a server, in five lines of text; and the numbers as
 * variables. They are counted where they change (exchange/stat.h), in a zone of all workers. */
#include "base/buf.h"
#include "base/counters.h"
#include "base/shape.h"
#include "base/zone.h"
#include "conf/directive.h"
#include "exchange/exchange.h"
#include "exchange/generation.h"
#include "exchange/module.h"
#include "exchange/phase.h"
#include "exchange/stat.h"
#include "exchange/variable.h"
#include "exchange/zone_line.h"

struct stub_settings {
    bool on;
};

extern const struct module stub_status_module;

static const struct span zone_name = SPAN("bifrons connections");

static uint64_t sum(const struct exchange *x, enum stat s)
{
    const struct zone_line *line = zone_named(x->generation, zone_name);

    return line->zone != NULL ? counters_sum(&line->zone->counters, s) : 0;
}

/* What is now is a difference of what several workers write, read one after the other: never less
 * than nothing. */
static uint64_t now(const struct exchange *x, enum stat s)
{
    int64_t n = (int64_t)sum(x, s);

    return n > 0 ? (uint64_t)n : 0;
}

static enum verdict answer(struct exchange *x, const void *settings)
{
    const struct stub_settings *own = settings;
    struct buf text;

    if (!own->on)
        return NEXT;
    if (x->request.method_id != METHOD_GET && x->request.method_id != METHOD_HEAD)
        return exchange_refuse(x, 405, NULL);
    buf_init(&text, 512, NULL);
    buf_addf(&text,
             "Active connections: %llu \nserver accepts handled requests\n %llu %llu %llu \n"
             "Reading: %llu Writing: %llu Waiting: %llu \n",
             (unsigned long long)now(x, STAT_ACTIVE), (unsigned long long)sum(x, STAT_ACCEPTED),
             (unsigned long long)sum(x, STAT_HANDLED), (unsigned long long)sum(x, STAT_REQUESTS),
             (unsigned long long)now(x, STAT_READING), (unsigned long long)now(x, STAT_WRITING),
             (unsigned long long)now(x, STAT_WAITING));
    struct span body = arena_copy(&x->arena, buf_view(&text));
    buf_done(&text);
    return exchange_answer(x, 200, (struct span)SPAN("text/plain"), body);
}

static bool give(struct exchange *x, enum stat s, struct span *ret)
{
    struct buf text;

    buf_init(&text, 32, NULL);
    buf_add_decimal(&text, now(x, s));
    *ret = arena_copy(&x->arena, buf_view(&text));
    buf_done(&text);
    return true;
}

static bool get_active(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    return give(x, STAT_ACTIVE, ret);
}

static bool get_reading(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    return give(x, STAT_READING, ret);
}

static bool get_writing(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    return give(x, STAT_WRITING, ret);
}

static bool get_waiting(struct exchange *x, struct span arg, struct span *ret)
{
    (void)arg;
    return give(x, STAT_WAITING, ret);
}

static bool set_on(struct conf_call *call, void *field)
{
    (void)call; /* an argument had a meaning before NGINX 1.7.5, and is ignored */
    *(bool *)field = true;
    return true;
}

static bool init(struct generation *g, struct conf *conf, void *settings)
{
    struct zone_line line = {
        .name = zone_name,
        .use = "stub_status",
        .shape = { .kind = ZONE_COUNTERS, .counters = STATS, .slots = g->worker_slots },
    };

    (void)conf, (void)settings;
    zone_declare(g, &line);
    return true;
}

/* Our numbers go on: in other memory, if the number of workers changed. Of a worker that died in
 * our place only what ever was stays. */
static void start(struct worker *w, struct generation *g, void *settings)
{
    struct zone *z = zone_named(g, zone_name)->zone;
    const uint64_t *before = w->shared.stats;

    (void)settings;
    if (z == NULL)
        return;
    w->shared.stats = counters_own(&z->counters, w->shared.slot);
    if (before == w->shared.stats)
        return;
    for (enum stat s = 0; s < STATS; s++)
        if (before != NULL)
            w->shared.stats[s] = before[s];
        else if (s >= STAT_ACTIVE)
            w->shared.stats[s] = 0;
}

/* The last generation goes with its zones, and a worker that ends still counts. */
static void stop(struct worker *w, struct generation *g, void *settings)
{
    (void)settings;
    if (w->generation == NULL || w->generation == g)
        w->shared.stats = NULL;
}

static const struct conf_type on_type = { .set = set_on, .size = sizeof(bool) };

static const struct directive directives[] = {
    { "stub_status", CTX_SERVER | CTX_LOCATION, 0, 1, &on_type, offsetof(struct stub_settings, on),
      NULL, NONE, "answer with the numbers of connections and requests", 0, NULL },
    {},
};

static const struct variable variables[] = {
    { "connections_active", NO_FAMILY, get_active, "connections of clients" },
    { "connections_reading", NO_FAMILY, get_reading, "those whose request is being read" },
    { "connections_writing", NO_FAMILY, get_writing, "those that are being answered" },
    { "connections_waiting", NO_FAMILY, get_waiting, "those that are idle" },
    {},
};

static const struct hook hooks[] = {
    { .phase = PHASE_CONTENT, .run = answer },
    {},
};

const struct module stub_status_module = {
    .name = "stub_status",
    .directives = directives,
    .variables = variables,
    .hooks = hooks,
    .settings_size = sizeof(struct stub_settings),
    .init = init,
    .start = start,
    .stop = stop,
};
