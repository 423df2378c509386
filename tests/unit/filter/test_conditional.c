/* filter/conditional, filter/range: 304, 412, 206, 416 of a file (nginx-semantics 6.8, 6.9), over
 * the whole trip. */
#include "unit/support.h"

#include <sys/stat.h>

enum { MTIME = 1795552587 }; /* Tue, 24 Nov 2026 20:36:27 GMT */
#define SAME "Tue, 24 Nov 2026 20:36:27 GMT"
#define OLDER "Tue, 24 Nov 2026 20:36:26 GMT"
#define NEWER "Tue, 24 Nov 2026 20:36:28 GMT"
#define TAG "\"6b05f54b-1a\"" /* hex of MTIME and 26 */

static char folder[64];

static int open_folder(void **state)
{
    struct timespec times[2] = { { .tv_sec = MTIME }, { .tv_sec = MTIME } };
    char lines[200];

    snprintf(folder, sizeof(folder), "/tmp/bifrons-filter-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(at, "f.txt", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (write(fd, "abcdefghijklmnopqrstuvwxyz", 26) != 26 || futimens(fd, times) < 0)
        return -1;
    close(fd);
    close(openat(at, "empty", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    close(at);
    stage_open(state);
    snprintf(lines, sizeof(lines), "root %s; keepalive_timeout 0;", folder);
    stage_server(*state, lines);
    stage_serve(*state);
    return 0;
}

static int close_folder(void **state)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    unlinkat(at, "f.txt", 0);
    unlinkat(at, "empty", 0);
    close(at);
    rmdir(folder);
    return stage_close(state);
}

static const char *ask(struct stage *s, const char *method, const char *path, const char *fields)
{
    char request[1000];

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, path, fields);
    return stage_ask(s, request);
}

static unsigned status_of(const char *answer)
{
    unsigned status = 0;

    assert_int_equal(sscanf(answer, "HTTP/1.1 %3u ", &status), 1);
    return status;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static const struct {
    const char *fields;
    unsigned status;
} conditions[] = {
    { "", 200 },
    { "If-Modified-Since: " SAME "\r\n", 304 },
    { "If-Modified-Since: " NEWER "\r\n", 200 }, /* equality, not order */
    { "If-Modified-Since: " OLDER "\r\n", 200 },
    { "If-Modified-Since: Tuesday, 24-Nov-26 20:36:27 GMT\r\n", 304 },
    { "If-Modified-Since: yesterday\r\n", 200 },
    { "If-None-Match: " TAG "\r\n", 304 },
    { "If-None-Match: W/" TAG "\r\n", 304 },
    { "If-None-Match: \"x\", " TAG "\r\n", 304 },
    { "If-None-Match: *\r\n", 304 },
    { "If-None-Match: \"x\"\r\n", 200 },
    { "If-None-Match: " TAG "\r\nIf-Modified-Since: " SAME "\r\n", 304 },
    { "If-None-Match: " TAG "\r\nIf-Modified-Since: " OLDER "\r\n", 200 }, /* both must say so */
    { "If-None-Match: \"x\"\r\nIf-Modified-Since: " SAME "\r\n", 200 },
    { "If-Match: " TAG "\r\n", 200 },
    { "If-Match: *\r\n", 200 },
    { "If-Match: \"x\"\r\n", 412 },
    { "If-Match: W/" TAG "\r\n", 412 }, /* the strong comparison */
    { "If-Unmodified-Since: " SAME "\r\n", 200 },
    { "If-Unmodified-Since: " NEWER "\r\n", 200 },
    { "If-Unmodified-Since: " OLDER "\r\n", 412 },
    { "If-Unmodified-Since: nonsense\r\n", 412 },
    { "If-Unmodified-Since: " OLDER "\r\nIf-Match: " TAG "\r\n", 412 },
    { "If-Match: " TAG "\r\nIf-None-Match: " TAG "\r\n", 304 },
    { "If-Match: \"x\"\r\nIf-None-Match: " TAG "\r\n", 412 },
    { "If-None-Match: " TAG "\r\nRange: bytes=0-1\r\n", 304 }, /* wins over the range */
};

static void conditions_keep_their_promises(void **state)
{
    for (size_t i = 0; i < COUNT(conditions); i++) {
        const char *got = ask(*state, "GET", "/f.txt", conditions[i].fields);

        if (status_of(got) != conditions[i].status)
            fail_msg("%s: %u, want %u", conditions[i].fields, status_of(got), conditions[i].status);
        if (conditions[i].status == 200)
            assert_string_equal(body_of(got), "abcdefghijklmnopqrstuvwxyz");
    }
}

static void a_304_drops_what_tells_of_the_body(void **state)
{
    const char *got = ask(*state, "GET", "/f.txt", "If-None-Match: *\r\n");

    assert_has(got, "ETag: " TAG "\r\n");
    assert_has(got, "Last-Modified: " SAME "\r\n");
    assert_has_not(got, "Content-Type");
    assert_has_not(got, "Content-Length");
    assert_has_not(got, "Accept-Ranges");
    assert_string_equal(body_of(got), "");
    got = ask(*state, "GET", "/f.txt", "If-Match: \"x\"\r\n");
    assert_has_not(got, "ETag");
    assert_has(got, "<h1>412 Precondition Failed</h1>");
}

static void conditions_hold_for_answers_of_200_alone(void **state)
{
    assert_int_equal(status_of(ask(*state, "GET", "/missing", "If-Match: \"x\"\r\n")), 404);
    assert_int_equal(status_of(ask(*state, "GET", "/missing", "If-None-Match: *\r\n")), 404);
    assert_int_equal(status_of(ask(*state, "HEAD", "/f.txt", "If-None-Match: *\r\n")), 304);
}

static const struct {
    const char *range;
    unsigned status;
    const char *content_range, *body; /* NULL: not looked at */
} ranges[] = {
    { "bytes=0-0", 206, "bytes 0-0/26", "a" },
    { "bytes=23-", 206, "bytes 23-25/26", "xyz" },
    { "bytes=23-999", 206, "bytes 23-25/26", "xyz" },
    { "bytes=-3", 206, "bytes 23-25/26", "xyz" },
    { "bytes=-999", 206, "bytes 0-25/26", "abcdefghijklmnopqrstuvwxyz" },
    { "bytes=0-25", 206, "bytes 0-25/26", "abcdefghijklmnopqrstuvwxyz" },
    { "BYTES= 1 - 2 ", 206, "bytes 1-2/26", "bc" },
    { "bytes=26-", 416, "bytes */26", NULL },
    { "bytes=-0", 416, "bytes */26", NULL },
    { "bytes=5-4", 416, "bytes */26", NULL },
    { "bytes=a-b", 416, "bytes */26", NULL },
    { "bytes=1-2,", 416, "bytes */26", NULL },
    { "bytes=5-4,7-7", 206, "bytes 7-7/26", "h" }, /* what is empty is skipped */
    { "bytes=", 200, NULL, "abcdefghijklmnopqrstuvwxyz" },
    { "lines=1-2", 200, NULL, "abcdefghijklmnopqrstuvwxyz" },
    { "bytes=0-1,3-4", 200, NULL,
      "abcdefghijklmnopqrstuvwxyz" }, /* several parts: the whole, for now */
};

static void ranges_keep_their_promises(void **state)
{
    for (size_t i = 0; i < COUNT(ranges); i++) {
        char fields[100], want[100];

        snprintf(fields, sizeof(fields), "Range: %s\r\n", ranges[i].range);
        const char *got = ask(*state, "GET", "/f.txt", fields);
        if (status_of(got) != ranges[i].status)
            fail_msg("%s: %u, want %u", ranges[i].range, status_of(got), ranges[i].status);
        snprintf(want, sizeof(want), "Content-Range: %s\r\n",
                 ranges[i].content_range ? ranges[i].content_range : "");
        if (ranges[i].content_range != NULL)
            assert_has(got, want);
        else
            assert_has_not(got, "Content-Range");
        if (ranges[i].body != NULL) {
            assert_string_equal(body_of(got), ranges[i].body);
            snprintf(want, sizeof(want), "Content-Length: %zu\r\n", strlen(ranges[i].body));
            assert_has(got, want);
        }
        if (ranges[i].status == 200)
            assert_has(got, "Accept-Ranges: bytes\r\n");
        else
            assert_has_not(got, "Accept-Ranges");
    }
}

static const struct {
    const char *version;
    unsigned status;
} versions[] = {
    { TAG, 206 },   { "W/" TAG, 200 }, { "\"x\"", 200 },    { SAME, 206 },
    { OLDER, 200 }, { NEWER, 200 },    { "nonsense", 200 },
};

static void a_range_of_another_version_is_the_whole(void **state)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        char fields[200];

        snprintf(fields, sizeof(fields), "Range: bytes=0-1\r\nIf-Range: %s\r\n",
                 versions[i].version);
        unsigned status = status_of(ask(*state, "GET", "/f.txt", fields));
        if (status != versions[i].status)
            fail_msg("If-Range: %s: %u", versions[i].version, status);
    }
}

