#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

/* A growable run of bytes, born with a maximum. Its failure is sticky: once an addition does not
 * fit, or memory is refused, every later one does nothing: a writer asks once, at the end.
 * Half a message is never seen: a failed buffer views as empty. */
struct buf {
    char *data; /* owned */
    size_t len;
    size_t room;
    size_t max;
    struct budget *budget; /* the worker's; charged as `room` grows, NULL: none */
    bool failed;
};

void buf_init(struct buf *b, size_t max, struct budget *budget);
void buf_done(struct buf *b);  /* also of a zeroed one; afterwards every use is refused */
void buf_clear(struct buf *b); /* empty and sound again, memory kept */

/* Memory for `more` further bytes, to be written at `data + len` and then counted by the caller in
 * `len`. False: refused, and the buffer has failed. */
bool buf_reserve(struct buf *b, size_t more);

static inline void buf_add(struct buf *b, struct span bytes)
{
    if (bytes.len > b->room - b->len && !buf_reserve(b, bytes.len))
        return;
    if (b->failed || bytes.len == 0)
        return;
    memcpy(b->data + b->len, bytes.at, bytes.len);
    b->len += bytes.len;
}

static inline void buf_add_byte(struct buf *b, char byte)
{
    buf_add(b, (struct span){ &byte, 1 });
}

static inline void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, (struct span){ text, strlen(text) });
}

void buf_add_decimal(struct buf *b, uint64_t value);
void buf_add_hex(struct buf *b, uint64_t value);      /* lower case, no leading zeros */
void buf_addf(struct buf *b, const char *format, ...) /* under 1 KiB a call, else it fails */
    __attribute__((format(printf, 2, 3)));

/* Takes the first `n` bytes away. */
void buf_drop(struct buf *b, size_t n);

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

static inline struct span buf_view(const struct buf *b) /* valid until the next change */
{
    return b->failed ? (struct span){ NULL, 0 } : (struct span){ b->data, b->len };
}

#endif
