/* log/error_log: several lines, each with its level; those of a block replace the outer ones; and
 * what cannot be opened is said with its line. */
#include "exchange/log.h"
#include "log/error_log.h"
#include "unit/support.h"

#include <errno.h>
#include <sys/stat.h>

static char folder[64];
static struct error_logs logs;

static int open_folder(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/bifrons-errors-XXXXXX");
    logs = (struct error_logs){ .files = NULL };
    return mkdtemp(folder) == NULL ? -1 : stage_open(state);
}

static int close_folder(void **state)
{
    static const char *const names[] = { "a", "b", "c", "a.old", "standard", "" };
    char path[200];

    struct stage *s = *state;

    s->worker.log = &s->log;
    generation_unref(&s->worker.generation);
    error_logs_close(&logs);
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (unlink(path) < 0)
            rmdir(path);
    }
    return stage_close(state);
}

/* The texts of the records in a file, each with a `;`; then it is empty. */
static const char *records(const char *name)
{
    static char texts[8][4000];
    static unsigned next;
    char path[200], raw[8000];
    char *text = texts[next++ % 8];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_RDWR);
    ssize_t n = fd < 0 ? 0 : read(fd, raw, sizeof(raw) - 1);
    struct span left = { raw, n > 0 ? (size_t)n : 0 }, line;

    text[0] = '\0';
    while (span_cut(left, '\n', &line, &left)) {
        size_t end = span_find(line, ',');
        size_t from = end;

        while (from > 0 && line.at[from - 1] != ' ')
            from--;
        strncat(strncat(text, line.at + from, end - from), ";", 2);
    }
    if (fd >= 0) {
        assert_int_equal(ftruncate(fd, 0), 0);
        close(fd);
    }
    return text;
}

/* `%` stands for the folder. */
static const char *load(struct stage *s, const char *text)
{
    struct buf all = { .max = 2000 };

    for (; *text != '\0'; text++)
        if (*text == '%')
            buf_addf(&all, "%s/", folder);
        else
            buf_add_byte(&all, *text);
    buf_add_byte(&all, '\0');
    const char *said = stage_load(s, all.data);
    buf_done(&all);
    return said;
}

static struct log_failure opened(struct stage *s, const char *text)
{
    struct log_failure failure = { .error = 0 };
    char standard[200];

    assert_string_equal(load(s, text), "");
    snprintf(standard, sizeof(standard), "%s/standard", folder);
    error_logs_open(&logs, s->worker.generation, span_of(standard), &failure);
    s->worker.log = logs.main;
    return failure;
}

static void ask(struct stage *s, const char *target, enum level level, const char *text)
{
    struct exchange *x = stage_get(s, target);

    stage_phases(x, PHASE_FIND);
    exchange_log(x, level, 0, "%s", text);
    stage_end_exchange(s);
}

static void each_line_takes_what_its_level_takes(void **state)
{
    struct stage *s = *state;

    opened(s, "error_log %a warn; error_log %b info; error_log %c; server { listen 80; }");
    ask(s, "/", LEVEL_INFO, "info");
    ask(s, "/", LEVEL_WARN, "warn");
    ask(s, "/", LEVEL_ERROR, "error");
    assert_string_equal(records("a"), "warn;error;");
    assert_string_equal(records("b"), "info;warn;error;");
    assert_string_equal(records("c"), "error;");
    assert_string_equal(records("standard"), "");
}

static void lines_of_a_block_replace_those_outside(void **state)
{
    struct stage *s = *state;

    opened(s, "error_log %a info; http { server { listen 80; server_name a.example;\n"
              "location /b/ { error_log %b error; }\n"
              "location /both/ { error_log %b info; error_log %a crit; } } }");
    ask(s, "/", LEVEL_INFO, "outer");
    ask(s, "/b/", LEVEL_INFO, "unheard");
    ask(s, "/b/", LEVEL_ERROR, "inner");
    ask(s, "/both/", LEVEL_INFO, "low");
    ask(s, "/both/", LEVEL_CRIT, "high");
    errlog_write(s->worker.log, LEVEL_NOTICE, 0, 0, "process, ");
    assert_string_equal(records("a"), "outer;high;process;");
    assert_string_equal(records("b"), "inner;low;high;");
}

