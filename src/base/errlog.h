#ifndef BASE_ERRLOG_H
#define BASE_ERRLOG_H

#include "base/span.h"

/* The error log, in NGINX's form:
 *
 *     YYYY/MM/DD HH:MM:SS [level] PID#TID: *CONN text (ERRNO: strerror)
 *
 * Log once, at the floor that decides; floors 0 to 3 return reasons instead. */
enum level {
    LEVEL_EMERG = 1,
    LEVEL_ALERT,
    LEVEL_CRIT,
    LEVEL_ERROR,
    LEVEL_WARN,
    LEVEL_NOTICE,
    LEVEL_INFO,
    LEVEL_DEBUG
};

struct errlog {               /* one line `error_log` */
    struct errlog_file *file; /* NULL: nowhere; owned by whoever opened it */
    enum level level;
    const struct errlog *next; /* a further line of the same block */
};

static inline bool errlog_wants(const struct errlog *log, enum level level)
{
    while (log != NULL && level > log->level)
        log = log->next;
    return log != NULL;
}

const char *level_name(enum level level);
/* False: no such level. */
bool level_parse(struct span name, enum level *ret);

/* One record of at most 2,048 bytes, in one write to each line that wants it. Control bytes, and
 * bytes from 0x7f up, are written as \xHH. `connection` 0 and `error` 0 are left out. */
void errlog_write(const struct errlog *log, enum level level, uint64_t connection, int error,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
