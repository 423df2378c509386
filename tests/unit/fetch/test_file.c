/* fetch/file, fetch/root: static files, folders and their index (nginx-semantics 6.4, 6.5). */
#include "unit/support.h"

#include <sys/stat.h>

static char folder[64];

static void put(int at, const char *name, const char *text)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int open_folder(void **state)
{
    char lines[400];

    snprintf(folder, sizeof(folder), "/tmp/bifrons-file-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    int outer = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(outer, "secret.txt", "outside");
    mkdirat(outer, "www", 0755);
    int www = openat(outer, "www", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(www, "a.txt", "text");
    put(www, "noext", "plain");
    put(www, "index.html", "front");
    mkdirat(www, "dir", 0755);
    mkdirat(www, "dir/deep", 0755);
    mkdirat(www, "s p", 0755);
    put(www, "dir/second.html", "second");
    mkfifoat(www, "pipe", 0600);
    if (symlinkat("../secret.txt", www, "escape") | symlinkat("a.txt", www, "alias.html") |
        symlinkat("loop", www, "loop"))
        return -1;
    close(www);
    close(outer);
    stage_open(state);
    snprintf(lines, sizeof(lines),
             "root %s/www; index first.html second.html index.html; keepalive_timeout 0;", folder);
    stage_server(*state, lines);
    stage_serve(*state);
    return 0;
}

static int close_folder(void **state)
{
    static const char *const names[] = { "a.txt",    "noext",  "index.html", "dir/second.html",
                                         "pipe",     "escape", "alias.html", "loop",
                                         "dir/deep", "dir",    "s p",        "../secret.txt",
                                         "" };
    char path[200];

    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/www/%s", folder, names[i]);
        if (unlink(path) < 0)
            rmdir(path);
    }
    rmdir(folder);
    return stage_close(state);
}

static const struct {
    const char *method, *path;
    unsigned status;
    const char *want; /* somewhere in the answer */
} asks[] = {
    { "GET", "/a.txt", 200, "\r\n\r\ntext" },
    { "GET", "/a.txt?x=y", 200, "Content-Type: text/plain\r\n" },
    { "GET", "/%61.txt", 200, "text" },
    { "GET", "//dir/../a.txt", 200, "text" },
    { "GET", "/noext", 200, "Content-Type: text/plain\r\n" },
    { "GET", "/alias.html", 200, "Content-Type: text/html\r\n" }, /* a link inside the root */
    { "HEAD", "/a.txt", 200, "Content-Length: 4\r\n" },
    { "GET", "/", 200, "\r\n\r\nfront" },
    { "GET", "/dir/", 200, "\r\n\r\nsecond" },
    { "GET", "/dir/deep/", 403, "403 Forbidden" },
    { "GET", "/dir", 301, "Location: http://a.example:700/dir/\r\n" },
    { "GET", "/dir?x=y", 301, "Location: http://a.example:700/dir/?x=y\r\n" },
    { "GET", "/s%20p", 301, "Location: http://a.example:700/s%20p/\r\n" },
    { "POST", "/a.txt", 405, "405 Not Allowed" },
    { "POST", "/missing", 404, "404 Not Found" },
    { "PUT", "/a.txt", 405, "405 Not Allowed" },
    { "DELETE", "/missing", 405, "405 Not Allowed" },
    { "GET", "/missing", 404, "404 Not Found" },
    { "GET", "/missing/", 404, "404 Not Found" },
    { "GET", "/a.txt/", 404, "404 Not Found" },
    { "GET", "/a.txt/below", 404, "404 Not Found" },
    { "GET", "/escape", 200, "outside" }, /* the owner has put that link there (FILE-06) */
    { "GET", "/loop", 403, "403 Forbidden" },
    { "GET", "/pipe", 404, "404 Not Found" }, /* and it did not block */
    { "GET", "/../secret.txt", 400, "400 Bad Request" },
    { "GET", "/%2e%2e/secret.txt", 400, "400 Bad Request" },
    { "GET", "/..%2fsecret.txt", 400, "400 Bad Request" },
    { "GET", "/dir/..%5c..%5csecret.txt", 404, "404 Not Found" },
};

static void every_path_keeps_its_promise(void **state)
{
    for (size_t i = 0; i < COUNT(asks); i++) {
        char request[300], want[30];

        snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a.example\r\n\r\n",
                 asks[i].method, asks[i].path);
        snprintf(want, sizeof(want), "HTTP/1.1 %u ", asks[i].status);
        const char *got = stage_ask(*state, request);
        if (strncmp(got, want, strlen(want)) != 0 || strstr(got, asks[i].want) == NULL)
            fail_msg("%s %s: %s", asks[i].method, asks[i].path, got);
        if (strcmp(asks[i].path, "/escape") != 0)
            assert_has_not(got, "outside");
    }
}

static void a_name_too_long_is_not_found(void **state)
{
    char *request = malloc(8000);

    memset(request, 'x', 8000);
    memcpy(request, "GET /", 5);
    snprintf(request + 6000, 100, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_has(stage_ask(*state, request), "HTTP/1.1 404 ");
    free(request);
}

/* A deployment puts another folder in the root's place: seen within a second. */
static void another_folder_under_the_same_name_is_found(void **state)
{
    struct stage *s = *state;
    char path[100], other[100];

    assert_has(stage_ask(s, "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"), "\r\n\r\ntext");
    snprintf(path, sizeof(path), "%s/www", folder);
    snprintf(other, sizeof(other), "%s/old", folder);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    int at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put(at, "a.txt", "new");
    stage_pass(s, 1100);
    assert_has(stage_ask(s, "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"), "\r\n\r\nnew");
    unlinkat(at, "a.txt", 0);
    close(at);
    rmdir(path);
    stage_pass(s, 1100);
    assert_has(stage_ask(s, "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 404 ");
    assert_int_equal(rename(other, path), 0);
    stage_pass(s, 1100);
    assert_has(stage_ask(s, "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"), "\r\n\r\ntext");
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(every_path_keeps_its_promise),
        WITH_FOLDER(a_name_too_long_is_not_found),
        WITH_FOLDER(another_folder_under_the_same_name_is_found),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
