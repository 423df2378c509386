/* A file without a name for what does not fit into memory. Owns its descriptor. */
#include "exchange/spool.h"

#include "base/errlog.h"
#include "base/os.h"
#include "exchange/exchange.h"
#include "exchange/log.h"
#include "exchange/worker.h"

#include <errno.h>
#include <unistd.h>

enum { LONGEST_FOLDER = 512 };

void spool_init(struct spool *s, struct exchange *x, struct span folder,
                const struct spool_words *words)
{
    *s = (struct spool){ .x = x, .folder = folder, .words = words, .fd = -1 };
}

static bool complain(const struct spool *s, const char *call, int error)
{
    exchange_log(s->x, LEVEL_CRIT, error, "%s \"%.*s\" failed%s", call, (int)s->folder.len,
                 s->folder.at, s->words->action);
    return false;
}

static bool make(struct spool *s)
{
    char folder[LONGEST_FOLDER];
    int fd = span_to_cstr(s->folder, sizeof(folder), folder) ? os_temp_file(folder) : -ENAMETOOLONG;

    if (fd < 0)
        return complain(s, "open()", -fd);
    exchange_log(s->x, LEVEL_WARN, 0, "%s is buffered to a temporary file in %.*s%s",
                 s->words->what, (int)s->folder.len, s->folder.at, s->words->action);
    s->fd = fd;
    return true;
}

bool spool_add(struct spool *s, struct span bytes)
{
    if (s->fd < 0 && !make(s))
        return false;
    while (bytes.len > 0) {
        ssize_t n = pwrite(s->fd, bytes.at, bytes.len, (off_t)s->length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return complain(s, "pwrite() to a file in", errno);
        bytes = span_from(bytes, (size_t)n);
        s->length += (uint64_t)n;
        s->x->worker->spooled += (uint64_t)n;
    }
    return true;
}

static void forget_bytes(struct spool *s)
{
    s->x->worker->spooled -= s->length;
    s->length = 0;
}

void spool_clear(struct spool *s)
{
    if (s->length > 0 && ftruncate(s->fd, 0) < 0) {
        close(s->fd); /* another one will be made */
        s->fd = -1;
    }
    forget_bytes(s);
}

void spool_done(struct spool *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    forget_bytes(s);
}
