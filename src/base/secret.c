/* Bytes that must not be seen. Owns a mapping of its own for each. */
#include "base/secret.h"

#include <sys/mman.h>

bool secret_init(struct secret *s, struct span bytes)
{
    size_t size = bytes.len > 0 ? bytes.len : 1;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return false;
    madvise(pages, size, MADV_DONTDUMP);
    if (bytes.len > 0)
        memcpy(pages, bytes.at, bytes.len);
    *s = (struct secret){ pages, bytes.len };
    return true;
}

void secret_done(struct secret *s)
{
    if (s->pages == NULL)
        return;
    explicit_bzero(s->pages, s->len);
    munmap(s->pages, s->len > 0 ? s->len : 1);
    *s = (struct secret){ NULL, 0 };
}

struct span secret_reveal(const struct secret *s)
{
    return (struct span){ s->pages, s->len };
}
