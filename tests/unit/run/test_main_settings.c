/* run/main_settings: what the process is told; what asks for more than there is today is refused or
 * warned of. */
#include "run/main_settings.h"
#include "unit/support.h"

static const struct main_settings *settings_of_text(struct stage *s, const char *text)
{
    char all[500];

    snprintf(all, sizeof(all), "%s\naccess_log off; server { listen 80; }", text);
    assert_string_equal(stage_load(s, all), "");
    return main_settings_of(s->worker.generation);
}

static void nothing_said_means_the_defaults(void **state)
{
    const struct main_settings *m = settings_of_text(*state, "");

    assert_span(m->user.name, "nobody");
    assert_int_equal(m->user.group.len, 0);
    assert_span(m->pid.path, "/proc/nonexistent/bifrons.pid");
    assert_int_equal(m->worker_connections, 0);
}

static void what_is_said_is_taken(void **state)
{
    const struct main_settings *m =
        settings_of_text(*state, "user www web; pid /run/x.pid; error_log stderr info;\n"
                                 "worker_rlimit_nofile 5000; events { worker_connections 99; }\n"
                                 "daemon off; worker_processes 1;");

    assert_span(m->user.name, "www");
    assert_span(m->user.group, "web");
    assert_span(m->pid.path, "/run/x.pid");
    assert_int_equal(m->rlimit_nofile, 5000);
    assert_int_equal(m->worker_connections, 99);
}

static const struct {
    const char *text, *want;
} said[] = {
    { "events { use epoll; }", "[warn] \"use\" is accepted and has no effect" },
    { "daemon on;", "\"daemon on\" is known, not supported yet" },
    { "daemon maybe;",
      "invalid value \"maybe\" in \"daemon\" directive, it must be \"on\" or \"off\"" },
    { "worker_processes 4;",
      "[warn] several worker processes are not supported yet: one is started" },
    { "worker_processes auto;", "[warn] several worker processes" },
    { "worker_processes 0;", "invalid value \"0\"" },
    { "events { worker_connections x; }", "invalid" },
    { "events { worker_connections 0; }", "value must be between 1 and 10000000" },
    { "server { user x; }", "\"user\" directive is not allowed here" },
    { "thread_pool x;", "\"thread_pool\" " },
    { "usr x;", "unknown directive \"usr\"" },
};

static void what_cannot_be_is_said(void **state)
{
    for (size_t i = 0; i < COUNT(said); i++) {
        char text[200];

        snprintf(text, sizeof(text), "access_log off; %s", said[i].text);
        assert_has(stage_load(*state, text), said[i].want);
    }
    assert_has(stage_load(*state, "usr x;"), "did you mean \"user\"?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(nothing_said_means_the_defaults),
        STAGED(what_is_said_is_taken),
        STAGED(what_cannot_be_is_said),
    };

    return cmocka_run_group_tests_name("main_settings", tests, NULL, NULL);
}
