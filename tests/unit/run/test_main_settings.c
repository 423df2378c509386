/* run/main_settings: what the process is told, and what it refuses. */
#include "run/main_settings.h"
#include "unit/support.h"

#include <sched.h>

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
    assert_int_equal(m->workers.count, 1);
    assert_int_equal(m->cpus.len, 0);
    assert_true(m->master_process && !m->background);
}

static void workers_are_counted_and_placed(void **state)
{
    const struct main_settings *m = settings_of_text(*state, "worker_processes 2;");

    assert_int_equal(m->workers.count, 2);
    m = settings_of_text(*state, "worker_processes auto; worker_priority -5; "
                                 "worker_shutdown_timeout 3s; daemon on; master_process off;");
    assert_in_range(m->workers.count, 1, 1024);
    assert_int_equal(m->priority.nice, -5);
    assert_int_equal(m->shutdown_timeout, 3000);
    assert_true(m->background && !m->master_process);
    m = settings_of_text(*state, "worker_processes 2; worker_cpu_affinity 0101 10;");
    const cpu_set_t *sets = m->cpus.items;
    assert_int_equal(m->cpus.len, 2);
    assert_true(CPU_COUNT(&sets[0]) == 2 && CPU_ISSET(0, &sets[0]) && CPU_ISSET(2, &sets[0]));
    assert_true(CPU_COUNT(&sets[1]) == 1 && CPU_ISSET(1, &sets[1]));
    m = settings_of_text(*state, "worker_cpu_affinity auto 1010; worker_processes 3;");
    sets = m->cpus.items;
    assert_int_equal(m->cpus.len, 3);
    assert_true(CPU_ISSET(1, &sets[0]) && CPU_ISSET(3, &sets[1]) && CPU_ISSET(1, &sets[2]));
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
    { "daemon maybe;",
      "invalid value \"maybe\" in \"daemon\" directive, it must be \"on\" or \"off\"" },
    { "worker_processes 1025;", "invalid value \"1025\"" },
    { "worker_priority 21;", "invalid priority \"21\": -20 to 20 was expected" },
    { "worker_cpu_affinity 012;", "invalid character \"2\" in \"worker_cpu_affinity\"" },
    { "worker_cpu_affinity 000;", "a mask of no CPU" },
    { "worker_cpu_affinity auto 1 1;", "invalid number of arguments" },
    { "worker_processes 3; worker_cpu_affinity 01 10;",
      "[warn] the number of \"worker_processes\" is not equal to the number of "
      "\"worker_cpu_affinity\" masks, using last mask for remaining worker processes" },
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
        STAGED(workers_are_counted_and_placed),
        STAGED(what_cannot_be_is_said),
    };

    return cmocka_run_group_tests_name("main_settings", tests, NULL, NULL);
}
