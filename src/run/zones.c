/* Zones from one generation to the next.
 *
 *     declared, same name, use and shape as before -> the same mapping, counted once more
 *     declared, other size or new                  -> given by the master, or made
 *     no longer declared                           -> goes with the last exchange of the old one
 */
#include "run/zones.h"

#include "base/errlog.h"
#include "base/zone.h"
#include "exchange/generation.h"
#include "exchange/worker.h"
#include "exchange/zone_line.h"

#include <string.h>
#include <unistd.h>

static struct zone *kept(const struct generation *before, const struct zone_line *line)
{
    const struct zone_line *old = before != NULL ? zone_named(before, line->name) : NULL;

    if (old == NULL || old->zone == NULL || strcmp(old->use, line->use) != 0 ||
        !zone_same_shape(&old->shape, &line->shape))
        return NULL;
    return zone_ref(old->zone);
}

static void say_new(struct worker *w, const struct zone_line *line)
{
    if (w->generation != NULL && zone_named(w->generation, line->name) != NULL)
        errlog_write(w->log, LEVEL_NOTICE, 0, 0,
                     "zone \"%.*s\" has another size or use now: it begins empty",
                     (int)line->name.len, line->name.at);
}

static struct zone *make(struct worker *w, const struct zone_line *line, int fd)
{
    if (fd < 0)
        fd = zone_make(&line->shape, "bifrons-zone");
    struct zone *z = fd >= 0 ? zone_open(&line->shape, fd) : NULL;

    if (z == NULL)
        errlog_write(w->log, LEVEL_ALERT, 0, fd < 0 ? -fd : 0, "no shared memory for zone \"%.*s\"",
                     (int)line->name.len, line->name.at);
    else
        say_new(w, line);
    return z;
}

void zones_take(struct worker *w, struct generation *g, const int *fds)
{
    struct zone_line *const *all = g->zones.items;

    for (uint32_t i = 0; i < g->zones.len; i++) {
        int fd = fds != NULL ? fds[i] : -1;

        all[i]->zone = kept(w->generation, all[i]);
        if (all[i]->zone == NULL)
            all[i]->zone = make(w, all[i], fd);
        else if (fd >= 0)
            close(fd); /* it is mapped already */
    }
}
