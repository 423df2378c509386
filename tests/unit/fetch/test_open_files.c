/* fetch/open_files: what is kept open, for how long, and what of it is still believed. */
#include "unit/support.h"

#include <dirent.h>

static char folder[64];

/* Another file by the same name: as a deployment puts it there. */
static void put(const char *name, const char *text)
{
    char path[128], other[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(other, sizeof(other), "%s/new", folder);
    fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_int_equal(rename(other, path), 0);
}

static void take_away(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
}

static unsigned open_files(void)
{
    DIR *all = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(all);
    for (const struct dirent *d = readdir(all); d != NULL; d = readdir(all)) {
        char to[256];
        ssize_t len = readlinkat(dirfd(all), d->d_name, to, sizeof(to) - 1);

        to[len > 0 ? len : 0] = '\0';
        count += strncmp(to, folder, strlen(folder)) == 0 && to[strlen(folder)] == '/';
    }
    closedir(all);
    return count;
}

static int begin(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/bifrons-open-files-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : stage_open(state);
}

static int end(void **state)
{
    int failed = stage_close(state);

    for (unsigned i = 0; i < 10; i++) {
        char name[8];

        snprintf(name, sizeof(name), "%u", i);
        take_away(name);
    }
    assert_int_equal(open_files(), 0); /* all were closed with the generation */
    return failed | rmdir(folder);
}

static void serve(struct stage *s, const char *lines)
{
    char text[400];

    snprintf(text, sizeof(text), "root %s; %s", folder, lines);
    stage_server(s, text);
    if (!s->serving)
        stage_serve(s);
}

static const char *ask(struct stage *s, const char *name)
{
    static char body[64];
    char request[128];

    snprintf(request, sizeof(request), "GET /%s HTTP/1.0\r\nHost: a\r\n\r\n", name);
    const char *got = stage_ask(s, request);
    const char *text = strstr(got, "\r\n\r\n");
    snprintf(body, sizeof(body), "%.3s %.20s", got + strlen("HTTP/1.1 "),
             text != NULL && strstr(got, " 200 ") ? text + 4 : "");
    return body;
}

static void a_file_stays_open_and_is_believed_for_a_while(void **state)
{
    struct stage *s = *state;

    serve(s, "open_file_cache max=10 inactive=10000s; open_file_cache_valid 1000s;");
    put("1", "old");
    assert_string_equal(ask(s, "1"), "200 old");
    assert_int_equal(open_files(), 1);
    put("1", "newer");
    assert_string_equal(ask(s, "1"), "200 old");
    take_away("1");
    assert_string_equal(ask(s, "1"), "200 old");
    stage_pass(s, 1000 * 1000);
    assert_string_equal(ask(s, "1"), "404 ");
    put("1", "newest");
    assert_string_equal(ask(s, "1"), "200 newest");
    assert_int_equal(open_files(), 1);
}

static void the_one_that_was_not_used_goes_first(void **state)
{
    struct stage *s = *state;

    serve(s, "open_file_cache max=2;");
    for (unsigned i = 0; i < 4; i++) {
        char name[8];

        snprintf(name, sizeof(name), "%u", i);
        put(name, name);
    }
    ask(s, "0");
    ask(s, "1");
    ask(s, "0");
    ask(s, "2"); /* in the place of 1 */
    take_away("0");
    take_away("1");
    assert_int_equal(open_files(), 2);
    assert_string_equal(ask(s, "0"), "200 0");
    assert_string_equal(ask(s, "1"), "404 ");
    stage_pass(s, 61 * 1000); /* inactive */
    ask(s, "3");
    ask(s, "3");
    assert_int_equal(open_files(), 1);
}

static void a_file_stays_open_once_it_was_used_often_enough(void **state)
{
    struct stage *s = *state;

    serve(s, "open_file_cache max=2; open_file_cache_min_uses 3;");
    put("1", "one");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(open_files(), 0);
        assert_string_equal(ask(s, "1"), "200 one");
    }
    assert_int_equal(open_files(), 1);
    assert_string_equal(ask(s, "1"), "200 one");
}

