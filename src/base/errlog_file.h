#ifndef BASE_ERRLOG_FILE_H
#define BASE_ERRLOG_FILE_H

#include "base/errlog.h"
#include "base/log_file.h"
#include "base/span.h"

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

/* Says what is missing and was not said yet. False: even that was not taken. */
bool errlog_settle(struct errlog_file *f);

#endif
