#ifndef FETCH_OPEN_FILES_H
#define FETCH_OPEN_FILES_H

#include "base/span.h"

#include <sys/stat.h>

struct generation;
struct exchange;

/* `open_file_cache`: files that stay open between requests, with what their answers say of them. A
 * file that was replaced is noticed when `open_file_cache_valid` is over, as in NGINX. */
extern const struct module open_files_module;

/* What an answer says of a file. */
struct file_facts {
    uint64_t size;
    int64_t modified;
    char date[32]; /* Last-Modified */
    char etag[40];
};

void file_facts_of(const struct stat *st, struct file_facts *ret);

struct open_file {
    int fd;    /* -1: it cannot be opened */
    int error; /* errno then */
    struct file_facts facts;
};

/* The cache of the block in force; NULL: there is none. */
struct open_files;
struct open_files *open_files_of(const struct exchange *x);
/* `path` below `root`, whatever that is: the same pointer means the same place. A file that
 * open_file_put gives back; NULL: not known, or not any more. */
struct open_file *open_file_find(struct exchange *x, const void *root, struct span path);
/* Keeps what was just opened (`fd`), or could not be (`error`). The cache owns `fd` unless NULL is
 * returned: it is not worth keeping. */
struct open_file *open_file_keep(struct exchange *x, const void *root, struct span path, int fd,
                                 int error, const struct file_facts *facts);
/* How many all caches together may hold in a worker. */
uint64_t open_files_most(const struct generation *g);
void open_file_put(struct open_file *f);

#endif
