/* The one source of unpredictable bytes, and the one comparison of secrets. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *to, size_t n)
{
    char *at = to;

    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        n -= (size_t)got;
    }
}

bool constant_time_same(struct span a, struct span b)
{
    unsigned char different = a.len != b.len;
    size_t len = a.len < b.len ? a.len : b.len;

    for (size_t i = 0; i < len; i++)
        different |= (unsigned char)(a.at[i] ^ b.at[i]);
    return different == 0;
}
