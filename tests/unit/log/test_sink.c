/* log/sink and what is below it: buffers, gzip members, pipes that nobody reads, a full disk,
 * syslog. Virtual time. */
#include "base/log_file.h"
#include "log/gzip_member.h"
#include "log/syslog.h"
#include "unit/support.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <zlib.h>

static char folder[64], path[128];

static int open_folder(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/bifrons-sink-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    setenv("TZ", "UTC", 1);
    return stage_open(state);
}

static int remove_folder(void **state)
{
    int failed = stage_close(state);
    char other[160];

    snprintf(other, sizeof(other), "%s.1", path);
    unlink(other);
    unlink(path);
    rmdir(folder);
    return failed;
}

static const char *file_text(const char *name)
{
    static char text[200000];
    int fd = open(name, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static const char *errors(struct stage *s)
{
    static char text[20000];
    ssize_t n = pread(s->log_file.to.fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static struct log_sink *opened(struct stage *s, struct sink_spec spec)
{
    int error = 0;
    struct log_sink *sink;

    if (spec.path.len == 0)
        spec.path = span_of(path);
    sink = sink_open(&s->worker, &spec, &error);
    assert_int_equal(error, 0);
    return sink;
}

static void line(struct log_sink *s, const char *text)
{
    buf_adds(sink_buffer(s), text);
    buf_add_byte(sink_buffer(s), '\n');
    sink_line(s);
}

static void on_passed(struct timer *t)
{
    (void)t;
}

/* Virtual time goes no further than the last timer. */
static void pass(struct stage *s, uint64_t ms)
{
    struct timer end = { .on_time = on_passed };

    timer_set(&s->loop.wheel, &end, loop_now(&s->loop) + ms);
    fake_run(&s->loop, loop_now(&s->loop) + ms + 4 * TIMER_TICK_MS);
    timer_unset(&s->loop.wheel, &end);
}

static void lines_leave_at_the_end_of_their_turn(void **state)
{
    struct log_sink *s = opened(*state, (struct sink_spec){});

    line(s, "one");
    line(s, "two");
    assert_string_equal(file_text(path), "");
    pass(*state, 1);
    assert_string_equal(file_text(path), "one\ntwo\n");
}

static void a_buffer_leaves_when_the_next_line_does_not_fit(void **state)
{
    struct log_sink *s = opened(*state, (struct sink_spec){ .buffer = 10 });

    line(s, "0123");
    line(s, "5678"); /* full to the brim */
    pass(*state, 1000000);
    assert_string_equal(file_text(path), "");
    line(s, "x");
    assert_string_equal(file_text(path), "0123\n5678\n");
    line(s, "longer than the buffer");
    assert_string_equal(file_text(path), "0123\n5678\nx\nlonger than the buffer\n");
    line(s, "last");
    sinks_flush(&((struct stage *)*state)->worker);
    assert_string_equal(file_text(path), "0123\n5678\nx\nlonger than the buffer\nlast\n");
}

static void a_buffer_leaves_after_its_time(void **state)
{
    struct log_sink *s = opened(*state, (struct sink_spec){ .buffer = 1000, .flush = 500 });

    line(s, "one");
    pass(*state, 300);
    line(s, "two"); /* the first line's time counts */
    assert_string_equal(file_text(path), "");
    pass(*state, 250);
    assert_string_equal(file_text(path), "one\ntwo\n");
    line(s, "three");
    pass(*state, 400);
    assert_string_equal(file_text(path), "one\ntwo\n");
    pass(*state, 200);
    assert_string_equal(file_text(path), "one\ntwo\nthree\n");
}

static void each_buffer_is_a_gzip_member(void **state)
{
    struct stage *stage = *state;
    struct log_sink *s = opened(stage, (struct sink_spec){ .buffer = 64, .gzip = 1 });
    char want[2000] = "", got[2000] = "", text[32];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "line %u", i);
        line(s, text);
        strcat(strcat(want, text), "\n");
    }
    line(s, "a line that is longer than the buffer of sixty-four bytes, which goes alone");
    sinks_flush(&stage->worker);
    gzFile file = gzopen(path, "rb");
    assert_int_equal(gzread(file, got, sizeof(got) - 1), (int)strlen(want) + 76);
    assert_int_equal(gzclose(file), Z_OK);
    assert_memory_equal(got, want, strlen(want));
}

static void members_of_every_length_and_level_read_back(void **state)
{
    static char text[70000], back[70000];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 2654435761u >> 13);
    for (size_t len = 1; len < sizeof(text); len = len * 3 + 1) {
        for (int level = 1; level <= 9; level += 4) {
            struct buf out = { .max = 1 << 20 };
            z_stream z = { .next_out = (Bytef *)back, .avail_out = sizeof(back) };

            assert_true(gzip_member_add((struct span){ text, len }, level, &out));
            z.next_in = (Bytef *)out.data;
            z.avail_in = (uInt)out.len;
            assert_int_equal(inflateInit2(&z, 31), Z_OK);
            assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
            assert_int_equal(z.total_out, len);
            assert_memory_equal(back, text, len);
            inflateEnd(&z);
            buf_done(&out);
        }
    }
    struct buf small = { .max = 10 };
    assert_false(gzip_member_add((struct span){ text, 5000 }, 1, &small));
    assert_int_equal(small.len, 0);
    buf_done(&small);
}

static void the_same_file_is_one_sink_and_takes_the_buffer_of_either(void **state)
{
    struct log_sink *s = opened(*state, (struct sink_spec){});

    assert_ptr_equal(opened(*state, (struct sink_spec){ .buffer = 1000 }), s);
    line(s, "x");
    pass(*state, 10);
    assert_string_equal(file_text(path), "");
    assert_ptr_equal(opened(*state, (struct sink_spec){}), s);
}

static void a_full_disk_is_said_once_a_second(void **state)
{
    struct stage *stage = *state;
    struct log_sink *s = opened(stage, (struct sink_spec){ .path = SPAN("/dev/full") });

    for (unsigned i = 0; i < 20; i++) {
        line(s, "x");
        pass(stage, 1);
    }
    pass(stage, 1000);
    line(s, "y");
    pass(stage, 1);
    const char *first =
        strstr(errors(stage), "write() to \"/dev/full\" failed, lines lost: 1 (28:");
    assert_non_null(first);
    assert_has(first + 1, "lines lost: 20 (28: No space left on device)");
    unsigned said = 0;
    for (const char *p = errors(stage); (p = strstr(p, "/dev/full")) != NULL; p++)
        said++;
    assert_int_equal(said, 2);
}

static void a_pipe_without_a_reader_keeps_what_it_holds_and_blocks_nobody(void **state)
{
    struct stage *stage = *state;
    static char text[5000], got[1 << 21];
    size_t len = 0;
    ssize_t n;

    assert_int_equal(mkfifo(path, 0600), 0);
    struct log_sink *s = opened(stage, (struct sink_spec){});
    memset(text, 'x', sizeof(text) - 1);
    for (unsigned i = 0; i < 1000; i++) { /* 5 MB: more than pipe and buffer take */
        snprintf(text, 6, "%05u", i);
        text[5] = 'x';
        line(s, text);
        if (i % 10 == 0)
            pass(stage, 1);
    }
    assert_has(errors(stage), "lines lost: 1 (105: No buffer space available)");
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    for (unsigned i = 0; i < 1000; i++) {
        while ((n = read(reader, got + len, sizeof(got) - len)) > 0)
            len += (size_t)n;
        pass(stage, 200);
    }
    close(reader);
    assert_true(len > (1 << 20) && len % 5000 == 0);
    for (size_t i = 0; i < len / 5000; i++) { /* whole lines, in order, the first ones */
        char want[6];

        snprintf(want, sizeof(want), "%05u", (unsigned)i);
        assert_memory_equal(got + i * 5000, want, 5);
        assert_int_equal(got[i * 5000 + 4999], '\n');
    }
    line(s, "again");
    pass(stage, 1);
}

static void an_inherited_pipe_is_not_waited_for(void **state)
{
    static char flood[200000];
    size_t written = 0;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    struct log_file file = { .fd = ends[1], .may_block = true };
    while (log_file_write(&file, (struct span){ flood, sizeof(flood) }, &written) == 0)
        assert_true(written <= 4096);
    assert_int_equal(log_file_write(&file, (struct span){ flood, 1 }, &written), -EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

static void reopening_follows_the_name(void **state)
{
    struct stage *stage = *state;
    struct log_sink *s = opened(stage, (struct sink_spec){ .buffer = 1000 });
    char other[160];

    snprintf(other, sizeof(other), "%s.1", path);
    line(s, "old");
    assert_int_equal(rename(path, other), 0);
    sinks_reopen(&stage->worker);
    assert_string_equal(file_text(other), "old\n");
    line(s, "new");
    sinks_flush(&stage->worker);
    assert_string_equal(file_text(path), "new\n");
    /* a folder stands there now: the old descriptor stays */
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    sinks_reopen(&stage->worker);
    assert_has(errors(stage), "[emerg]");
    assert_has(errors(stage), "failed (21: Is a directory)");
    line(s, "lost with its file");
    sinks_flush(&stage->worker);
    assert_null(strstr(errors(stage), "write()"));
    rmdir(path);
}

static struct log_sink *passing(struct stage *s, const char *name)
{
    char full[300];

    snprintf(full, sizeof(full), "%s/%s", folder, name);
    return sink_pass(&s->worker, span_of(full), strlen(folder) + 1);
}

static void a_passing_sink_lives_for_its_turn(void **state)
{
    struct stage *stage = *state;
    struct log_sink *first = passing(stage, "log");
    int before, after;

    line(first, "one");
    assert_ptr_equal(passing(stage, "log"), first);
    line(first, "two");
    assert_string_equal(file_text(path), "");
    pass(stage, 1);
    assert_string_equal(file_text(path), "one\ntwo\n");
    assert_int_equal(unlink(path), 0);
    line(passing(stage, "log"), "three");
    pass(stage, 1);
    assert_string_equal(file_text(path), "three\n");
    before = dup(0);
    close(before);
    for (unsigned i = 0; i < 200; i++) { /* more than may be open at a time */
        char name[32];

        snprintf(name, sizeof(name), "%u", i);
        line(passing(stage, name), "x");
    }
    pass(stage, 1);
    for (unsigned i = 0; i < 200; i++) {
        char name[100];

        snprintf(name, sizeof(name), "%s/%u", folder, i);
        assert_string_equal(file_text(name), "x\n");
        assert_int_equal(unlink(name), 0);
    }
    assert_null(passing(stage, "none/x"));
    assert_null(passing(stage, "none/y"));
    assert_has(errors(stage), "[crit]");
    assert_null(strstr(errors(stage), "none/y"));
    pass(stage, 1);
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

static void a_path_that_a_peer_had_a_part_in_leads_to_a_file_of_the_folder_alone(void **state)
{
    struct stage *stage = *state;
    char name[200];

    assert_int_equal(symlink("/tmp/bifrons-must-not-be", path), 0);
    assert_null(passing(stage, "log"));
    assert_has(errors(stage), "(40: Too many levels of symbolic links)");
    assert_int_equal(unlink(path), 0);
    snprintf(name, sizeof(name), "%s/pipe", folder);
    assert_int_equal(mkfifo(name, 0600), 0);
    assert_null(passing(stage, "pipe"));
    int reader = open(name, O_RDONLY | O_NONBLOCK);
    assert_null(passing(stage, "pipe"));
    close(reader);
    unlink(name);
    assert_null(passing(stage, "../bifrons-must-not-be"));
    assert_null(passing(stage, "/tmp/bifrons-must-not-be"));
    assert_int_equal(access("/tmp/bifrons-must-not-be", F_OK), -1);
}

static void what_waits_is_bounded_in_all_and_a_burst_is_given_back(void **state)
{
    struct stage *stage = *state;
    struct log_sinks *all = stage->worker.sinks;
    size_t before = all->budget.used;
    struct log_sink *s = opened(stage, (struct sink_spec){ .buffer = 1000 });
    static char burst[150000];

    memset(burst, 'x', sizeof(burst) - 1);
    line(s, "waits");
    assert_true(all->budget.used > before);
    line(s, burst);
    assert_int_equal(all->budget.used, before);
    all->budget.max = all->budget.used;
    line(s, burst);
    all->budget.max = 1 << 24;
    line(s, "after");
    sinks_flush(&stage->worker);
    assert_string_equal(file_text(path) + strlen("waits\n") + sizeof(burst), "after\n");
    assert_has(errors(stage), "lines lost: 1 (105: No buffer space available)");
}

/* A datagram socket at `path`, and a record sent there. */
static struct syslog unix_target(int *ret_fd)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct syslog to = { .address_length = sizeof(un), .facility = 23, .severity = 6, .tag = "t" };

    memcpy(un.sun_path, path, strlen(path));
    *ret_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    unlink(path);
    assert_int_equal(bind(*ret_fd, (struct sockaddr *)&un, sizeof(un)), 0);
    memcpy(&to.address, &un, sizeof(un));
    return to;
}

static void a_record_is_what_nginx_sends(void **state)
{
    int server, fd;
    struct syslog to = unix_target(&server);
    char got[200], host[65], want[200];

    (void)state;
    fd = syslog_open(&to);
    assert_int_equal(syslog_send(fd, &to, "04/Nov/2026:20:36:27 +0000", span_of("text")), 0);
    gethostname(host, sizeof(host));
    for (char *p = host; *p != '\0'; p++)
        *p = ascii_lower(*p);
    snprintf(want, sizeof(want), "<190>Nov  4 20:36:27 %s t: text", host);
    got[recv(server, got, sizeof(got) - 1, 0)] = '\0';
    assert_string_equal(got, want);
    to.without_host = true;
    to.facility = 0;
    to.severity = 0;
    assert_int_equal(syslog_send(fd, &to, "24/Nov/2026:20:36:27 +0000", span_of("")), 0);
    got[recv(server, got, sizeof(got) - 1, 0)] = '\0';
    assert_string_equal(got, "<0>Nov 24 20:36:27 t: ");
    close(fd);
    close(server);
}

static bool short_datagrams;

/* In the place of the C library's: a way that takes no more than 1,500 bytes at a time. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    size_t len = 0;

    for (size_t i = 0; i < message->msg_iovlen; i++)
        len += message->msg_iov[i].iov_len;
    if (short_datagrams && len > 1500) {
        errno = EMSGSIZE;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, message, flags);
}

static void a_long_record_is_cut_with_a_mark(void **state)
{
    int server, fd;
    struct syslog to = unix_target(&server);
    static char flood[70000], got[70000];

    (void)state;
    memset(flood, 'x', sizeof(flood) - 1);
    memcpy(flood + 2048 - strlen("<190>Nov  4 20:36:27 t: ") - strlen("...") - 1, "\xc3\xa4", 2);
    to.without_host = true;
    fd = syslog_open(&to);
    assert_int_equal(syslog_send(fd, &to, "04/Nov/2026:20:36:27 +0000", span_of(flood)), 0);
    assert_int_equal(recv(server, got, sizeof(got), 0), 2047); /* no half of a character */
    assert_memory_equal(got + 2043, "x...", 4);
    short_datagrams = true;
    assert_int_equal(syslog_send(fd, &to, "04/Nov/2026:20:36:27 +0000", span_of(flood)), 0);
    short_datagrams = false;
    assert_int_equal(recv(server, got, sizeof(got), 0), 1024);
    assert_memory_equal(got + 1020, "x...", 4);
    close(fd);
    close(server);
}

static void a_syslog_server_that_is_stuck_or_gone_costs_lines_alone(void **state)
{
    struct stage *stage = *state;
    int server;
    char got[200];
    struct syslog to = unix_target(&server);
    struct log_sink *s =
        opened(stage, (struct sink_spec){ .path = SPAN("syslog:x"), .syslog = &to });

    for (unsigned i = 0; i < 2000; i++) /* more than its queue holds */
        line(s, "x");
    assert_has(errors(stage), "send() to \"syslog:x\" failed, lines lost: 1 (11:");
    close(server);
    pass(stage, 1100);
    line(s, "gone");
    assert_has(errors(stage), "(111: Connection refused)");
    unix_target(&server); /* started anew */
    line(s, "back");
    got[recv(server, got, sizeof(got) - 1, 0)] = '\0';
    assert_has(got, ": back");
    assert_null(strchr(got, '\n'));
    close(server);
}

int main(void)
{
#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(lines_leave_at_the_end_of_their_turn),
        IN_A_FOLDER(a_buffer_leaves_when_the_next_line_does_not_fit),
        IN_A_FOLDER(a_buffer_leaves_after_its_time),
        IN_A_FOLDER(each_buffer_is_a_gzip_member),
        cmocka_unit_test(members_of_every_length_and_level_read_back),
        IN_A_FOLDER(the_same_file_is_one_sink_and_takes_the_buffer_of_either),
        IN_A_FOLDER(a_full_disk_is_said_once_a_second),
        IN_A_FOLDER(a_pipe_without_a_reader_keeps_what_it_holds_and_blocks_nobody),
        cmocka_unit_test(an_inherited_pipe_is_not_waited_for),
        IN_A_FOLDER(reopening_follows_the_name),
        IN_A_FOLDER(a_passing_sink_lives_for_its_turn),
        IN_A_FOLDER(a_path_that_a_peer_had_a_part_in_leads_to_a_file_of_the_folder_alone),
        IN_A_FOLDER(what_waits_is_bounded_in_all_and_a_burst_is_given_back),
        IN_A_FOLDER(a_record_is_what_nginx_sends),
        IN_A_FOLDER(a_long_record_is_cut_with_a_mark),
        IN_A_FOLDER(a_syslog_server_that_is_stuck_or_gone_costs_lines_alone),
    };

    return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
