#ifndef EXCHANGE_BODY_H
#define EXCHANGE_BODY_H

#include "base/buf.h"
#include "exchange/spool.h"
#include "net/io.h"

/* A request's body, read whole before it is sent on (proxy_request_buffering on): in memory up to
 * client_body_buffer_size, beyond that in a file without a name. */
struct body {
    struct buf memory;
    struct spool spool;
    uint64_t length;
    bool whole; /* all of it was read and kept */
};

/* On x's fiber. Not IO_OK: x->fault says why (too large, malformed, timeout, gone). Sets
 * x->body. */
enum io body_spool(struct exchange *x);
/* Some of it lies in the file, and so all. */
bool body_in_file(const struct body *b);
/* The piece at `at`: `ret` is good until the next call; `block` (BLOCK_SIZE bytes) is used for
 * bytes from the file. IO_EOF: none left. */
enum io body_piece(const struct body *b, uint64_t at, char *block, struct span *ret);
void body_done(struct body *b);

#endif
