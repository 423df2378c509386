#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/span.h"

/* Bytes that must not be seen: a key, a password. No print function takes one; it is wiped when it
 * ends and its pages stay out of core dumps. Whoever needs the bytes says so by `secret_reveal`. */
struct secret {
    void *pages; /* owned; mapped apart from the heap */
    size_t len;
};

/* Copies the bytes; the caller wipes its own. False: memory refused. */
bool secret_init(struct secret *s, struct span bytes);
void secret_done(struct secret *s);
/* Valid until secret_done. */
struct span secret_reveal(const struct secret *s);

#endif