static void what_is_not_there_is_remembered_if_asked_for(void **state)
{
    struct stage *s = *state;

    serve(s, "open_file_cache max=2; open_file_cache_errors on;");
    assert_string_equal(ask(s, "1"), "404 ");
    put("1", "one");
    assert_string_equal(ask(s, "1"), "404 ");
    stage_pass(s, 61 * 1000);
    assert_string_equal(ask(s, "1"), "200 one");
    serve(s, "open_file_cache max=2;");
    assert_string_equal(ask(s, "2"), "404 ");
    put("2", "two");
    assert_string_equal(ask(s, "2"), "200 two");
}

static void locations_do_not_share_their_folders_files(void **state)
{
    struct stage *s = *state;
    char lines[300];

    snprintf(lines, sizeof(lines),
             "open_file_cache max=9; location /1 { } location /2 { alias %s/1; } location = /x/1 { "
             "open_file_cache off; alias %s/3; }",
             folder, folder);
    serve(s, lines);
    put("1", "one");
    put("3", "three");
    assert_string_equal(ask(s, "1"), "200 one");
    assert_string_equal(ask(s, "2"), "200 one");
    assert_string_equal(ask(s, "x/1"), "200 three");
    assert_string_equal(ask(s, "1"), "200 one");
    assert_int_equal(open_files(), 2);
}

static void one_that_is_being_sent_outlives_its_place(void **state)
{
    struct stage *s = *state;
    char large[200001], request[] = "GET /1 HTTP/1.0\r\nHost: a\r\n\r\n";

    serve(s, "open_file_cache max=1;");
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    put("1", large);
    put("2", "two");
    struct fake_peer *p = stage_connect(s);
    fake_window(p, 1000);
    fake_send(p, span_of(request));
    stage_pass(s, 100);
    assert_string_equal(ask(s, "2"), "200 two"); /* in the place of 1 */
    assert_int_equal(open_files(), 2);
    fake_window(p, sizeof(large) * 2);
    for (unsigned i = 0; i < 300; i++) {
        fake_drain(p, 1000);
        stage_pass(s, 10);
    }
    assert_true(strlen(stage_received(s, p)) > sizeof(large));
    assert_int_equal(open_files(), 1);
}

static const struct {
    const char *line, *said;
} mistakes[] = {
    { "open_file_cache inactive=5s;", "\"open_file_cache\" must have the \"max\" parameter" },
    { "open_file_cache max=0;", "invalid \"open_file_cache\" parameter \"max=0\"" },
    { "open_file_cache max=5 lazy;", "invalid \"open_file_cache\" parameter \"lazy\"" },
    { "open_file_cache max=5 inactive=x;", "invalid \"open_file_cache\" parameter \"inactive=x\"" },
    { "open_file_cache_min_uses 0;", "value must be" },
};

static void mistakes_are_said_in_nginx_words(void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        char text[200];

        snprintf(text, sizeof(text), "server { listen 80; %s }", mistakes[i].line);
        assert_has(stage_load(*state, text), mistakes[i].said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_stays_open_and_is_believed_for_a_while, begin, end),
        cmocka_unit_test_setup_teardown(the_one_that_was_not_used_goes_first, begin, end),
        cmocka_unit_test_setup_teardown(a_file_stays_open_once_it_was_used_often_enough, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_remembered_if_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(locations_do_not_share_their_folders_files, begin, end),
        cmocka_unit_test_setup_teardown(one_that_is_being_sent_outlives_its_place, begin, end),
        cmocka_unit_test_setup_teardown(mistakes_are_said_in_nginx_words, begin, end),
    };

    return cmocka_run_group_tests_name("open_files", tests, NULL, NULL);
}
