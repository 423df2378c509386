/* The directives of the process: whose rights, how many workers, on which CPUs. What has no effect
 * here says so once. */
#include "run/main_settings.h"

#include "base/arena.h"
#include "conf/call.h"
#include "conf/directive.h"
#include "conf/types.h"
#include "exchange/module.h"

#include <sched.h>
#include <unistd.h>

enum { MOST_PROCESSES = 1024 };

static bool set_user(struct conf_call *call, void *field)
{
    struct main_user *user = field;

    if (conf_place(call, 0).line > 0 && geteuid() != 0)
        conf_warn(call, 0,
                  "the \"user\" directive makes sense only if the process runs with "
                  "super-user privileges, ignored");
    *user = (struct main_user){ conf_word(call, 1), conf_word(call, 2), conf_place(call, 0) };
    return true;
}

/* Those that we may run on. */
static uint32_t count_cpus(void)
{
    cpu_set_t all;

    return sched_getaffinity(0, sizeof(all), &all) == 0 ? (uint32_t)CPU_COUNT(&all) : 1;
}

static bool set_processes(struct conf_call *call, void *field)
{
    struct main_workers *workers = field;
    uint64_t count = count_cpus();

    if (!span_is(conf_word(call, 1), "auto") &&
        (!conf_read_number(conf_word(call, 1), MOST_PROCESSES, &count) || count == 0))
        return conf_refuse(call, 1, "invalid value \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, 1)));
    workers->count = (uint32_t)count;
    return true;
}

static bool set_priority(struct conf_call *call, void *field)
{
    struct main_priority *priority = field;
    struct span text = conf_word(call, 1);
    bool negative = span_starts(text, "-");
    uint64_t number;

    if (!conf_read_number(span_from(text, negative), 20, &number))
        return conf_refuse(call, 1, "invalid priority \"%s\": -20 to 20 was expected",
                           arena_cstr(conf_arena(call), text));
    priority->nice = negative ? -(int32_t)number : (int32_t)number;
    return true;
}

/* Binary digits, the last one is CPU 0. */
static bool read_mask(struct conf_call *call, unsigned word, cpu_set_t *ret)
{
    struct span text = conf_word(call, word);

    CPU_ZERO(ret);
    if (text.len > CPU_SETSIZE)
        return conf_refuse(call, word, "\"worker_cpu_affinity\" mask supports up to %d CPUs only",
                           CPU_SETSIZE);
    for (size_t i = 0; i < text.len; i++) {
        char digit = text.at[text.len - 1 - i];

        if (digit != '0' && digit != '1')
            return conf_refuse(call, word, "invalid character \"%c\" in \"worker_cpu_affinity\"",
                               digit);
        if (digit == '1')
            CPU_SET(i, ret);
    }
    return CPU_COUNT(ret) > 0 || conf_refuse(call, word, "a mask of no CPU");
}

static bool set_affinity(struct conf_call *call, void *field)
{
    struct main_cpus *affinity = field;
    cpu_set_t mask;

    affinity->place = conf_place(call, 0);
    affinity->automatic = span_is(conf_word(call, 1), "auto");
    if (affinity->automatic && conf_count(call) > 3)
        return conf_refuse(call, 3,
                           "invalid number of arguments in \"worker_cpu_affinity\" "
                           "directive");
    for (unsigned i = affinity->automatic ? 2 : 1; i < conf_count(call); i++)
        if (!read_mask(call, i, &mask) ||
            !conf_list_add(call, &affinity->masks, &mask, sizeof(mask)))
            return false;
    return true;
}

static bool set_memory_limit(struct conf_call *call, void *field)
{
    struct main_memory *memory = field;

    memory->place = conf_place(call, 1);
    return conf_offset.set(call, &memory->limit) &&
           (memory->limit > 0 || conf_refuse(call, 1, "invalid value \"0\""));
}

static bool set_load_module(struct conf_call *call, void *field)
{
    (void)field;
    conf_warn(call, 1,
              "modules are not loaded: what \"%s\" adds is built in, or refused where it stands",
              arena_cstr(conf_arena(call), conf_word(call, 1)));
    return true;
}

/* use METHOD: one that NGINX can have been built with here */
/* Only what could be meant here: `kqueue` is a configuration of another system. */
static bool set_use(struct conf_call *call, void *field)
{
    static const char *const methods[] = { "epoll", "poll", "select" };

    (void)field;
    for (size_t i = 0; i < COUNT(methods); i++)
        if (span_is(conf_word(call, 1), methods[i]))
            return true;
    return conf_refuse(call, 1, "invalid event type \"%s\"",
                       arena_cstr(conf_arena(call), conf_word(call, 1)));
}

static bool open_events(struct conf_call *call, void *field)
{
    struct generation *g = conf_user(call);
    unsigned module = module_index(g, &main_module);
    const struct main_settings *inner = settings_in(call->inner, module);

    (void)field;
    /* What stands inside belongs to the process, like all else here. */
    ((struct main_settings *)settings_in(call->block, module))->worker_connections =
        inner->worker_connections;
    return true;
}

static const struct conf_type user_type = { .set = set_user, .size = sizeof(struct main_user) };
static const struct conf_type processes_type = { .set = set_processes,
                                                 .size = sizeof(struct main_workers) };
static const struct conf_type priority_type = { .set = set_priority,
                                                .size = sizeof(struct main_priority) };
static const struct conf_type affinity_type = { .set = set_affinity,
                                                .size = sizeof(struct main_cpus) };
static const struct conf_type memory_type = { .set = set_memory_limit,
                                              .size = sizeof(struct main_memory) };
static const struct conf_type load_module_type = { .set = set_load_module, .many = true };
static const struct conf_type use_type = { .set = set_use };
static const struct conf_type events_type = { .set = open_events };
static const struct conf_range descriptors = { 0, 10000000 };
static const struct conf_range connections = { 1, 10000000 };

#define FIELD(name) offsetof(struct main_settings, name)

static const struct directive directives[] = {
    { "user", CTX_MAIN, 1, 2, &user_type, FIELD(user), "nobody", WHOLE,
      "whose rights a worker that was started as root keeps", 0, NULL },
    { "pid", CTX_MAIN, 1, 1, &conf_path, FIELD(pid), "bifrons.pid", WHOLE,
      "file with the process id", 0, NULL },
    { "worker_processes", CTX_MAIN, 1, 1, &processes_type, FIELD(workers), "1", WHOLE,
      "number of workers; `auto`: one for each CPU", 0, NULL },
    { "worker_cpu_affinity", CTX_MAIN, 1, ANY_ARGS, &affinity_type, FIELD(affinity), NULL, WHOLE,
      "CPUs of each worker in turn, as binary masks; `auto [MASK]`: one for each", 0, NULL },
    { "worker_priority", CTX_MAIN, 1, 1, &priority_type, FIELD(priority), "0", WHOLE,
      "nice value of workers", 0, NULL },
    { "worker_shutdown_timeout", CTX_MAIN, 1, 1, &conf_time, FIELD(shutdown_timeout), "0", WHOLE,
      "how long a worker that is asked to end waits for what it serves; 0: for ever", 0, NULL },
    { "master_process", CTX_MAIN, 1, 1, &conf_flag, FIELD(master_process), "on", WHOLE,
      "`off`: one process that serves by itself", 0, NULL },
    { "worker_rlimit_nofile", CTX_MAIN, 1, 1, &conf_number, FIELD(rlimit_nofile), "0", WHOLE,
      "most open descriptors", 0, &descriptors },
    { "memory_limit", CTX_MAIN, 1, 1, &memory_type, FIELD(memory), NULL, WHOLE,
      "most memory of all processes together; what cannot fit is refused", 0, NULL },
    { "load_module", CTX_MAIN, 1, 1, &load_module_type, 0, NULL, NONE,
      "no module is loaded; its directives are built in or refused", 0, NULL },
    { "daemon", CTX_MAIN, 1, 1, &conf_flag, FIELD(background), "off", WHOLE,
      "go to the background, once everything is ready", 0, NULL },
    { "sandbox", CTX_MAIN, 1, 1, &conf_flag, FIELD(sandbox.on), "on", WHOLE,
      "workers give up capabilities, programs, writing elsewhere, and odd system calls", 0, NULL },
    { "events", CTX_MAIN, 0, 0, &events_type, 0, NULL, NONE, "settings of the event loop",
      CTX_EVENTS, NULL },
    { "worker_connections", CTX_EVENTS, 1, 1, &conf_number, FIELD(worker_connections), NULL, WHOLE,
      "most connections of a worker, to clients and upstreams", 0, &connections },
    { "use", CTX_EVENTS, 1, 1, &conf_nothing, 0, NULL, NONE, "epoll is always used", 0, &use_type },
    { "multi_accept", CTX_EVENTS, 1, 1, &conf_nothing, 0, NULL, NONE,
      "connections are taken in batches", 0, &conf_flag },
    { "accept_mutex", CTX_EVENTS, 1, 1, &conf_nothing, 0, NULL, NONE, "not needed", 0, &conf_flag },
    { "accept_mutex_delay", CTX_EVENTS, 1, 1, &conf_nothing, 0, NULL, NONE, "not needed", 0,
      &conf_time },
    { "pcre_jit", CTX_MAIN, 1, 1, &conf_nothing, 0, NULL, NONE, "always on", 0, &conf_flag },
    { "worker_rlimit_core", CTX_MAIN, 1, 1, &conf_nothing, 0, NULL, NONE,
      "no core dumps are written", 0, &conf_offset },
    { "timer_resolution", CTX_MAIN, 1, 1, &conf_nothing, 0, NULL, NONE,
      "the clock is read once a turn", 0, &conf_time },
    { "lock_file", CTX_MAIN, 1, 1, &conf_nothing, 0, NULL, NONE, "not needed", 0, NULL },
    {},
};

static void add_cpus(struct generation *g, struct main_settings *s, const cpu_set_t *set)
{
    generation_list_add(g, &s->cpus, set, sizeof(*set));
}

/* Worker by worker the next CPU of the mask, of all of them without one. */
static void spread_cpus(struct generation *g, struct main_settings *s)
{
    cpu_set_t all;
    size_t cpu = CPU_SETSIZE - 1;

    if (s->affinity.masks.len > 0)
        all = *(cpu_set_t *)s->affinity.masks.items;
    else if (sched_getaffinity(0, sizeof(all), &all) < 0)
        return;
    for (uint32_t i = 0; i < s->workers.count; i++) {
        cpu_set_t one;

        do
            cpu = (cpu + 1) % CPU_SETSIZE;
        while (!CPU_ISSET(cpu, &all));
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        add_cpus(g, s, &one);
    }
}

static bool init(struct generation *g, struct conf *conf, void *settings)
{
    struct main_settings *s = settings;
    const struct conf_list *masks = &s->affinity.masks;

    if (s->affinity.automatic)
        spread_cpus(g, s);
    for (uint32_t i = 0; !s->affinity.automatic && i < masks->len; i++)
        add_cpus(g, s, (const cpu_set_t *)masks->items + i);
    if (!s->affinity.automatic && masks->len > 1 && masks->len != s->workers.count)
        conf_caution(conf, s->affinity.place,
                     "the number of \"worker_processes\" is not equal to the number of "
                     "\"worker_cpu_affinity\" masks, using last mask for remaining worker "
                     "processes");
    return true;
}

const struct module main_module = {
    .name = "main",
    .directives = directives,
    .settings_size = sizeof(struct main_settings),
    .init = init,
};
