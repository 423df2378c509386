/* base/errlog: NGINX's form, one line for a record whatever a peer put into it. */
#include "base/errlog.h"
#include "unit/base/unit.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* A log in memory, and what was written to it since it was asked last. */
struct room {
    struct errlog log;
    char text[8192];
};

static const char *written(struct room *r)
{
    ssize_t n = pread(r->log.fd, r->text, sizeof(r->text) - 1, 0);

    assert_true(n >= 0);
    r->text[n] = '\0';
    assert_int_equal(ftruncate(r->log.fd, 0), 0);
    assert_int_equal(lseek(r->log.fd, 0, SEEK_SET), 0);
    return r->text;
}

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof(*r));

    r->log = (struct errlog){ .fd = memfd_create("log", MFD_CLOEXEC), .level = LEVEL_NOTICE };
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    close(((struct room *)*state)->log.fd);
    free(*state);
    return 0;
}

/* What stands behind the time: `YYYY/MM/DD HH:MM:SS `. */
static const char *behind_time(const char *record)
{
    static const char form[] = "dddd/dd/dd dd:dd:dd ";

    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool good = form[i] == 'd' ? record[i] >= '0' && record[i] <= '9' : record[i] == form[i];

        if (!good)
            fail_msg("no time: %s", record);
    }
    return record + sizeof(form) - 1;
}

static void a_record_has_the_form_of_nginx(void **state)
{
    struct room *r = *state;
    char want[200];

    errlog_write(&r->log, LEVEL_ERROR, 17, ECONNREFUSED, "connect() %s", "failed");
    snprintf(want, sizeof(want), "[error] %d#%d: *17 connect() failed (111: Connection refused)\n",
             getpid(), gettid());
    assert_string_equal(behind_time(written(r)), want);
    errlog_write(&r->log, LEVEL_NOTICE, 0, 0, "start");
    snprintf(want, sizeof(want), "[notice] %d#%d: start\n", getpid(), gettid());
    assert_string_equal(behind_time(written(r)), want);
}

static void what_is_below_the_level_is_not_written(void **state)
{
    struct room *r = *state;

    errlog_write(&r->log, LEVEL_INFO, 0, 0, "chatter");
    assert_string_equal(written(r), "");
    r->log.level = LEVEL_EMERG;
    errlog_write(&r->log, LEVEL_ALERT, 0, 0, "x");
    assert_string_equal(written(r), "");
    errlog_write(&r->log, LEVEL_EMERG, 0, 0, "x");
    assert_string_not_equal(written(r), "");
    struct errlog nowhere = { .fd = -1, .level = LEVEL_DEBUG };
    errlog_write(&nowhere, LEVEL_EMERG, 0, 0, "nobody hears it");
}

static void a_peer_cannot_make_a_second_line(void **state)
{
    struct room *r = *state;
    char raw[256], want[1200];
    size_t n = 0;

    for (int c = 1; c < 256; c++)
        raw[c - 1] = (char)c;
    raw[255] = '\0';
    for (int c = 1; c < 256; c++)
        n += (size_t)(c >= 0x20 && c < 0x7f ? snprintf(want + n, sizeof(want) - n, "%c", c)
                                            : snprintf(want + n, sizeof(want) - n, "\\x%02X", c));
    snprintf(want + n, sizeof(want) - n, "\n");
    errlog_write(&r->log, LEVEL_ERROR, 1, 0, "%s", raw);
    const char *record = written(r);
    const char *text = strstr(record, "*1 ");
    assert_non_null(text);
    assert_string_equal(text + 3, want);
}

static void the_longest_record_is_one_line_with_its_error(void **state)
{
    struct room *r = *state;
    static char flood[100000];

    memset(flood, '\x01', sizeof(flood) - 1); /* four bytes for each */
    errlog_write(&r->log, LEVEL_EMERG, UINT64_MAX, ENOENT, "%s", flood);
    const char *record = written(r);
    size_t len = strlen(record);

    assert_true(len <= 2048);
    assert_true(len > 1000);
    assert_ptr_equal(strchr(record, '\n'), record + len - 1);
    assert_string_equal(record + len - strlen(" (2: No such file or directory)\n"),
                        " (2: No such file or directory)\n");
    assert_string_equal(record + len - strlen("\\x01 (2: No such file or directory)\n"),
                        "\\x01 (2: No such file or directory)\n"); /* no half escape */
}

static void until_the_service_is_up_warnings_are_echoed(void **state)
{
    struct room *r = *state;
    int before = dup(STDERR_FILENO), echo = memfd_create("stderr", MFD_CLOEXEC);
    char text[500] = "";

    r->log.echo = true;
    dup2(echo, STDERR_FILENO);
    errlog_write(&r->log, LEVEL_WARN, 0, EACCES, "careful");
    errlog_write(&r->log, LEVEL_NOTICE, 0, 0, "not this");
    dup2(before, STDERR_FILENO);
    close(before);
    assert_true(pread(echo, text, sizeof(text) - 1, 0) > 0);
    close(echo);
    assert_string_equal(text, "bifrons: [warn] careful (13: Permission denied)\n");
}

static void levels_have_nginx_names(void **state)
{
    static const char *const names[] = { "emerg", "alert",  "crit", "error",
                                         "warn",  "notice", "info", "debug" };
    enum level level;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(level_parse(span_of(names[i]), &level));
        assert_int_equal(level, i + 1);
        assert_string_equal(level_name(level), names[i]);
    }
    assert_false(level_parse(span_of("warning"), &level));
    assert_false(level_parse(span_of("WARN"), &level));
    assert_false(level_parse(span_of(""), &level));
}

static char sent[200];

static void note_record(const struct errlog *log, enum level level, struct span record)
{
    (void)log;
    snprintf(sent, sizeof(sent), "%d %.*s", level, (int)record.len, record.at);
}

static void a_record_that_is_sent_has_no_line_end_and_is_not_written(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    struct errlog log = { .fd = fd, .level = LEVEL_ERROR, .send = note_record };

    (void)state;
    errlog_write(&log, LEVEL_CRIT, 0, 0, "text");
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    assert_memory_equal(sent, "3 2", 3);
    assert_string_equal(sent + strlen(sent) - 6, ": text");
    sent[0] = '\0';
    errlog_write(&log, LEVEL_WARN, 0, 0, "text");
    assert_string_equal(sent, "");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_has_the_form_of_nginx, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_below_the_level_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_cannot_make_a_second_line, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_record_is_one_line_with_its_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(until_the_service_is_up_warnings_are_echoed, setup,
                                        teardown),
        cmocka_unit_test(levels_have_nginx_names),
        cmocka_unit_test(a_record_that_is_sent_has_no_line_end_and_is_not_written),
    };

    return cmocka_run_group_tests_name("errlog", tests, NULL, NULL);
}