static void head_obeys_the_range_and_two_fields_are_none(void **state)
{
    const char *got = ask(*state, "HEAD", "/f.txt", "Range: bytes=3-9\r\n");

    assert_int_equal(status_of(got), 206);
    assert_has(got, "Content-Length: 7\r\n");
    assert_string_equal(body_of(got), "");
    got = ask(*state, "GET", "/empty", "Range: bytes=0-1\r\n");
    assert_int_equal(status_of(got), 416);
    assert_has(got, "Content-Range: bytes */0\r\n");
    assert_int_equal(status_of(ask(*state, "GET", "/empty", "Range: lines=0-1\r\n")), 200);
    got = ask(*state, "GET", "/f.txt", "Range: bytes=0-1\r\nRange: bytes=2-3\r\n"); /* FILE-23 */
    assert_int_equal(status_of(got), 200);
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(conditions_keep_their_promises),
        WITH_FOLDER(a_304_drops_what_tells_of_the_body),
        WITH_FOLDER(conditions_hold_for_answers_of_200_alone),
        WITH_FOLDER(ranges_keep_their_promises),
        WITH_FOLDER(a_range_of_another_version_is_the_whole),
        WITH_FOLDER(head_obeys_the_range_and_two_fields_are_none),
    };

    return cmocka_run_group_tests_name("conditional", tests, NULL, NULL);
}
