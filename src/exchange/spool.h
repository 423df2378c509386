#ifndef EXCHANGE_SPOOL_H
#define EXCHANGE_SPOOL_H

#include "base/span.h"

/* Bytes of a body that are too many for memory: a file without a name in a configured folder, made
 * at the first of them. Its bytes are counted in the worker (`spooled`). Writing goes to the page
 * cache, in pieces that the owner bounds. */
struct spool {
    struct exchange *x;
    struct span folder;
    const struct spool_words {
        const char *what, *action; /* "a client request body", " while reading ..." */
    } * words;                     /* for the error log */
    int fd;                        /* -1: not made yet */
    uint64_t length;               /* bytes in it */
};

void spool_init(struct spool *s, struct exchange *x, struct span folder,
                const struct spool_words *words);
/* Appends. False: not all of it is in the file (`length` says how much is); why was logged. */
bool spool_add(struct spool *s, struct span bytes);
/* Gives the disk back; the file stays, for other bytes. What the kernel is still sending from it is
 * not touched: its pages are let go of, never written over. */
void spool_clear(struct spool *s);
void spool_done(struct spool *s);

#endif
