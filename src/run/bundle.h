#ifndef RUN_BUNDLE_H
#define RUN_BUNDLE_H

#include "base/span.h"
#include "conf/source.h"

struct buf;
struct conf;

struct manifest;

/* The bundle: the configuration and every file that it names, in one sealed memory file. Workers
 * build their settings from it alone; start, reload and respawn are one path.
 *
 *     head | manifest | entries: kind, result, name, data | names and data
 *
 * The manifest is what the master reads of it. */
struct bundle_request {
    struct span file;      /* the main configuration file, absolute */
    struct span text;      /* if at is not NULL: the configuration itself */
    struct span prefix;    /* ends with `/` */
    struct span globals;   /* of -g */
    struct span error_log; /* of -e; empty: not given */
    enum bundle_folders {
        FOLDERS_LEFT,   /* none is made */
        FOLDERS_MADE,   /* those for logs and temporary files */
        FOLDERS_AND_PID /* that of the pid file, too */
    } folders;
    bool advice; /* also warn of what is legal and most likely not meant: takes longer */
};

/* Reads and checks everything. A descriptor of the sealed memory file, or -1; messages are appended
 * to `messages` (errors and warnings, each as conf_print_message makes it). */
int bundle_build(const struct bundle_request *request, struct buf *messages);
/* The same into an empty memory file, which is sealed. False: messages say why. */
bool bundle_build_to(const struct bundle_request *request, int fd, struct buf *messages);
/* A copy of its manifest; NULL: it is no sealed bundle. */
struct manifest *bundle_manifest(int fd);

/* Reads and checks everything, makes nothing: for tools. `look` sees the result while the texts
 * live. */
void bundle_inspect(const struct bundle_request *request,
                    void (*look)(struct conf *conf, void *arg), void *arg);

/* The bundle as a source, mapped read-only. `s` must stay where it is until bundle_close. 0 or
 * -errno. */
struct bundle_source {
    struct conf_source source;
    struct span map;
    struct bundle_request request; /* points into the map */
};
int bundle_open(struct bundle_source *s, int fd);
/* Unmaps, unless a generation has taken the map over. */
void bundle_close(struct bundle_source *s);

#endif
