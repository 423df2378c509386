/* The ceiling: what the configuration asks for, added up; and how much is left for peers. */
#include "run/ceiling.h"

#include "conf/call.h"
#include "conf/types.h"
#include "base/zone.h"
#include "exchange/generation.h"
#include "exchange/listener.h"
#include "exchange/zone_line.h"
#include "fetch/open_files.h"
#include "log/access.h"
#include "log/sink.h"
#include "run/main_settings.h"
#include "serve/connection.h"
#include "serve/ssl_module.h"
#include "tls/tls.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MIB = 1024 * 1024,
    PROGRAM = 12 * MIB,     /* 7 MiB were measured at rest: code and tables of libraries that were
                               not touched yet come to it */
    LEAST_BUDGET = 2 * MIB, /* a score of requests at a time */
    LOGS_SHARE = 16,        /* of a limit: so much of it for lines that wait */
    OVERHEAD = 8,    /* of what the budget counts, the heap has a part of its own beside it */
    BESIDE_EACH = 2, /* a pipe; or a file and a spool */
    OWN_DESCRIPTORS = 32
};

static uint64_t zones_of(const struct generation *g)
{
    struct zone_line *const *all = g->zones.items;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < g->zones.len; i++)
        bytes += zone_size(&all[i]->shape);
    return bytes;
}

/* The tree, its patterns and certificates, and what it took to read them. */
static uint64_t heap_now(void)
{
    struct mallinfo2 now = mallinfo2();

    return now.uordblks + now.hblkhd;
}

static uint64_t half_of_the_machine(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);

    return pages > 0 && size > 0 ? (uint64_t)pages / 2 * (uint64_t)size : SIZE_MAX / 2;
}

static uint64_t all_but_peers(const struct ceiling_memory *m)
{
    return m->program + m->settings + m->lines + m->buffers + m->sessions;
}

static uint64_t in_all(const struct ceiling_memory *m)
{
    return all_but_peers(m) + m->budget + m->around;
}

/* A peer may not drive the machine into swapping; nor us over the limit. */
static void divide(struct ceiling *c, const struct generation *g)
{
    struct ceiling_memory *m = &c->worker;
    uint64_t common = c->zones + c->master;
    uint64_t share = (c->limit > common ? c->limit - common : 0) / c->workers;

    m->lines = c->limit > 0 && share / LOGS_SHARE < SINKS_MOST ? share / LOGS_SHARE : SINKS_MOST;
    m->buffers = sinks_buffers(g);
    if (c->limit == 0)
        m->budget = half_of_the_machine() / c->workers;
    else
        m->budget =
            share > all_but_peers(m) ? (share - all_but_peers(m)) / (OVERHEAD + 1) * OVERHEAD : 0;
    m->around = m->budget / OVERHEAD;
}

static void count_log(void *count, struct placed_path file)
{
    (void)file;
    ++*(uint64_t *)count;
}

static void count_descriptors(struct ceiling_descriptors *d, const struct generation *g)
{
    const struct main_settings *s = main_settings_of(g);
    struct rlimit limit = { .rlim_max = 1024 };

    getrlimit(RLIMIT_NOFILE, &limit);
    d->limit = s->rlimit_nofile > 0 ? s->rlimit_nofile : limit.rlim_max;
    d->kept = open_files_most(g);
    d->fixed = OWN_DESCRIPTORS + g->listeners.len + g->zones.len;
    access_logs_each(g, count_log, &d->fixed);
    d->connections = d->limit > OWN_DESCRIPTORS ? d->limit - OWN_DESCRIPTORS : d->limit;
    if (s->worker_connections > 0 && s->worker_connections < d->connections)
        d->connections = s->worker_connections;
    d->beside = BESIDE_EACH * d->connections;
}

struct ceiling ceiling_of(const struct generation *g)
{
    const struct main_settings *s = main_settings_of(g);
    struct ceiling c = { .limit = s->memory.limit, .workers = s->workers.count };
    uint64_t heap = heap_now();

    c.worker.program = PROGRAM;
    c.worker.settings = 2 * heap;
    c.worker.sessions = ssl_sessions_most(g);
    c.zones = zones_of(g);
    c.master = PROGRAM + 2 * heap; /* a reader, and its bundle */
    divide(&c, g);
    count_descriptors(&c.descriptors, g);
    return c;
}

uint64_t ceiling_memory(const struct ceiling *c)
{
    return c->workers * in_all(&c->worker) + c->zones + c->master;
}

/* --- in words ------------------------------------------------------------------------------- */

struct amount {
    const char *name;
    uint64_t bytes;
};

