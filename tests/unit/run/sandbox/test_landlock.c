/* run/sandbox/landlock: what may still be written. Each attempt is made by a process of its own,
 * which has entered the rules. */
#include "run/sandbox/landlock.h"

#include "unit/base/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* FOLDER/temp: to write; FOLDER/logs/a.log and FOLDER/link, a link to FOLDER/real/b.log: logs;
 * FOLDER/other: neither. */
static char folder[64];
static const char *const folders[] = { "temp", "logs", "real", "other" };

static const char *below(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];

    if (name[0] == '/')
        return name;
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void make_file(const char *name)
{
    FILE *f = fopen(below(name), "we");

    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/bifrons-landlock-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    for (size_t i = 0; i < COUNT(folders); i++)
        assert_int_equal(mkdir(below(folders[i]), 0755), 0);
    make_file("logs/a.log");
    make_file("real/b.log");
    make_file("other/file");
    return symlink(below("real/b.log"), below("link"));
}

static int close_folder(void **state)
{
    static const char *const names[] = { "temp/new",   "temp/folder", "logs/new",   "logs/a.log",
                                         "real/b.log", "real/new",    "other/file", "link" };

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        remove(below(names[i]));
    for (size_t i = 0; i < COUNT(folders); i++)
        rmdir(below(folders[i]));
    return rmdir(folder);
}

/* --- attempts: 0 or the error --------------------------------------------------------------- */

static int open_to_write(const char *path, int flags)
{
    return open(path, O_WRONLY | O_CLOEXEC | flags, 0600) < 0 ? errno : 0;
}

static int make_new(const char *path)
{
    return open_to_write(path, O_CREAT | O_EXCL);
}

static int append(const char *path)
{
    return open_to_write(path, O_APPEND);
}

static int cut(const char *path)
{
    return truncate(path, 0) < 0 ? errno : 0;
}

static int make_nameless(const char *path)
{
    return open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) < 0 ? errno : 0;
}

static int make_folder(const char *path)
{
    return mkdir(path, 0700) < 0 ? errno : 0;
}

static int make_link(const char *path)
{
    return symlink("/etc/passwd", path) < 0 ? errno : 0;
}

static int remove_file(const char *path)
{
    return unlink(path) < 0 ? errno : 0;
}

static int read_file(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static int run_program(const char *path)
{
    char *const args[] = { NULL };

    execv(path, args);
    return errno;
}

/* The parent stands outside: no signal may reach it. */
static int send_signal(const char *path)
{
    (void)path;
    return kill(getppid(), 0) < 0 ? errno : 0;
}

enum { NOT_ENTERED = 200, TOO_OLD = 201 };

static void enter(void)
{
    struct landlock l;
    int failed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : landlock_open(&l);

    if (failed == -ENOSYS || failed == -EOPNOTSUPP)
        _exit(TOO_OLD);
    if (failed < 0 || landlock_let_write(&l, below("temp")) < 0 ||
        landlock_let_write(&l, below("missing")) < 0 ||
        landlock_let_log(&l, below("logs/a.log")) < 0 ||
        landlock_let_log(&l, below("missing/c.log")) < 0 ||
        landlock_let_log(&l, below("link")) < 0 || landlock_let_log(&l, "/dev/full") < 0 ||
        landlock_enter(&l) < 0)
        _exit(NOT_ENTERED);
}

static int attempt(int (*fn)(const char *path), const char *name)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        enter();
        _exit(fn(below(name)));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), NOT_ENTERED);
    if (WEXITSTATUS(status) == TOO_OLD)
        skip();
    return WEXITSTATUS(status);
}

/* --- promises ------------------------------------------------------------------------------- */

static void our_own_folders_are_written(void **state)
{
    (void)state;
    assert_int_equal(attempt(make_nameless, "temp"), 0);
    assert_int_equal(attempt(make_new, "temp/new"), 0);
    assert_int_equal(attempt(cut, "temp/new"), 0);
    assert_int_equal(attempt(remove_file, "temp/new"), 0);
    assert_int_equal(attempt(make_folder, "temp/folder"), 0);
    assert_int_equal(attempt(make_link, "temp/link"), EACCES);
}

static void logs_are_opened_anew_and_never_removed(void **state)
{
    (void)state;
    assert_int_equal(attempt(append, "logs/a.log"), 0);
    assert_int_equal(attempt(make_new, "logs/new"), 0);
    assert_int_equal(attempt(remove_file, "logs/a.log"), EACCES);
    assert_int_equal(attempt(append, "link"), 0);
    assert_int_equal(attempt(make_new, "real/new"), 0); /* where the link leads */
}

static void a_device_is_allowed_without_its_folder(void **state)
{
    (void)state;
    assert_int_equal(attempt(append, "/dev/full"), 0);
    assert_int_equal(attempt(append, "/dev/null"), EACCES);
}

static void elsewhere_files_are_only_read(void **state)
{
    (void)state;
    assert_int_equal(attempt(read_file, "other/file"), 0);
    assert_int_equal(attempt(append, "other/file"), EACCES);
    assert_int_equal(attempt(make_new, "other/new"), EACCES);
    assert_int_equal(attempt(remove_file, "other/file"), EACCES);
    assert_int_equal(attempt(make_folder, "other/folder"), EACCES);
    assert_int_equal(attempt(make_new, "new"), EACCES);
}

static void nothing_is_executed(void **state)
{
    (void)state;
    assert_int_equal(attempt(run_program, "/bin/true"), EACCES);
}

static void no_signal_leaves(void **state)
{
    int error = attempt(send_signal, "/");

    (void)state;
    if (error == 0)
        skip(); /* a kernel before 6.12 */
    assert_int_equal(error, EPERM);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(our_own_folders_are_written),
        IN_FOLDER(logs_are_opened_anew_and_never_removed),
        IN_FOLDER(a_device_is_allowed_without_its_folder),
        IN_FOLDER(elsewhere_files_are_only_read),
        IN_FOLDER(nothing_is_executed),
        IN_FOLDER(no_signal_leaves),
    };

    return cmocka_run_group_tests_name("run_sandbox_landlock", tests, NULL, NULL);
}
