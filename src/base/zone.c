/* Zones: memory files that processes map. Owns mapping and descriptor. */
#include "base/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool zone_same_shape(const struct zone_shape *a, const struct zone_shape *b)
{
    return a->kind == b->kind && a->table.key_size == b->table.key_size &&
           a->table.value_most == b->table.value_most && a->table.full == b->table.full &&
           a->counters == b->counters && a->slots == b->slots && a->size == b->size;
}

size_t zone_size(const struct zone_shape *shape)
{
    switch (shape->kind) {
    case ZONE_TABLE:
        return shape->size;
    case ZONE_COUNTERS:
        return counters_bytes(shape->counters, shape->slots);
    }
    abort();
}

static void *map(int fd, size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, size, MADV_DONTDUMP);
    return memory;
}

static int lay(const struct zone_shape *shape, int fd, size_t size)
{
    void *memory = map(fd, size);

    if (memory == NULL)
        return -ENOMEM;
    bool good = shape->kind != ZONE_TABLE || table_lay(&shape->table, memory, size);
    munmap(memory, size);
    return good ? 0 : -EINVAL;
}

int zone_make(const struct zone_shape *shape, const char *name)
{
    size_t size = zone_size(shape);
    int fd = size > 0 ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;

    if (fd < 0)
        return size > 0 ? -errno : -EINVAL;
    int failed = ftruncate(fd, (off_t)size) < 0 ? -errno : lay(shape, fd, size);
    if (failed == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        failed = -errno;
    if (failed == 0)
        return fd;
    close(fd);
    return failed;
}

/* One that could shrink would kill whoever touches it. */
static bool is_fit(int fd, size_t size)
{
    struct stat is;
    int seals = fcntl(fd, F_GET_SEALS);

    return fstat(fd, &is) == 0 && (size_t)is.st_size == size && seals >= 0 &&
           (seals & F_SEAL_SHRINK) != 0;
}

static bool view(struct zone *z)
{
    switch (z->shape.kind) {
    case ZONE_TABLE:
        return table_view(&z->table, &z->shape.table, z->memory, z->size);
    case ZONE_COUNTERS:
        return counters_view(&z->counters, z->shape.counters, z->shape.slots, z->memory, z->size);
    }
    abort();
}

struct zone *zone_open(const struct zone_shape *shape, int fd)
{
    struct zone *z = calloc(1, sizeof(*z));
    size_t size = zone_size(shape);

    if (z == NULL)
        abort();
    *z = (struct zone){ .refs = 1, .fd = fd, .shape = *shape, .size = size };
    z->memory = size > 0 && is_fit(fd, size) ? map(fd, size) : NULL;
    if (z->memory == NULL || !view(z))
        zone_unref(&z);
    return z;
}

struct zone *zone_ref(struct zone *z)
{
    z->refs++;
    return z;
}

void zone_unref(struct zone **z)
{
    struct zone *gone = *z;

    *z = NULL;
    if (gone == NULL || --gone->refs > 0)
        return;
    if (gone->memory != NULL)
        munmap(gone->memory, gone->size);
    close(gone->fd);
    free(gone);
}
