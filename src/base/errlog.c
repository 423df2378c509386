/* The error log: one record, one write. Owns nothing. */
#include "base/errlog.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LONGEST_RECORD = 1600, LONGEST_TEXT = 1400 };

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

static void write_all(int fd, const char *record, size_t len)
{
    while (len > 0) {
        ssize_t sent = write(fd, record, len);

        if (sent <= 0)
            return; /* a log that cannot be written must not stop the service */
        record += sent;
        len -= (size_t)sent;
    }
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

/* A frame of its own: log calls come from fibers, whose stacks are small. */
__attribute__((noinline)) static void write_record(const struct errlog *log, enum level level,
                                                   uint64_t connection, int error, const char *text)
{
    char record[LONGEST_RECORD], when[32], serial[32] = "";

    error_time_print(clock_wall_ms() / 1000, when);
    if (connection > 0)
        snprintf(serial, sizeof(serial), "*%" PRIu64 " ", connection);
    size_t head = (size_t)snprintf(record, 128, "%s [%s] %d#%d: %s", when, names[level], getpid(),
                                   gettid(), serial);
    size_t n = head + escape(text, sizeof(record) - head - 160, record + head);
    n += add_error(error, sizeof(record) - n - 1, record + n);
    if (log->send != NULL)
        log->send(log, level, (struct span){ record, n });
    record[n++] = '\n';
    if (log->fd >= 0 && log->send == NULL)
        write_all(log->fd, record, n);
    if (log->echo && level <= LEVEL_WARN && log->fd != STDERR_FILENO)
        dprintf(STDERR_FILENO, "bifrons: [%s] %.*s", names[level], (int)(n - head), record + head);
}

void errlog_write(const struct errlog *log, enum level level, uint64_t connection, int error,
                  const char *format, ...)
{
    char text[LONGEST_TEXT];
    va_list args;

    if (!errlog_wants(log, level) || (log->fd < 0 && !log->echo))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    write_record(log, level, connection, error, text);
}