static void add_size(struct buf *out, uint64_t bytes)
{
    uint64_t tenths = (bytes * 10 + MIB - 1) / MIB; /* never less than it is */

    buf_addf(out, "%llu", (unsigned long long)(tenths / 10));
    if (tenths < 100 && tenths % 10 != 0)
        buf_addf(out, ".%llu", (unsigned long long)(tenths % 10));
    buf_adds(out, "m");
}

/* The largest first; those of nothing are left out. */
static void add_parts(struct buf *out, struct amount *parts, unsigned count)
{
    for (unsigned done = 0; done < count; done++) {
        struct amount largest = { NULL, 0 };
        unsigned at = 0;

        for (unsigned i = 0; i < count; i++) {
            if (parts[i].bytes > largest.bytes) {
                largest = parts[i];
                at = i;
            }
        }
        if (largest.name == NULL)
            return;
        parts[at].bytes = 0;
        buf_adds(out, done > 0 ? ", " : "");
        buf_addf(out, "%s ", largest.name);
        add_size(out, largest.bytes);
    }
}

void ceiling_print(const struct ceiling *c, struct buf *out)
{
    const struct ceiling_memory *m = &c->worker;
    const struct ceiling_descriptors *d = &c->descriptors;
    struct amount parts[] = { { "peers", m->budget + m->around },
                              { "program", m->program },
                              { "settings", m->settings },
                              { "logs", m->lines + m->buffers },
                              { "TLS sessions", m->sessions } };
    struct amount common[] = { { "zones", c->zones }, { "master", c->master } };
    uint64_t wanted = d->connections + d->beside + d->kept + d->fixed;

    buf_adds(out, "bifrons: memory: at most ");
    add_size(out, ceiling_memory(c));
    buf_addf(out, " (%llu worker%s of ", (unsigned long long)c->workers,
             c->workers == 1 ? "" : "s");
    add_size(out, in_all(m));
    buf_adds(out, ": ");
    add_parts(out, parts, COUNT(parts));
    buf_adds(out, "; ");
    add_parts(out, common, COUNT(common));
    buf_addf(out, ")\nbifrons: descriptors: at most %llu for each worker (",
             (unsigned long long)(wanted < d->limit ? wanted : d->limit));
    buf_addf(out, "%llu connections, %llu for their files and pipes, ",
             (unsigned long long)d->connections, (unsigned long long)d->beside);
    if (d->kept > 0)
        buf_addf(out, "%llu open_file_cache, ", (unsigned long long)d->kept);
    buf_addf(out, "%llu own", (unsigned long long)d->fixed);
    if (wanted > d->limit)
        buf_addf(out, "; the limit of %llu ends it", (unsigned long long)d->limit);
    buf_adds(out, ")\n");
}

/* --- the limit ------------------------------------------------------------------------------ */

/* What as many connections as were asked for take while they wait for a request. */
static uint64_t parked(const struct generation *g)
{
    const struct listener *const *all = g->listeners.items;
    uint64_t each = sizeof(struct connection);

    for (uint32_t i = 0; i < g->listeners.len; i++)
        if (all[i]->ssl)
            each = sizeof(struct connection) + TLS_CHARGE;
    return main_settings_of(g)->worker_connections * each;
}

bool ceiling_check(const struct generation *g, struct conf *conf)
{
    const struct main_memory *asked = &main_settings_of(g)->memory;
    struct ceiling c = ceiling_of(g);
    struct ceiling_memory *m = &c.worker;
    uint64_t idle = parked(g), least = LEAST_BUDGET + idle;
    struct buf text;

    if (c.limit == 0 || m->budget >= least)
        return true;
    struct amount parts[] = { { "zones", c.zones },
                              { "the master", c.master },
                              { "programs of workers", c.workers * m->program },
                              { "settings", c.workers * m->settings },
                              { "logs", c.workers * (m->lines + m->buffers) },
                              { "TLS sessions", c.workers * m->sessions },
                              { "worker_connections", c.workers * idle },
                              { "requests", c.workers * LEAST_BUDGET } };
    m->lines = 0; /* a share of whatever the limit is */
    m->budget = least;
    m->around = least / OVERHEAD;
    buf_init(&text, 512, NULL);
    buf_addf(&text, "\"memory_limit\" is too small: at least ");
    add_size(&text, c.zones + c.master + MIB + /* for rounding */
                        c.workers * (in_all(m) + in_all(m) / (LOGS_SHARE - 1)));
    buf_adds(&text, " are needed (");
    add_parts(&text, parts, COUNT(parts));
    buf_adds(&text, ")");
    conf_complain(conf, asked->place, "%.*s", (int)text.len, text.data);
    buf_done(&text);
    return false;
}
