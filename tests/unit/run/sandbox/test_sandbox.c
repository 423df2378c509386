/* run/sandbox/sandbox: all parts together, entered by a process that is made for it. */
#include "run/sandbox/sandbox.h"

#include "run/manifest.h"
#include "run/sandbox/capabilities.h"
#include "unit/support.h"

#include <sys/prctl.h>
#include <sys/wait.h>

/* What the process says of itself, and what it logged. */
struct inside {
    char status[4096];
    char log[1024];
};

/* No line of it is made by the C library's streams: their memory is another process's by then. */
static void look(const char *name, char *text, size_t size)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, text, size - 1);

    text[len < 0 ? 0 : len] = '\0';
    if (fd >= 0)
        close(fd);
}

static void enter_and_look(struct stage *s, struct inside *in)
{
    struct sandbox_report report;
    struct buf messages, bytes;

    buf_init(&messages, 4096, NULL);
    buf_init(&bytes, 1024 * 1024, NULL);
    manifest_write(s->worker.generation, (struct span){ NULL, 0 }, &bytes);
    struct manifest *m = manifest_read(buf_view(&bytes));
    assert_non_null(m);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    bool good = sandbox_enter(m, &report, &messages);
    sandbox_say(&report, &s->log);
    look("/proc/self/status", in->status, sizeof(in->status));
    ssize_t len = pread(s->log_file.to.fd, in->log, sizeof(in->log) - 1, 0);
    in->log[len < 0 ? 0 : len] = '\0';
    _exit(good ? 0 : 1);
}

static const struct inside *enter(struct stage *s, const char *text)
{
    struct inside *in =
        mmap(NULL, sizeof(*in), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;

    assert_ptr_not_equal(in, MAP_FAILED);
    assert_string_equal(stage_load(s, text), "");
    pid_t child = fork();
    if (child == 0)
        enter_and_look(s, in);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return in;
}

static void leave(const struct inside *in)
{
    munmap((void *)(uintptr_t)in, sizeof(*in));
}

static void it_is_on_unless_it_is_turned_off(void **state)
{
    const struct inside *in =
        enter(*state, "error_log stderr; access_log off; server { listen 80; }");

    assert_has(in->status, "\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
    assert_has(in->status, "\nCapInh:\t0000000000000000\n");
    assert_has(in->status, "\nCapAmb:\t0000000000000000\n");
    if (strstr(in->log, "has no seccomp") == NULL)
        assert_has(in->status, "\nSeccomp:\t2\n");
    assert_has(in->log, "[info] ");
    assert_has(in->log, "sandbox: on, capabilities: none");
    leave(in);
}

static void turned_off_it_leaves_all_as_it_is(void **state)
{
    const struct inside *in =
        enter(*state, "sandbox off; error_log stderr; access_log off; server { listen 80; }");

    assert_has(in->status, "\nSeccomp:\t0\n");
    assert_has(in->log, "[notice] ");
    assert_has(in->log, "sandbox: off");
    leave(in);
}

static void it_is_of_the_process_and_on_or_off(void **state)
{
    struct stage *s = *state;

    assert_has(stage_load(s, "sandbox maybe; access_log off;"),
               "invalid value \"maybe\" in \"sandbox\" directive, it must be \"on\" or \"off\"");
    assert_has(stage_load(s, "access_log off; server { sandbox off; }"),
               "\"sandbox\" directive is not allowed here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(it_is_on_unless_it_is_turned_off),
        STAGED(turned_off_it_leaves_all_as_it_is),
        STAGED(it_is_of_the_process_and_on_or_off),
    };

    return cmocka_run_group_tests_name("run_sandbox_sandbox", tests, NULL, NULL);
}
