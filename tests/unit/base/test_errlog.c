/* base/errlog: NGINX's form, one line for a record whatever a peer put into it. */
#include "base/errlog.h"
#include "base/errlog_file.h"
#include "base/log_file.h"
#include "unit/base/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* A log in memory, and what was written to it since it was asked last. */
struct room {
    struct errlog_file file;
    struct errlog log;
    char text[8192];
};

static const char *written(struct room *r)
{
    ssize_t n = pread(r->file.to.fd, r->text, sizeof(r->text) - 1, 0);

    assert_true(n >= 0);
    r->text[n] = '\0';
    assert_int_equal(ftruncate(r->file.to.fd, 0), 0);
    assert_int_equal(lseek(r->file.to.fd, 0, SEEK_SET), 0);
    return r->text;
}

static int setup(void **state)
{
    struct room *r = calloc(1, sizeof(*r));

    r->file.to.fd = memfd_create("log", MFD_CLOEXEC);
    r->log = (struct errlog){ .file = &r->file, .level = LEVEL_NOTICE };
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    close(((struct room *)*state)->file.to.fd);
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
    struct errlog nowhere = { .level = LEVEL_DEBUG };
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

/* A pipe that takes nothing any more. */
static int full_pipe(struct errlog_file *f)
{
    static char flood[4096];
    int ends[2];

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], flood, sizeof(flood)) > 0)
        continue;
    f->to.fd = ends[1];
    return ends[0];
}

static void drain(int fd)
{
    char text[65536];

    while (read(fd, text, sizeof(text)) > 0)
        continue;
}

static void what_a_pipe_does_not_take_is_counted_and_said_once(void **state)
{
    struct errlog_file file = { .send = NULL };
    struct errlog log = { .file = &file, .level = LEVEL_INFO };
    int reader = full_pipe(&file);
    char text[4000];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        errlog_write(&log, LEVEL_INFO, 0, 0, "lost");
    drain(reader);
    errlog_write(&log, LEVEL_INFO, 0, 0, "here");
    errlog_write(&log, LEVEL_INFO, 0, 0, "and here");
    ssize_t n = read(reader, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "[warn]"));
    const char *said = strstr(text, "records of the error log lost: 3 (11: Resource temporarily");
    assert_non_null(said);
    assert_null(strstr(strchr(said, '('), "lost"));
    assert_non_null(strstr(said, ": here\n"));
    assert_non_null(strstr(said, ": and here\n"));
    close(reader);
    log_file_close(&file.to);
}

static unsigned lines_with(const char *text, const char *part)
{
    unsigned count = 0;

    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

static void what_peers_cause_is_bounded_and_the_rest_is_counted(void **state)
{
    enum { MANY = 10 * ERRLOG_MOST_OF_PEERS };
    static char text[MANY * 100];
    struct room *r = *state;
    uint64_t suppressed = 0;

    for (unsigned i = 0; i < MANY; i++)
        errlog_write(&r->log, LEVEL_ERROR, 5, 0, "of a peer");
    errlog_write(&r->log, LEVEL_ERROR, 0, 0, "of ourselves");
    errlog_settle(&r->file);
    errlog_settle(&r->file); /* says nothing twice */
    ssize_t n = pread(r->file.to.fd, text, sizeof(text) - 1, 0);
    text[n] = '\0';
    for (const char *p = text; (p = strstr(p, "too many: ")) != NULL; p++)
        suppressed += strtoull(p + strlen("too many: "), NULL, 10);
    unsigned written_lines = lines_with(text, "of a peer\n");
    assert_true(written_lines >= ERRLOG_MOST_OF_PEERS);
    assert_true(suppressed > 0);
    assert_int_equal(written_lines + suppressed, MANY);
    assert_int_equal(lines_with(text, "of ourselves\n"), 1);
}

static void each_line_has_a_level_of_its_own(void **state)
{
    struct room *r = *state;
    struct errlog_file other = { .to.fd = memfd_create("other", MFD_CLOEXEC) };
    struct errlog second = { .file = &other, .level = LEVEL_INFO };
    char text[1000] = "";

    r->log.next = &second;
    assert_true(errlog_wants(&r->log, LEVEL_INFO));
    assert_false(errlog_wants(&r->log, LEVEL_DEBUG));
    errlog_write(&r->log, LEVEL_INFO, 0, 0, "low");
    errlog_write(&r->log, LEVEL_CRIT, 0, 0, "high");
    assert_true(pread(other.to.fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, ": low\n"));
    assert_non_null(strstr(text, ": high\n"));
    const char *first = written(r);
    assert_null(strstr(first, ": low\n"));
    assert_non_null(strstr(first, ": high\n"));
    log_file_close(&other.to);
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

static int note_record(struct errlog_file *f, enum level level, struct span record)
{
    (void)f;
    snprintf(sent, sizeof(sent), "%d %.*s", level, (int)record.len, record.at);
    return 0;
}

static void a_record_that_is_sent_has_no_line_end_and_is_not_written(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    struct errlog_file file = { .to.fd = fd, .send = note_record };
    struct errlog log = { .file = &file, .level = LEVEL_ERROR };

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
        cmocka_unit_test(what_a_pipe_does_not_take_is_counted_and_said_once),
        cmocka_unit_test_setup_teardown(what_peers_cause_is_bounded_and_the_rest_is_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(each_line_has_a_level_of_its_own, setup, teardown),
        cmocka_unit_test(levels_have_nginx_names),
        cmocka_unit_test(a_record_that_is_sent_has_no_line_end_and_is_not_written),
    };

    return cmocka_run_group_tests_name("errlog", tests, NULL, NULL);
}