static void those_of_http_are_not_those_of_the_process(void **state)
{
    struct stage *s = *state;

    opened(s, "http { error_log %a info; server { listen 80; } }");
    ask(s, "/", LEVEL_INFO, "exchange");
    errlog_write(s->worker.log, LEVEL_ERROR, 0, 0, "process, ");
    assert_string_equal(records("a"), "exchange;");
    assert_string_equal(records("standard"), "process;");
}

static void without_a_line_all_goes_to_the_standard_place(void **state)
{
    struct stage *s = *state;

    opened(s, "server { listen 80; }");
    ask(s, "/", LEVEL_ERROR, "exchange");
    ask(s, "/", LEVEL_WARN, "unheard");
    assert_string_equal(records("standard"), "exchange;");
    assert_span(error_logs_standard(s->worker.generation, (struct span){ NULL, 0 }),
                "/proc/nonexistent/logs/error.log");
}

static void what_cannot_be_opened_is_known_by_its_line(void **state)
{
    struct stage *s = *state;
    struct log_failure f =
        opened(s, "error_log %a;\nserver { listen 80;\nerror_log /nonexistent/x; }");

    assert_int_equal(f.error, ENOENT);
    assert_int_equal(f.place.line, 3);
    assert_span(f.path, "/nonexistent/x");
}

static void all_are_opened_anew(void **state)
{
    struct stage *s = *state;
    char before[200], after[200];

    opened(s, "error_log %a info; server { listen 80; error_log %a info; error_log stderr crit; }");
    snprintf(before, sizeof(before), "%s/a", folder);
    snprintf(after, sizeof(after), "%s/a.old", folder);
    assert_int_equal(rename(before, after), 0);
    ask(s, "/", LEVEL_INFO, "old");
    error_logs_reopen(&logs);
    ask(s, "/", LEVEL_INFO, "new");
    assert_string_equal(records("a.old"), "old;");
    assert_string_equal(records("a"), "new;");
    unlink(before);
    assert_int_equal(mkdir(before, 0700), 0);
    error_logs_reopen(&logs);
    ask(s, "/", LEVEL_INFO, "kept");
}

static void what_is_missing_is_said_when_the_second_is_over(void **state)
{
    struct stage *s = *state;
    char name[200];
    static char text[400000];

    opened(s, "error_log %a info; server { listen 80; }");
    error_logs_watch(&logs, &s->loop);
    for (unsigned i = 0; i < 3 * ERRLOG_MOST_OF_PEERS; i++)
        errlog_write(s->worker.log, LEVEL_INFO, 1, 0, "x");
    stage_pass(s, 1100);
    snprintf(name, sizeof(name), "%s/a", folder);
    int fd = open(name, O_RDONLY);
    text[read(fd, text, sizeof(text) - 1)] = '\0';
    close(fd);
    assert_has(text, "records of the error log suppressed, since peers caused too many: ");
    error_logs_watch(&logs, NULL);
}

static const struct {
    const char *text, *want;
} refused[] = {
    { "error_log l loud;", "invalid log level \"loud\" in /etc/test.conf:1" },
    { "error_log l info warn;", "invalid number of arguments in \"error_log\" directive" },
    { "error_log memory:32m;", "\"memory:32m\" is known, not supported yet" },
    { "server { error_log syslog:tag=x; }", "no syslog server specified" },
    { "upstream u { error_log x; }", "\"error_log\" directive is not allowed here" },
};

static void what_cannot_be_logged_to_is_refused(void **state)
{
    for (size_t i = 0; i < COUNT(refused); i++)
        assert_has(load(*state, refused[i].text), refused[i].want);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(each_line_takes_what_its_level_takes),
        IN_FOLDER(lines_of_a_block_replace_those_outside),
        IN_FOLDER(those_of_http_are_not_those_of_the_process),
        IN_FOLDER(without_a_line_all_goes_to_the_standard_place),
        IN_FOLDER(what_cannot_be_opened_is_known_by_its_line),
        IN_FOLDER(all_are_opened_anew),
        IN_FOLDER(what_is_missing_is_said_when_the_second_is_over),
        IN_FOLDER(what_cannot_be_logged_to_is_refused),
    };

    return cmocka_run_group_tests_name("error_log", tests, NULL, NULL);
}
