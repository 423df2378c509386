/* `thread_pool NAME threads=N [max_queue=N]`: the pool "default" is where a worker's blocking calls
 * go (net/offload.h). Pools of other names are for `aio threads=NAME`, which is not there yet. */
#include "base/span.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/settings.h"
#include "conf/types.h"
#include "exchange/module.h"
#include "exchange/worker.h"
#include "net/loop.h"
#include "net/offload.h"

enum { MOST_THREADS = 1024, MOST_QUEUE = 1 << 20 };

struct thread_pool {
    struct span name;
    uint64_t threads, queue;
};

struct pool_settings {
    struct conf_list pools; /* of struct thread_pool */
};

static bool read_count(struct conf_call *call, unsigned word, uint64_t most, uint64_t *ret)
{
    struct span all = conf_word(call, word);
    size_t name = span_find(all, '=');

    if (conf_read_number(span_from(all, name + 1), most, ret) && *ret > 0)
        return true;
    return conf_refuse(call, word, "invalid %.*s value \"%.*s\": expected 1 to %llu", (int)name,
                       all.at, (int)all.len, all.at, (unsigned long long)most);
}

static bool read_word(struct conf_call *call, unsigned word, struct thread_pool *pool)
{
    struct span all = conf_word(call, word);

    if (span_starts(all, "threads="))
        return read_count(call, word, MOST_THREADS, &pool->threads);
    if (span_starts(all, "max_queue="))
        return read_count(call, word, MOST_QUEUE, &pool->queue);
    return conf_refuse(call, word, "invalid parameter \"%.*s\"", (int)all.len, all.at);
}

static bool set_pool(struct conf_call *call, void *field)
{
    struct conf_list *pools = field;
    const struct thread_pool *others = pools->items;
    struct thread_pool pool = { .name = conf_word(call, 1), .queue = OFFLOAD_QUEUE };
    int len = (int)pool.name.len;

    for (uint32_t i = 0; i < pools->len; i++)
        if (span_same(others[i].name, pool.name))
            return conf_refuse(call, 1, "duplicate thread pool \"%.*s\"", len, pool.name.at);
    for (unsigned i = 2; i < conf_count(call); i++)
        if (!read_word(call, i, &pool))
            return false;
    if (pool.threads == 0)
        return conf_refuse(call, 0, "\"thread_pool\" must have \"threads\" parameter");
    if (!span_is(pool.name, "default"))
        conf_warn(call, 1, "no directive uses the thread pool \"%.*s\": only \"default\" is used",
                  len, pool.name.at);
    return conf_list_add(call, pools, &pool, sizeof(pool));
}

static void start(struct worker *w, struct generation *g, void *settings)
{
    const struct pool_settings *own = settings;
    const struct thread_pool *pools = own->pools.items;
    const struct thread_pool *found = NULL;

    (void)g;
    for (uint32_t i = 0; i < own->pools.len; i++)
        if (span_is(pools[i].name, "default"))
            found = &pools[i];
    if (found != NULL)
        offload_limits(w->loop, (uint32_t)found->threads, (uint32_t)found->queue);
    else if (w->loop->offload != NULL) /* made by a generation before, or in use */
        offload_limits(w->loop, OFFLOAD_THREADS, OFFLOAD_QUEUE);
}

static const struct conf_type pool_type = { .set = set_pool,
                                            .size = sizeof(struct conf_list),
                                            .many = true };

static const struct directive directives[] = {
    { "thread_pool", CTX_MAIN, 2, 3, &pool_type, offsetof(struct pool_settings, pools), NULL, WHOLE,
      "NAME threads=N [max_queue=N]: threads for what would block; unset: default threads=32", 0,
      NULL },
    {},
};

const struct module thread_pool_module = {
    .name = "thread_pool",
    .directives = directives,
    .settings_size = sizeof(struct pool_settings),
    .start = start,
};
