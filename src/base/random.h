#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/span.h"

/* Unpredictable bytes from the kernel; aborts when there are none. */
void random_bytes(void *to, size_t n);
/* Takes as long for equal as for different contents. */
bool constant_time_same(struct span a, struct span b);

#endif
