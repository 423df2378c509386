#ifndef CONF_ROWS_H
#define CONF_ROWS_H

#include "base/span.h"
#include "conf/directive.h"

struct arena;

enum { NO_ROW = UINT32_MAX };

struct row {
    const struct directive *directive;
    size_t size;     /* of the field */
    uint32_t next;   /* the next row of the same name; NO_ROW: none */
    uint32_t leader; /* the first row of the module with this field: stands for the setting */
    uint16_t module;
    enum inherit inherit; /* as it works: NONE for a row that opens a context */
};

/* All modules' rows, to be found by name. */
struct rows {
    struct row *all; /* tree arena, as all here */
    unsigned count;
    unsigned *starts; /* of each module, and the end */
    uint32_t *slots;  /* by name: the first row, NO_ROW: free */
    unsigned mask;
};

void rows_init(struct rows *r, const struct conf_module *modules, size_t count,
               struct arena *arena);
/* The first row of this name, or NO_ROW. */
uint32_t rows_find(const struct rows *r, struct span name);
/* Among the rows of the name of `first`, the one that may stand in the context; or NO_ROW. */
uint32_t rows_pick(const struct rows *r, uint32_t first, unsigned context);
/* The name nearest to `word`, rather one that may stand in the context; empty: none is near. */
struct span rows_nearest(const struct rows *r, struct span word, unsigned context,
                         struct arena *arena);

static inline bool opens_context(const struct directive *d)
{
    return d->opens != 0 && d->opens != CTX_RAW;
}

/* FNV-1a: of names that no peer chooses. */
static inline uint32_t name_hash(struct span name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.at[i]) * 16777619u;
    return hash ^ hash >> 15;
}

#endif
