/* The error log: one record, one write. Owns nothing; nothing waits. */
#include "base/errlog.h"

#include "base/clock.h"
#include "base/errlog_file.h"
#include "base/log_file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LONGEST_RECORD = 1600, LONGEST_TEXT = 1400, MOST_HEAD = 128 };

static const char *const names[] = {
    [LEVEL_EMERG] = "emerg", [LEVEL_ALERT] = "alert", [LEVEL_CRIT] = "crit",
    [LEVEL_ERROR] = "error", [LEVEL_WARN] = "warn",   [LEVEL_NOTICE] = "notice",
    [LEVEL_INFO] = "info",   [LEVEL_DEBUG] = "debug"
};

const char *level_name(enum level level)
{
    return names[level];
}

bool level_parse(struct span name, enum level *ret)
{
    for (enum level l = LEVEL_EMERG; l <= LEVEL_DEBUG; l++) {
        if (span_is(name, names[l])) {
            *ret = l;
            return true;
        }
    }
    return false;
}

/* Peers choose some of these bytes: a record stays one line, and a terminal that shows it unharmed.
 */
static size_t escape(const char *text, size_t room, char *ret_out)
{
    size_t n = 0;

    for (; *text != '\0' && n + 4 < room; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= 0x20 && c < 0x7f)
            ret_out[n++] = (char)c;
        else
            n += (size_t)snprintf(ret_out + n, room - n, "\\x%02X", c);
    }
    return n;
}

static size_t add_error(int error, size_t room, char *ret_out)
{
    char reason[128];

    if (error == 0)
        return 0;
    const char *text = strerror_r(error, reason, sizeof(reason));
    int n = snprintf(ret_out, room, " (%d: %s)", error, text);
    return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* Up to the text, with it. */
static size_t print_head(enum level level, uint64_t connection, char *ret_record)
{
    char when[32], serial[32] = "";

    error_time_print(clock_wall_ms() / 1000, when);
    if (connection > 0)
        snprintf(serial, sizeof(serial), "*%" PRIu64 " ", connection);
    return (size_t)snprintf(ret_record, MOST_HEAD, "%s [%s] %d#%d: %s", when, names[level],
                            getpid(), gettid(), serial);
}

/* `len` bytes, and room for one more. The record is written or lost as a whole: it is shorter than
 * what a pipe takes at a time. */
static int put(struct errlog_file *f, enum level level, char *record, size_t len)
{
    size_t written;

    if (f->send != NULL)
        return f->send(f, level, (struct span){ record, len });
    record[len] = '\n';
    return log_file_write(&f->to, (struct span){ record, len + 1 }, &written);
}

static void note_missing(struct errlog_file *f)
{
    if (f->count.lost == 0 && f->count.suppressed == 0 && f->on_missing != NULL)
        f->on_missing(f);
}

static void put_counted(struct errlog_file *f, enum level level, char *record, size_t len)
{
    int failed = put(f, level, record, len);

    if (failed < 0) {
        note_missing(f);
        f->count.lost++;
        f->count.error = -failed;
    }
}

static bool say(struct errlog_file *f, const char *what, uint64_t count, int error)
{
    char record[512];
    size_t n = print_head(LEVEL_WARN, 0, record);

    n += (size_t)snprintf(record + n, 256, "records of the error log %s: %" PRIu64, what, count);
    n += add_error(error, sizeof(record) - n - 1, record + n);
    return put(f, LEVEL_WARN, record, n) == 0;
}

/* A frame of its own: log calls come from fibers, whose stacks are small. */
__attribute__((noinline)) static void say_missing(struct errlog_file *f)
{
    struct errlog_count *c = &f->count;

    if (c->suppressed > 0 && say(f, "suppressed, since peers caused too many", c->suppressed, 0))
        c->suppressed = 0;
    if (c->lost > 0 && say(f, "lost", c->lost, c->error))
        c->lost = 0;
}

bool errlog_settle(struct errlog_file *f)
{
    if (f->send != NULL || f->to.fd >= 0)
        say_missing(f);
    return f->count.suppressed == 0 && f->count.lost == 0;
}

/* Peers choose how many of their records there are. */
static bool is_suppressed(struct errlog_file *f, uint64_t connection)
{
    struct errlog_count *c = &f->count;
    int64_t second = clock_wall_ms() / 1000;

    if (c->second != second) {
        c->second = second;
        c->of_peers = 0;
    }
    if (connection == 0 || c->of_peers++ < ERRLOG_MOST_OF_PEERS)
        return false;
    note_missing(f);
    c->suppressed++;
    return true;
}

static void write_to(struct errlog_file *f, enum level level, char *record, size_t len)
{
    struct errlog_count *c = &f->count;

    if (c->lost > 0 || (c->suppressed > 0 && c->of_peers <= 1))
        say_missing(f);
    put_counted(f, level, record, len);
}

__attribute__((noinline)) static void write_record(const struct errlog *log, enum level level,
                                                   uint64_t connection, int error, const char *text)
{
    char record[LONGEST_RECORD];
    size_t head = print_head(level, connection, record);
    size_t n = head + escape(text, sizeof(record) - head - 160, record + head);

    n += add_error(error, sizeof(record) - n - 1, record + n);
    for (; log != NULL; log = log->next)
        if (level <= log->level && log->file != NULL && !is_suppressed(log->file, connection))
            write_to(log->file, level, record, n);
}

void errlog_write(const struct errlog *log, enum level level, uint64_t connection, int error,
                  const char *format, ...)
{
    char text[LONGEST_TEXT];
    va_list args;

    if (!errlog_wants(log, level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    write_record(log, level, connection, error, text);
}
