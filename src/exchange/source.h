#ifndef EXCHANGE_SOURCE_H
#define EXCHANGE_SOURCE_H

#include "base/span.h"
#include "net/io.h"

/* Where an answer comes from: file, origin, status page, tunnel, cache. A filter is a source
 * wrapped round a source; pulling gives back-pressure for nothing. */

/* A piece of a body; good until the next read of the source that gave it. */
enum part_kind { PART_MEMORY, PART_FILE, PART_PIPE };

struct part {
    enum part_kind kind;
    bool last;           /* nothing follows: the end may leave together with it */
    struct span bytes;   /* PART_MEMORY: at least one byte */
    struct block *block; /* they lie in it: whoever needs them longer takes a reference; NULL: only
                            until the next read */
    int file;            /* PART_FILE: the source's; `length` bytes from `offset`. PART_PIPE: the
                            read end, in which `length` bytes wait: all of them are taken out */
    uint64_t offset;
    uint64_t length;
};

static inline uint64_t part_length(const struct part *p)
{
    return p->kind == PART_MEMORY ? p->bytes.len : p->length;
}

/* What becomes of the client's connection. */
enum after { AFTER_KEEP, AFTER_CLOSE, AFTER_RESET, AFTER_TAKEN };

struct source {
    const struct source_ops *ops;
    struct exchange *x;
    bool pipes; /* whoever reads it takes parts of the kind PART_PIPE, too */
    bool bulk;  /* nobody waits for what has come of it: a filter may hold it until it has more */
};

struct source_ops {
    /* Fetches the answer's head into x->response. Not IO_OK: x->fault says why. */
    enum io (*head)(struct source *s);
    /* IO_OK: a part. IO_EOF: the body is complete. Else it is cut. */
    enum io (*read)(struct source *s, struct part *ret);
    /* Instead of `head` in a rehearsal: says what would be asked (exchange/trace.h). NULL: `head`
     * itself asks nobody. */
    void (*foretell)(struct source *s);
    /* A read would not wait; NULL: never waits. */
    bool (*ready)(const struct source *s);
    /* Before the first read: give only `length` bytes from `offset`. NULL: who wants less reads and
     * drops. */
    void (*narrow)(struct source *s, uint64_t offset, uint64_t length);
    /* Right in every state; once. */
    void (*close)(struct source *s);
    /* Tunnels: answers the client, takes its connection and ends the fiber's part. NULL: an
     * ordinary source. */
    enum after (*takeover)(struct source *s);
};

/* The client's connection takes parts of files as they are: `sendfile on`, and nothing between us
 * and the kernel. */
bool source_may_send_files(const struct exchange *x);
/* The first of `length` > 0 bytes of a file from `offset`, read into *block, which is taken if
 * NULL and stays the caller's. Not IO_OK: x->fault is set, and why was said; a file that became
 * shorter cuts the answer. */
enum io source_read_file(struct exchange *x, const struct part *file, struct block **block,
                         struct span *ret);

#endif
