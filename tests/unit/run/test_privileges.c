/* run/privileges, run/pidfile: folders that are made before rights are dropped, and the pid
 * file. */
#include "run/main_settings.h"
#include "run/pidfile.h"
#include "run/privileges.h"
#include "unit/support.h"

#include <errno.h>
#include <sys/stat.h>

static char folder[64];

static int open_folder(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/bifrons-run-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : stage_open(state);
}

static int close_folder(void **state)
{
    static const char *const names[] = { "x.pid",   "deep/er/body", "deep/er/logs",
                                         "deep/er", "deep",         "run",
                                         "" };
    char path[200];

    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (unlink(path) < 0)
            rmdir(path);
    }
    return stage_close(state);
}

static mode_t mode_of(const char *name)
{
    char path[200];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static bool make(struct stage *s, const char *prefix, struct buf *said)
{
    struct folder_request request = { .prefix = span_of(prefix), .pid = true };

    buf_clear(said);
    bool good = privileges_make_folders(s->worker.generation, &request, said);
    buf_add_byte(said, '\0');
    return good;
}

static void below_the_prefix_folders_are_made_with_those_above_them(void **state)
{
    struct stage *s = *state;
    char text[1000], prefix[100];
    struct buf said;

    umask(022);
    snprintf(prefix, sizeof(prefix), "%s/", folder);
    snprintf(text, sizeof(text),
             "user root; pid %1$s/run/x.pid; error_log stderr; client_body_temp_path "
             "%1$s/deep/er/body;\n"
             "access_log off; server { listen 80; access_log %1$s/deep/er/logs/a.log; }",
             folder);
    stage_load(s, text);
    assert_int_equal(mode_of("deep"), 0);
    buf_init(&said, 4096, NULL);
    assert_true(make(s, prefix, &said));
    assert_string_equal(said.data, "");
    assert_int_equal(mode_of("run"), 0755);
    assert_int_equal(mode_of("deep/er"), 0755);
    assert_int_equal(mode_of("deep/er/logs"), 0755);
    assert_int_equal(mode_of("deep/er/body"), 0700); /* bodies of requests are nobody else's */
    assert_true(make(s, prefix, &said));             /* they may be there */
    buf_done(&said);
}

static void elsewhere_only_the_last_folder_of_temporary_files_is_made(void **state)
{
    struct stage *s = *state;
    char text[1000];
    struct buf said;

    snprintf(text, sizeof(text),
             "user root; pid %1$s/run/x.pid; error_log stderr; client_body_temp_path %1$s/deep;\n"
             "access_log off; server { listen 80; access_log %1$s/logs/a.log; }",
             folder);
    stage_load(s, text);
    buf_init(&said, 4096, NULL);
    assert_true(make(s, "/some/where/else/", &said));
    assert_int_equal(mode_of("deep"), 0700);
    assert_int_equal(mode_of("run"), 0);
    assert_int_equal(mode_of("logs"), 0);
    buf_done(&said);
}

static void a_folder_that_cannot_be_made_is_said_at_its_line(void **state)
{
    struct stage *s = *state;
    struct buf said;

    assert_string_equal(
        stage_load(
            s, "user root; pid /tmp/x; error_log stderr;\nclient_body_temp_path /proc/no/such;\n"
               "access_log off; server { listen 80; }"),
        "");
    buf_init(&said, 4096, NULL);
    assert_false(make(s, "/proc/", &said));
    assert_has(said.data, "bifrons: [emerg] mkdir(\"/proc/no/such\") failed (");
    assert_has(said.data, " in /etc/test.conf:2\n/etc/test.conf:2:1\n");
    if (geteuid() == 0) {
        stage_load(s, "error_log stderr; pid /tmp/x;\nuser no.such.user;\naccess_log off;");
        assert_false(make(s, "/proc/", &said));
        assert_has(said.data, "getpwnam(\"no.such.user\") failed (2: No such file or directory) in "
                              "/etc/test.conf:2\n");
    }
    buf_done(&said);
}

static void the_pid_file_is_there_until_it_is_removed(void **state)
{
    struct pidfile p;
    char path[200], text[32] = "", want[32];

    (void)state;
    snprintf(path, sizeof(path), "%s/x.pid", folder);
    assert_int_equal(pidfile_write(span_of(path), &p), 0);
    FILE *f = fopen(path, "re");
    assert_non_null(fgets(text, sizeof(text), f));
    fclose(f);
    snprintf(want, sizeof(want), "%d\n", getpid());
    assert_string_equal(text, want);
    pidfile_remove(&p);
    assert_int_equal(access(path, F_OK), -1);
    pidfile_remove(&p); /* harmless */
    assert_int_equal(pidfile_write(span_of("/nonexistent/x"), &p), -ENOENT);
}

static void the_pid_file_of_another_stays(void **state)
{
    struct pidfile p;
    char path[200];

    (void)state;
    snprintf(path, sizeof(path), "%s/x.pid", folder);
    assert_int_equal(pidfile_write(span_of(path), &p), 0);
    FILE *f = fopen(path, "we");
    assert_true(fputs("1\n", f) >= 0);
    fclose(f);
    pidfile_remove(&p);
    assert_int_equal(access(path, F_OK), 0);
}

static void a_pid_file_is_held_by_its_owner(void **state)
{
    struct pidfile p, other;
    pid_t pid = 0;
    char path[200];

    (void)state;
    snprintf(path, sizeof(path), "%s/x.pid", folder);
    assert_int_equal(pidfile_read(path, &pid), -ENOENT);
    assert_int_equal(pidfile_write(span_of(path), &p), 0);
    assert_int_equal(pidfile_read(path, &pid), 0);
    assert_int_equal(pid, getpid());
    assert_int_equal(pidfile_write(span_of(path), &other), -EBUSY);
    pidfile_remove(&p);

    FILE *f = fopen(path, "we"); /* nobody holds this one: it is only a hint */
    assert_true(fputs("1\n", f) >= 0);
    fclose(f);
    assert_int_equal(pidfile_read(path, &pid), -ESRCH);
    assert_int_equal(pid, 1);
    assert_int_equal(pidfile_write(span_of(path), &p), 0);
    pidfile_remove(&p);
    assert_int_equal(pidfile_write(span_of("/dev/null"), &p), 0); /* none is wanted */
    assert_int_equal(mode_of("x.pid"), 0);
}

static void a_guarded_pid_file_is_removed_too(void **state)
{
    struct pidfile p;
    char path[200];

    (void)state;
    snprintf(path, sizeof(path), "%s/x.pid", folder);
    assert_int_equal(pidfile_write(span_of(path), &p), 0);
    assert_int_equal(pidfile_guard(&p), 0);
    assert_int_equal(access(path, F_OK), 0);
    pidfile_remove(&p);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_pid_file_that_is_a_link_is_not_followed(void **state)
{
    struct pidfile p;
    char path[200];

    (void)state;
    snprintf(path, sizeof(path), "%s/x.pid", folder);
    assert_int_equal(symlink("/tmp/bifrons-must-not-be", path), 0);
    assert_int_equal(pidfile_write(span_of(path), &p), -ELOOP);
    assert_int_equal(access("/tmp/bifrons-must-not-be", F_OK), -1);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(below_the_prefix_folders_are_made_with_those_above_them),
        IN_FOLDER(elsewhere_only_the_last_folder_of_temporary_files_is_made),
        IN_FOLDER(a_folder_that_cannot_be_made_is_said_at_its_line),
        IN_FOLDER(the_pid_file_is_there_until_it_is_removed),
        IN_FOLDER(the_pid_file_of_another_stays),
        IN_FOLDER(a_pid_file_is_held_by_its_owner),
        IN_FOLDER(a_guarded_pid_file_is_removed_too),
        IN_FOLDER(a_pid_file_that_is_a_link_is_not_followed),
    };

    return cmocka_run_group_tests_name("privileges", tests, NULL, NULL);
}
