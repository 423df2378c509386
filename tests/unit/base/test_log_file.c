/* base/log_file: where neither root nor a peer may lead, and what is known of a descriptor. */
#include "base/log_file.h"
#include "unit/base/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/bifrons-log-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static const char *in_folder(const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static int teardown(void **state)
{
    static const char *const names[] = { "log", "other", "link", "" };

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        if (unlink(in_folder(names[i])) < 0)
            rmdir(in_folder(names[i]));
    return 0;
}

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

/* Whoever may write to the folder chooses what names in it are; root does not follow him. */
static void root_opens_neither_a_link_nor_a_file_with_two_names(void **state)
{
    struct log_file f = { .fd = -7 };
    bool root = geteuid() == 0;

    (void)state;
    assert_int_equal(symlink(in_folder("other"), in_folder("link")), 0);
    assert_int_equal(log_file_open(in_folder("link"), &f), root ? -ELOOP : 0);
    if (!root)
        log_file_close(&f);
    else
        assert_int_equal(access(in_folder("other"), F_OK), -1);
    unlink(in_folder("link"));
    write_file(in_folder("log"));
    assert_int_equal(log_file_open(in_folder("log"), &f), 0);
    log_file_close(&f);
    f.fd = -7;
    assert_int_equal(link(in_folder("log"), in_folder("link")), 0);
    assert_int_equal(log_file_open(in_folder("link"), &f), root ? -EMLINK : 0);
    assert_true(!root || f.fd == -7);
    if (!root)
        log_file_close(&f);
}

static void beneath_a_folder_only_its_own_files_are_opened(void **state)
{
    struct log_file f = { .fd = -7 };

    (void)state;
    assert_int_equal(symlink("log", in_folder("link")), 0);
    assert_int_equal(log_file_open_beneath(folder, "link", &f), -ELOOP);
    assert_int_equal(log_file_open_beneath(folder, "../x", &f), -EXDEV);
    assert_int_equal(log_file_open_beneath(folder, "/tmp/x", &f), -EXDEV);
    assert_int_equal(log_file_open_beneath("/nonexistent", "x", &f), -ENOENT);
    assert_int_equal(mkfifo(in_folder("other"), 0600), 0);
    assert_int_equal(log_file_open_beneath(folder, "other", &f), -EPERM);
    assert_int_equal(f.fd, -7);
    assert_int_equal(log_file_open_beneath(folder, "log", &f), 0);
    log_file_close(&f);
}

static void our_own_output_is_known_to_block_or_not_once_it_is_open(void **state)
{
    int before = dup(STDERR_FILENO), ends[2];
    struct log_file f;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    int failed = log_file_open("stderr", &f);
    int inherited = fcntl(STDERR_FILENO, F_GETFL, 0);
    dup2(before, STDERR_FILENO);
    assert_int_equal(failed, 0);
    assert_true(f.may_block || (fcntl(f.fd, F_GETFL, 0) & O_NONBLOCK) != 0);
    assert_int_equal(inherited & O_NONBLOCK, 0); /* others have it, too */
    assert_true(f.fd > STDERR_FILENO);
    log_file_close(&f);
    log_file_close(&f); /* harmless */
    close(before);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(root_opens_neither_a_link_nor_a_file_with_two_names),
        IN_FOLDER(beneath_a_folder_only_its_own_files_are_opened),
        IN_FOLDER(our_own_output_is_known_to_block_or_not_once_it_is_open),
    };

    return cmocka_run_group_tests_name("log_file", tests, NULL, NULL);
}
