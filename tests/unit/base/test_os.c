/* base/os: files beneath a root, files without a name, memory that is sealed. */
#include "base/os.h"
#include "unit/base/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct room {
    char path[64];
    int root;
};

static void make_file(int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof(*r));

    snprintf(r->path, sizeof(r->path), "/tmp/bifrons-os-XXXXXX");
    if (mkdtemp(r->path) == NULL)
        return -1;
    int outer = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_file(outer, "secret", "outside");
    mkdirat(outer, "root", 0700);
    r->root = openat(outer, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(outer);
    make_file(r->root, "page", "inside");
    mkdirat(r->root, "sub", 0700);
    *state = r;
    return symlinkat("../secret", r->root, "up") | symlinkat("/etc/passwd", r->root, "absolute") |
           symlinkat("page", r->root, "alias") | symlinkat("..", r->root, "parent");
}

static int teardown(void **state)
{
    static const char *const names[] = { "page", "up", "absolute", "alias", "parent" };
    struct room *r = *state;

    for (size_t i = 0; i < COUNT(names); i++)
        unlinkat(r->root, names[i], 0);
    unlinkat(r->root, "sub", AT_REMOVEDIR);
    close(r->root);
    int outer = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unlinkat(outer, "root", AT_REMOVEDIR);
    unlinkat(outer, "secret", 0);
    close(outer);
    rmdir(r->path);
    free(r);
    return 0;
}

static const struct {
    const char *path;
    int want; /* 0: opened */
} ways[] = {
    { "page", 0 },
    { "./sub/../page", 0 },
    { "alias", 0 },
    { ".", 0 },
    { "up", -EXDEV },
    { "absolute", -EXDEV },
    { "../secret", -EXDEV },
    { "sub/../../secret", -EXDEV },
    { "parent/secret", -EXDEV },
    { "/etc/passwd", -EXDEV },
    { "sub/../..", -EXDEV },
    { "missing", -ENOENT },
    { "page/below", -ENOTDIR },
};

static void nothing_leads_out_of_the_root(void **state)
{
    struct room *r = *state;

    for (size_t i = 0; i < COUNT(ways); i++) {
        int fd = os_open_beneath(r->root, ways[i].path, O_RDONLY);

        if ((fd < 0 ? fd : 0) != ways[i].want)
            fail_msg("%s: %d", ways[i].path, fd);
        if (fd >= 0) {
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            close(fd);
        }
    }
    int fd = os_open_in(r->root, "up", O_RDONLY); /* NGINX's meaning of a root */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(os_open_in(r->root, "missing", O_RDONLY), -ENOENT);
}

static void a_temporary_file_has_no_name(void **state)
{
    struct room *r = *state;
    struct stat st;
    int fd = os_temp_file(r->path);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(os_temp_file("/nonexistent"), -ENOENT);
}

static void sealed_memory_cannot_be_changed(void **state)
{
    int fd = os_sealed_memory("test", span_of("for ever"));
    char text[16] = "";

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "never", 5, 0), -1);
    assert_int_equal(ftruncate(fd, 2), -1);
    assert_int_equal(ftruncate(fd, 100), -1);
    assert_ptr_equal(mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1); /* not even more seals */
    assert_int_equal(pread(fd, text, sizeof(text), 0), 8);
    assert_string_equal(text, "for ever");
    close(fd);
}

static void a_file_is_read_whole_or_refused(void **state)
{
    struct room *r = *state;
    char path[96], *data = NULL;

    snprintf(path, sizeof(path), "%s/secret", r->path);
    assert_int_equal(os_read_file(path, 7, &data), 7); /* "outside": as large as is allowed */
    assert_memory_equal(data, "outside", 7);
    free(data);
    data = path;
    assert_int_equal(os_read_file(path, 6, &data), -EFBIG);
    assert_int_equal(os_read_file(r->path, 100, &data), -EISDIR);
    assert_int_equal(os_read_file("/nonexistent", 100, &data), -ENOENT);
    snprintf(path, sizeof(path), "%s/pipe", r->path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(os_read_file(path, 100, &data), -ENOTSUP); /* and not waited for */
    assert_int_equal(unlink(path), 0);
    assert_ptr_equal(data, path); /* untouched */
}

/* A file of /proc says that it has no bytes. */
static void a_file_without_a_size_is_read_whole_or_refused(void **state)
{
    struct room *r = *state;
    char path[96], *data = NULL;

    ssize_t len = os_read_file("/proc/self/smaps", 16 << 20, &data);
    assert_true(len > 4096);
    free(data);
    len = os_read_file("/proc/self/stat", 4000, &data);
    if (len <= 0)
        fail_msg("under its maximum, but %zd", len);
    free(data);
    assert_int_equal(os_read_file("/proc/self/stat", 3, &data), -EFBIG);
    snprintf(path, sizeof(path), "%s/root/page", r->path);
    make_file(r->root, "page", "");
    assert_int_equal(os_read_file(path, 10, &data), 0);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_leads_out_of_the_root, setup, teardown),
        cmocka_unit_test_setup_teardown(a_temporary_file_has_no_name, setup, teardown),
        cmocka_unit_test(sealed_memory_cannot_be_changed),
        cmocka_unit_test_setup_teardown(a_file_is_read_whole_or_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_without_a_size_is_read_whole_or_refused, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("os", tests, NULL, NULL);
}
