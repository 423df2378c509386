/* The directives of the process. One worker in the foreground is what there is today; what asks for
 * more is refused or warned of, never ignored in silence. */
#include "run/main_settings.h"

#include "conf/types.h"

#include <unistd.h>

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

static bool set_processes(struct conf_call *call, void *field)
{
    uint64_t count = 0;

    (void)field;
    if (!span_is(conf_word(call, 1), "auto") &&
        (!conf_read_number(conf_word(call, 1), 1024, &count) || count == 0))
        return conf_refuse(call, 1, "invalid value \"%s\"",
                           arena_cstr(conf_arena(call), conf_word(call, 1)));
    if (count != 1)
        conf_warn(call, 1, "several worker processes are not supported yet: one is started");
    return true;
}

static bool set_load_module(struct conf_call *call, void *field)
{
    (void)field;
    conf_warn(call, 1,
              "modules are not loaded: what \"%s\" adds is built in, or refused where it stands",
              arena_cstr(conf_arena(call), conf_word(call, 1)));
    return true;
}

static bool set_daemon(struct conf_call *call, void *field)
{
    (void)field;
    if (span_is(conf_word(call, 1), "on"))
        return conf_refuse(call, 1, "\"daemon on\" is known, not supported yet");
    return span_is(conf_word(call, 1), "off") ||
           conf_refuse(call, 1,
                       "invalid value \"%s\" in \"daemon\" directive, it must be \"on\" or \"off\"",
                       arena_cstr(conf_arena(call), conf_word(call, 1)));
}

/* use METHOD: one that NGINX can have been built with here */
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
static const struct conf_type processes_type = { .set = set_processes };
static const struct conf_type load_module_type = { .set = set_load_module, .many = true };
static const struct conf_type daemon_type = { .set = set_daemon };
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
    { "worker_processes", CTX_MAIN, 1, 1, &processes_type, 0, NULL, NONE, "number of workers", 0,
      NULL },
    { "worker_rlimit_nofile", CTX_MAIN, 1, 1, &conf_number, FIELD(rlimit_nofile), "0", WHOLE,
      "most open descriptors", 0, &descriptors },
    { "load_module", CTX_MAIN, 1, 1, &load_module_type, 0, NULL, NONE,
      "no module is loaded; its directives are built in or refused", 0, NULL },
    { "daemon", CTX_MAIN, 1, 1, &daemon_type, 0, NULL, NONE, "go to the background", 0, NULL },
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

const struct module main_module = {
    .name = "main",
    .directives = directives,
    .settings_size = sizeof(struct main_settings),
};
