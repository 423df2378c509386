#ifndef PROTO_CHUNKED_H
#define PROTO_CHUNKED_H

#include "base/span.h"

/* The chunked coding (RFC 9112 7.1), read strictly: CRLF only, at most 16 digits, extensions
 * checked and dropped (256 bytes a line, 4 KiB a message), trailers checked and dropped (bounded by
 * the head's caps). */
enum chunk {
    CHUNK_DATA, /* `ret_data` are bytes of the body, in `in` */
    CHUNK_MORE, /* all of `in` is used up: more is needed */
    CHUNK_END,  /* the message is complete */
    CHUNK_BAD
};

struct chunked {
    uint64_t left;  /* of the chunk's data */
    uint32_t state; /* of the machine in chunked.c */
    uint32_t digits;
    uint32_t line;      /* bytes of this size or trailer line */
    uint32_t extension; /* bytes of extensions so far */
    uint32_t trailer;   /* bytes of trailers so far */
    uint32_t trailers;  /* lines */
    uint32_t trailer_most;
    uint32_t trailers_most;
};

void chunked_init(struct chunked *c);
/* What the head's caps leave for the trailers (CHNK-28): bytes with line ends, lines. By default 32
 * KiB, 1000. */
void chunked_limit_trailers(struct chunked *c, uint32_t bytes, uint32_t lines);
/* Reads on from `in`; `ret_taken` bytes of it are used up, those of the data too. Never takes a
 * byte beyond the end. Once bad, or at its end, it stays so. `ret_data` is set by CHUNK_DATA only,
 * `ret_taken` by all but CHUNK_BAD. */
enum chunk chunked_next(struct chunked *c, struct span in, struct span *ret_data,
                        size_t *ret_taken);
/* A good guess of what will still come of this chunk, for reads of the right size. */
uint64_t chunked_left(const struct chunked *c);

enum { CHUNK_HEAD_MOST = 20 };
/* `SIZE CR LF` of a chunk to be sent; returns its length. */
size_t chunk_head(uint64_t size, char ret_text[CHUNK_HEAD_MOST]);

#endif
