#ifndef BASE_ERRLOG_H
#define BASE_ERRLOG_H

#include "base/log_file.h"

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

/* What records go to: one for each file, however many lines name it. Nothing here waits: what is
 * not taken is lost, counted, and said once records are taken again. Records that peers cause
 * (those with a connection) are bounded per second, and those beyond are counted and said, too. */
struct errlog_file {
    struct log_file to;
    /* Instead of a write: a whole record, without its line end. 0 or -errno: it is lost. */
    int (*send)(struct errlog_file *f, enum level level, struct span record);
    /* Something is missing for the first time since it was said: errlog_settle is due in a second.
     * NULL: nobody asks. */
    void (*on_missing)(struct errlog_file *f);
    struct errlog_count {
        int64_t second; /* of `of_peers` */
        uint32_t of_peers;
        uint64_t suppressed, lost; /* not said yet */
        int error;                 /* why the last one was lost */
    } count;
};

enum { ERRLOG_MOST_OF_PEERS = 1000 }; /* records a second in a file */

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
/* Says what is missing and was not said yet. False: even that was not taken. */
bool errlog_settle(struct errlog_file *f);

#endif
