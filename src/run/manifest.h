#ifndef RUN_MANIFEST_H
#define RUN_MANIFEST_H

#include "base/address.h"
#include "base/errlog.h"
#include "base/span.h"
#include "base/shape.h"
#include "log/syslog.h"
#include "net/listen.h"
#include "run/ceiling.h"

#include <sched.h>

struct conf_list;
struct generation;

/* What whoever supervises reads of a bundle: what is to be bound, opened, started. Records of fixed
 * sizes that name nothing outside. They were written by a process that had read files of others, so
 * each number is checked when they are read. */
enum { MANIFEST_PATH = 1024, MANIFEST_NAME = 256, MANIFEST_MOST = 100000, MOST_WORKERS = 1024 };

/* A line of the configuration, for complaints. */
struct manifest_place {
    uint32_t file, line, column; /* line 0: a default */
};

struct manifest_listener {
    struct address address; /* as configured */
    int32_t backlog, rcvbuf, sndbuf;
    struct listen_tcp tcp;
    uint32_t flags;  /* LISTEN_... */
    uint32_t number; /* listener->socket */
    struct manifest_place place;
};

/* A file that is opened for the workers. */
struct manifest_log {
    char path[MANIFEST_PATH];
    struct manifest_place place;
};

/* A line `error_log` of the process. */
struct manifest_error {
    enum level level;
    uint32_t log; /* its number; NO_LOG: syslog */
    struct syslog syslog;
    char words[MANIFEST_NAME]; /* what stands in the line, if it is syslog */
};
enum { NO_LOG = UINT32_MAX };

/* Memory that all workers share. The same name, use and shape before and after a reload: the same
 * memory. */
struct manifest_zone {
    char name[MANIFEST_NAME], use[MANIFEST_NAME];
    struct zone_shape shape;
    struct manifest_place place;
};

/* What a worker in the sandbox may write beneath. */
struct manifest_folder {
    char path[MANIFEST_PATH]; /* LOGS: of a file in it, which need not be there */
    enum folder_use { FOLDER_WRITES = 1, FOLDER_LOGS } use;
};

struct manifest_file { /* of the configuration */
    char name[MANIFEST_PATH];
};

struct manifest_head {
    uint32_t files, listeners, logs, errors, zones, folders, cpu_sets; /* how many follow */
    uint32_t workers;
    uint32_t places;         /* in zones: for those of the workers that leave, too */
    struct manifest_rights { /* a worker that has them cannot get others */
        char user[MANIFEST_NAME], group[MANIFEST_NAME];
        uint64_t descriptors; /* 0: as many as may be */
        int32_t priority;
        uint32_t sandbox; /* 1: on */
    } rights;
    struct manifest_place user_place, pid_place;
    char pid[MANIFEST_PATH];
    char standard_log[MANIFEST_PATH]; /* where no line of the configuration says */
    uint64_t connections;
    uint64_t shutdown_ms; /* 0: for ever */
    struct ceiling ceiling;
    bool master, background;
};

struct manifest {
    struct manifest_head head;
    struct manifest_file *files; /* owned, all of them */
    struct manifest_listener *listeners;
    struct manifest_log *logs;
    struct manifest_error *errors;
    struct manifest_folder *folders;
    struct manifest_zone *zones; /* in the order of generation->zones */
    cpu_set_t *cpu_sets;         /* of the workers in turn; the last one of all further ones */
};

/* Appends that of a good generation. `error_log`: of -e; empty: not given. */
void manifest_write(const struct generation *g, struct span error_log, struct buf *out);
/* A copy. NULL: it is none. */
struct manifest *manifest_read(struct span bytes);
/* May a worker that has given up what `a` did not ask for serve `b`? */
bool manifest_same_rights(const struct manifest *a, const struct manifest *b);
void manifest_free(struct manifest **m);

#endif
