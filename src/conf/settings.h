#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include "base/span.h"

/* What is left once a configuration was read: what settings are made of, and the blocks that hold
 * them. Rows (conf/directive.h) and their values (conf/types.h) are for whoever declares
 * settings. */

/* A place of a configuration, as decisions note it. `file` indexes conf_file_name. */
struct place {
    uint32_t line;
    uint16_t file;
    uint16_t column;
};

/* A list in settings: grows while the configuration is read, is constant afterwards. */
struct conf_list {
    void *items; /* generation arena */
    uint32_t len;
    uint32_t room;
    uint32_t size; /* of an item; conf_list_add notes it */
};

/* A path, and the line that named it. */
struct placed_path {
    struct span path;
    struct place place; /* of its line; line 0: a default */
};

/* `8 16k`: so many buffers of so many bytes. */
struct conf_buffers {
    uint64_t count, size;
};

/* A block while and after it is built; lives in the generation arena. */
struct conf_block {
    unsigned context;
    struct conf_block *parent;    /* NULL: the top */
    const struct conf_node *node; /* NULL: the top; dies when conf_build returns */
    struct place place;
    void **settings; /* for each module; those of the parent where nothing is set here */
    uint64_t *set;   /* a bit for each row of all modules, in order: stands in this block */
    /* For people and logs, ended by a zero: the first server_name, a location's path. */
    struct span label;
    bool slash_redirect; /* a location named `/x/` answers `/x` with a redirect to itself */
};

/* The module's settings in a block. */
static inline void *settings_in(const struct conf_block *b, unsigned module)
{
    return b->settings[module];
}

#endif
